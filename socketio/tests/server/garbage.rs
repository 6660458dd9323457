//! Clients that send anything: whatever arrives, each client that joined leaves once, and nothing of it stays.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use eio_socketio::{Ack, Disconnect, Namespace, RawArgs, Reply, Server, Socket};
use proptest::prelude::*;

use crate::support::{Raw, build, settle};

/// What packets are made of.
const PIECES: [&str; 40] = [
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "/",
    "/a",
    "/b,",
    ",",
    "?x=1",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\"e\"",
    "[\"e\"]",
    "[\"e\",1]",
    "[\"connect\"]",
    "[\"__proto__\",{\"__proto__\":1}]",
    "{\"a\":1}",
    "null",
    "1-",
    "2-",
    "11-",
    "{\"_placeholder\":true,\"num\":0}",
    "[\"e\",{\"_placeholder\":true,\"num\":0}]",
    "99999999999999999999",
    "-1",
    " ",
    "\u{0}",
    "é",
    "\u{1e}",
    "[[[[[[[[[[",
    "{\"sid\":\"x\"}",
    "{\"pid\":\"x\",\"offset\":\"y\"}",
    "[\"leave\"]",
];

/// Packets that make sense somewhere.
const PACKETS: [&str; 12] = [
    "0",
    "0/a,",
    "0/b,{\"token\":\"t\"}",
    "0/none,",
    "1",
    "1/a,",
    "2[\"e\"]",
    "2/a,7[\"e\",1]",
    "2[\"leave\"]",
    "30[1]",
    "2[\"join\",\"room\"]",
    "0/refused,",
];

#[derive(Clone, Debug)]
enum Sent {
    Text(String),
    Binary(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        6 => prop::sample::select(&PACKETS[..]).prop_map(|text| Sent::Text(text.to_owned())),
        3 => prop::collection::vec(prop::sample::select(&PIECES[..]), 0..6).prop_map(|pieces| Sent::Text(pieces.concat())),
        1 => prop::collection::vec(any::<u8>(), 0..8).prop_map(Sent::Binary),
    ]
}

/// How often each socket joined and left.
type Lives = Arc<Mutex<HashMap<String, (u32, u32)>>>;

fn namespace(lives: &Lives) -> Namespace {
    let (joined, left) = (Arc::clone(lives), Arc::clone(lives));
    Namespace::new()
        .middleware(|socket: Socket| async move {
            if socket.namespace() == "/refused" { Err("refused".into()) } else { Ok(()) }
        })
        .on_connect(move |socket: Socket| {
            joined.lock().unwrap().entry(socket.id().to_string()).or_default().0 += 1;
            async move {
                let _ = socket.emit_with_ack::<u8>("who", ()).await;
            }
        })
        .on("e", |args: RawArgs, ack: Ack| async move { ack.send(args) })
        .on("leave", |socket: Socket| async move { socket.disconnect() })
        .on("join", |socket: Socket, args: RawArgs| async move {
            socket.join(args.first::<String>()?).map(Reply).map_err(Box::from)
                as Result<_, eio_socketio::BoxError>
        })
        .on_any(|| async { Reply("unknown") })
        .on_disconnect(move |socket: Socket, _: Disconnect| {
            left.lock().unwrap().entry(socket.id().to_string()).or_default().1 += 1;
            core::future::ready(())
        })
}

async fn run(clients: Vec<Vec<Sent>>) {
    let lives = Lives::default();
    let server = build(
        Server::builder()
            .namespace("/", namespace(&lives))
            .namespace_matching(|name| name != "/none", namespace(&lives)),
    );
    for client in clients {
        let mut raw = Raw::open(&server).await;
        for message in client {
            let sent = match message {
                Sent::Text(text) => raw.engine.send(text).await,
                Sent::Binary(bytes) => raw.engine.send(bytes).await,
            };
            if sent.is_err() {
                break;
            }
        }
        settle().await;
        raw.engine.close();
        raw.closed().await;
    }
    settle().await;
    let lives = lives.lock().unwrap();
    assert!(lives.values().all(|life| *life == (1, 1)), "{lives:?}");
    for name in ["/", "/a", "/b", "/refused"] {
        assert!(server.of(name).sockets().is_empty() && server.of(name).to("room").sockets().is_empty());
    }
    assert_eq!(server.engine().len(), 0);
}

proptest! {
    #[test]
    fn whatever_clients_send_each_socket_joins_and_leaves_once(
        clients in prop::collection::vec(prop::collection::vec(sent(), 0..12), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(run(clients));
    }
}
