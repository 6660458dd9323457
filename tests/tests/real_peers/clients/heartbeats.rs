//! Heartbeats keep idle sessions, each at its own pace.

use core::time::Duration;

use eio_core::Heartbeat;
use eio_tests::interop::{Case, Log, Mode, StockClients, StockKind, TestServer};
use eio_tokio::{Admission, Message};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Peer;

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("heartbeats keep an idle session", an_idle_session_lives));
    cases.push(peer.case("two sessions have periods of their own", two_paces));
    cases.push(peer.case("many sessions at once", many_at_once));
}

/// The timeout is never reached, not even where everybody waits for a processor.
const PACE: (u64, u64) = (400, 20_000);

fn heartbeat((interval, timeout): (u64, u64)) -> Heartbeat {
    Heartbeat::new(Duration::from_millis(interval), Duration::from_millis(timeout)).expect("valid periods")
}

async fn an_idle_session_lives(peer: Peer, log: Log) {
    const BEATS: u32 = 6;
    let server = TestServer::start_echo(&log, |server| server.heartbeat(heartbeat(PACE))).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut client = peer.open(&mut clients, &server).await;
    client.heartbeat().await;
    let start = Instant::now();
    for _ in 0..BEATS {
        client.heartbeat().await;
    }
    let took = start.elapsed();
    let interval = Duration::from_millis(PACE.0);
    // The first may have been waited for late.
    assert!(took > interval * (BEATS - 1), "{BEATS} heartbeats within {took:?}");
    assert!(took < interval * BEATS + Duration::from_secs(5), "{BEATS} heartbeats took {took:?}");
    client.send(&Message::text("alive"));
    assert_eq!(client.message().await, Message::text("alive"));
    assert_eq!(server.server.len(), 1);
}

/// Chosen by the opening request.
async fn two_paces(peer: Peer, log: Log) {
    let server = TestServer::start_echo(&log, |server| {
        server.heartbeat(heartbeat((20_000, 15_000))).allow_request(|parts| {
            let is_fast = parts.uri.query().is_some_and(|query| query.contains("pace=fast"));
            let admission = Admission::new();
            core::future::ready(Ok(if is_fast { admission.heartbeat(heartbeat(PACE)) } else { admission }))
        })
    })
    .await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut slow = clients.open(&server.url(), peer.mode);
    let mut fast = if peer.kind == StockKind::Python {
        clients.open(&format!("{}/?pace=fast", server.url()), peer.mode)
    } else {
        clients.open_with(&server.url(), peer.mode, json!({ "query": { "pace": "fast" } }), &Value::Null)
    };
    let handshake = slow.opened().await;
    assert_eq!((&handshake["pingInterval"], &handshake["pingTimeout"]), (&json!(20_000), &json!(15_000)));
    let handshake = fast.opened().await;
    assert_eq!((&handshake["pingInterval"], &handshake["pingTimeout"]), (&json!(PACE.0), &json!(PACE.1)));
    for _ in 0..4 {
        fast.heartbeat().await;
    }
    assert!(!slow.has_told("heartbeat"), "the slow session has its own pace");
    for client in [&mut slow, &mut fast] {
        client.send(&Message::text("alive"));
        assert_eq!(client.message().await, Message::text("alive"));
    }
}

async fn many_at_once(peer: Peer, log: Log) {
    // Two threads of Python for each session.
    let count = if peer.kind == StockKind::Python { 20 } else { 100 };
    let server = TestServer::start_echo(&log, |server| server.heartbeat(heartbeat((500, 20_000)))).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut sessions: Vec<_> = (0..count).map(|_| clients.open(&server.url(), peer.mode)).collect();
    for client in &mut sessions {
        client.opened().await;
        if peer.mode == Mode::Upgrade {
            client.upgraded().await;
        }
    }
    assert_eq!(server.server.len(), count);
    for (number, client) in sessions.iter().enumerate() {
        client.send(&Message::text(format!("I am {number}")));
    }
    for (number, client) in sessions.iter_mut().enumerate() {
        assert_eq!(client.message().await, Message::text(format!("I am {number}")));
        client.heartbeat().await;
        client.heartbeat().await;
    }
    assert_eq!(server.server.broadcast("everybody").sent, count);
    for client in &mut sessions {
        assert_eq!(client.message().await, Message::text("everybody"));
        client.close();
    }
    for client in &mut sessions {
        client.closed().await;
    }
    server.emptied().await;
}
