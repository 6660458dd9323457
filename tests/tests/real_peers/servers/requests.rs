//! What servers say when they open a session, and when they do not.

use eio_core::upgrade::UpgradeOutcome;
use eio_tests::interop::{Case, Log, Mode, OurClient, ServerKind};
use eio_tokio::{ConnectError, Message, Refused, Transport};
use serde_json::json;

use super::Peer;

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("a refused session is told why", refused));
    cases.push(peer.case("another path, headers and a query", another_path));
    if peer.mode == Mode::Upgrade {
        cases.push(peer.case("without upgrades a session stays where it is", no_upgrades));
        cases.push(peer.case("where nobody answers WebSockets a session stays on polling", upgrade_refused));
    }
    if peer.kind == ServerKind::Engine6 && peer.eio3 {
        cases.push(peer.case("the revision is refused where it is not allowed", revision_refused));
    }
}

async fn refused(peer: Peer, log: Log) {
    let server = peer.start(json!({ "refuse": "wrong token" }), &log).await;
    let error = OurClient::open_only(&server.url(), peer.mode, &log, |client| peer.settings(client))
        .await
        .expect_err("it is refused");
    let refused = as_refusal(error);
    assert_eq!(refused.message, "wrong token");
    if peer.mode == Mode::WebSocket {
        assert_eq!(refused.status, 400);
    } else {
        assert_eq!((refused.status.as_u16(), refused.code), (403, Some(4)));
    }
}

async fn another_path(peer: Peer, log: Log) {
    let mut server = peer.start(json!({ "path": "/my/chat", "echo": true }), &log).await;
    let client = OurClient::open(&server.url(), peer.mode, &log, |client| {
        peer.settings(client)
            .path("/my/chat/")
            .header("Authorization", "Bearer abc")
            .header("X-Room", "kitchen")
            .query("token", "a b&c=d")
    })
    .await;
    let mut client = client.expect("the server opens sessions");
    server.accept().await;
    client.send("hello").await.expect("the session lives");
    assert_eq!(client.message().await, Message::text("hello"));
}

async fn no_upgrades(peer: Peer, log: Log) {
    let server = peer.start(json!({ "allowUpgrades": false, "echo": true }), &log).await;
    let client = OurClient::open_only(&server.url(), peer.mode, &log, |client| peer.settings(client)).await;
    let mut client = client.expect("the server opens sessions");
    client.send("hello").await.expect("the session lives");
    assert_eq!(client.message().await, Message::text("hello"));
    assert_eq!(client.transport(), Transport::Polling);
}

/// The handshake promises an upgrade that the server then refuses: as behind a proxy that knows no WebSockets.
async fn upgrade_refused(peer: Peer, log: Log) {
    let server = peer.start(json!({ "echo": true, "breakUpgrades": true }), &log).await;
    let client = OurClient::open_only(&server.url(), peer.mode, &log, |client| peer.settings(client)).await;
    let mut client = client.expect("the server opens sessions");
    let outcome = client.upgrade_ended().await;
    assert!(matches!(outcome, UpgradeOutcome::Failed(_)), "{outcome:?}");
    client.send("hello").await.expect("the session lives");
    assert_eq!(client.message().await, Message::text("hello"));
    assert_eq!(client.transport(), Transport::Polling);
}

async fn revision_refused(peer: Peer, log: Log) {
    let server = eio_tests::interop::StockServer::start(peer.kind, &json!({}), &log).await;
    let error = OurClient::open_only(&server.url(), peer.mode, &log, |client| peer.settings(client))
        .await
        .expect_err("it is refused");
    if peer.mode == Mode::WebSocket {
        // That server answers 101, and HTTP inside of the WebSocket.
        assert!(matches!(error, ConnectError::Session(_)), "{error}");
    } else {
        assert_eq!(as_refusal(error).code, Some(5));
    }
}

fn as_refusal(error: ConnectError) -> Refused {
    match error {
        ConnectError::Refused(refused) => refused,
        other => panic!("not refused, but: {other}"),
    }
}
