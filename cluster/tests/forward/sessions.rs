//! Sessions whose requests come to another node live as if they came to their own.

use std::sync::atomic::Ordering;

use eio_tokio::{Forwarding, Message, TrustedProxies};
use tokio::time::Instant;

use crate::support::{I, Way, World, ask, get, ms, open, receive, send, upgrade};

#[tokio::test(start_paused = true)]
async fn a_session_lives_on_another_node_than_its_requests_come_to() {
    for way in Way::BOTH {
        let world = World::new();
        let (mut socket, _) = world.connect(way).await;
        assert_eq!((world.a.server.len(), world.b.server.len()), (1, 0));
        for _ in 0..3 {
            // Heartbeats go on.
            tokio::time::sleep(I + ms(1)).await;
            let message = Message::from(vec![7; 100_000]);
            socket.send(message.clone()).await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), message);
        }
        let (a, b) = (world.a.forwarder.counts(), world.b.forwarder.counts());
        assert!(b.requests > 0 && b.requests >= a.taken && a.requests == 0, "{a:?} {b:?}");
        assert_eq!((b.failed, a.refused, b.websockets), (0, 0, usize::from(way == Way::Upgrade)));
        socket.close();
        let (_, end) = world.a.ends.next().await;
        assert_eq!(end.reason.as_str(), "transport close");
        tokio::time::sleep(ms(100)).await;
        assert_eq!(world.b.forwarder.counts().websockets, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn the_node_of_a_session_sees_the_client_and_not_the_other_node() {
    let world = World::with(
        |builder| {
            builder.trusted_proxies(TrustedProxies::new(Forwarding::Forwarded, ["10.9.0.0/16"]).unwrap())
        },
        |builder| builder,
    );
    for (from, claimed, expected) in [
        // A client says what it wants, and a balancer knows.
        ("10.0.0.9", "", "10.0.0.9"),
        ("10.0.0.9", "forwarded: for=6.6.6.6\r\n", "10.0.0.9"),
        ("10.9.0.1", "forwarded: for=6.6.6.6, for=203.0.113.7\r\n", "203.0.113.7"),
        ("10.9.0.1", "forwarded: for=6.6.6.6\r\nforwarded: for=\"[2001:db8::7]:1\"\r\n", "2001:db8::7"),
    ] {
        let link = world.link_from(from);
        let sid = open(&link).await;
        // The session speaks another revision.
        let request = get(&format!("polling&sid={sid}")).replace("EIO=4", "EIO=3");
        let request = request.replace("connection:", &format!("{claimed}connection:"));
        let (status, head, _) = ask(&link, &request).await;
        assert!(status == 400 && !head.contains("eio-forward"), "{head}");
        let refused = world.a.ends.refused.lock().unwrap().pop().unwrap().unwrap();
        assert_eq!(refused.ip().to_string(), expected, "{from} {claimed}");
    }
    assert_eq!(world.a.forwarder.counts().taken, 4);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_is_answered_when_there_is_something() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    let query = format!("polling&sid={sid}");
    let (poll, begun) = (get(&query), Instant::now());
    let (answer, ()) = tokio::join!(ask(&link, &poll), async {
        tokio::time::sleep(ms(7_000)).await;
        world.a.server.get(&sid).unwrap().send("news").await.unwrap();
    });
    assert_eq!((answer.0, answer.2.as_str(), begun.elapsed()), (200, "4news", ms(7_000)));
    // Then it is the ping that comes.
    assert_eq!(ask(&link, &poll).await.2, "2");
    assert_eq!(begun.elapsed(), I);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_sessions_go_through_one_node() {
    let world = World::new();
    let mut opening = Vec::new();
    for number in 0..1_000 {
        let link = world.link();
        opening.push(tokio::spawn(async move {
            let sid = open(&link).await;
            if number % 2 == 0 {
                return Some(upgrade(&link, &sid).await);
            }
            let poll = get(&format!("polling&sid={sid}"));
            tokio::spawn(async move { ask(&link, &poll).await });
            None
        }));
    }
    let mut streams = Vec::new();
    for opening in opening {
        streams.extend(opening.await.unwrap());
    }
    tokio::time::sleep(ms(10)).await;
    assert_eq!((world.a.server.len(), world.b.forwarder.counts().websockets), (1_000, 500));
    for stream in &mut streams {
        send(stream, "4hello").await;
        assert_eq!(receive(stream).await, "4hello");
    }
    drop(streams);
    tokio::time::sleep(ms(10)).await;
    assert_eq!((world.a.server.len(), world.b.forwarder.counts().websockets), (500, 0));
}

/// A node that closed what is idle would use up its ports: each stays taken for a minute.
#[tokio::test(start_paused = true)]
async fn polls_that_a_broadcast_answers_at_once_find_their_connections_again() {
    const POLLS: usize = 200;
    let world = World::new();
    let mut sids = Vec::new();
    for _ in 0..POLLS {
        sids.push(open(&world.link()).await);
    }
    for _ in 0..3 {
        let polls: Vec<_> = sids
            .iter()
            .map(|sid| {
                let (link, poll) = (world.link(), get(&format!("polling&sid={sid}")));
                tokio::spawn(async move { ask(&link, &poll).await })
            })
            .collect();
        tokio::time::sleep(ms(100)).await;
        world.a.server.broadcast("news");
        for poll in polls {
            assert_eq!(poll.await.unwrap().2, "4news");
        }
    }
    assert_eq!(world.dials.load(Ordering::Relaxed), POLLS);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_takes_nothing_holds_the_sender_up_and_no_memory() {
    let world = World::new();
    let link = world.link();
    link.set_buffer(1_000);
    world.a.link.set_buffer(1_000);
    let sid = open(&link).await;
    let mut stream = upgrade(&link, &sid).await;
    let session = world.a.server.get(&sid).unwrap();
    // What the application may send without waiting is in its outbox, and it is more than both cables and the node hold.
    let message = Message::from(vec![7; 100_000]);
    session.send(message.clone()).await.unwrap();
    session.send(message).await.unwrap();
    tokio::time::sleep(ms(1_000)).await;
    assert!(tokio::time::timeout(ms(1_000), session.flush()).await.is_err());
    // Once the client reads, all of it comes.
    let mut bytes = vec![0; 2 * (100_000 + 10)];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut bytes).await.unwrap();
    session.flush().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn limits_without_an_end_are_as_good_as_long_ones() {
    let endless = core::time::Duration::MAX;
    let world = World::with(
        |builder| builder,
        |builder| builder.connect_timeout(endless).body_timeout(endless).max_silence(endless).window(endless),
    );
    let link = world.link();
    let sid = open(&link).await;
    let mut stream = upgrade(&link, &sid).await;
    send(&mut stream, "4hello").await;
    assert_eq!(receive(&mut stream).await, "4hello");
}

#[cfg(feature = "metrics")]
#[tokio::test(start_paused = true)]
async fn what_is_forwarded_is_recorded_described_and_documented() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let exporter = recorder.handle();
    let _recording = metrics::set_default_local_recorder(&recorder);
    eio_cluster::metrics::describe();
    let world = World::new();
    let link = world.link();
    let _stream = upgrade(&link, &open(&link).await).await;
    let forged = get("polling").replace("connection:", "eio-forwarding: 1\r\nconnection:");
    assert_eq!(ask(&link, &forged).await.0, 403);
    world.a.kill();
    ask(&link, &get("polling&sid=a7xxxxxxxxxxxxxxxxxx")).await;
    let shown = exporter.render();
    let documented = include_str!("../../src/metrics.rs");
    for (name, count) in [
        ("eio_cluster_forwarded_total", 1),
        ("eio_cluster_forwarded_websockets", 0),
        ("eio_cluster_forward_taken_total", 1),
        ("eio_cluster_forward_refused_total", 1),
        ("eio_cluster_forward_failed_total", 1),
    ] {
        assert!(shown.lines().any(|line| line == format!("{name} {count}")), "{name} {count}: {shown}");
        assert!(shown.contains(&format!("# HELP {name} ")), "{name} is not described");
        assert!(documented.contains(&format!("//! | `{name}` |")), "{name} is not documented");
    }
}
