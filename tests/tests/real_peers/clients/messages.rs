//! Messages arrive whole, once, and in order.

use core::time::Duration;

use eio_tests::interop::{Case, Log, Mode, ServerEnd, StockClients, StockKind, StockSession, TestServer};
use eio_tokio::{Message, Transport};
use serde_json::json;

use super::Peer;
use crate::samples::{self, AFTER_UPGRADE};

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("every kind of message comes back as it went", every_kind));
    cases.push(peer.case("messages of a megabyte come back as they went", a_megabyte));
    cases.push(peer.case(
        "a thousand messages at once, which one answer to a poll does not hold",
        b32_more_messages_at_once_than_an_answer_holds,
    ));
    cases.push(peer.case("a thousand messages cross a thousand others", a_thousand_each_way));
}

async fn every_kind(peer: Peer, log: Log) {
    let server = TestServer::start_echo(&log, |server| server).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut client = peer.open(&mut clients, &server).await;
    let mut at_server = server.accept().await;
    let mut messages = samples::every_kind();
    if peer.kind == StockKind::Python {
        // It takes an empty binary frame for no packet at all, and gives the session up.
        messages.pop();
    }
    for message in &messages {
        client.send(message);
        assert_eq!(at_server.message().await, *message, "as the server got it");
        assert_eq!(client.message().await, *message, "as it came back");
    }
    // All at once, so that they share payloads.
    for message in &messages {
        client.send(message);
    }
    for message in &messages {
        assert_eq!(client.message().await, *message, "as it came back among others");
    }
}

async fn a_megabyte(peer: Peer, log: Log) {
    let server = TestServer::start_echo(&log, |server| server).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut client = peer.open(&mut clients, &server).await;
    for message in samples::megabytes() {
        client.send(&message);
        let back = client.message().await;
        assert!(back == message, "{} bytes came back differently, as {}", message.len(), back.len());
    }
}

/// python-engineio's client gives its session up at more than 16 packets.
async fn b32_more_messages_at_once_than_an_answer_holds(peer: Peer, log: Log) {
    const COUNT: usize = 1000;
    let server = TestServer::start(&log, |server| server.outbox(COUNT, usize::MAX)).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut client = peer.open(&mut clients, &server).await;
    let mut at_server = server.accept().await;
    for number in 0..COUNT {
        at_server.sender.try_send(format!("down {number}")).expect("the outbox has room");
    }
    all_arrive_at_client(&mut client, COUNT).await;
    client.send(&Message::text("all there"));
    assert_eq!(at_server.message().await, Message::text("all there"), "and the session lives");
    at_server.sender.close();
    client.closed().await;
}

/// Numbered in both directions. The session upgrades, if it does, while they flow.
async fn a_thousand_each_way(peer: Peer, log: Log) {
    const COUNT: usize = 1000;
    const PAUSE: Duration = Duration::from_millis(3);
    let server = TestServer::start(&log, |server| server).await;
    let mut clients = StockClients::start(peer.kind, &log);
    let mut burst = json!({ "prefix": "up ", "count": COUNT, "pause": 3 });
    // python-engineio's client says nothing to its application before its upgrade is over.
    let meets_the_upgrade = peer.mode == Mode::Upgrade && peer.kind != StockKind::Python;
    if meets_the_upgrade {
        burst["afterUpgrade"] = json!(AFTER_UPGRADE);
    }
    let mut client = clients.open_with(&server.url(), peer.mode, json!({}), &burst);
    let mut at_server = server.accept().await;
    let sender = at_server.sender.clone();
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            let waits = || number == COUNT - AFTER_UPGRADE && sender.transport() == Transport::Polling;
            while meets_the_upgrade && waits() {
                tokio::time::sleep(PAUSE).await;
            }
            sender.send(format!("down {number}")).await.expect("the session lives");
            if number % 10 == 9 {
                tokio::time::sleep(PAUSE).await;
            }
        }
    });
    let (transports_up, transports_down) =
        tokio::join!(all_arrive_at_server(&mut at_server, COUNT), all_arrive_at_client(&mut client, COUNT));
    sending.await.expect("every message was taken");
    if peer.mode == Mode::Upgrade {
        client.upgraded().await;
    }
    if meets_the_upgrade {
        assert_eq!(
            transports_up,
            ["polling", "websocket"],
            "the upgrade fell between messages to the server"
        );
        assert_eq!(transports_down, ["polling", "websocket"], "and between messages to the client");
    }
    client.send(&Message::text("no more"));
    assert_eq!(at_server.message().await, Message::text("no more"), "nothing arrives twice at the server");
    at_server.sender.send("no more").await.expect("the session lives");
    assert_eq!(client.message().await, Message::text("no more"), "nothing arrives twice at the client");
}

async fn all_arrive_at_server(at_server: &mut ServerEnd, count: usize) -> Vec<String> {
    let mut transports = Vec::new();
    for number in 0..count {
        let (message, transport) = at_server.message_and_transport().await;
        assert_eq!(message, Message::text(format!("up {number}")), "in order at the server");
        transports.push(transport.as_str().to_owned());
    }
    transports.dedup();
    transports
}

async fn all_arrive_at_client(client: &mut StockSession, count: usize) -> Vec<String> {
    let mut transports = Vec::new();
    for number in 0..count {
        let (message, transport) = client.message_and_transport().await;
        assert_eq!(message, Message::text(format!("down {number}")), "in order at the client");
        transports.push(transport);
    }
    transports.dedup();
    transports
}
