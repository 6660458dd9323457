//! Whole nodes: three `eio serve` over a bus, behind HAProxy, which sends each request to the next node.

use core::ops::RangeInclusive;
use core::pin::Pin;
use core::time::Duration;
use std::path::Path;
use std::process::Stdio;

use eio_tests::built;
use eio_tests::interop::{Child, Daemon, Events, Folder, LATE, Log, free_port, soon};
use eio_tests::signal::send_signal;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::Instant;

use crate::servers::Server;

/// The names of the nodes.
pub(crate) const NAMES: [&str; 3] = ["a", "b", "c"];

/// The configuration of HAProxy that users copy.
const HAPROXY: &str = include_str!("../../../docs/several-nodes/haproxy.cfg");

/// The configuration of a node that users copy, and its file beside that of the secret.
const CONFIG: &str = include_str!("../../../docs/several-nodes/a.toml");
const CONFIG_FILE: &str = "node.toml";

/// When a node that falls silent is gone for the others: 10 s after its last sign of life, which may be 4 s old by then, and
/// another second on a busy machine.
const GONE: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(10).saturating_add(LATE);

/// A running `eio serve`. Dropping it kills the program.
pub(crate) struct Node {
    child: tokio::process::Child,
    /// What it says, and when.
    events: UnboundedReceiver<(Instant, Value)>,
}

impl Node {
    /// Starts one, by another program that runs what follows its arguments. Waits until it listens.
    pub(crate) async fn start_inside(
        wrapper: &[&str],
        name: &'static str,
        listen: &str,
        bus: &str,
        (secret, heartbeat): (&str, &str),
        log: &Log,
    ) -> Self {
        let eio = built::eio();
        let eio = eio.to_str().expect("a path in UTF-8");
        let config = Path::new(secret).with_file_name(CONFIG_FILE);
        let arguments = [
            "serve",
            "--config",
            config.to_str().expect("a path in UTF-8"),
            "--json",
            "--node",
            name,
            "--bus",
            bus,
            "--node-secret",
            secret,
            "--listen",
            listen,
            "--ping-interval",
            heartbeat,
            "--ping-timeout",
            heartbeat,
        ];
        let words = [wrapper, &[eio], &arguments].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.kill_on_drop(true).spawn().expect("the node starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe was asked for")).lines();
        let (tell, events) = mpsc::unbounded_channel();
        let log = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let event: Value = serde_json::from_str(&line).expect("a line of JSON");
                if ["listening", "node", "bus", "refused", "failed", "closing"]
                    .iter()
                    .any(|kind| event["event"] == *kind)
                {
                    log.line(name, &line);
                    let _ = tell.send((Instant::now(), event));
                }
            }
        });
        let mut node = Self { child, events };
        node.event("listening", &[]).await;
        node
    }

    /// Waits for an event of this kind with these members. Returns when it came.
    pub(crate) async fn event(&mut self, kind: &str, members: &[(&str, Value)]) -> Instant {
        let what = format!("{kind} {members:?}");
        let looking = async {
            loop {
                let (at, event) = self.events.recv().await.unwrap_or_else(|| panic!("no {what} came"));
                if event["event"] == kind && members.iter().all(|(name, value)| event[*name] == *value) {
                    return at;
                }
            }
        };
        soon(&what, looking).await
    }

    /// Waits until another node has this change. Returns when it had it.
    pub(crate) async fn sees(&mut self, other: &str, change: &str) -> Instant {
        self.event("node", &[("node", other.into()), ("change", change.into())]).await
    }

    /// Waits until another node, which has been silent since then, is gone. It must be so in time, and not earlier.
    pub(crate) async fn sees_gone(&mut self, other: &str, silent_since: Instant) {
        let after = self.sees(other, "gone").await - silent_since;
        assert!(GONE.contains(&after), "{other} was gone after {after:?}: expected {GONE:?}");
    }

    pub(crate) async fn kill(&mut self) {
        let _ = self.child.kill().await;
    }

    /// Lets it end in order, and waits for that.
    pub(crate) async fn stop(&mut self) {
        self.signal("INT");
        let status = soon("the node to end", self.child.wait()).await.expect("it can be waited for");
        assert!(status.success(), "{status}");
    }

    pub(crate) fn signal(&self, signal: &str) {
        send_signal(signal, self.child.id().expect("it runs"));
    }
}

