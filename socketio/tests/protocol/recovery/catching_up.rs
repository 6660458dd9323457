//! Clients that have missed more than their outbox holds.

use eio_socketio::{
    Args, Disconnect, EmitError, Namespace, Reason, Recovery, Reply, Socket, State, WhenFull,
};

use super::{Known, application, come_back, connect, expect, join, world};
use crate::support::{Client, Journal, World, settle};

async fn greet(socket: Socket) -> Result<(), EmitError> {
    socket.emit("hello", ())
}

async fn note_end(end: Disconnect, State(journal): State<Journal>) {
    journal.note(end.to_string());
}

/// A server that greets, and does this with clients that do not read.
fn greeting(recovery: Recovery, when_full: WhenFull) -> World {
    let namespace = Namespace::new().on_connect(greet).on_disconnect(note_end);
    World::new(|builder| builder.recovery(recovery).when_full(when_full).namespace("/", namespace))
}

/// An event of 100 kB, of which an outbox holds eleven.
fn large(number: i32) -> Args<(i32, String)> {
    Args((number, "x".repeat(100_000)))
}

async fn expect_large(client: &mut Client, known: &mut Known, number: i32) {
    expect(client, known, &format!(r#"2["large",{number},"{}"]"#, "x".repeat(100_000))).await;
}

/// Loses a client, which misses `count` events, and comes back.
async fn miss(world: &World, count: i32) -> (Client, Known) {
    let (client, mut known) = connect(world, "").await;
    drop(client);
    settle().await;
    for number in 0..count {
        world.server.emit("large", large(number)).unwrap();
    }
    let (client, is_recovered) = come_back(world, &mut known).await;
    assert!(is_recovered);
    (client, known)
}

#[tokio::test(start_paused = true)]
async fn a_client_is_greeted_after_what_it_has_missed_however_much_that_is() {
    for when_full in [WhenFull::Refuse, WhenFull::Close] {
        // The outbox holds 256 packets, and one says that the client has joined.
        for count in [254, 255, 256, 300, 1000] {
            let world = greeting(Recovery::new(), when_full);
            let (mut client, mut known) = connect(&world, "").await;
            expect(&mut client, &mut known, r#"2["hello"]"#).await;
            drop(client);
            settle().await;
            assert_eq!(world.journal.read().await.len(), 1);
            for number in 0..count {
                world.server.emit("event", number).unwrap();
            }
            let (mut client, is_recovered) = come_back(&world, &mut known).await;
            assert!(is_recovered);
            for number in 0..count {
                expect(&mut client, &mut known, &format!(r#"2["event",{number}]"#)).await;
            }
            expect(&mut client, &mut known, r#"2["hello"]"#).await;
            assert!(world.journal.read().await.is_empty(), "{when_full:?}, {count}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_a_client_catches_up_comes_in_its_place() {
    let world = world(Recovery::new(), application());
    let (mut client, mut known) = miss(&world, 40).await;
    let [socket] = &world.server.of("/").sockets()[..] else { panic!("expected one socket") };
    for number in 40..80 {
        // At different places of the way.
        if number > 50 {
            expect_large(&mut client, &mut known, number - 51).await;
        }
        let sent = world.server.emit("large", large(number)).unwrap();
        assert_eq!((sent.sent, sent.full), (1, 0), "{number}");
        socket.emit("one", number).unwrap();
        socket.send("other", number).await.unwrap();
    }
    let asking = socket.clone();
    let answer = tokio::spawn(async move { asking.emit_with_ack::<u8>("question", ()).await });
    for number in 29..80 {
        expect_large(&mut client, &mut known, number).await;
        if number >= 40 {
            expect(&mut client, &mut known, &format!(r#"2["one",{number}]"#)).await;
            expect(&mut client, &mut known, &format!(r#"2["other",{number}]"#)).await;
        }
    }
    client.expect(r#"20["question"]"#).await;
    client.send("30[7]").await;
    assert_eq!(answer.await.unwrap(), Ok(7));
    // It has missed nothing.
    drop(client);
    settle().await;
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    client.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn another_namespace_of_a_client_that_catches_up_loses_nothing() {
    let world = World::new(|builder| {
        builder.recovery(Recovery::new()).namespace("/", application()).namespace("/b", application())
    });
    let (mut client, mut known) = miss(&world, 20).await;
    client.send("0/b,").await;
    for number in 0..20 {
        expect_large(&mut client, &mut known, number).await;
    }
    assert!(client.packet().await.starts_with(r#"0/b,{"sid":"#));
    assert_eq!(world.server.of("/b").emit("event", ()).unwrap().sent, 1);
    assert!(client.packet().await.starts_with(r#"2/b,["event","#));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_client_that_does_not_read_is_bounded() {
    for when_full in [WhenFull::Refuse, WhenFull::Close] {
        let world = greeting(Recovery::new().max_packets(500).max_bytes(2_500_000), when_full);
        let (client, _) = miss(&world, 20).await;
        let [socket] = &world.server.of("/").sockets()[..] else { panic!("expected one socket") };
        let sent = (0..100).take_while(|number| socket.emit("large", large(*number)).is_ok()).count();
        // The greeting is there, too.
        assert_eq!(sent, 24, "{when_full:?}");
        if when_full == WhenFull::Close {
            drop(client);
            settle().await;
            assert!(matches!(socket.end().unwrap().reason, Reason::SlowClient));
        } else {
            assert_eq!(socket.emit("large", large(0)), Err(EmitError::Full));
            assert!(socket.is_connected());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_recovered_only_if_it_gets_what_was_refused_to_it() {
    for sees_later_ones in [true, false] {
        let world = world(Recovery::new(), application());
        let (mut client, mut known) = connect(&world, "").await;
        let mut sent = 0;
        while world.server.emit("large", large(sent)).unwrap().full == 0 {
            sent += 1;
        }
        for number in 0..sent {
            expect_large(&mut client, &mut known, number).await;
        }
        if sees_later_ones {
            world.server.emit("later", ()).unwrap();
            expect(&mut client, &mut known, r#"2["later"]"#).await;
        }
        drop(client);
        settle().await;
        let (mut client, is_recovered) = come_back(&world, &mut known).await;
        assert_eq!(is_recovered, !sees_later_ones);
        if is_recovered {
            expect_large(&mut client, &mut known, sent).await;
            // Nothing is missing any more.
            world.server.emit("later", ()).unwrap();
            expect(&mut client, &mut known, r#"2["later"]"#).await;
            drop(client);
            settle().await;
            assert!(come_back(&world, &mut known).await.1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_caught_up_is_one_like_any_other() {
    let world = greeting(Recovery::new(), WhenFull::Close);
    let (mut client, mut known) = miss(&world, 20).await;
    expect(&mut client, &mut known, r#"2["hello"]"#).await;
    for number in 0..20 {
        expect_large(&mut client, &mut known, number).await;
    }
    expect(&mut client, &mut known, r#"2["hello"]"#).await;
    let [socket] = &world.server.of("/").sockets()[..] else { panic!("expected one socket") };
    settle().await;
    let sent = (0..100).take_while(|number| socket.emit("large", large(*number)).is_ok()).count();
    assert_eq!(sent, 11);
    drop(client);
    settle().await;
    assert!(matches!(socket.end().unwrap().reason, Reason::SlowClient));
}

/// A client on a slow line, which never has an empty outbox.
#[tokio::test(start_paused = true)]
async fn a_client_is_heard_as_soon_as_all_that_it_has_missed_fits_into_its_outbox() {
    let namespace = Namespace::new().on("join", join).on("ask", async || Reply("answer"));
    let world = world(Recovery::new(), namespace);
    let (mut client, mut known) = miss(&world, 13).await;
    for number in 13..40 {
        world.server.emit("large", large(number)).unwrap();
    }
    client.send(r#"2["join","a"]"#).await;
    settle().await;
    assert!(world.server.to("a").sockets().is_empty(), "events that it has missed still wait");
    for number in 0..4 {
        expect_large(&mut client, &mut known, number).await;
    }
    settle().await;
    assert_eq!(world.server.to("a").sockets().len(), 1);
    // An answer has its place behind the events before it, and the client's next event waits for it.
    client.send(r#"20["ask"]"#).await;
    client.send(r#"2["join","b"]"#).await;
    settle().await;
    assert!(world.server.to("b").sockets().is_empty());
    for number in 4..40 {
        expect_large(&mut client, &mut known, number).await;
    }
    client.expect(r#"30["answer"]"#).await;
    settle().await;
    assert_eq!(world.server.to("b").sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_lost_while_it_catches_up_comes_back_to_all_that_is_left() {
    let world = world(Recovery::new(), application());
    let (mut client, mut known) = miss(&world, 30).await;
    world.server.emit("large", large(30)).unwrap();
    for number in 0..5 {
        expect_large(&mut client, &mut known, number).await;
    }
    drop(client);
    settle().await;
    world.server.emit("large", large(31)).unwrap();
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    for number in 5..32 {
        expect_large(&mut client, &mut known, number).await;
    }
    client.expect_nothing().await;
}
