//! What happens when the connection is lost.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use eio_socketio::client::{Client, ClientBuilder, Credentials, Incoming, JoinError, RecvError, Socket};
use eio_socketio::engine::Backoff;
use eio_socketio::{AckError, Args, EmitError, Namespace, RawArgs, Recovery, Reply, Server, WhenFull};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Way, event, next, serve, soon};

fn server(recovery: Option<Recovery>) -> Server {
    let namespace = || {
        Namespace::new()
            .on("echo", async |socket: eio_socketio::Socket, args: RawArgs| socket.emit("echoed", args))
            .on("cut", async |socket: eio_socketio::Socket| socket.engine().close())
            .on("join", async |socket: eio_socketio::Socket| socket.join("room").map(drop))
            .on("add", async |Args((a, b)): Args<(i64, i64)>| Reply(a + b))
            .on("silent", async || {})
    };
    let mut builder = Server::builder().namespace("/", namespace()).namespace("/other", namespace());
    if let Some(recovery) = recovery {
        builder = builder.recovery(recovery);
    }
    builder.when_full(WhenFull::Refuse).build().unwrap()
}

/// A client that comes back soon.
fn quick(builder: ClientBuilder) -> ClientBuilder {
    builder.backoff(Backoff::new(Duration::from_millis(20), Duration::from_millis(50)).unwrap())
}

/// Cuts the connection, and waits until the client knows.
async fn cut(socket: &mut Socket) {
    socket.emit("cut", ()).unwrap();
    let Incoming::Disconnected(end) = next(socket).await else { panic!("it is disconnected") };
    assert_eq!((end.as_str(), end.reconnects), ("transport close", true));
}

async fn connected(socket: &mut Socket) -> bool {
    match next(socket).await {
        Incoming::Connected { recovered } => recovered,
        other => panic!("expected to be connected, got {other:?}"),
    }
}

#[tokio::test]
async fn every_namespace_is_joined_again_and_gets_what_was_emitted_meanwhile() {
    for way in Way::ALL {
        let client = quick(way.client(&serve(&server(None)).await)).build().unwrap();
        let mut socket = soon(client.join("/")).await.unwrap();
        let mut other = soon(client.join("/other")).await.unwrap();
        let before = socket.id();
        let unanswered = socket.emit_with_ack::<()>("silent", ());
        cut(&mut socket).await;
        assert_eq!(soon(unanswered).await, Err(AckError::Disconnected));
        assert!(matches!(next(&mut other).await, Incoming::Disconnected(_)));
        assert_eq!(socket.emit_volatile("echo", "volatile"), Ok(false), "{way:?}");
        socket.emit("echo", "first").unwrap();
        let sum = socket.emit_with_ack::<i64>("add", Args((1, 2)));
        socket.send("echo", "second").await.unwrap();
        assert!(!connected(&mut socket).await, "{way:?}");
        assert!(!connected(&mut other).await, "{way:?}");
        for expected in ["first", "second"] {
            assert_eq!(event(&mut socket).await.1.first::<String>().unwrap(), expected, "{way:?}");
        }
        assert_eq!(soon(sum).await, Ok(3));
        assert!(socket.id().is_some() && socket.id() != before);
    }
}

