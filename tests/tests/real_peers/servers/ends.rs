//! Sessions end for the same reason on both ends.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::backoff::Backoff;
use eio_tests::interop::{Case, LATE, Log, Mode, OurClient, ServerKind, soon};
use eio_tests::signal::send_signal;
use eio_tokio::{Message, Transport};
use serde_json::json;
use tokio::time::Instant;

use super::Peer;

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("our client closes, and what it said before arrives", we_close));
    cases.push(peer.case("the server closes, and what it said before arrives", the_server_closes));
    cases.push(peer.case("the server shuts down", the_server_shuts_down));
    cases.push(peer.case("the server is killed", the_server_is_killed));
    cases.push(peer.case("the server is stopped", the_server_is_stopped));
    cases.push(peer.case("a message over the limit", a_message_over_the_limit));
    cases.push(peer.case("our client comes back five times", we_come_back));
}

async fn we_close(peer: Peer, log: Log) {
    let mut server = peer.start(json!({}), &log).await;
    let client = peer.open(&server, &log).await;
    let mut at_server = server.accept().await;
    for number in 0..20 {
        client.send(format!("last words {number}")).await.expect("the session lives");
    }
    client.close();
    for number in 0..20 {
        assert_eq!(at_server.message().await, Message::text(format!("last words {number}")));
    }
    assert_eq!(at_server.closed().await.reason, "transport close");
    let end = client.ended().await;
    assert_eq!(end.reason, DisconnectReason::LocalClose, "{end}");
    assert_eq!(end.transport, final_transport(peer), "{end}");
    assert_eq!(end.unsent, 0, "{end}");
}

async fn the_server_closes(peer: Peer, log: Log) {
    let mut server = peer.start(json!({}), &log).await;
    let mut client = peer.open(&server, &log).await;
    let mut at_server = server.accept().await;
    for number in 0..20 {
        at_server.send(&Message::text(format!("last words {number}")));
    }
    at_server.close();
    for number in 0..20 {
        assert_eq!(client.message().await, Message::text(format!("last words {number}")));
    }
    assert_eq!(at_server.closed().await.reason, "forced close");
    let end = client.ended().await;
    assert_eq!(end.reason.as_str(), "transport close", "{end}");
}

async fn the_server_shuts_down(peer: Peer, log: Log) {
    let server = peer.start(json!({}), &log).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(peer.open(&server, &log).await);
    }
    server.close_all();
    for client in clients {
        let end = client.ended().await;
        assert_eq!(end.reason.as_str(), "transport close", "{end}");
    }
}

/// The kernel closes what the process had open.
async fn the_server_is_killed(peer: Peer, log: Log) {
    let mut server = peer.start(json!({ "echo": true }), &log).await;
    let mut client = peer.open(&server, &log).await;
    client.send("here").await.expect("the session lives");
    client.message().await;
    let before = Instant::now();
    server.kill().await;
    let end = client.ended().await;
    let took = before.elapsed();
    let expected = if peer.mode == Mode::Polling { "transport error" } else { "transport close" };
    assert_eq!(end.reason.as_str(), expected, "{end}");
    assert!(took < LATE, "noticed after {took:?}");
}

/// The kernel still accepts what it is sent. Only the silence tells.
async fn the_server_is_stopped(peer: Peer, log: Log) {
    let (interval, timeout) = (Duration::from_millis(800), Duration::from_millis(700));
    let options = json!({ "pingInterval": 800, "pingTimeout": 700, "echo": true });
    let server = peer.start(options, &log).await;
    let mut client = peer.open(&server, &log).await;
    client.heartbeat().await;
    let last_sign = Instant::now();
    send_signal("STOP", server.id().expect("the process lives"));
    let end = client.ended().await;
    let took = last_sign.elapsed();
    send_signal("KILL", server.id().expect("the process lives"));
    assert_eq!(end.reason, DisconnectReason::PingTimeout, "{end}");
    // Told a little after it came.
    assert!(end.silent_for >= interval + timeout, "{end}");
    assert!(took < interval + timeout + LATE, "noticed after {took:?}");
}

/// The client knows the limit from the handshake, where that tells it, and refuses to send.
async fn a_message_over_the_limit(peer: Peer, log: Log) {
    let mut server = peer.start(json!({ "maxHttpBufferSize": 10_000 }), &log).await;
    let client = peer.open(&server, &log).await;
    let mut at_server = server.accept().await;
    client.send("x".repeat(9_990)).await.expect("the session lives");
    assert_eq!(at_server.message().await.len(), 9_990);
    let sent = client.send("x".repeat(10_001)).await;
    if peer.kind == ServerKind::Engine6 {
        let error = sent.expect_err("the server would not take it");
        assert_eq!(error.message.len(), 10_001, "it comes back");
        client.send("still here").await.expect("the session lives");
        assert_eq!(at_server.message().await, Message::text("still here"));
    } else {
        sent.expect("the handshake told no limit");
        let end = client.ended().await;
        // On polling the server answers the poll by a close packet and resets the POST; either may be seen first.
        let expected: &[&str] = if peer.mode == Mode::Polling {
            &["transport error", "transport close"]
        } else {
            &["transport close"]
        };
        assert!(expected.contains(&end.reason.as_str()), "{end}");
        at_server.closed().await;
    }
}

async fn we_come_back(peer: Peer, log: Log) {
    let mut server = peer.start(json!({ "echo": true }), &log).await;
    let (builder, _events) = OurClient::builder(&server.url(), peer.mode, &log);
    let client = peer.settings(builder).build().expect("the settings are valid");
    let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(50)).expect("valid delays");
    let mut sessions = client.reconnecting(backoff);
    let mut ids = Vec::new();
    for round in 0..5 {
        let mut socket =
            soon("the client to connect", sessions.next()).await.expect("the server opens sessions");
        let mut at_server = server.accept().await;
        ids.push(at_server.id().to_owned());
        let message = Message::text(format!("round {round}"));
        socket.send(message.clone()).await.expect("the session lives");
        let back = soon("a message at the client", socket.recv()).await;
        assert_eq!(back, Ok(message));
        if round % 2 == 0 {
            socket.close();
        } else {
            at_server.close();
        }
        soon("the client's session to end", socket.closed()).await;
        at_server.closed().await;
    }
    ids.dedup();
    assert_eq!(ids.len(), 5, "each session had an identifier of its own");
}

fn final_transport(peer: Peer) -> Transport {
    if peer.mode == Mode::Polling { Transport::Polling } else { Transport::WebSocket }
}
