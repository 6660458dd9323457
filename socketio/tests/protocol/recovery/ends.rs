//! What happens around the end of a socket whose client may come back.

use std::time::Duration;

use eio_socketio::{
    AckError, Args, Disconnect, EmitError, Namespace, Reason, Recovery, Socket, State, WhenFull,
};

use super::{Known, application, come_back, connect, expect, world};
use crate::support::{Client, Journal, World, ms, settle};

/// Joins `/`, and returns the socket as well.
async fn enter(world: &World) -> (Client, Known, Socket) {
    let (client, known) = connect(world, "").await;
    let all = world.server.of("/").sockets();
    let socket = all.into_iter().find(|socket| socket.id().as_str() == known.sid).unwrap();
    (client, known, socket)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_closed_because_it_did_not_read_begins_anew() {
    let world = World::new(|builder| {
        builder.recovery(Recovery::new()).when_full(WhenFull::Close).namespace("/", application())
    });
    let (client, mut known, socket) = enter(&world).await;
    let text = "x".repeat(100_000);
    while socket.emit("flood", &text).is_ok() {}
    drop(client);
    settle().await;
    let reason = socket.end().unwrap().reason;
    assert!(matches!(reason, Reason::SlowClient) && !reason.is_recoverable());
    assert_eq!(socket.emit("after", ()), Err(EmitError::Disconnected));
    assert!(!come_back(&world, &mut known).await.1);
}

async fn say_goodbye(socket: Socket) -> Result<(), EmitError> {
    socket.insert("said goodbye");
    socket.emit("goodbye", ())
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_to_a_socket_that_has_ended_comes_when_its_client_is_back() {
    let world = world(Recovery::new(), application().on_disconnect(say_goodbye));
    let (mut client, mut known, socket) = enter(&world).await;
    socket.emit("one", ()).unwrap();
    expect(&mut client, &mut known, r#"2["one"]"#).await;
    drop(client);
    settle().await;
    assert!(!socket.is_connected());
    socket.emit("two", ()).unwrap();
    socket.send("three", ()).await.unwrap();
    assert_eq!(socket.emit_volatile("volatile", ()), Err(EmitError::Disconnected));
    let answer = socket.emit_with_ack::<u8>("question", ()).await;
    assert_eq!(answer, Err(AckError::Emit(EmitError::Disconnected)));
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    for event in ["goodbye", "two", "three"] {
        expect(&mut client, &mut known, &format!("2[\"{event}\"]")).await;
    }
    client.expect_nothing().await;
    // The client has another socket now.
    assert_eq!(socket.emit("four", ()), Err(EmitError::Disconnected));
}

/// The connection's task has not run since the session has ended.
#[tokio::test(start_paused = true)]
async fn what_is_sent_between_the_end_of_the_session_and_that_of_the_socket_comes_as_well() {
    let world = world(Recovery::new(), application());
    let (mut client, mut known, socket) = enter(&world).await;
    socket.emit("one", ()).unwrap();
    expect(&mut client, &mut known, r#"2["one"]"#).await;
    socket.engine().close();
    drop(client);
    assert!(socket.is_connected());
    socket.emit("two", ()).unwrap();
    socket.send("three", ()).await.unwrap();
    settle().await;
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    expect(&mut client, &mut known, r#"2["two"]"#).await;
    expect(&mut client, &mut known, r#"2["three"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_to_a_socket_whose_client_cannot_come_back() {
    let world = world(Recovery::new().max_disconnection(ms(30_000)), application());
    let (client, _, late) = enter(&world).await;
    drop(client);
    let (mut client, _, left) = enter(&world).await;
    client.send("1").await;
    settle().await;
    assert_eq!(left.emit("event", ()), Err(EmitError::Disconnected));
    assert_eq!(left.send("event", ()).await, Err(EmitError::Disconnected));
    assert_eq!(late.emit("event", ()), Ok(()));
    drop(client);
    world.at(30_001).await;
    assert_eq!(late.emit("event", ()), Err(EmitError::Disconnected));
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_with_a_socket_is_that_of_the_recovered_one_whenever_it_was_stored() {
    let world = world(Recovery::new(), Namespace::new().on_disconnect(say_goodbye));
    let (client, mut known, socket) = enter(&world).await;
    socket.insert(1_u8);
    drop(client);
    settle().await;
    socket.insert(2_u16);
    assert_eq!(socket.remove::<u8>(), Some(1));
    let (_client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    let [recovered] = &world.server.of("/").sockets()[..] else { panic!("expected one socket") };
    assert_ne!(*recovered, socket);
    assert_eq!((recovered.get::<u8>(), recovered.get::<u16>()), (None, Some(2)));
    assert_eq!(recovered.get::<&str>(), Some("said goodbye"));
    socket.insert(3_u32);
    assert_eq!(recovered.get::<u32>(), Some(3));
}

async fn note_joined(socket: Socket, State(journal): State<Journal>) {
    journal.note(format!("{} joined", socket.id()));
}

/// A client need not wait until this has ended.
async fn note_left(socket: Socket, State(journal): State<Journal>) {
    journal.note(format!("{} left", socket.id()));
    tokio::time::sleep(Duration::from_hours(1)).await;
}

/// A server whose `on_disconnecting` takes this time.
fn presence(takes: Duration) -> World {
    let namespace = Namespace::new()
        .on_connect(note_joined)
        .on_disconnecting(move |_: Disconnect| tokio::time::sleep(takes))
        .on_disconnect(note_left);
    World::new(|builder| {
        let builder = builder.connect_timeout(ms(10_000)).recovery(Recovery::new());
        builder.namespace("/", namespace).namespace("/b", application())
    })
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_before_its_end_was_told_waits_for_that() {
    let world = presence(ms(3000));
    let (client, mut known) = connect(&world, "").await;
    drop(client);
    settle().await;
    world.server.emit("event", 1).unwrap();
    world.at(1000).await;
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    assert!((ms(3000)..ms(3100)).contains(&world.elapsed()), "{:?}", world.elapsed());
    let sid = &known.sid.clone();
    let expected = [format!("{sid} joined"), format!("{sid} left"), format!("{sid} joined")];
    assert_eq!(world.journal.read().await, expected);
    expect(&mut client, &mut known, r#"2["event",1]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_end_is_not_told_for_long_begins_anew() {
    let world = presence(ms(60_000));
    let (client, mut known, socket) = enter(&world).await;
    let before = known.sid.clone();
    drop(client);
    settle().await;
    assert!(!come_back(&world, &mut known).await.1);
    assert!((ms(5000)..ms(5100)).contains(&world.elapsed()), "{:?}", world.elapsed());
    let expected = [format!("{before} joined"), format!("{} joined", known.sid)];
    assert_eq!(world.journal.read().await, expected);
    // Nobody can come back to it any more.
    assert_eq!(socket.emit("event", ()), Err(EmitError::Disconnected));
}

/// The other namespaces of a client that waits go on, and it may go.
#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_its_end_to_be_told_waits_with_nothing_else() {
    let world = presence(ms(3000));
    let (client, mut known) = connect(&world, "").await;
    drop(client);
    settle().await;
    let mut client = world.connect().await;
    client.send(&format!(r#"0{{"pid":"{}"}}"#, known.pid)).await;
    client.send("0/b,").await;
    assert!(client.packet().await.starts_with(r#"0/b,{"sid":"#));
    world.server.of("/b").emit("event", Args(())).unwrap();
    assert!(client.packet().await.starts_with(r#"2/b,["event""#));
    assert!(world.elapsed() < ms(100));
    drop(client);
    settle().await;
    // It has taken nothing with it.
    assert!(come_back(&world, &mut known).await.1);
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_for_a_client_that_has_gone_before_its_end_was_told() {
    let world = presence(ms(3000));
    let (client, known) = connect(&world, "").await;
    drop(client);
    settle().await;
    let mut client = world.connect().await;
    client.send(&format!(r#"0{{"pid":"{}"}}"#, known.pid)).await;
    settle().await;
    drop(client);
    settle().await;
    // The handler of the first connection is cut off. The second one has ended.
    assert_eq!(world.server.shutdown(ms(1000)).await.applications, 1);
}
