//! Our client on a Socket.IO 4 server, with the core's packet codec.

mod client;

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::socketio::Packet;
use eio_tests::interop::{Case, Log, Mode, ServerKind, StockServer, StockSession};
use serde_json::{Value, json};

use client::{Joined, Told};

/// Every case.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for mode in Mode::ALL {
        let mut push = |sentence: &str, case: fn(Mode, Log) -> Running| {
            let name = format!("{} over {}: {sentence}", ServerKind::SocketIo4.name(), mode.name());
            cases.push(Case::new(name, move |log| case(mode, log)));
        };
        push("events in both directions", |mode, log| Box::pin(events(mode, log)));
        push("events of a client of revision 3", |mode, log| Box::pin(events_eio3(mode, log)));
        push("acknowledgements in both directions", |mode, log| Box::pin(acknowledgements(mode, log)));
        push("five hundred acknowledgements while it upgrades", |mode, log| Box::pin(many(mode, log)));
        push("bytes in both directions", |mode, log| Box::pin(bytes(mode, log)));
        push("a second namespace, with a token", |mode, log| Box::pin(second_namespace(mode, log)));
        push("the client leaves", |mode, log| Box::pin(client_leaves(mode, log)));
        push("the client closes without leaving", |mode, log| Box::pin(client_closes(mode, log)));
        push("the server sends the client away", |mode, log| Box::pin(server_sends_away(mode, log)));
        push("the server disconnects the client", |mode, log| Box::pin(server_disconnects(mode, log)));
        push("the server shuts down", |mode, log| Box::pin(server_shuts_down(mode, log)));
        push("an event before joining", |mode, log| Box::pin(event_before_joining(mode, log)));
        push("an idle client stays", |mode, log| Box::pin(idle(mode, log)));
    }
    cases
}

type Running = core::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server, and a client that has joined its namespace `/`.
async fn joined(mode: Mode, log: &Log, options: Value) -> (StockServer, StockSession, Joined) {
    let mut server = StockServer::start(ServerKind::SocketIo4, &options, log).await;
    let mut client = Joined::open(&server, mode, log, false).await;
    client.send(Packet::connect("").expect("nothing is no wrong data")).await;
    let Told::Connect(answer) = client.told().await else { panic!("the server answers the connect") };
    let mut at_server = server.accept().await;
    let join = at_server.event("join").await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["sid"], join["socket"], "both know the socket by the same name");
    (server, at_server, client)
}

fn event<'a>(name: &'a str, args: &'a str) -> Packet<'a> {
    Packet::event(name, args).expect("a valid event")
}

async fn events(mode: Mode, log: Log) {
    let (_server, mut at_server, mut client) = joined(mode, &log, json!({})).await;
    let args = json!(["text 😀", 1.5, -3, true, null, { "deep": [[{}]] }, ""]);
    let text = args.to_string();
    client.send(event("every kind", text.trim_start_matches('[').trim_end_matches(']'))).await;
    let seen = at_server.event("event").await;
    assert_eq!((&seen["name"], &seen["args"]), (&json!("every kind"), &args));
    assert_eq!(client.told().await, Told::event("every kind", &args));
    at_server.command("emit", json!({ "namespace": "/", "name": "news \"of\" today", "args": args }));
    assert_eq!(client.told().await, Told::event("news \"of\" today", &args));
}

/// The server joins it to `/` by itself.
async fn events_eio3(mode: Mode, log: Log) {
    let mut server = StockServer::start(ServerKind::SocketIo4, &json!({ "allowEIO3": true }), &log).await;
    let mut client = Joined::open(&server, mode, &log, true).await;
    assert!(matches!(client.told().await, Told::Connect(_)));
    let mut at_server = server.accept().await;
    at_server.event("join").await;
    client.send(event("hello", "1")).await;
    assert_eq!(at_server.event("event").await["name"], "hello");
    assert_eq!(client.told().await, Told::event("hello", &json!([1])));
}

async fn acknowledgements(mode: Mode, log: Log) {
    let (_server, mut at_server, mut client) = joined(mode, &log, json!({})).await;
    client.send(event("add", "1,2,39").with_id(7).expect("a small id")).await;
    assert_eq!(client.told().await, Told::Ack { id: 7, args: json!([42]), attachments: vec![] });
    at_server.command("ask", json!({ "namespace": "/", "name": "what", "args": ["is it?"] }));
    let Told::Event { name, id: Some(id), .. } = client.told().await else { panic!("it asks") };
    assert_eq!(name, "what");
    client.send(Packet::ack(id, "\"this\",1").expect("valid arguments")).await;
    assert_eq!(at_server.event("answer").await["args"], json!(["this", 1]));
}

