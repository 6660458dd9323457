//! Namespaces: who gets in, with what, and that they know nothing of each other.

use eio_tests::interop::{Case, Log};
use serde_json::{Value, json};

use crate::client::Client;
use crate::peer::{Library, Peer};
use crate::server::{Happened, TestServer};

pub(crate) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("two namespaces on one connection know nothing of each other", two));
    cases.push(peer.case("a name that is not ASCII", not_ascii));
    cases.push(peer.case("an unknown namespace is refused, and the connection stays", unknown));
    cases.push(peer.case("a refusal has a message", no_token));
    cases.push(peer.case("a refusal has data", wrong_token));
    cases.push(peer.case("the right token is let in, with all that it came with", right_token));
    cases.push(peer.case("namespaces that match are apart, and end with their last client", tenants));
    cases.push(peer.case("the server disconnects one namespace of two", one_of_two));
    if peer.library != Library::Python {
        cases.push(peer.case("a client leaves one namespace of two and comes back", comes_back));
    }
    if peer.library == Library::JavaScript4 {
        cases.push(peer.case("who was refused asks again with another token", asks_again));
    }
}

/// One connection with `/` and another namespace.
async fn pair(peer: Peer, server: &TestServer, other: &str, log: &Log) -> (Client, Client) {
    let (mut main, mut second);
    if peer.library == Library::Python {
        second = Client::reserve(peer, log).await;
        let more = json!({ "more": { other: second.number() } });
        main = Client::open_with(peer, server, "/", more, log).await;
    } else {
        main = Client::open(peer, server, "/", log).await;
        second = main.join(other, Value::Null).await;
    }
    main.joined().await;
    second.joined().await;
    main.settled().await;
    (main, second)
}

/// The next socket that joins this namespace. A client of Socket.IO 2 is always in `/` as well.
async fn joined_in(server: &TestServer, namespace: &str) -> eio_socketio::Socket {
    loop {
        let socket = server.joined().await;
        if *socket.namespace() == namespace {
            return socket;
        }
        assert_eq!(*socket.namespace(), "/");
    }
}

async fn two(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let (mut main, mut chat) = pair(peer, &server, "/chat", &log).await;
    let (in_main, in_chat) = (server.joined().await, server.joined().await);
    assert_eq!((&**in_main.namespace(), &**in_chat.namespace()), ("/", "/chat"));
    assert_ne!(in_main.id(), in_chat.id());
    main.emit("hello", &json!(["main"]));
    let (socket, _, args) = server.event().await;
    assert_eq!((socket, args), (in_main.clone(), json!(["main"])));
    chat.emit("hello", &json!(["chat"]));
    let (socket, _, args) = server.event().await;
    assert_eq!((socket, args), (in_chat.clone(), json!(["chat"])));
    assert_eq!(server.server.of("/chat").emit("news", 1).unwrap().sent, 1);
    assert_eq!(server.server.emit("news", 2).unwrap().sent, 1);
    assert_eq!(chat.event().await, ("news".to_owned(), json!([1])));
    assert_eq!(main.event().await, ("news".to_owned(), json!([2])));
    // Answers find their way, too.
    assert_eq!(in_chat.emit_with_ack::<u64>("what", 3).await, Ok(3));
    assert_eq!(chat.call("sum", &json!([1, 2])).await, json!([3]));
    assert_eq!(main.call("sum", &json!([2, 3])).await, json!([5]));
    assert!(!main.has_told("event") && chat.event().await.1 == json!([3]));
}

async fn not_ascii(peer: Peer, log: Log) {
    const NAME: &str = "/ünï 😀";
    let server = TestServer::start(&log).await;
    let (_main, mut other) = pair(peer, &server, NAME, &log).await;
    let socket = joined_in(&server, NAME).await;
    assert_eq!(other.call("back", &json!(["x", { "$hex": "00" }])).await, json!(["x", { "$hex": "00" }]));
    assert_eq!(socket.emit_with_ack::<String>("what", "é").await.as_deref(), Ok("é"));
}

/// What the client is told of a refusal with this message and without data.
fn message_only(peer: Peer, message: &str) -> (Value, Value) {
    if peer.is_old() { (Value::Null, message.into()) } else { (message.into(), Value::Null) }
}

async fn unknown(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = Client::open(peer, &server, "/nowhere", &log).await;
    assert_eq!(client.refused().await, message_only(peer, "Invalid namespace"));
    if peer.library == Library::Python {
        return;
    }
    let mut chat = client.join("/chat", Value::Null).await;
    chat.joined().await;
    assert_eq!(chat.call("sum", &json!([1, 2])).await, json!([3]));
    assert_eq!(&**joined_in(&server, "/chat").await.namespace(), "/chat");
}

