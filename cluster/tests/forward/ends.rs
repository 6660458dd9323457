//! Each end of a connection becomes the same end on the other side, and silence ends by a deadline.

use core::time::Duration;

use eio_tokio::DisconnectReason as Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::support::{I, T, Way, World, ask, begin, get, ms, open, send, upgrade, websocket};

/// How much later than a session may be silent its node is asked whether the session lives.
const MARGIN: Duration = Duration::from_secs(1);

/// How long the question takes if nothing answers: the time to connect, and the time for what may be on its way.
const ASKED: Duration = ms(3_100);

#[tokio::test(start_paused = true)]
async fn a_client_that_dies_is_noticed_as_if_it_were_connected_to_its_node() {
    for way in Way::BOTH {
        let world = World::new();
        let (socket, link) = world.connect(way).await;
        let died = Instant::now();
        link.cut();
        let (at, end) = world.a.ends.next().await;
        assert_eq!(end.reason, Reason::PingTimeout, "{way:?}");
        assert!(at - died <= I + T && at - died >= T, "{way:?} {:?}", at - died);
        drop(socket);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_of_the_client_is_told_to_its_node_at_once() {
    for (is_closed, reason) in [(true, Reason::TransportClosed), (false, Reason::TransportReset)] {
        let world = World::new();
        let link = world.link();
        let sid = open(&link).await;
        let mut stream = upgrade(&link, &sid).await;
        tokio::time::sleep(ms(1_000)).await;
        let ended = Instant::now();
        if is_closed {
            // A half-close is enough.
            stream.shutdown().await.unwrap();
        } else {
            link.reset();
        }
        let (at, end) = world.a.ends.next().await;
        assert_eq!(at, ended);
        // In memory, the stream between the nodes has no reset of its own: it closes.
        assert!(end.reason == reason || end.reason == Reason::TransportClosed, "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_whose_client_goes_away_is_aborted_on_its_node_at_once() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    let stream = begin(&link, &get(&format!("polling&sid={sid}"))).await;
    tokio::time::sleep(ms(1_000)).await;
    let ended = Instant::now();
    drop(stream);
    let (at, end) = world.a.ends.next().await;
    assert_eq!((at, end.reason), (ended, Reason::TransportError));
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_node_that_is_killed_are_told_at_once() {
    for way in Way::BOTH {
        let world = World::new();
        let (socket, _) = world.connect(way).await;
        tokio::time::sleep(ms(1_000)).await;
        let killed = Instant::now();
        world.a.kill();
        let end = socket.closed().await;
        assert_eq!(killed.elapsed(), ms(0), "{way:?} {end}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_refuses_connections_has_no_session_for_its_clients() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    world.a.kill();
    let asked = Instant::now();
    let (status, _, body) = ask(&link, &get(&format!("polling&sid={sid}"))).await;
    assert_eq!((status, body.as_str()), (400, r#"{"code":1,"message":"Session ID unknown"}"#));
    assert_eq!((asked.elapsed(), world.b.forwarder.counts().failed), (ms(0), 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_behind_a_cut_cable_is_given_up_after_the_time_to_connect() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    world.a.link.cut();
    let asked = Instant::now();
    let (status, ..) = ask(&link, &get(&format!("polling&sid={sid}"))).await;
    assert_eq!((status, asked.elapsed()), (400, ms(3_000)));
}

#[tokio::test(start_paused = true)]
async fn a_poll_at_a_node_that_falls_silent_ends_by_a_deadline() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    let (poll, asked) = (get(&format!("polling&sid={sid}")), Instant::now());
    let (answer, ()) = tokio::join!(ask(&link, &poll), async {
        tokio::time::sleep(ms(1_000)).await;
        world.a.link.cut();
    });
    assert_eq!(answer.0, 400);
    assert_eq!(asked.elapsed(), I + T + ms(3_000) + MARGIN + ASKED);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_whose_node_falls_silent_ends_by_a_deadline() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    let mut stream = upgrade(&link, &sid).await;
    tokio::time::sleep(ms(10)).await;
    send(&mut stream, "4last").await;
    let mut room = [0; 64];
    let read = stream.read(&mut room).await.unwrap();
    assert_eq!(&room[read - 5..read], b"4last");
    let heard = Instant::now();
    world.a.link.cut();
    // What the client says meanwhile changes nothing.
    tokio::time::sleep(ms(5_000)).await;
    send(&mut stream, "4hello?").await;
    assert!(matches!(stream.read(&mut room).await, Ok(0) | Err(_)));
    assert_eq!(heard.elapsed(), I + T + MARGIN + ASKED);
    assert_eq!(world.b.forwarder.counts().silent, 1);
}

#[tokio::test(start_paused = true)]
async fn the_periods_of_the_session_count_and_not_those_of_the_node_that_forwards() {
    let slow = eio_tokio::Heartbeat::new(Duration::from_mins(5), Duration::from_mins(1)).unwrap();
    let world = World::with(
        |builder| {
            builder.allow_request(move |_| async move { Ok(eio_tokio::Admission::new().heartbeat(slow)) })
        },
        |builder| builder,
    );
    let link = world.link();
    let sid = open(&link).await;
    let mut stream = upgrade(&link, &sid).await;
    // Nothing is said until the first ping.
    assert_eq!(crate::support::receive(&mut stream).await, "2");
    let heard = Instant::now();
    send(&mut stream, "3").await;
    tokio::time::sleep(ms(1)).await;
    world.a.link.cut();
    assert!(matches!(stream.read(&mut [0; 8]).await, Ok(0) | Err(_)));
    assert_eq!(heard.elapsed(), Duration::from_mins(6) + MARGIN + ASKED);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_does_not_keep_the_end_of_its_node_alive() {
    let world = World::new();
    let link = world.link();
    link.set_buffer(100);
    let sid = open(&link).await;
    let stream = upgrade(&link, &sid).await;
    world.a.server.get(&sid).unwrap().send(vec![7; 500_000]).await.unwrap();
    let begun = Instant::now();
    let (at, end) = world.a.ends.next().await;
    assert_eq!(end.reason, Reason::PingTimeout);
    assert!(at - begun <= I + T);
    while world.b.forwarder.counts().websockets > 0 {
        tokio::time::sleep(ms(100)).await;
    }
    assert!(begun.elapsed() <= I + T + MARGIN + ms(200), "{:?}", begun.elapsed());
    drop(stream);
}

/// Its session lives on another one, so the question whether it lives does not help.
#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_a_websocket_open_which_its_node_has_closed_is_reset() {
    let world = World::new();
    let (socket, _link) = world.connect(Way::Upgrade).await;
    let mut stream = begin(&world.link(), &websocket(socket.handshake().sid())).await;
    let mut answer = Vec::new();
    // The answer, and the close frame behind it.
    while !answer.ends_with(b"\x88\x00") && !answer.ends_with(b"\x88\x02\x03\xe8") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(world.b.forwarder.counts().websockets, 2);
    tokio::time::sleep(I + T + MARGIN + ms(5_000)).await;
    assert_eq!(world.b.forwarder.counts().websockets, 1);
    assert_eq!(socket.end(), None, "the session goes on");
}
