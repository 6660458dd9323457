//! What can happen to a client, while others of the same server live on.

use eio_core::{DisconnectReason, Heartbeat};
use eio_tests::interop::{Case, Network};
use eio_tokio::{Server, Socket};
use tokio::time::Instant;

use crate::process::Process;
use crate::roles::{READS_NOTHING, listen};
use crate::witness::{I, LATE, T, Witness};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for transport in ["websockets", "polling"] {
        cases.push(Case::new(format!("a stopped process is noticed on time ({transport})"), move |_| {
            stopped(transport)
        }));
        cases.push(Case::new(format!("a killed process is noticed at once ({transport})"), move |_| {
            killed(transport)
        }));
        cases.push(Case::new(format!("a pulled cable is noticed on time ({transport})"), move |_| {
            unplugged(transport)
        }));
    }
    cases.push(Case::new("a reader that stalls under 50 MB is noticed on time", |_| reads_nothing()));
    cases.push(Case::new("a writer that stalls in the middle of a frame is noticed on time", |_| {
        half_a_frame()
    }));
    cases
}

/// Clients of the same server to which nothing happens, on both transports.
struct Bystanders([Process; 2]);

impl Bystanders {
    const EACH: usize = 2;

    async fn join(witness: &Witness) -> Self {
        let mut clients = ["websockets", "polling"]
            .map(|transport| Process::start(&format!("{transport} {} {}", witness.address, Self::EACH), &[]));
        for process in &mut clients {
            process.must_say("open").await;
        }
        Self(clients)
    }

    /// They are the ones that are left, and live for so long that one that has stopped to answer would have ended.
    async fn live_on(mut self, witness: &mut Witness) {
        let heartbeat = witness.server.heartbeat();
        let (interval, timeout) = (heartbeat.ping_interval(), heartbeat.ping_timeout());
        tokio::time::sleep(interval + timeout + interval / 2).await;
        witness.assert_no_end();
        assert_eq!(witness.server.len(), self.0.len() * Self::EACH);
        self.0.iter_mut().for_each(Process::assert_quiet);
    }
}

/// A client with some heartbeats behind it.
async fn client(witness: &mut Witness, transport: &str, inside: &[&str]) -> Process {
    let mut process = Process::start(&format!("{transport} {} 1", witness.address), inside);
    process.must_say("open").await;
    tokio::time::sleep(I * 5 / 2).await;
    witness.assert_no_end();
    process
}

async fn stopped(transport: &str) {
    let mut witness = Witness::start("127.0.0.1", Server::builder(listen)).await;
    let bystanders = Bystanders::join(&witness).await;
    let process = client(&mut witness, transport, &[]).await;
    let died = Instant::now();
    process.signal("STOP");
    witness.assert_ping_timeout(died).await;
    bystanders.live_on(&mut witness).await;
}

/// With an interval so long that the end is noticed before the first ping.
async fn killed(transport: &str) {
    let heartbeat = Heartbeat::new(LATE + T, T).unwrap();
    let mut witness = Witness::start_with("127.0.0.1", Server::builder(listen), heartbeat).await;
    let bystanders = Bystanders::join(&witness).await;
    let mut process = Process::start(&format!("{transport} {} 1", witness.address), &[]);
    process.must_say("open").await;
    let died = Instant::now();
    process.signal("KILL");
    let reason = match transport {
        "websockets" => DisconnectReason::TransportClosed,
        // Its poll was pending.
        _ => DisconnectReason::TransportError,
    };
    witness.assert_ends_soon(died, reason).await;
    bystanders.live_on(&mut witness).await;
}

async fn unplugged(transport: &str) {
    let network = Network::new();
    let mut witness = Witness::start(&network.host, Server::builder(listen)).await;
    let bystanders = Bystanders::join(&witness).await;
    let _process = client(&mut witness, transport, &network.inside()).await;
    let died = Instant::now();
    network.pull_cable();
    witness.assert_ping_timeout(died).await;
    bystanders.live_on(&mut witness).await;
}

async fn reads_nothing() {
    const MESSAGES: usize = 50;
    let (sender, unsent) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let builder = Server::builder(move |mut socket: Socket| {
        let is_flooded = socket.request().is_some_and(|request| request.uri.query() == Some(READS_NOTHING));
        let sender = if is_flooded { sender.lock().unwrap().take() } else { None };
        async move {
            let Some(sender) = sender else { return listen(socket).await };
            for _ in 0..MESSAGES {
                socket.send(vec![0; 1_000_000]).await.unwrap();
            }
            while socket.recv().await.is_ok() {}
            let _ = sender.send(socket.take_unsent().len());
        }
    });
    let mut witness = Witness::start("127.0.0.1", builder.outbox(MESSAGES, 60_000_000)).await;
    let bystanders = Bystanders::join(&witness).await;
    let mut process = Process::start(&format!("reads-nothing {}", witness.address), &[]);
    process.must_say("open").await;
    let died = Instant::now();
    let disconnect = witness.assert_ping_timeout_without_ping(died).await;
    // The kernels hold a few of them.
    assert!((1..=MESSAGES).contains(&disconnect.unsent), "{} unsent", disconnect.unsent);
    assert_eq!(unsent.await.unwrap(), disconnect.unsent);
    bystanders.live_on(&mut witness).await;
}

async fn half_a_frame() {
    let mut witness = Witness::start("127.0.0.1", Server::builder(listen)).await;
    let bystanders = Bystanders::join(&witness).await;
    let mut process = Process::start(&format!("half-a-frame {}", witness.address), &[]);
    process.must_say("open").await;
    let died = Instant::now();
    witness.assert_ping_timeout(died).await;
    bystanders.live_on(&mut witness).await;
}
