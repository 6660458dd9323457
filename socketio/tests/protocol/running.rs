//! How many handlers of a connection run at the same time, and what becomes of the events that wait for them.

use eio_socketio::{Ack, Data, EmitError, Namespace, ServerBuilder, State};

use crate::support::{Client, Journal, World, ms, noting, settle};

/// Takes a second.
async fn work(Data(number): Data<u32>, State(journal): State<Journal>) {
    journal.note(format!("begins {number}"));
    tokio::time::sleep(ms(1000)).await;
    journal.note(format!("ends {number}"));
}

/// Never ends.
async fn wait(Data(number): Data<u32>, State(journal): State<Journal>) {
    journal.note(format!("begins {number}"));
    core::future::pending::<()>().await;
}

/// Answers at once.
async fn answer(ack: Ack, Data(number): Data<u32>, State(journal): State<Journal>) -> Result<(), EmitError> {
    journal.note(format!("answers {number}"));
    ack.send(number)
}

/// A server that runs two handlers of a connection at a time, and a client that has joined it.
async fn world() -> (World, Client) {
    world_with(|builder| builder.max_running(2, 1_000_000)).await
}

async fn world_with(
    configure: impl FnOnce(ServerBuilder<Journal>) -> ServerBuilder<Journal>,
) -> (World, Client) {
    let namespace = noting().on("work", work).on("wait", wait).on("answer", answer);
    let world = World::new(|builder| configure(builder).namespace("/", namespace));
    let client = world.join().await;
    assert_eq!(world.journal.read().await, ["/ joined"]);
    (world, client)
}

