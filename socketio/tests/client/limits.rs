//! What is bounded.

use core::time::Duration;

use eio_socketio::client::{Client, Incoming, Socket};
use eio_socketio::{EmitError, Namespace, RawArgs, Reply, Server};

use crate::scripted::quick;
use crate::support::{event, next, serve, soon};

fn server() -> Server {
    let namespace = || {
        Namespace::new()
            .on("flood", async |socket: eio_socketio::Socket, args: RawArgs| {
                let count: u32 = args.first().unwrap_or_default();
                for number in 0..count {
                    socket.send("flood", number).await?;
                }
                Ok::<_, EmitError>(())
            })
            .on("ping", async || Reply("pong"))
    };
    Server::builder().namespace("/", namespace()).namespace("/other", namespace()).build().unwrap()
}

#[tokio::test]
async fn a_full_inbox_stops_the_client_and_loses_nothing() {
    let builder = Client::builder(serve(&server()).await).inbox(8, 1_000_000);
    let client = builder.engine(|engine| engine.inbox(4, 100_000)).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    let other = soon(client.join("/other")).await.unwrap();
    socket.emit("flood", 100).unwrap();
    let stuck = other.emit_with_ack::<String>("ping", ()).timeout(Duration::from_millis(200)).await;
    assert!(stuck.is_err(), "the answer stands in line");
    let answer = other.emit_with_ack::<String>("ping", ());
    for number in 0..100 {
        assert_eq!(event(&mut socket).await.1.first::<u32>().unwrap(), number);
    }
    assert_eq!(soon(answer).await.unwrap(), "pong");
}

/// A client with small inboxes that gives its application little time to receive.
fn quick_to_stall(url: String) -> Client {
    quick(url)
        .inbox(8, 1_000_000)
        .engine(|engine| engine.inbox(4, 100_000).app_stall_timeout(Duration::from_millis(200)))
        .build()
        .unwrap()
}

/// A namespace whose inbox is full, and which is therefore not joined after a reconnect; and another one, which is.
async fn stalled(client: &Client) -> (Socket, Socket) {
    let stalls = soon(client.join("/")).await.unwrap();
    let mut other = soon(client.join("/other")).await.unwrap();
    stalls.emit("flood", 100).unwrap();
    assert!(matches!(next(&mut other).await, Incoming::Disconnected(_)));
    assert!(matches!(next(&mut other).await, Incoming::Connected { .. }));
    assert!(!stalls.is_connected());
    (stalls, other)
}

#[tokio::test]
async fn emitters_of_a_stalled_namespace_join_it_again_once_its_socket_is_dropped() {
    let client = quick_to_stall(serve(&server()).await);
    let (stalls, other) = stalled(&client).await;
    let emitter = stalls.emitter();
    drop(stalls);
    assert_eq!(soon(emitter.emit_with_ack::<String>("ping", ())).await.unwrap(), "pong");
    assert!(emitter.is_connected() && other.is_connected());
}

#[tokio::test]
async fn a_rejoin_does_not_wait_for_room_in_the_inbox() {
    let client = quick_to_stall(serve(&server()).await);
    let (mut stalls, other) = stalled(&client).await;
    soon(stalls.rejoin()).await.unwrap();
    assert!(stalls.is_connected() && other.is_connected());
    let mut received = 0;
    loop {
        match next(&mut stalls).await {
            Incoming::Event { .. } => received += 1,
            Incoming::Connected { .. } => break,
            other => assert!(matches!(other, Incoming::Disconnected(_)), "{other:?}"),
        }
    }
    assert!(received >= 8, "what had arrived is not lost: {received}");
    assert_eq!(soon(stalls.emit_with_ack::<String>("ping", ())).await.unwrap(), "pong");
}

#[tokio::test]
async fn a_namespace_whose_application_stalls_does_not_hold_up_the_others_for_long() {
    let client = quick_to_stall(serve(&server()).await);
    let mut stalls = soon(client.join("/")).await.unwrap();
    let mut other = soon(client.join("/other")).await.unwrap();
    stalls.emit("flood", 100).unwrap();
    let Incoming::Disconnected(end) = next(&mut other).await else { panic!("it is disconnected") };
    assert_eq!((end.as_str(), end.reconnects), ("application stalled", true));
    assert!(matches!(next(&mut other).await, Incoming::Connected { .. }));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(other.is_connected() && !stalls.is_connected());
    assert_eq!(soon(other.emit_with_ack::<String>("ping", ())).await.unwrap(), "pong");
    // It is joined again once its application receives.
    let mut received = 0;
    loop {
        match next(&mut stalls).await {
            Incoming::Event { .. } => received += 1,
            Incoming::Connected { .. } => break,
            other => assert!(matches!(other, Incoming::Disconnected(_)), "{other:?}"),
        }
    }
    assert!(received >= 8, "what had arrived is not lost: {received}");
    assert!(other.is_connected());
}

#[tokio::test]
async fn a_socket_that_nobody_reads_holds_nobody_up() {
    let builder = Client::builder(serve(&server()).await).inbox(8, 1_000_000);
    let client = builder.engine(|engine| engine.inbox(4, 100_000)).build().unwrap();
    let emitter = soon(client.join("/")).await.unwrap().emitter();
    let other = soon(client.join("/other")).await.unwrap();
    emitter.emit("flood", 1000).unwrap();
    assert_eq!(soon(emitter.emit_with_ack::<String>("ping", ())).await.unwrap(), "pong");
    assert_eq!(soon(other.emit_with_ack::<String>("ping", ())).await.unwrap(), "pong");
}
