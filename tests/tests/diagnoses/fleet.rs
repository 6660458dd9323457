//! Three `eio serve` behind the documented HAProxy and nginx: a node dies and comes back, and one is drained.

use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use eio_tests::built;
use eio_tests::interop::{Case, Daemon, Log, free_port, soon};
use eio_tokio::{Backoff, Client, ClientSocket, Transport};
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::balancers::{SCALING, at};
use crate::cases;
use crate::proxies::Proxy;

const NAMES: [&str; 3] = ["a7", "b2", "c3"];

/// How many clients there are, half of them on polling.
const CLIENTS: usize = 12;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        behind_haproxy_the_clients_of_a_dead_node_open_new_sessions_elsewhere,
        behind_nginx_the_clients_of_a_dead_node_open_new_sessions_elsewhere,
        a_node_that_haproxy_drains_keeps_its_sessions_and_gets_no_new_ones,
        a_node_that_nginx_drains_keeps_its_sessions_and_gets_no_new_ones,
    ]
}

/// A process of `eio serve`.
struct Node {
    port: u16,
    daemon: Daemon,
}

impl Node {
    async fn start(name: &'static str, port: u16, log: &Log) -> Self {
        let mut command = Command::new(built::eio());
        command.args(["serve", "--echo", "--node", name, "--port", &port.to_string()]);
        Self { port, daemon: Daemon::start(command, name, port, log).await }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

/// The nodes, a balancer before them, and its clients.
struct Fleet {
    nodes: [Node; 3],
    proxy: Proxy,
    clients: JoinSet<()>,
    told: UnboundedReceiver<Told>,
    tell: UnboundedSender<Told>,
    /// Whether clients send nothing at present.
    quiet: Arc<AtomicBool>,
}

/// What a client tells of itself.
#[derive(Debug)]
enum Told {
    /// Its session is open, on its last transport, and messages come back: on this node.
    Opened(usize, String),
    Ended(usize),
}

impl Fleet {
    async fn start(who: &'static str, log: &Log) -> Self {
        let mut nodes = Vec::new();
        for name in NAMES {
            nodes.push(Node::start(name, free_port(), log).await);
        }
        let nodes: [Node; 3] = nodes.try_into().unwrap_or_else(|_| unreachable!("there are three names"));
        let addresses = nodes.each_ref().map(Node::address);
        let proxy = Proxy::documented(SCALING, who, |block| at(block, addresses), log).await;
        let (tell, told) = unbounded_channel();
        Self { nodes, proxy, clients: JoinSet::new(), told, tell, quiet: Arc::default() }
    }

    /// Starts clients with these numbers, and waits until all of their sessions are open. Returns the node of each.
    async fn open(&mut self, numbers: core::ops::Range<usize>) -> Vec<(usize, String)> {
        for number in numbers.clone() {
            let (url, tell) = (self.proxy.url("http", "/"), self.tell.clone());
            self.clients.spawn(client(number, url, tell, Arc::clone(&self.quiet)));
        }
        let mut opened = Vec::new();
        while opened.len() < numbers.len() {
            match soon("all sessions to open", self.told.recv()).await.expect("a sender is here") {
                Told::Opened(number, node) if numbers.contains(&number) => opened.push((number, node)),
                told => panic!("{told:?}"),
            }
        }
        opened
    }

    /// How many of these sessions a node has.
    fn count(opened: &[(usize, String)], node: &str) -> usize {
        opened.iter().filter(|(_, of)| of == node).count()
    }
}

/// Opens sessions one after another, and tells of each. Messages go there and back, ten a second.
async fn client(number: usize, url: String, tell: UnboundedSender<Told>, quiet: Arc<AtomicBool>) {
    let upgrades = number.is_multiple_of(2);
    let client = Client::builder(url).upgrade(upgrades).build().expect("a valid URL");
    let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1)).expect("a valid backoff");
    let mut sessions = client.reconnecting(backoff);
    while let Ok(mut socket) = sessions.next().await {
        let node = socket.handshake().sid().get(..2).unwrap_or_default().to_owned();
        if echoes(&mut socket).await {
            while upgrades && socket.transport() == Transport::Polling && socket.end().is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let _ = tell.send(Told::Opened(number, node));
            while quiet.load(Ordering::Relaxed) || echoes(&mut socket).await {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let _ = tell.send(Told::Ended(number));
    }
}

/// Sends a message and waits for it to come back. Returns `false` if the session ends.
async fn echoes(socket: &mut ClientSocket) -> bool {
    socket.send("there and back").await.is_ok() && socket.recv().await.is_ok()
}

async fn behind_haproxy_the_clients_of_a_dead_node_open_new_sessions_elsewhere(log: Log) {
    Box::pin(dies_and_comes_back("haproxy", &log)).await;
}

async fn behind_nginx_the_clients_of_a_dead_node_open_new_sessions_elsewhere(log: Log) {
    Box::pin(dies_and_comes_back("nginx", &log)).await;
}

async fn dies_and_comes_back(who: &'static str, log: &Log) {
    let mut fleet = Box::pin(Fleet::start(who, log)).await;
    let opened = fleet.open(0..CLIENTS).await;
    log.line("test", &format!("{opened:?}"));
    assert!(NAMES.iter().all(|name| Fleet::count(&opened, name) > 0), "{opened:?}");
    let dead: Vec<_> = opened.iter().filter(|(_, node)| node == "b2").map(|(number, _)| *number).collect();
    let [_, b2, _] = &mut fleet.nodes;
    b2.daemon.kill().await;
    // Those of the dead node, and nobody else, open new sessions on the others. An attempt may end on the way there.
    let mut elsewhere = Vec::new();
    while elsewhere.len() < dead.len() {
        match soon("new sessions elsewhere", fleet.told.recv()).await.expect("a sender is here") {
            Told::Opened(number, node) => {
                assert!(dead.contains(&number) && node != "b2", "{number} on {node}");
                elsewhere.push(number);
            }
            Told::Ended(number) => assert!(dead.contains(&number), "{number} of {opened:?}"),
        }
    }
    // It is back under its name and address, and gets sessions again.
    let port = fleet.nodes[1].port;
    fleet.nodes[1] = Node::start("b2", port, log).await;
    let mut next = CLIENTS;
    let back = async {
        while Fleet::count(&fleet.open(next..next + 3).await, "b2") == 0 {
            next += 3;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    soon("sessions on the node that is back", back).await;
}

async fn a_node_that_haproxy_drains_keeps_its_sessions_and_gets_no_new_ones(log: Log) {
    let mut fleet = Box::pin(Fleet::start("haproxy", &log)).await;
    let opened = fleet.open(0..CLIENTS).await;
    fleet.proxy.command_haproxy("set weight nodes/b2 0").await;
    Box::pin(is_drained(fleet, opened, &log)).await;
}

async fn a_node_that_nginx_drains_keeps_its_sessions_and_gets_no_new_ones(log: Log) {
    let mut fleet = Box::pin(Fleet::start("nginx", &log)).await;
    let opened = fleet.open(0..CLIENTS).await;
    let addresses = fleet.nodes.each_ref().map(Node::address);
    // The old worker closes idle connections. A request that comes at that moment fails, as docs/scaling.md says.
    fleet.quiet.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    fleet.proxy.reload_nginx(SCALING, |block| {
        let drained = block.replace("server 10.0.0.2:3000;", "server 10.0.0.2:3000 down;");
        assert_ne!(drained, block);
        at(&drained, addresses)
    });
    // nginx says nothing when it has read it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    fleet.quiet.store(false, Ordering::Relaxed);
    Box::pin(is_drained(fleet, opened, &log)).await;
}

/// Node b2 gets none of the next sessions, and those of before live on.
async fn is_drained(mut fleet: Fleet, opened: Vec<(usize, String)>, log: &Log) {
    log.line("test", &format!("{opened:?}"));
    assert!(Fleet::count(&opened, "b2") > 1, "{opened:?}");
    // Whatever ended meanwhile would be told here.
    let more = fleet.open(CLIENTS..2 * CLIENTS).await;
    assert_eq!(Fleet::count(&more, "b2"), 0, "{more:?}");
    // Messages come back every 100 ms, so that a session that is not reached any more ends.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(fleet.told.is_empty(), "{:?}", fleet.told.recv().await);
}
