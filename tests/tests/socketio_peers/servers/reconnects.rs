//! What happens when a connection is lost and opens again.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use eio_socketio::Args;
use eio_socketio::client::{Credentials, Incoming};
use eio_tests::interop::{Case, Log, Mode, soon};
use serde_json::json;

use super::library::Need;
use super::ours::{Ours, disconnected, incoming};
use super::stock::{Peer, StockServer};

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("what was emitted meanwhile arrives, on every namespace", buffered));
    cases.push(peer.case("a server that restarts is found again", restarted));
    cases.push(peer.case("a server that is killed is found again", killed));
    cases.push(peer.case_that_needs(Need::Credentials, "credentials are asked for at each connect", asked));
    cases.push(peer.case_that_needs(Need::Recovery, "a socket is recovered with what it missed", recovered));
    cases.push(peer.case_that_needs(
        Need::Recovery,
        "a socket that was away for too long is not recovered",
        not_recovered,
    ));
}

async fn buffered(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    let mut chat = soon("to join", ours.client.join("/chat")).await.expect("it is let in");
    server.command("abandon", json!({}));
    ours.disconnected().await;
    disconnected(&mut chat).await;
    ours.emit("first", 1).expect("it is kept");
    chat.emit("elsewhere", 2).expect("it is kept");
    let sum = ours.emit_with_ack::<u8>("sum", Args((1, 2)));
    ours.emit("second", 3).expect("it is kept");
    assert!(!ours.connected().await);
    assert!(matches!(incoming(&mut chat).await, Incoming::Connected { recovered: false }));
    assert_eq!(soon("the sum", sum).await, Ok(3));
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(server.event().await.0);
    }
    names.retain(|name| name != "elsewhere");
    assert_eq!(names, ["first", "sum", "second"]);
}

async fn restarted(peer: Peer, log: Log) {
    let server = StockServer::start(peer, &log).await;
    let port = server.port;
    let mut ours = Ours::settle(peer, &server, &log).await;
    drop(server);
    let end = ours.disconnected().await;
    // On polling, the server resets the connection while the client waits for an answer.
    let is_reset = peer.mode == Mode::Polling && end.as_str() == "transport error";
    assert!(end.as_str() == "transport close" || is_reset, "{end}");
    tokio::time::sleep(core::time::Duration::from_millis(300)).await;
    let mut server = StockServer::start_at(peer, json!({}), port.into(), &log).await;
    assert!(!ours.connected().await);
    ours.emit("again", ()).expect("there is room");
    assert_eq!(server.event().await.0, "again");
}

/// The kernel closes its connections.
async fn killed(peer: Peer, log: Log) {
    let (server, mut process) = StockServer::start_alone(peer, &log).await;
    let port = server.port;
    let mut ours = Ours::join(peer, &server, &log).await;
    ours.at_rest(peer).await;
    process.kill().await;
    let end = ours.disconnected().await;
    let expected = if peer.mode == Mode::Polling { "transport error" } else { "transport close" };
    assert_eq!((end.as_str(), end.reconnects), (expected, true));
    let mut server = StockServer::start_at(peer, json!({}), port.into(), &log).await;
    assert!(!ours.connected().await);
    ours.emit("again", ()).expect("there is room");
    assert_eq!(server.event().await.0, "again");
}

async fn asked(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let count = Arc::new(AtomicU64::new(0));
    let credentials = Credentials::asked(move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, String>(json!({ "number": number })) }
    });
    let mut ours = Ours::join_with(peer, &server, &log, |builder| builder.auth(credentials)).await;
    assert_eq!(server.hears("join").await["auth"], json!({ "number": 0 }));
    server.command("abandon", json!({}));
    ours.disconnected().await;
    ours.connected().await;
    assert_eq!(server.hears("join").await["auth"], json!({ "number": 1 }));
}

async fn recovered(peer: Peer, log: Log) {
    let mut server = StockServer::start_with(peer, json!({ "connectionStateRecovery": {} }), &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    let id = ours.id();
    server.hears("join").await;
    server.command("broadcast", json!({ "name": "seen", "args": [1] }));
    assert_eq!(ours.event().await.0, "seen");
    server.command("abandon", json!({}));
    server.hears("leave").await;
    server.command("broadcast", json!({ "name": "missed", "args": [{ "$hex": "0102" }] }));
    server.command("broadcast", json!({ "name": "missed", "args": [2] }));
    ours.disconnected().await;
    for _ in 0..2 {
        assert_eq!(ours.event().await.0, "missed");
    }
    assert!(ours.connected().await && ours.recovered());
    assert_eq!(ours.id(), id);
    let join = server.hears("join").await;
    assert_eq!((&join["recovered"], &join["sid"]), (&json!(true), &json!(id.as_deref())));
    server.command("broadcast", json!({ "name": "after", "args": [3] }));
    let (name, args, _) = ours.event().await;
    assert_eq!((name.as_str(), args.all::<(u8,)>().expect("a number")), ("after", (3,)));
}

async fn not_recovered(peer: Peer, log: Log) {
    let options = json!({ "connectionStateRecovery": { "maxDisconnectionDuration": 1 } });
    let mut server = StockServer::start_with(peer, options, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    let id = ours.id();
    server.hears("join").await;
    server.command("broadcast", json!({ "name": "seen", "args": [1] }));
    assert_eq!(ours.event().await.0, "seen");
    server.command("abandon", json!({}));
    ours.disconnected().await;
    assert!(!ours.connected().await);
    assert_ne!(ours.id(), id);
    assert_eq!(server.hears("join").await["recovered"], false);
}
