//! Sessions end for the same reason on both ends, each in its own words.

use core::time::Duration;

use eio_core::{DisconnectReason, Heartbeat};
use eio_tests::interop::{Case, LATE, Log, Mode, StockClients, StockKind, TestServer, soon};
use eio_tokio::{Message, Transport};
use tokio::time::Instant;

use super::Peer;

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("the client closes", the_client_closes));
    cases.push(peer.case("the server closes, and what it said before arrives", the_server_closes));
    if peer.mode == Mode::Polling && peer.kind != StockKind::Python {
        cases.push(peer.case(
            "the server closes while a poll is pending",
            b34_our_close_on_polling_is_not_an_error_to_the_client,
        ));
    }
    cases.push(peer.case("the server shuts down", the_server_shuts_down));
    cases.push(peer.case("the client is killed", the_client_is_killed));
    cases.push(peer.case("a message over the limit", a_message_over_the_limit));
    cases.push(peer.case("the client comes back five times", the_client_comes_back));
}

async fn the_client_closes(peer: Peer, log: Log) {
    let server = TestServer::start(&log, |server| server).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut client = peer.open(&mut clients, &server).await;
    let mut at_server = server.accept().await;
    client.send(&Message::text("last words"));
    client.close();
    let expected = if peer.kind == StockKind::Python { "client disconnect" } else { "forced close" };
    assert_eq!(client.closed().await.reason, expected);
    assert_eq!(at_server.message().await, Message::text("last words"));
    let end = at_server.closed().await;
    assert_eq!(end.reason.as_str(), "transport close", "{end}");
    assert_eq!(end.transport, final_transport(peer), "{end}");
    assert_eq!(end.unsent, 0, "{end}");
    server.emptied().await;
}

async fn the_server_closes(peer: Peer, log: Log) {
    let server = TestServer::start(&log, |server| server).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut client = peer.open(&mut clients, &server).await;
    let at_server = server.accept().await;
    for number in 0..20 {
        at_server.sender.send(format!("last words {number}")).await.expect("the session lives");
    }
    at_server.sender.close();
    for number in 0..20 {
        assert_eq!(client.message().await, Message::text(format!("last words {number}")));
    }
    assert_eq!(client.closed().await.reason, closed_by_server(peer));
    let end = at_server.closed().await;
    assert_eq!(end.reason, DisconnectReason::LocalClose, "{end}");
    assert_eq!(end.unsent, 0, "{end}");
    server.emptied().await;
}

/// B34: another server's close arrives at this client as `transport error`.
async fn b34_our_close_on_polling_is_not_an_error_to_the_client(peer: Peer, log: Log) {
    let server = TestServer::start(&log, |server| server).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut client = peer.open(&mut clients, &server).await;
    let at_server = server.accept().await;
    // By then its next poll is pending.
    tokio::time::sleep(Duration::from_millis(100)).await;
    at_server.sender.close();
    assert_eq!(client.closed().await.reason, "transport close");
    assert!(!client.has_told("error"), "it was no error");
    assert_eq!(at_server.closed().await.reason, DisconnectReason::LocalClose);
}

async fn the_server_shuts_down(peer: Peer, log: Log) {
    let server = TestServer::start(&log, |server| server).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(peer.open(&mut clients, &server).await);
    }
    assert!(server.server.shutdown(Duration::from_secs(10)).await.is_empty(), "no session is left");
    for client in &mut sessions {
        assert_eq!(client.closed().await.reason, closed_by_server(peer));
    }
    soon("the listener to close", async {
        while tokio::net::TcpStream::connect(server.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Nobody says a word; the kernel closes what the process had open.
async fn the_client_is_killed(peer: Peer, log: Log) {
    let server = TestServer::start(&log, |server| server).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let client = peer.open(&mut clients, &server).await;
    let mut at_server = server.accept().await;
    client.send(&Message::text("here"));
    at_server.message().await;
    // By then its next poll is pending.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = Instant::now();
    clients.kill().await;
    let end = at_server.closed().await;
    let took = before.elapsed();
    let expected = if peer.mode == Mode::Polling { "transport error" } else { "transport close" };
    assert_eq!(end.reason.as_str(), expected, "{end}");
    assert!(took < LATE, "noticed after {took:?}");
    server.emptied().await;
}

async fn a_message_over_the_limit(peer: Peer, log: Log) {
    let period = Duration::from_millis(500);
    let short = Heartbeat::new(period, period).expect("valid periods");
    let falls_silent = peer.kind == StockKind::Python && peer.mode == Mode::Polling;
    let heartbeat = if falls_silent { short } else { Heartbeat::DEFAULT };
    let server = TestServer::start(&log, |server| server.max_payload(10_000).heartbeat(heartbeat)).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut client = peer.open(&mut clients, &server).await;
    let mut at_server = server.accept().await;
    client.send(&Message::text("x".repeat(9_990)));
    assert_eq!(at_server.message().await.len(), 9_990);
    client.send(&Message::text("x".repeat(10_001)));
    let closed = client.closed().await;
    let end = at_server.closed().await;
    let (at_client, at_server): (&[&str], &str) = match (peer.kind, peer.mode) {
        // The server answers 413 and keeps the session; the client gives it up, by a close packet of its own.
        (StockKind::JavaScript6 | StockKind::JavaScript3, Mode::Polling) => {
            (&["transport error"], "transport close")
        }
        // This one stops sending, heartbeats too, and tells nobody. The next ping ends its poll, and it leaves
        // with an error. If the refused payload held its pong, no ping follows: the server's close packet ends
        // the poll.
        (StockKind::Python, Mode::Polling) => (&["transport error", "server disconnect"], "ping timeout"),
        (StockKind::JavaScript6 | StockKind::JavaScript3, _) => (&["transport close"], "transport error"),
        (StockKind::Python, _) => (&["transport error"], "transport error"),
    };
    assert!(at_client.contains(&closed.reason.as_str()), "{closed:?}");
    assert_eq!(end.reason.as_str(), at_server, "{end}");
}

async fn the_client_comes_back(peer: Peer, log: Log) {
    let server = TestServer::start_echo(&log, |server| server).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut ids = Vec::new();
    for round in 0..5 {
        let mut client = peer.open(&mut clients, &server).await;
        let at_server = server.accept().await;
        ids.push(at_server.sender.id());
        let message = Message::text(format!("round {round}"));
        client.send(&message);
        assert_eq!(client.message().await, message);
        if round % 2 == 0 {
            client.close();
        } else {
            at_server.sender.close();
        }
        client.closed().await;
        at_server.closed().await;
    }
    server.emptied().await;
    ids.sort_by_key(ToString::to_string);
    ids.dedup();
    assert_eq!(ids.len(), 5, "each session had an identifier of its own");
}

fn final_transport(peer: Peer) -> Transport {
    if peer.mode == Mode::Polling { Transport::Polling } else { Transport::WebSocket }
}

fn closed_by_server(peer: Peer) -> &'static str {
    match (peer.kind, peer.mode) {
        (StockKind::JavaScript6 | StockKind::JavaScript3, _) => "transport close",
        (StockKind::Python, Mode::Polling) => "server disconnect",
        (StockKind::Python, _) => "transport error",
    }
}