async fn no_token(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = Client::open(peer, &server, "/guarded", &log).await;
    assert_eq!(client.refused().await, message_only(peer, "a token is needed"));
}

async fn wrong_token(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let auth = json!({ "auth": { "token": "wrong" } });
    let mut client = Client::open_with(peer, &server, "/guarded", auth, &log).await;
    let (message, data) = client.refused().await;
    assert_eq!(data, json!({ "code": 7, "sent": { "token": "wrong" } }));
    assert_eq!(message, if peer.is_old() { Value::Null } else { "wrong token".into() });
}

async fn right_token(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let auth = if peer.is_old() {
        json!({ "token": "right", "name": "é 😀&=?,/%", "empty": "" })
    } else {
        json!({ "token": "right", "name": "é 😀\u{1e}", "deep": { "list": [1.5, null, [true]] } })
    };
    let mut client = Client::open_with(peer, &server, "/guarded", json!({ "auth": auth }), &log).await;
    let id = client.joined().await;
    let socket = joined_in(&server, "/guarded").await;
    assert_eq!(socket.auth().first::<Value>().expect("JSON"), auth);
    assert_eq!(socket.id().as_str(), id, "both know the socket by the same name");
}

async fn tenants(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut clients = Vec::new();
    for namespace in ["/tenant-a", "/tenant-a", "/tenant-b"] {
        let mut client = Client::open(peer, &server, namespace, &log).await;
        client.joined().await;
        client.settled().await;
        joined_in(&server, namespace).await;
        clients.push(client);
    }
    assert_eq!(server.server.of("/tenant-a").emit("news", "a").unwrap().sent, 2);
    assert_eq!(server.server.of("/tenant-b").emit("news", "b").unwrap().sent, 1);
    for (client, expected) in clients.iter_mut().zip(["a", "a", "b"]) {
        assert_eq!(client.event().await.1, json!([expected]));
        assert_eq!(client.call("sum", &json!([1, 2])).await, json!([3]));
        assert!(!client.has_told("event"));
    }
    clients[2].command("leave", json!({}));
    loop {
        if let Happened::Left { socket, reason, .. } = server.next().await
            && *socket.namespace() == "/tenant-b"
        {
            assert_eq!(reason, "client namespace disconnect");
            break;
        }
    }
    assert!(server.server.of("/tenant-b").sockets().is_empty());
    assert_eq!(server.server.of("/tenant-a").sockets().len(), 2);
}

async fn one_of_two(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let (mut main, mut chat) = pair(peer, &server, "/chat", &log).await;
    server.joined().await;
    server.joined().await.disconnect();
    let (socket, _, reason) = server.left().await;
    assert_eq!((&**socket.namespace(), reason), ("/chat", "server namespace disconnect"));
    let reason = if peer.library == Library::Python { "server disconnect" } else { "io server disconnect" };
    assert_eq!(chat.disconnected().await, reason);
    assert_eq!(main.call("sum", &json!([1, 2])).await, json!([3]));
    assert!(!main.has_told("disconnect"));
    server.assert_quiet();
}

async fn comes_back(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let (mut main, mut chat) = pair(peer, &server, "/chat", &log).await;
    server.joined().await;
    let first = server.joined().await;
    chat.command("leave", json!({}));
    assert_eq!(chat.disconnected().await, "io client disconnect");
    let (socket, _, reason) = server.left().await;
    assert_eq!((socket, reason), (first.clone(), "client namespace disconnect"));
    chat.command("connect", json!({}));
    let id = chat.joined().await;
    let second = server.joined().await;
    assert_eq!(second.id().as_str(), id);
    // In the revision of Socket.IO 2 the session names it.
    assert_eq!(first.id() == second.id(), peer.is_old());
    assert_eq!(chat.call("sum", &json!([1, 2])).await, json!([3]));
    assert_eq!(main.call("sum", &json!([1, 2])).await, json!([3]));
}

async fn asks_again(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let every = json!({ "everyAuth": [{ "token": "wrong" }, { "token": "right" }] });
    let mut client = Client::open_with(peer, &server, "/guarded", every, &log).await;
    assert_eq!(client.refused().await.0, "wrong token");
    client.command("connect", json!({}));
    client.joined().await;
    assert_eq!(client.call("sum", &json!([1, 2])).await, json!([3]));
}