async fn send_work(client: &mut Client, numbers: core::ops::Range<u32>) {
    for number in numbers {
        client.send(&format!(r#"2["work",{number}]"#)).await;
    }
}

/// Takes the notes of the next second: two handlers have ended, and the next two have begun.
async fn next_second(world: &World) -> Vec<String> {
    tokio::time::sleep(ms(1000)).await;
    world.journal.read().await
}

fn leaves(reason: &str) -> [String; 2] {
    [format!("/ leaves []: {reason}"), format!("/ left []: {reason}")]
}

#[tokio::test(start_paused = true)]
async fn no_more_handlers_run_at_the_same_time_than_may() {
    let (world, mut client) = world_with(|builder| {
        builder.max_running(2, 1_000_000).engine(|engine| engine.heartbeat(eio_tokio::Heartbeat::DEFAULT))
    })
    .await;
    send_work(&mut client, 0..5).await;
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    assert_eq!(next_second(&world).await, ["ends 0", "ends 1", "begins 2", "begins 3"]);
    assert_eq!(next_second(&world).await, ["ends 2", "ends 3", "begins 4"]);
    assert_eq!(next_second(&world).await, ["ends 4"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_bytes_of_events_are_with_handlers_than_may_besides_the_last_event() {
    let (world, mut client) = world_with(|builder| {
        builder.max_running(100, 1000).engine(|engine| engine.heartbeat(eio_tokio::Heartbeat::DEFAULT))
    })
    .await;
    let text = "x".repeat(600);
    for number in 0..5 {
        client.send(&format!(r#"2["work",{number},"{text}"]"#)).await;
    }
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    assert_eq!(next_second(&world).await, ["ends 0", "ends 1", "begins 2", "begins 3"]);
    assert_eq!(next_second(&world).await, ["ends 2", "ends 3", "begins 4"]);
}

#[tokio::test(start_paused = true)]
async fn the_names_of_events_count_as_well() {
    let namespace = Namespace::new().on_any(core::future::pending::<()>);
    let world = World::new(|builder| builder.max_running(100, 1000).namespace("/", namespace));
    let mut client = world.join().await;
    let name = "n".repeat(600);
    for _ in 0..2 {
        client.send(&format!(r#"2["{name}"]"#)).await;
    }
    client.send("1").await;
    settle().await;
    assert_eq!(world.server.of("/").sockets().len(), 1, "nothing more is read");
}

#[tokio::test(start_paused = true)]
async fn what_arrived_before_the_connection_ended_is_handled_as_handlers_end() {
    let (world, mut client) = world().await;
    send_work(&mut client, 0..5).await;
    drop(client);
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    assert_eq!(next_second(&world).await, ["ends 0", "ends 1", "begins 2", "begins 3"]);
    let [leaves, left] = leaves("transport close");
    assert_eq!(next_second(&world).await, ["ends 2", "ends 3", "begins 4", &leaves, &left]);
    assert_eq!(next_second(&world).await, ["ends 4"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_left_before_its_connection_ended_has_left() {
    let (world, mut client) = world().await;
    send_work(&mut client, 0..3).await;
    client.send("1").await;
    drop(client);
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    let [leaves, left] = leaves("client namespace disconnect");
    assert_eq!(next_second(&world).await, ["ends 0", "ends 1", "begins 2", &leaves, &left]);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sent_before_it_fell_silent_is_handled() {
    let (world, mut client) = world().await;
    send_work(&mut client, 0..3).await;
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    let [leaves, left] = leaves("ping timeout");
    assert_eq!(next_second(&world).await, ["ends 0", "ends 1", "begins 2", &leaves, &left]);
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sent_before_a_packet_that_cannot_be_read_is_handled_and_nothing_behind_it() {
    let (world, mut client) = world().await;
    send_work(&mut client, 0..3).await;
    client.send("nonsense").await;
    send_work(&mut client, 3..4).await;
    drop(client);
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    let [leaves, left] = leaves("forced close");
    assert_eq!(next_second(&world).await, ["ends 0", "ends 1", "begins 2", &leaves, &left]);
    assert_eq!(next_second(&world).await, ["ends 2"]);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_closes_the_connection_hears_nothing_that_waits_any_more() {
    let (world, mut client) = world().await;
    send_work(&mut client, 0..5).await;
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    world.server.of("/").close();
    drop(client);
    assert_eq!(world.journal.read().await, leaves("server namespace disconnect"));
    assert_eq!(next_second(&world).await, ["ends 0", "ends 1"]);
    assert_eq!(next_second(&world).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn handlers_that_do_not_end_keep_a_client_that_is_gone_for_half_a_minute() {
    let (world, mut client) = world().await;
    client.send(r#"2["wait",0]"#).await;
    send_work(&mut client, 1..3).await;
    client.send(r#"2["wait",3]"#).await;
    send_work(&mut client, 4..6).await;
    drop(client);
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    assert_eq!(next_second(&world).await, ["ends 1", "begins 2"]);
    assert_eq!(next_second(&world).await, ["ends 2", "begins 3"]);
    tokio::time::sleep(ms(29_999)).await;
    assert_eq!(world.journal.read().await, [""; 0]);
    assert_eq!(world.server.of("/").sockets().len(), 1);
    tokio::time::sleep(ms(1)).await;
    assert_eq!(world.journal.read().await, leaves("transport close"));
    assert_eq!(world.server.of("/").sockets().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn each_handler_that_ends_renews_the_patience_although_it_makes_too_little_room() {
    let (world, mut client) = world_with(|builder| builder.max_running(100, 1000)).await;
    send_work(&mut client, 0..1).await;
    client.send(&format!(r#"2["wait",1,"{}"]"#, "x".repeat(1000))).await;
    send_work(&mut client, 2..3).await;
    drop(client);
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    assert_eq!(next_second(&world).await, ["ends 0"]);
    tokio::time::sleep(ms(29_999)).await;
    assert_eq!(world.journal.read().await, [""; 0]);
    tokio::time::sleep(ms(1)).await;
    assert_eq!(world.journal.read().await, leaves("transport close"));
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_an_answer_that_a_client_does_not_read_is_handled_once_the_client_is_gone() {
    let (world, mut client) = world().await;
    let text = "x".repeat(100_000);
    while world.server.emit("text", &text).unwrap().full == 0 {}
    for number in 0..5 {
        client.send(&format!(r#"2{number}["answer",{number}]"#)).await;
    }
    assert_eq!(world.journal.read().await, ["answers 0"]);
    drop(client);
    let [leaves, left] = leaves("transport close");
    let expected = ["answers 1", "answers 2", "answers 3", "answers 4", &leaves, &left];
    assert_eq!(world.journal.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn handlers_that_do_not_end_keep_nobody_who_has_sent_nothing_more() {
    let (world, mut client) = world().await;
    client.send(r#"2["wait",0]"#).await;
    client.send(r#"2["wait",1]"#).await;
    assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
    drop(client);
    assert_eq!(world.journal.read().await, leaves("transport close"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_handles_what_arrived_as_long_as_it_may() {
    for (limit, is_enough) in [(ms(10_000), true), (ms(500), false)] {
        let (world, mut client) = world().await;
        send_work(&mut client, 0..3).await;
        assert_eq!(world.journal.read().await, ["begins 0", "begins 1"]);
        client.leave_with_server();
        world.server.shutdown(limit).await;
        let [leaves, left] = leaves("server shutting down");
        let expected: &[&str] = if is_enough {
            &["ends 0", "ends 1", "begins 2", &leaves, &left, "ends 2"]
        } else {
            &[&leaves, &left]
        };
        assert_eq!(world.journal.read().await, expected);
        assert!(world.elapsed() <= if is_enough { ms(2000) } else { limit }, "{:?}", world.elapsed());
    }
}