/// Three nodes and their balancer.
pub(crate) struct Nodes {
    pub(crate) bus: Server,
    pub(crate) each: [Node; 3],
    addresses: [String; 3],
    balancer: u16,
    secret: String,
    heartbeat: &'static str,
    log: Log,
    /// It has the file of the secret.
    _folder: Folder,
    _haproxy: Daemon,
}

impl Nodes {
    /// Starts all of them, and waits until each knows the others.
    pub(crate) fn start(bus: Server, log: &Log) -> Pin<Box<dyn Future<Output = Self> + Send + '_>> {
        let url = bus.url_with("");
        Self::start_with(bus, url, "1s", log)
    }

    /// Does the same with this ping interval and ping timeout, and another way to the bus for the last node.
    pub(crate) fn start_with<'l>(
        bus: Server,
        last: String,
        heartbeat: &'static str,
        log: &'l Log,
    ) -> Pin<Box<dyn Future<Output = Self> + Send + 'l>> {
        // A large future, in futures of cases that are not small either.
        Box::pin(Self::start_all(bus, last, heartbeat, log))
    }

    async fn start_all(bus: Server, last: String, heartbeat: &'static str, log: &Log) -> Self {
        let folder = Folder::new();
        let secret = folder.write("secret", "only for the tests of this folder");
        let secret = secret.to_str().expect("a path in UTF-8").to_owned();
        // The clients count what they get, and an echo would be more.
        assert!(CONFIG.contains("\necho = true\n") && CONFIG.contains("\nsocketio = true\n"));
        let _ = folder.write(CONFIG_FILE, &CONFIG.replace("\necho = true\n", "\n"));
        let addresses = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        let balancer = free_port();
        let urls = [bus.url_with(""), bus.url_with(""), last];
        let start = |at: usize| {
            Node::start_inside(&[], NAMES[at], &addresses[at], &urls[at], (&secret, heartbeat), log)
        };
        let mut nodes = [start(0).await, start(1).await, start(2).await];
        for (node, own) in nodes.iter_mut().zip(NAMES) {
            // They come in any order.
            let mut missing: Vec<_> = NAMES.into_iter().filter(|name| *name != own).collect();
            while !missing.is_empty() {
                let (_, event) = soon("a node that joins", node.events.recv()).await.expect("it runs");
                missing.retain(|name| event["event"] != "node" || event["node"] != *name);
            }
        }
        // It finds all of them, so it takes none for dead.
        let change = |config: String, at: usize| {
            let from = format!("127.0.0.1:{}", 3_001 + at);
            assert!(config.contains(&from));
            config.replace(&from, &addresses[at])
        };
        let config = HAPROXY.replace("bind :80", &format!("bind 127.0.0.1:{balancer}"));
        let config = (0..3).fold(config, change);
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(folder.write("haproxy.cfg", &config));
        let haproxy = Daemon::start(command, "haproxy", balancer, log).await;
        Self {
            bus,
            each: nodes,
            addresses,
            balancer,
            secret,
            heartbeat,
            log: log.clone(),
            _folder: folder,
            _haproxy: haproxy,
        }
    }

    /// Starts a node again, under its name and at its address.
    pub(crate) async fn restart(&mut self, at: usize) {
        let url = self.bus.url_with("");
        self.each[at] = Node::start_inside(
            &[],
            NAMES[at],
            &self.addresses[at],
            &url,
            (&self.secret, self.heartbeat),
            &self.log,
        )
        .await;
    }

    /// The URL of the balancer.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.balancer)
    }

    /// Opens a session on polling by this host name. Returns the answer of the balancer.
    pub(crate) async fn open_by_name(&self, host: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.balancer)).await.expect("the balancer runs");
        let head = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1";
        let request = format!("{head}\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it takes requests");
        let mut answer = String::new();
        soon("an answer", stream.read_to_string(&mut answer)).await.expect("it answers");
        answer
    }

    /// Waits until the balancer sends new sessions to a node again. Their identifiers begin with its name.
    pub(crate) async fn takes_part(&self, at: usize) {
        let sid = format!("\"sid\":\"{}", NAMES[at]);
        let opening = async {
            while !self.open_by_name("localhost").await.contains(&sid) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        soon("a session on the node", opening).await;
    }

    /// The URL of a node.
    pub(crate) fn url_of(&self, at: usize) -> String {
        format!("http://{}", self.addresses[at])
    }

    /// A file of the nodes' secret.
    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }
}

