//! Messages arrive whole, once, and in order.

use core::time::Duration;

use eio_core::upgrade::UpgradeOutcome;
use eio_tests::interop::{Case, Log, Mode, OurClient, StockSession};
use eio_tokio::{Message, Transport};
use serde_json::json;

use super::Peer;
use crate::samples::{self, AFTER_UPGRADE};

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("every kind of message comes back from the server as it went", every_kind));
    cases.push(peer.case("messages of a megabyte come back as they went", a_megabyte));
    cases.push(peer.case("a thousand messages cross a thousand others", a_thousand_each_way));
    bursts(peer, cases);
}

/// Those about many messages at once.
pub(super) fn bursts(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case(
        "a thousand messages at once, which one request does not hold",
        b31_more_messages_at_once_than_a_request_holds,
    ));
}

async fn every_kind(peer: Peer, log: Log) {
    let mut server = peer.start(json!({ "echo": true }), &log).await;
    let mut client = peer.open(&server, &log).await;
    let mut at_server = server.accept().await;
    let messages = samples::every_kind();
    for message in &messages {
        client.send(message.clone()).await.expect("the session lives");
        assert_eq!(at_server.message().await, *message, "as the server got it");
        assert_eq!(client.message().await, *message, "as it came back");
    }
    // All at once, so that they share payloads.
    for message in &messages {
        client.send(message.clone()).await.expect("the session lives");
    }
    for message in &messages {
        assert_eq!(client.message().await, *message, "as it came back among others");
    }
}

async fn a_megabyte(peer: Peer, log: Log) {
    let server = peer.start(json!({ "echo": true, "maxHttpBufferSize": 2_000_000 }), &log).await;
    let mut client = peer.open(&server, &log).await;
    for message in samples::megabytes() {
        client.send(message.clone()).await.expect("the session lives");
        let back = client.message().await;
        assert!(back == message, "{} bytes came back differently, as {}", message.len(), back.len());
    }
}

/// python-engineio's server drops all packets of a request with more than 16.
async fn b31_more_messages_at_once_than_a_request_holds(peer: Peer, log: Log) {
    const COUNT: usize = 1000;
    let mut server = peer.start(json!({}), &log).await;
    let roomy = |client| peer.settings(client).outbox(COUNT, usize::MAX);
    let client = OurClient::open_only(&server.url(), peer.mode, &log, roomy).await;
    let mut client = client.expect("the server opens sessions");
    let mut at_server = server.accept().await;
    for number in 0..COUNT {
        client.try_send(format!("up {number}")).expect("the outbox has room");
    }
    all_arrive_at_server(&mut at_server, COUNT).await;
    at_server.send(&Message::text("all there"));
    assert_eq!(client.message().await, Message::text("all there"), "and the session lives");
}

/// Numbered in both directions. The session upgrades, if it does, while they flow.
async fn a_thousand_each_way(peer: Peer, log: Log) {
    const COUNT: usize = 1000;
    const PAUSE: Duration = Duration::from_millis(3);
    let mut burst = json!({ "prefix": "down ", "count": COUNT, "pause": 3 });
    if peer.mode == Mode::Upgrade {
        burst["afterUpgrade"] = json!(AFTER_UPGRADE);
    }
    let mut server = peer.start(json!({ "burst": burst }), &log).await;
    let client = OurClient::open_only(&server.url(), peer.mode, &log, |client| peer.settings(client)).await;
    let mut client = client.expect("the server opens sessions");
    let sender = client.sender();
    // The first ones leave at once: the upgrade may be complete before the server has told of the session.
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            let waits = || number == COUNT - AFTER_UPGRADE && sender.transport() == Transport::Polling;
            while peer.mode == Mode::Upgrade && waits() {
                tokio::time::sleep(PAUSE).await;
            }
            sender.send(format!("up {number}")).await.expect("the session lives");
            if number % 10 == 9 {
                tokio::time::sleep(PAUSE).await;
            }
        }
    });
    let mut at_server = server.accept().await;
    let (transports_up, transports_down) =
        tokio::join!(all_arrive_at_server(&mut at_server, COUNT), all_arrive_at_client(&mut client, COUNT));
    sending.await.expect("every message was taken");
    if peer.mode == Mode::Upgrade {
        assert_eq!(client.upgrade_ended().await, UpgradeOutcome::Upgraded);
        assert_eq!(
            transports_up,
            ["polling", "websocket"],
            "the upgrade fell between messages to the server"
        );
        assert_eq!(transports_down, ["polling", "websocket"], "and between messages to the client");
    }
    client.send("no more").await.expect("the session lives");
    assert_eq!(at_server.message().await, Message::text("no more"), "nothing arrives twice at the server");
    at_server.send(&Message::text("no more"));
    assert_eq!(client.message().await, Message::text("no more"), "nothing arrives twice at the client");
}

async fn all_arrive_at_server(at_server: &mut StockSession, count: usize) -> Vec<String> {
    let mut transports = Vec::new();
    for number in 0..count {
        let (message, transport) = at_server.message_and_transport().await;
        assert_eq!(message, Message::text(format!("up {number}")), "in order at the server");
        transports.push(transport);
    }
    transports.dedup();
    transports
}

async fn all_arrive_at_client(client: &mut OurClient, count: usize) -> Vec<&'static str> {
    let mut transports = Vec::new();
    for number in 0..count {
        let message = client.message().await;
        assert_eq!(message, Message::text(format!("down {number}")), "in order at the client");
        transports.push(client.transport().as_str());
    }
    transports.dedup();
    transports
}