async fn many(mode: Mode, log: Log) {
    const COUNT: u64 = 500;
    let mut server = StockServer::start(ServerKind::SocketIo4, &json!({}), &log).await;
    // Before the upgrade, where there is one, has ended.
    let mut client = Joined::open_only(&server, mode, &log).await;
    client.send(Packet::connect("").expect("nothing is no wrong data")).await;
    assert!(matches!(client.told().await, Told::Connect(_)));
    let sending = client.sender();
    tokio::spawn(async move {
        for number in 0..COUNT {
            let args = format!("{number},1");
            let packet = event("add", &args).with_id(number).expect("a small id");
            let text = client::encoded(packet);
            sending.send(text).await.expect("the session lives");
            if number % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
    });
    for number in 0..COUNT {
        let expected = Told::Ack { id: number, args: json!([number + 1]), attachments: vec![] };
        assert_eq!(client.told().await, expected, "in order");
    }
    if mode == Mode::Upgrade {
        server.accept().await.upgraded().await;
    }
}

async fn bytes(mode: Mode, log: Log) {
    let (_server, mut at_server, mut client) = joined(mode, &log, json!({})).await;
    let args = r#"{"_placeholder":true,"num":0},"between",{"_placeholder":true,"num":1}"#;
    let packet = event("files", args).with_attachments(2).expect("as many as placeholders");
    client.send(packet).await;
    client.send_bytes(&[0, 1, 0xff]).await;
    client.send_bytes(&vec![4; 70_000]).await;
    let seen = at_server.event("event").await;
    assert_eq!(seen["args"][0], json!({ "hex": "0001ff" }));
    assert_eq!(seen["args"][1], json!("between"));
    let Told::Event { name, attachments, .. } = client.told().await else { panic!("it comes back") };
    assert_eq!(name, "files");
    assert_eq!(attachments, [vec![0, 1, 0xff], vec![4; 70_000]]);
    // As the arguments of an acknowledgement.
    client.send(packet.with_id(1).expect("a small id")).await;
    client.send_bytes(b"a").await;
    client.send_bytes(b"").await;
    let Told::Ack { id: 1, attachments, .. } = client.told().await else { panic!("it answers") };
    assert_eq!(attachments, [b"a".to_vec(), vec![]]);
}

async fn second_namespace(mode: Mode, log: Log) {
    let (_server, mut at_server, mut client) = joined(mode, &log, json!({ "token": "right" })).await;
    let connect = |token| Packet::connect(token).expect("an object").in_namespace("/admin").expect("a name");
    client.send(connect(r#"{"token":"wrong"}"#)).await;
    let Told::ConnectError(error) = client.told().await else { panic!("it is refused") };
    let error: Value = serde_json::from_str(&error).expect("JSON");
    assert_eq!(error, json!({ "message": "wrong token" }));
    client.send(connect(r#"{"token":"right"}"#)).await;
    assert!(matches!(client.told().await, Told::Connect(_)));
    assert_eq!(at_server.event("join").await["namespace"], "/admin");
    client.send(event("hello", "\"admin\"").in_namespace("/admin").expect("a name")).await;
    assert_eq!(at_server.event("event").await["namespace"], "/admin");
    assert_eq!(client.told().await, Told::event("hello", &json!(["admin"])));
    client.send(event("hello", "\"all\"")).await;
    assert_eq!(at_server.event("event").await["namespace"], "/");
}

async fn client_leaves(mode: Mode, log: Log) {
    let (_server, mut at_server, client) = joined(mode, &log, json!({})).await;
    client.send(Packet::disconnect()).await;
    assert_eq!(at_server.event("leave").await["reason"], "client namespace disconnect");
    assert_eq!(client.end(), None, "the session outlives the namespace");
    client.close();
    assert_eq!(at_server.closed().await.reason, "transport close");
    assert_eq!(client.ended().await.reason, DisconnectReason::LocalClose);
}

async fn client_closes(mode: Mode, log: Log) {
    let (_server, mut at_server, client) = joined(mode, &log, json!({})).await;
    client.close();
    assert_eq!(at_server.event("leave").await["reason"], "transport close");
    assert_eq!(at_server.closed().await.reason, "transport close");
    assert_eq!(client.ended().await.reason, DisconnectReason::LocalClose);
}

async fn server_sends_away(mode: Mode, log: Log) {
    let (_server, mut at_server, mut client) = joined(mode, &log, json!({})).await;
    at_server.command("leave", json!({ "namespace": "/", "close": false }));
    assert_eq!(client.told().await, Told::Disconnect);
    assert_eq!(at_server.event("leave").await["reason"], "server namespace disconnect");
    assert_eq!(client.end(), None, "the session outlives the namespace");
}

async fn server_disconnects(mode: Mode, log: Log) {
    let (_server, mut at_server, client) = joined(mode, &log, json!({})).await;
    at_server.command("leave", json!({ "namespace": "/", "close": true }));
    assert_eq!(at_server.event("leave").await["reason"], "server namespace disconnect");
    let end = client.ended().await;
    assert_eq!(end.reason.as_str(), "transport close", "{end}");
    assert_eq!(at_server.closed().await.reason, "forced close");
}

async fn server_shuts_down(mode: Mode, log: Log) {
    let (server, mut at_server, client) = joined(mode, &log, json!({})).await;
    server.close_all();
    assert_eq!(at_server.event("leave").await["reason"], "server shutting down");
    let end = client.ended().await;
    assert_eq!(end.reason.as_str(), "transport close", "{end}");
}

async fn event_before_joining(mode: Mode, log: Log) {
    let server = StockServer::start(ServerKind::SocketIo4, &json!({}), &log).await;
    let client = Joined::open(&server, mode, &log, false).await;
    client.send(event("hello", "")).await;
    let end = client.ended().await;
    assert_eq!(end.reason.as_str(), "transport close", "{end}");
}

async fn idle(mode: Mode, log: Log) {
    let options = json!({ "pingInterval": 300, "pingTimeout": 5000 });
    let (_server, mut at_server, mut client) = joined(mode, &log, options).await;
    for _ in 0..6 {
        at_server.event("heartbeat").await;
    }
    client.send(event("still here", "")).await;
    assert_eq!(client.told().await, Told::event("still here", &json!([])));
}