/// A client whose second credentials fail, and the server, which it has joined and which has cut the connection.
async fn refused_on_return(change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> (Client, Socket) {
    let asked = AtomicU32::new(0);
    let credentials = Credentials::asked(move || {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        async move { if number == 1 { Err("no token today") } else { Ok(json!({})) } }
    });
    let builder = quick(Client::builder(serve(&server(None)).await)).auth(credentials);
    let client = change(builder).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    socket.emit("cut", ()).unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    (client, socket)
}

async fn not_joined(socket: &mut Socket) {
    let incoming = next(socket).await;
    assert!(matches!(incoming, Incoming::ConnectError(JoinError::NoCredentials(_))), "{incoming:?}");
}

#[tokio::test]
async fn what_was_emitted_while_away_is_sent_by_a_rejoin_after_a_refusal() {
    let (_client, mut socket) = refused_on_return(|builder| builder).await;
    socket.emit("echo", "first").unwrap();
    let sum = socket.emit_with_ack::<i64>("add", Args((1, 2)));
    not_joined(&mut socket).await;
    assert_eq!(socket.emit("echo", "out"), Err(EmitError::Disconnected));
    soon(socket.rejoin()).await.unwrap();
    assert_eq!(event(&mut socket).await.1.first::<String>().unwrap(), "first");
    assert_eq!(soon(sum).await, Ok(3));
}

#[tokio::test]
async fn what_is_sent_until_it_is_answered_waits_for_a_rejoin_after_a_refusal() {
    // The cut itself is answered by the end of the connection, and not sent again.
    let (client, mut socket) =
        refused_on_return(|builder| builder.retries(0, Duration::from_millis(200))).await;
    socket.emit("echo", "first").unwrap();
    let sum = socket.emit_with_ack::<i64>("add", Args((1, 2)));
    not_joined(&mut socket).await;
    soon(socket.rejoin()).await.unwrap();
    assert_eq!(event(&mut socket).await.1.first::<String>().unwrap(), "first");
    // `echo` is not answered.
    assert_eq!(soon(sum).await, Ok(3));
    soon(client.close()).await;
}

#[tokio::test]
async fn who_waits_for_an_answer_learns_that_nothing_will_be_sent_once_nobody_can_rejoin() {
    for retries in [None, Some(0)] {
        for closes in [true, false] {
            let change = |builder: ClientBuilder| match retries {
                Some(count) => builder.retries(count, Duration::from_secs(5)),
                None => builder,
            };
            let (client, mut socket) = refused_on_return(change).await;
            let sums = [(); 2].map(|()| socket.emit_with_ack::<i64>("add", Args((1, 2))));
            not_joined(&mut socket).await;
            // Another one that emits keeps the namespace.
            let emitter = socket.emitter();
            if closes {
                soon(client.close()).await;
            } else {
                drop(socket);
            }
            for sum in sums {
                let answer = soon(sum).await;
                assert_eq!(answer, Err(AckError::Emit(EmitError::Disconnected)), "{retries:?}, {closes}");
            }
            drop(emitter);
        }
    }
}

#[tokio::test]
async fn what_waits_while_the_client_is_away_is_limited() {
    let builder = quick(Client::builder(serve(&server(None)).await));
    let client = builder.buffer_while_away(2, 1_000_000).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    cut(&mut socket).await;
    socket.emit("echo", 0).unwrap();
    socket.emit("echo", 1).unwrap();
    assert_eq!(socket.emit("echo", 2), Err(EmitError::Full));
    let emitter = socket.emitter();
    let waiting = tokio::spawn(async move { emitter.send("echo", 3).await });
    assert!(!connected(&mut socket).await);
    for expected in [0, 1, 3] {
        assert_eq!(event(&mut socket).await.1.first::<u32>().unwrap(), expected);
    }
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn without_a_buffer_events_are_refused_and_senders_wait() {
    let builder = quick(Client::builder(serve(&server(None)).await));
    let client = builder.buffer_while_away(0, 0).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    cut(&mut socket).await;
    assert_eq!(socket.emit("echo", 0), Err(EmitError::Disconnected));
    soon(socket.send("echo", 1)).await.unwrap();
    assert!(!connected(&mut socket).await);
    assert_eq!(event(&mut socket).await.1.first::<u32>().unwrap(), 1);
}

#[tokio::test]
async fn an_event_whose_answer_timed_out_while_away_is_not_sent() {
    let builder = quick(Client::builder(serve(&server(None)).await));
    let client = builder
        .backoff(Backoff::new(Duration::from_millis(200), Duration::from_millis(200)).unwrap())
        .build()
        .unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    cut(&mut socket).await;
    let late = socket.emit_with_ack::<()>("echo", "late").timeout(Duration::from_millis(10)).await;
    assert_eq!(late, Err(AckError::Timeout));
    socket.emit("echo", "in time").unwrap();
    assert!(!connected(&mut socket).await);
    assert_eq!(event(&mut socket).await.1.first::<String>().unwrap(), "in time");
}

#[tokio::test]
async fn a_recovered_socket_keeps_its_id_and_gets_what_it_missed() {
    for way in Way::ALL {
        let server = server(Some(Recovery::new()));
        let client = quick(way.client(&serve(&server).await)).build().unwrap();
        let mut socket = soon(client.join("/")).await.unwrap();
        let id = socket.id();
        socket.emit("join", ()).unwrap();
        socket.emit("echo", "seen").unwrap();
        assert_eq!(event(&mut socket).await.1.first::<String>().unwrap(), "seen");
        cut(&mut socket).await;
        server.to("room").emit("missed", 1).unwrap();
        // Servers in Node send it before they say that they have recovered the socket.
        assert!(connected(&mut socket).await, "{way:?}");
        let (name, args, _) = event(&mut socket).await;
        assert_eq!((&*name, args.first::<u32>().unwrap()), ("missed", 1), "{way:?}");
        assert_eq!(args.all::<(u32,)>().unwrap(), (1,), "its position does not disturb");
        assert_eq!(socket.id(), id);
        assert!(socket.recovered());
        server.to("room").emit("after", 2).unwrap();
        assert_eq!(event(&mut socket).await.0, "after");
    }
}

#[tokio::test]
async fn events_are_sent_until_they_are_answered() {
    let builder = quick(Client::builder(serve(&server(None)).await));
    let client = builder.retries(2, Duration::from_millis(50)).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    let unanswered = socket.emit_with_ack::<()>("silent", ());
    let sum = socket.emit_with_ack::<i64>("add", Args((1, 2)));
    assert_eq!(soon(unanswered).await, Err(AckError::Timeout));
    assert_eq!(soon(sum).await, Ok(3), "in order, and after it");
    // The cut itself is answered only by the end of the connection, and sent again on each later one.
    socket.emit("cut", ()).unwrap();
    let sum = socket.emit_with_ack::<i64>("add", Args((20, 22)));
    assert_eq!(soon(sum).await, Ok(42));
    let mut disconnects = 0;
    while let Ok(incoming) = tokio::time::timeout(Duration::from_millis(50), socket.recv()).await {
        disconnects += u32::from(matches!(incoming, Ok(Incoming::Disconnected(_))));
    }
    assert_eq!(disconnects, 3, "once, and twice again");
    assert!(matches!(socket.emit("connect", ()), Err(EmitError::Encode(_))), "at once");
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_tried_again() {
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let client = quick(Client::builder(format!("http://{address}"))).build().unwrap();
    let joining = tokio::spawn(async move { client.join("/").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { server(None).serve(listener).await });
    assert!(soon(joining).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_client_gives_up_after_so_many_attempts_and_may_begin_again() {
    let place = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let client = quick(Client::builder(format!("http://{address}"))).max_attempts(2).build().unwrap();
    assert!(matches!(soon(client.join("/")).await, Err(JoinError::Connect(_))));

    let listener = TcpListener::bind(address).await.unwrap();
    let running = server(None);
    let serving = running.clone();
    let serving = tokio::spawn(async move { serving.serve(listener).await });
    let mut socket = soon(client.join("/")).await.unwrap();
    serving.abort();
    let _ = serving.await;
    running.shutdown(Duration::ZERO).await;
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(end) if end.reconnects));
    assert!(matches!(next(&mut socket).await, Incoming::ConnectError(JoinError::Connect(_))));
    assert!(matches!(soon(socket.recv()).await, Err(RecvError::NotJoined(JoinError::Connect(_)))));
    assert_eq!(socket.emit("echo", ()), Err(EmitError::Disconnected));
}
