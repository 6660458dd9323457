//! One client at a time, and what can happen to it.

use eio_core::DisconnectReason;
use eio_tests::interop::{Case, Network};
use eio_tokio::{Server, Socket};

use crate::process::Process;
use crate::roles::listen;
use crate::witness::{I, Witness};

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
    let process = client(&mut witness, transport, &[]).await;
    process.signal("STOP");
    witness.assert_ping_timeout().await;
    assert!(witness.server.is_empty());
}

async fn killed(transport: &str) {
    let mut witness = Witness::start("127.0.0.1", Server::builder(listen)).await;
    let process = client(&mut witness, transport, &[]).await;
    process.signal("KILL");
    let reason = match transport {
        "websockets" => DisconnectReason::TransportClosed,
        // Its poll was pending.
        _ => DisconnectReason::TransportError,
    };
    witness.assert_ends_soon(reason).await;
}

async fn unplugged(transport: &str) {
    let network = Network::new();
    let mut witness = Witness::start(&network.host, Server::builder(listen)).await;
    let _process = client(&mut witness, transport, &network.inside()).await;
    network.pull_cable();
    witness.assert_ping_timeout().await;
}

async fn reads_nothing() {
    const MESSAGES: usize = 50;
    let (sender, unsent) = tokio::sync::oneshot::channel();
    let sender = std::sync::Mutex::new(Some(sender));
    let builder = Server::builder(move |mut socket: Socket| {
        let sender = sender.lock().unwrap().take();
        async move {
            for _ in 0..MESSAGES {
                socket.send(vec![0; 1_000_000]).await.unwrap();
            }
            while socket.recv().await.is_ok() {}
            let _ = sender.unwrap().send(socket.take_unsent().len());
        }
    });
    let mut witness = Witness::start("127.0.0.1", builder.outbox(MESSAGES, 60_000_000)).await;
    let mut process = Process::start(&format!("reads-nothing {}", witness.address), &[]);
    process.must_say("open").await;
    let disconnect = witness.assert_ping_timeout_without_ping().await;
    // The kernels hold a few of them.
    assert!((1..=MESSAGES).contains(&disconnect.unsent), "{} unsent", disconnect.unsent);
    assert_eq!(unsent.await.unwrap(), disconnect.unsent);
}

async fn half_a_frame() {
    let mut witness = Witness::start("127.0.0.1", Server::builder(listen)).await;
    let mut process = Process::start(&format!("half-a-frame {}", witness.address), &[]);
    process.must_say("open").await;
    witness.assert_ping_timeout().await;
}
