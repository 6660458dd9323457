//! What the server keeps for clients that are away, and when it lets it go.

use std::sync::{Arc, Weak};

use eio_socketio::{Args, EmitError, Namespace, Recovery, Server, Socket};

use super::{application, come_back, connect, expect, world};
use crate::support::{World, ms, settle};

/// Sends an event when the last clone is dropped.
#[derive(Clone)]
struct LastWords(Server, Arc<()>);

impl Drop for LastWords {
    fn drop(&mut self) {
        if Arc::strong_count(&self.1) == 1 {
            self.0.emit("last words", 1).unwrap();
        }
    }
}

async fn keep_last_words(socket: Socket, server: Server) {
    socket.insert(LastWords(server, Arc::new(())));
}

#[tokio::test(start_paused = true)]
async fn data_that_is_not_kept_any_more_may_use_the_server_when_it_is_dropped() {
    let world = world(Recovery::new().max_sessions(1), Namespace::new().on("keep", keep_last_words));
    let (mut listener, mut known) = connect(&world, "").await;
    let mut gone = Vec::new();
    for _ in 0..2 {
        let (mut client, known) = connect(&world, "").await;
        client.send(r#"2["keep"]"#).await;
        settle().await;
        drop(client);
        settle().await;
        gone.push(known.pid);
    }
    // The first has given way to the second, which comes back with nonsense.
    expect(&mut listener, &mut known, r#"2["last words",1]"#).await;
    let nonsense = format!(r#"{{"pid":"{}","offset":"nonsense"}}"#, gone[1]);
    let (mut client, _) = connect(&world, &nonsense).await;
    expect(&mut listener, &mut known, r#"2["last words",1]"#).await;
    // The time of the third will be over.
    client.send(r#"2["keep"]"#).await;
    settle().await;
    drop(client);
    expect(&mut listener, &mut known, r#"2["last words",1]"#).await;
    assert!((ms(120_000)..ms(122_000)).contains(&world.elapsed()), "{:?}", world.elapsed());
}

async fn flood(socket: Socket) -> Result<(), EmitError> {
    let text = "x".repeat(100_000);
    for number in 0..100 {
        socket.send("flood", Args((number, &text))).await?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_event_that_waited_for_room_comes_once() {
    let world = world(Recovery::new(), Namespace::new().on("flood", flood));
    let (mut client, mut known) = connect(&world, "").await;
    client.send(r#"2["flood"]"#).await;
    settle().await;
    let text = "x".repeat(100_000);
    for number in 0..10 {
        expect(&mut client, &mut known, &format!(r#"2["flood",{number},"{text}"]"#)).await;
    }
    drop(client);
    settle().await;
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    // The handler has gone on.
    for number in 10..100 {
        expect(&mut client, &mut known, &format!(r#"2["flood",{number},"{text}"]"#)).await;
    }
    client.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_refused_does_not_come_later() {
    let world = world(Recovery::new(), application());
    let (client, mut known) = connect(&world, "").await;
    let [socket] = &world.server.of("/").sockets()[..] else { panic!("expected one socket") };
    let text = "x".repeat(100_000);
    let sent = (0..10_000).take_while(|number| socket.emit("flood", Args((number, &text))).is_ok()).count();
    drop(client);
    settle().await;
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    for number in 0..sent {
        assert!(client.packet().await.starts_with(&format!(r#"2["flood",{number},"#)));
    }
    client.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_goes_when_its_time_is_over_although_nothing_happens() {
    let world = world(Recovery::new(), application());
    let (client, _) = connect(&world, "").await;
    let data = Arc::new(());
    let weak: Weak<()> = Arc::downgrade(&data);
    for socket in world.server.of("/").sockets() {
        socket.insert(Arc::clone(&data));
    }
    drop((client, data));
    world.at(119_000).await;
    assert!(weak.upgrade().is_some());
    world.at(122_000).await;
    assert!(weak.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_a_pattern_waits_for_the_clients_that_have_left_it_all_at_once() {
    let world = World::new(|builder| {
        builder
            .recovery(Recovery::new())
            .namespace_matching(|name| name.starts_with("/tenant-"), application())
    });
    let mut pids = Vec::new();
    for _ in 0..2 {
        let mut client = world.connect().await;
        client.send("0/tenant-1,").await;
        pids.push(client.packet().await.split('"').nth(7).unwrap().to_owned());
    }
    settle().await;
    assert_eq!(world.server.of("/tenant-1").sockets().len(), 0);
    world.server.of("/tenant-1").emit("event", ()).unwrap();
    let mut back = Vec::new();
    for (pid, is_recovered) in [(&pids[0], true), (&pids[1], true), (&pids[0], false)] {
        let mut client = world.connect().await;
        client.send(&format!(r#"0/tenant-1,{{"pid":"{pid}"}}"#)).await;
        assert_eq!(client.packet().await.contains(pid.as_str()), is_recovered);
        if is_recovered {
            assert!(client.packet().await.starts_with(r#"2/tenant-1,["event",""#));
        }
        back.push(client);
    }
}

#[tokio::test(start_paused = true)]
async fn of_clients_that_joined_with_much_data_or_are_in_rooms_of_long_names_the_last_ones_come_back() {
    for (auth, rooms) in [(40_000, 0), (0, 20)] {
        let world = world(Recovery::new().max_bytes(100_000), application());
        let mut all = Vec::new();
        for _ in 0..4 {
            let (mut client, known) = connect(&world, &format!(r#"{{"data":"{}"}}"#, "x".repeat(auth))).await;
            for room in 0..rooms {
                client.send(&format!(r#"2["join","{room:01000}"]"#)).await;
            }
            settle().await;
            drop(client);
            settle().await;
            all.push(known);
        }
        let mut is_recovered = Vec::new();
        for known in &mut all {
            is_recovered.push(come_back(&world, known).await.1);
        }
        assert_eq!(is_recovered, [false, false, true, true], "{auth} bytes, {rooms} rooms");
    }
}
