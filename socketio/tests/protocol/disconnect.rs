//! Leaving namespaces, the ends of connections, and the reasons that the application is told.

use core::future::IntoFuture as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, mpsc};

use eio_socketio::{
    AckError, Body, Decoder, DefaultParser, Disconnect, EmitError, EncodeError, Encoded, Namespace, Packet,
    Parser, Server, Socket, State, WhenFull,
};
use futures_util::FutureExt as _;
use tokio::time::Instant;

use crate::support::{Client, Journal, Received, World, ms, noting, settle};

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_the_main_namespace_keeps_its_connection() {
    let world = World::suite();
    let mut client = world.init().await;
    client.send("1").await;
    assert_eq!(client.text().await, "2");
    assert_eq!(world.elapsed(), ms(300));
}

#[tokio::test(start_paused = true)]
async fn a_client_joins_and_leaves_another_namespace_without_effect_on_the_main_one() {
    let world = World::suite();
    let mut client = world.init().await;
    assert_eq!(client.text().await, "2");
    client.send("0/custom").await;
    assert!(client.packet().await.starts_with(r#"0/custom,{"sid":""#));
    client.expect(r#"2/custom,["auth",{}]"#).await;
    client.send("1/custom").await;
    client.send(r#"2["message","message to main namespace"]"#).await;
    client.expect(r#"2["message-back","message to main namespace"]"#).await;
}

/// A client that has joined `/`, whose application takes notes; nobody has read them.
async fn noted() -> (World, Client) {
    let world = World::of(noting());
    let client = world.join().await;
    (world, client)
}

async fn assert_ended(world: &World, reason: &str) {
    let expected = ["/ joined".to_owned(), format!("/ leaves []: {reason}"), format!("/ left []: {reason}")];
    assert_eq!(world.journal.read().await, expected);
    assert_eq!(world.server.of("/").sockets().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn leaving_is_told_at_once() {
    let (world, mut client) = noted().await;
    client.send("1").await;
    assert_ended(&world, "client namespace disconnect").await;
    // It is told no second time when the connection ends.
    drop(client);
    assert_eq!(world.journal.read().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_has_left_when_its_time_is_over() {
    let (world, _client) = noted().await;
    world.at(499).await;
    assert_eq!(world.journal.read().await, ["/ joined"]);
    world.journal.note("/ joined");
    world.at(500).await;
    assert_ended(&world, "ping timeout").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_falls_silent_ends_after_the_interval_and_the_timeout_and_says_for_how_long_it_was_silent()
 {
    let (ended, mut end) = tokio::sync::mpsc::unbounded_channel();
    let world = World::of(Namespace::new().on_disconnect(move |end: Disconnect| {
        ended.send((Instant::now(), end)).unwrap();
        core::future::ready(())
    }));
    let _client = world.join().await;
    let joined = Instant::now();
    let (at, end) = end.recv().await.unwrap();
    assert_eq!(at - joined, ms(500));
    assert_eq!(end.reason.as_str(), "ping timeout");
    assert_eq!(end.session.unwrap().silent_for, ms(500));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_told_at_once() {
    let (world, client) = noted().await;
    drop(client);
    assert_ended(&world, "transport close").await;
    assert_eq!(world.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn a_packet_of_the_connection_that_cannot_be_read_is_a_parse_error() {
    let (world, mut client) = noted().await;
    client.send_engine("abc").await;
    client.expect_end().await;
    assert_ended(&world, "parse error").await;
}

#[tokio::test(start_paused = true)]
async fn the_server_disconnects_a_socket_and_the_client_is_told() {
    let (world, mut client) = noted().await;
    world.server.of("/").disconnect();
    client.expect("1").await;
    assert_ended(&world, "server namespace disconnect").await;
    // What was under way is ignored, and the client may come back.
    client.send(r#"2["under way"]"#).await;
    client.expect_nothing().await;
    client.join("/", "").await;
    assert_eq!(world.journal.read().await, ["/ joined"]);
}

#[tokio::test(start_paused = true)]
async fn a_disconnected_socket_sends_nothing_and_is_sent_nothing() {
    let (world, mut client) = noted().await;
    let [socket] = &world.server.of("/").sockets()[..] else { panic!("expected one socket") };
    socket.disconnect();
    socket.disconnect();
    assert!(socket.emit("late", ()).is_err());
    assert!(socket.join("room").is_err());
    assert_eq!(world.server.emit("late", ()).unwrap().sent, 0);
    client.expect("1").await;
    client.expect_nothing().await;
    assert_ended(&world, "server namespace disconnect").await;
}

#[tokio::test(start_paused = true)]
async fn the_server_closes_a_connection_with_all_its_namespaces() {
    let world = World::new(|builder| builder.namespace("/", noting()).namespace("/a", noting()));
    let mut client = world.join().await;
    client.join("/a", "").await;
    world.journal.read().await;
    world.server.of("/a").close();
    client.expect("1/a,").await;
    client.expect("1").await;
    client.expect_end().await;
    let mut notes = world.journal.read().await;
    notes.sort();
    let reason = "server namespace disconnect";
    let expected = [
        format!("/ leaves []: {reason}"),
        format!("/ left []: {reason}"),
        format!("/a leaves []: {reason}"),
        format!("/a left []: {reason}"),
    ];
    assert_eq!(notes, expected);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_tells_its_application_so() {
    let (world, mut client) = noted().await;
    let server = world.server.clone();
    let stopping = tokio::spawn(async move { server.shutdown(ms(100)).await });
    client.expect_end().await;
    stopping.await.unwrap();
    assert_ended(&world, "server shutting down").await;
}

#[tokio::test(start_paused = true)]
async fn all_sockets_of_a_connection_end_with_it_in_the_order_of_joining() {
    let world = World::new(|builder| {
        builder.namespace("/a", noting()).namespace("/b", noting()).namespace("/c", noting())
    });
    let mut client = world.connect().await;
    for name in ["/b", "/a", "/c"] {
        client.join(name, "").await;
    }
    client.send("1/a,").await;
    assert_eq!(world.journal.read().await.len(), 5);
    drop(client);
    let reason = "transport close";
    let expected =
        ["/b leaves", "/b left", "/c leaves", "/c left"].map(|note| format!("{note} []: {reason}"));
    assert_eq!(world.journal.read().await, expected);
}

async fn enter(socket: Socket) {
    for room in ["one", "two"] {
        socket.join(room).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_rooms_of_a_socket_are_known_while_it_disconnects_and_not_after() {
    let world = World::of(noting().on("enter", enter));
    let mut client = world.join().await;
    client.send(r#"2["enter"]"#).await;
    client.send("1").await;
    let expected = [
        "/ joined",
        "/ leaves [one two]: client namespace disconnect",
        "/ left []: client namespace disconnect",
    ];
    assert_eq!(world.journal.read().await, expected);
    assert_eq!(world.server.to("one").sockets().len(), 0);
}

async fn wait(State(journal): State<Journal>) {
    journal.note("begun");
    tokio::time::sleep(ms(100)).await;
    journal.note("done");
}

async fn stumble() {
    panic!("out of order");
}

#[tokio::test(start_paused = true)]
async fn the_handlers_of_an_end_run_whatever_the_others_do() {
    let world = World::of(noting().on("wait", wait).on("stumble", stumble));
    let mut client = world.join().await;
    client.send(r#"2["wait"]"#).await;
    client.send(r#"2["stumble"]"#).await;
    assert_eq!(world.journal.read().await, ["/ joined", "begun"]);
    drop(client);
    let expected = ["/ leaves []: transport close", "/ left []: transport close"];
    assert_eq!(world.journal.read().await, expected);
    world.at(100).await;
    assert_eq!(world.journal.read().await, ["done"]);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_fails_while_a_socket_leaves_still_hears_that_it_has_left() {
    async fn left(State(journal): State<Journal>) {
        journal.note("left");
    }
    let world = World::of(Namespace::new().on_disconnecting(stumble).on_disconnect(left));
    drop(world.join().await);
    assert_eq!(world.journal.read().await, ["left"]);
    assert_eq!(world.server.of("/").sockets().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_refused_more_and_never_disconnected_for_it() {
    let (world, mut client) = noted().await;
    let text = "x".repeat(100_000);
    let mut sent = 0;
    let full = loop {
        let broadcast = world.server.emit("flood", &text).unwrap();
        if broadcast.full > 0 {
            break broadcast;
        }
        sent += 1;
        assert!(sent < 10_000, "the outbox is never full");
    };
    assert_eq!((full.sent, full.full), (0, 1));
    assert_eq!(world.journal.read().await, ["/ joined"]);
    for _ in 0..sent {
        assert!(client.packet().await.starts_with(r#"2["flood","xxx"#));
    }
    client.expect_nothing().await;
    assert_eq!(world.server.emit("again", ()).unwrap().sent, 1);
    client.expect(r#"2["again"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_disconnected_if_the_settings_say_so() {
    // Whichever event finds no room.
    let ways: [fn(&Server, &str) -> bool; 4] = [
        |server, text| server.emit("flood", text).unwrap().full > 0,
        |server, text| {
            let [socket] = &server.of("/").sockets()[..] else { panic!("expected one socket") };
            socket.emit("flood", text) == Err(EmitError::Full)
        },
        |server, text| {
            let [socket] = &server.of("/").sockets()[..] else { panic!("expected one socket") };
            let asked = socket.emit_with_ack::<()>("flood", text).into_future().now_or_never();
            asked == Some(Err(AckError::Emit(EmitError::Full)))
        },
        |server, text| {
            let mut answers = server.of("/").emit_with_ack::<()>("flood", text).unwrap();
            let answer = answers.next().now_or_never();
            answer.is_some_and(|answer| answer.unwrap().1 == Err(AckError::Emit(EmitError::Full)))
        },
    ];
    for finds_no_room in ways {
        let world = World::new(|builder| builder.namespace("/", noting()).when_full(WhenFull::Close));
        let client = world.join().await;
        let text = "x".repeat(100_000);
        assert!((0..10_000).any(|_| finds_no_room(&world.server, &text)));
        // What is under way is delivered if the client reads it after all, as long as it could be alive.
        world.at(500).await;
        assert_ended(&world, "forced close").await;
        drop(client);
    }
}

#[tokio::test(start_paused = true)]
async fn the_answer_to_a_join_comes_before_the_end_of_the_socket_that_the_application_ends_at_once() {
    async fn end(socket: Socket) {
        socket.disconnect();
    }
    let world = World::of(Namespace::new().on_connect(end));
    let mut client = world.join().await;
    client.expect("1").await;
    assert_eq!(client.next().await, Received::Text("2".into()));
}

/// A parser that does something before it writes a disconnect packet.
struct Watched(Box<dyn Fn() + Send + Sync>);

impl Parser for Watched {
    fn encode(&self, packet: &Packet) -> Result<Encoded, EncodeError> {
        if matches!(packet.body, Body::Disconnect) {
            (self.0)();
        }
        DefaultParser.encode(packet)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        DefaultParser.decoder()
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_and_joins_again_is_told_of_an_earlier_end_first() {
    let ((arrive, arrival), (open, opened)) = (mpsc::sync_channel(1), mpsc::channel());
    let opened = Mutex::new(opened);
    let waits = Watched(Box::new(move || {
        arrive.send(()).unwrap();
        opened.lock().unwrap().recv().unwrap();
    }));
    let world = World::new(|builder| builder.parser(waits).namespace("/", noting()));
    let mut client = world.join().await;
    let first = world.server.of("/").sockets().remove(0);
    let ends = first.clone();
    let other = std::thread::spawn(move || ends.disconnect());
    arrival.recv().unwrap();
    client.send("1").await;
    client.send("0").await;
    client.send(r#"2["read later"]"#).await;
    client.expect_nothing().await;
    assert_eq!(world.journal.read().await, ["/ joined"]);
    open.send(()).unwrap();
    other.join().unwrap();
    client.expect("1").await;
    let joined = client.packet().await;
    let [second] = &world.server.of("/").sockets()[..] else { panic!("it is in the namespace once") };
    assert_eq!(joined, format!(r#"0{{"sid":"{}"}}"#, second.id()));
    assert!(*second != first);
    let reason = "server namespace disconnect";
    let expected = [format!("/ leaves []: {reason}"), format!("/ left []: {reason}"), "/ joined".to_owned()];
    assert_eq!(world.journal.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_socket_ends_although_the_parser_panics() {
    let panics = Watched(Box::new(|| panic!("as it is meant to")));
    let world = World::new(|builder| builder.parser(panics).namespace("/", noting()));
    let client = world.join().await;
    let socket = world.server.of("/").sockets().remove(0);
    settle().await;
    assert!(catch_unwind(AssertUnwindSafe(|| socket.disconnect())).is_err());
    drop(client);
    assert_ended(&world, "server namespace disconnect").await;
}

#[tokio::test(start_paused = true)]
async fn closing_a_socket_that_has_ended_leaves_the_other_namespaces_of_its_client_alone() {
    let world = World::new(|builder| builder.namespace("/", noting()).namespace("/trial", noting()));
    let mut client = world.join().await;
    client.join("/trial", "").await;
    let trial = world.server.of("/trial").sockets().remove(0);
    client.send("1/trial,").await;
    world.journal.read().await;
    trial.close();
    assert_eq!(world.journal.read().await, [""; 0]);
    assert_eq!(world.server.of("/").sockets().len(), 1);
    assert_eq!(client.next().await, Received::Text("2".into()));
}
