//! How namespaces and connections end, in the words of both sides.

use eio_socketio::AckError;
use eio_socketio::client::RecvError;
use eio_tests::interop::{Case, Log, Mode, soon};
use serde_json::json;

use super::ours::{Ours, disconnected};
use super::stock::{Library, Peer, StockServer};

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("the server disconnects one namespace", sent_away));
    cases.push(peer.case("the server disconnects the client", disconnected_whole));
    cases.push(peer.case("the client leaves", leaves));
    cases.push(peer.case("the client closes", closes));
    cases.push(peer.case("the server ends the session without a word", abandoned));
    if peer.mode != Mode::Polling {
        cases.push(peer.case("the connection is cut", cut));
    }
    if !peer.is_old() {
        cases.push(peer.case("the server sends what is no packet", nonsense));
    }
}

async fn sent_away(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    let chat = soon("to join", ours.client.join("/chat")).await.expect("it is let in");
    let unanswered = ours.emit_with_ack::<()>("silent", ());
    server.event().await;
    server.command("disconnect", json!({ "namespace": "/" }));
    let end = ours.disconnected().await;
    assert_eq!((end.as_str(), end.reconnects), ("io server disconnect", false));
    assert_eq!(server.left().await, "server namespace disconnect");
    assert_eq!(soon("its end", unanswered).await, Err(AckError::Disconnected));
    assert!(matches!(soon("the end", ours.recv()).await, Err(RecvError::Disconnected(_))));
    assert!(chat.is_connected());
    if peer.library != Library::JavaScript2 {
        soon("to join again", ours.rejoin()).await.expect("it is let in");
    }
}

async fn disconnected_whole(peer: Peer, log: Log) {
    let server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    let mut chat = soon("to join", ours.client.join("/chat")).await.expect("it is let in");
    server.command("disconnect", json!({ "namespace": "/", "close": true }));
    assert_eq!(ours.disconnected().await.as_str(), "io server disconnect");
    assert_eq!(disconnected(&mut chat).await.as_str(), "io server disconnect");
    soon("to join again", ours.rejoin()).await.expect("it is let in");
}

async fn leaves(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let ours = Ours::settle(peer, &server, &log).await;
    let chat = soon("to join", ours.client.join("/chat")).await.expect("it is let in");
    soon("to leave", chat.leave()).await;
    assert_eq!(server.left().await, "client namespace disconnect");
    assert!(ours.is_connected());
    ours.emit("last words", ()).expect("there is room");
    drop(ours.into_socket());
    assert_eq!(server.event().await.0, "last words");
    assert_eq!(server.left().await, "client namespace disconnect");
}

async fn closes(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    let mut chat = soon("to join", ours.client.join("/chat")).await.expect("it is let in");
    ours.emit("last words", ()).expect("there is room");
    soon("to close", ours.client.close()).await;
    assert_eq!(ours.disconnected().await.as_str(), "io client disconnect");
    assert_eq!(disconnected(&mut chat).await.as_str(), "io client disconnect");
    assert_eq!(server.event().await.0, "last words");
    for _ in 0..2 {
        assert_eq!(server.left().await, "client namespace disconnect");
    }
}

async fn abandoned(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    server.hears("join").await;
    server.command("abandon", json!({}));
    let end = ours.disconnected().await;
    assert_eq!((end.as_str(), end.reconnects), ("transport close", true));
    assert_eq!(end.engine.expect("the engine tells more").transport.as_str(), peer.transport());
    assert!(!ours.connected().await);
    assert_eq!(server.hears("join").await["sid"], json!(ours.id().as_deref()));
}

async fn cut(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    server.hears("join").await;
    server.command("cut", json!({}));
    let end = ours.disconnected().await;
    assert_eq!((end.as_str(), end.reconnects), ("transport close", true));
    assert_eq!(server.left().await, "transport close");
    assert!(!ours.connected().await);
}

async fn nonsense(peer: Peer, log: Log) {
    let server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    server.command("raw", json!({ "text": "9" }));
    let end = ours.disconnected().await;
    assert_eq!((end.as_str(), end.reconnects), ("parse error", true));
    assert!(!ours.connected().await);
}
