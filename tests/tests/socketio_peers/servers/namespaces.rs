//! Namespaces: several on one connection, refused, left, and joined again.

use core::time::Duration;

use eio_socketio::Args;
use eio_socketio::client::{Credentials, JoinError};
use eio_tests::interop::{Case, Log, soon};
use serde_json::json;

use super::library::Need;
use super::ours::{Ours, builder};
use super::stock::{Peer, StockServer};

pub(super) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("several namespaces share a connection", several));
    cases.push(peer.case("a guarded namespace takes the right token only", guarded));
    cases.push(peer.case("a namespace that does not exist", unknown));
    cases.push(peer.case("a namespace that was left is joined again", left));
    cases.push(peer.case("a namespace whose server takes its time", slow));
}

fn token(token: &str) -> Credentials {
    Credentials::new(json!({ "token": token }))
}

async fn several(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let client = builder(peer, &server.url(), &log).0.build().expect("the settings are valid");
    let names: &[&str] =
        if peer.can(Need::UnicodeNamespaces) { &["/", "/chat", "/ünï 😀"] } else { &["/", "/chat"] };
    let mut sockets = Vec::new();
    for name in names {
        sockets.push(soon("to join", client.join(name)).await.expect("it is let in"));
    }
    let mut sessions = Vec::new();
    for socket in &sockets {
        let join = server.hears("join").await;
        assert_eq!(
            (&join["namespace"], &join["sid"]),
            (&json!(socket.namespace()), &json!(socket.id().as_deref()))
        );
        sessions.push(join["session"].clone());
    }
    sessions.dedup();
    assert_eq!(sessions.len(), 1, "one connection");
    for socket in &sockets {
        let namespace = socket.namespace().to_owned();
        let back = soon("it", socket.emit_with_ack::<String>("back", &namespace)).await;
        assert_eq!(back, Ok(namespace));
    }
}

async fn guarded(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let ours = Ours::join(peer, &server, &log).await;
    server.hears("join").await;
    let refused = soon("a refusal", ours.client.join_with_auth("/guarded", token("wrong"))).await;
    let Err(JoinError::Refused(refused)) = refused else { panic!("expected a refusal, not {refused:?}") };
    let message = if peer.can(Need::RefusalMessage) { "not authorized" } else { "" };
    let data = peer.can(Need::RefusalData).then(|| json!({ "code": 7, "bytes": [1] }));
    let got = refused.data_as::<Option<serde_json::Value>>().expect("JSON");
    assert_eq!((refused.message.as_str(), got), (message, data));
    let let_in =
        soon("to join", ours.client.join_with_auth("/guarded", token("open"))).await.expect("let in");
    assert_eq!(server.hears("join").await["namespace"], "/guarded");
    assert!(let_in.is_connected() && ours.is_connected());
    assert_eq!(soon("the sum", let_in.emit_with_ack::<u8>("sum", Args((1, 2)))).await, Ok(3));
}

async fn unknown(peer: Peer, log: Log) {
    let server = StockServer::start(peer, &log).await;
    let ours = Ours::join(peer, &server, &log).await;
    let refused = soon("a refusal", ours.client.join("/nowhere")).await;
    let Err(JoinError::Refused(refused)) = refused else { panic!("expected a refusal, not {refused:?}") };
    let message = peer.library.unknown_namespace;
    assert_eq!((refused.message.as_str(), &refused.data), (message, &None));
    assert_eq!(soon("the sum", ours.emit_with_ack::<u8>("sum", Args((1, 2)))).await, Ok(3));
}

async fn left(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let ours = Ours::join(peer, &server, &log).await;
    server.hears("join").await;
    for _ in 0..3 {
        let chat = soon("to join", ours.client.join("/chat")).await.expect("it is let in");
        server.hears("join").await;
        soon("to leave", chat.leave()).await;
        assert_eq!(server.left().await, peer.words().client_left);
    }
    // Without waiting for the server.
    for _ in 0..3 {
        drop(soon("to join", ours.client.join("/chat")).await.expect("it is let in"));
    }
    assert!(ours.is_connected());
    assert_eq!(soon("the sum", ours.emit_with_ack::<u8>("sum", Args((1, 2)))).await, Ok(3));
}

async fn slow(peer: Peer, log: Log) {
    let mut server = StockServer::start(peer, &log).await;
    let settings =
        |builder: eio_socketio::client::ClientBuilder| builder.connect_timeout(Duration::from_secs(3));
    let ours = Ours::join_with(peer, &server, &log, settings).await;
    server.hears("join").await;
    assert!(matches!(soon("it", ours.client.join("/slow")).await, Err(JoinError::Timeout)));
    // The request is taken back as soon as that is possible, and the connection is none the worse.
    assert_eq!(server.hears("join").await["namespace"], "/slow");
    assert_eq!(server.left().await, peer.words().client_left);
    assert!(ours.is_connected());
}
