//! Heartbeats keep idle sessions.

use core::time::Duration;

use eio_tests::interop::{Case, Log, Mode, OurClient};
use eio_tokio::Message;
use serde_json::json;
use tokio::time::Instant;

use super::Peer;

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("heartbeats keep an idle session", an_idle_session_lives));
    cases.push(peer.case("many sessions at once", many_at_once));
}

async fn an_idle_session_lives(peer: Peer, log: Log) {
    const BEATS: u32 = 6;
    const INTERVAL: Duration = Duration::from_millis(400);
    let options = json!({ "echo": true, "pingInterval": 400, "pingTimeout": 5000 });
    let mut server = peer.start(options, &log).await;
    let mut client = peer.open(&server, &log).await;
    let mut at_server = server.accept().await;
    client.heartbeat().await;
    let start = Instant::now();
    for _ in 0..BEATS {
        client.heartbeat().await;
        if !peer.eio3 {
            at_server.event("heartbeat").await;
        }
    }
    let took = start.elapsed();
    // The first may have been waited for late.
    assert!(took > INTERVAL * (BEATS - 1), "{BEATS} heartbeats within {took:?}");
    assert!(took < INTERVAL * BEATS + Duration::from_secs(5), "{BEATS} heartbeats took {took:?}");
    client.send("alive").await.expect("the session lives");
    assert_eq!(client.message().await, Message::text("alive"));
    assert_eq!(client.rtt().is_some(), peer.eio3, "the round trip is known to whoever pings");
}

async fn many_at_once(peer: Peer, log: Log) {
    const COUNT: usize = 60;
    let options = json!({ "echo": true, "pingInterval": 500, "pingTimeout": 20_000 });
    let mut server = peer.start(options, &log).await;
    let url = server.url();
    let mut opening = Vec::new();
    for _ in 0..COUNT {
        let (url, log) = (url.clone(), log.clone());
        opening.push(tokio::spawn(async move {
            OurClient::open_only(&url, peer.mode, &log, |client| peer.settings(client)).await
        }));
    }
    let mut clients = Vec::new();
    for opening in opening {
        clients.push(opening.await.expect("it does not panic").expect("the server opens sessions"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        if peer.mode == Mode::Upgrade {
            client.upgrade_ended().await;
        }
        client.send(format!("I am {number}")).await.expect("the session lives");
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.message().await, Message::text(format!("I am {number}")));
        client.heartbeat().await;
        client.heartbeat().await;
        client.close();
    }
    for client in &clients {
        client.ended().await;
    }
    for _ in 0..COUNT {
        let closed = server.accept().await.closed().await;
        // A ping that became due when our close frame had come in cannot be written any more.
        assert!(closed.reason == "transport close" || closed.detail == "write error", "{closed:?}");
    }
}
