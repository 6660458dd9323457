//! How namespaces and connections end, in the words of both sides.

use eio_socketio::AckError;
use eio_socketio::client::RecvError;
use eio_tests::interop::{Cable, Case, Log, Mode, soon};
use serde_json::json;

use super::library::Need;
use super::ours::{Ours, disconnected};
use super::stock::{Peer, StockServer};

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("the server disconnects one namespace", sent_away));
    cases.push(peer.case_that_needs(
        Need::DisconnectWhole,
        "the server disconnects the client",
        disconnected_whole,
    ));
    cases.push(peer.case("the client leaves", leaves));
    cases.push(peer.case("the client closes", closes));
    cases.push(peer.case("the server ends the session without a word", abandoned));
    cases.push(peer.case("the connection is cut", cut));
    cases.push(peer.case("the cable to the server is pulled", pulled));
    cases.push(peer.case_that_needs(Need::Raw, "the server sends what is no packet", nonsense));
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
    assert_eq!(server.left().await, peer.words().disconnected);
    assert_eq!(soon("its end", unanswered).await, Err(AckError::Disconnected));
    assert!(matches!(soon("the end", ours.recv()).await, Err(RecvError::Disconnected(_))));
    assert!(chat.is_connected());
    if peer.can(Need::RejoinRoot) {
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
    assert_eq!(server.left().await, peer.words().client_left);
    assert!(ours.is_connected());
    ours.emit("last words", ()).expect("there is room");
    drop(ours.into_socket());
    assert_eq!(server.event().await.0, "last words");
    assert_eq!(server.left().await, peer.words().client_left);
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
        assert_eq!(server.left().await, peer.words().client_left);
    }
}

async fn abandoned(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let mut ours = Ours::join(peer, &server, &log).await;
    ours.at_rest(peer).await;
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
    let cable = Cable::start(server.address()).await;
    let mut ours = Ours::join_at(peer, &cable.url(), &log).await;
    ours.at_rest(peer).await;
    cable.cut();
    let end = ours.disconnected().await;
    let at_client = if peer.mode == Mode::Polling { "transport error" } else { "transport close" };
    assert_eq!((end.as_str(), end.reconnects), (at_client, true));
    let left = server.left().await;
    assert!((peer.words().cut)(peer.mode).contains(&left.as_str()), "{left}");
    assert!(!ours.connected().await);
}

/// Neither side hears of the other any more, and neither hears of an end.
async fn pulled(peer: Peer, log: Log) {
    // python-socketio announces whole seconds.
    let beating = json!({ "pingInterval": 1_000, "pingTimeout": 2_000 });
    let mut server = StockServer::start_with(peer, beating, &log).await;
    let cable = Cable::start(server.address()).await;
    let mut ours = Ours::join_at(peer, &cable.url(), &log).await;
    ours.at_rest(peer).await;
    cable.pull();
    let end = ours.disconnected().await;
    assert_eq!((end.as_str(), end.reconnects), ("ping timeout", true));
    let words = (peer.words().silent)(peer.mode);
    if !words.is_empty() {
        let left = server.left().await;
        assert!(words.contains(&left.as_str()), "{left}");
    }
}

async fn nonsense(peer: Peer, log: Log) {
    let server = StockServer::start(peer, &log).await;
    let mut ours = Ours::settle(peer, &server, &log).await;
    server.command("raw", json!({ "text": "9" }));
    let end = ours.disconnected().await;
    assert_eq!((end.as_str(), end.reconnects), ("parse error", true));
    assert!(!ours.connected().await);
}