/// Stock clients in a process of their own, each in the same room.
pub(crate) struct Clients {
    child: Child,
    told: Events,
}

/// What is known of a client.
#[derive(Debug)]
pub(crate) struct Client {
    /// The node that its socket is on.
    pub(crate) node: String,
    pub(crate) joined: bool,
    pub(crate) transport: String,
    pub(crate) got: u64,
    pub(crate) connects: u64,
    pub(crate) ends: Vec<String>,
}

impl Clients {
    /// Opens so many on each of these lists of transports, and waits until all have joined and moved to their last one.
    pub(crate) async fn open(url: &str, each: usize, transports: &[&[&str]], log: &Log) -> Self {
        let mut command = Command::new("node");
        command.arg("cluster-clients.cjs");
        let (child, told) = Child::start(command, "clients", log);
        let mut clients = Self { child, told: Events::new("clients", told) };
        for list in transports {
            clients.command(json!({ "command": "open", "count": each, "url": url, "transports": list }));
        }
        let last: Vec<_> =
            transports.iter().flat_map(|list| vec![*list.last().expect("one"); each]).collect();
        let is_there = |all: &[Client]| {
            all.len() == last.len()
                && all.iter().zip(&last).all(|(client, last)| client.joined && client.transport == *last)
        };
        clients.until("all clients joined", is_there).await;
        clients
    }

    fn command(&self, command: Value) {
        let _ = self.child.commands().send(command);
    }

    pub(crate) async fn look(&mut self) -> Vec<Client> {
        self.command(json!({ "command": "look" }));
        let look = self.told.next("look").await;
        let clients = look["clients"].as_array().expect("a list").iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        clients
            .map(|client| Client {
                node: text(&client["node"]),
                joined: client["joined"] == true,
                transport: text(&client["transport"]),
                got: client["got"].as_u64().expect("a number"),
                connects: client["connects"].as_u64().expect("a number"),
                ends: client["ends"].as_array().expect("a list").iter().map(text).collect(),
            })
            .collect()
    }

    /// Waits until something holds of all clients.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&[Client]) -> bool) -> Vec<Client> {
        let looking = async {
            loop {
                let clients = self.look().await;
                if holds(&clients) {
                    return clients;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        soon(what, looking).await
    }

    /// Lets a client of each of these nodes tell something to the room. All others get it, once.
    pub(crate) async fn all_hear(&mut self, nodes: &[&str]) {
        for node in nodes {
            let before = self.look().await;
            let from = before.iter().position(|client| client.node == *node && client.joined);
            let from = from.unwrap_or_else(|| panic!("no client is on {node}: {before:?}"));
            self.tell(from).await;
            let expected: Vec<_> =
                before.iter().enumerate().map(|(at, client)| client.got + u64::from(at != from)).collect();
            let has_come = |all: &[Client]| all.iter().zip(&expected).all(|(client, got)| client.got >= *got);
            self.until("what was told", has_come).await;
            // Nothing comes twice.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let got: Vec<_> = self.look().await.iter().map(|client| client.got).collect();
            assert_eq!(got, expected, "told by a client on {node}");
        }
    }

    /// Lets a client tell something to the room. Returns how many on its own node it has reached.
    pub(crate) async fn tell(&mut self, client: usize) -> u64 {
        self.command(json!({ "command": "tell", "client": client }));
        self.told.next("told").await["reached"].as_u64().expect("a number")
    }
}

/// Waits for longer than a session without heartbeats would live.
pub(crate) async fn two_periods() {
    tokio::time::sleep(LATE).await;
}
