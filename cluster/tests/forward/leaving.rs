//! A node that leaves closes the WebSockets that it forwards, on both sides.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use eio_cluster::forward::Forwarder;
use eio_tokio::DisconnectReason as Reason;
use eio_tokio::test_util::{Network, NetworkStream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::Instant;

use crate::support::{Way, World, ask, begin, get, ms, open, receive, secret, send, upgrade, websocket};

#[tokio::test(start_paused = true)]
async fn both_sides_are_told_that_the_node_goes_away() {
    let world = World::new();
    let (socket, _) = world.connect(Way::Upgrade).await;
    let left = Instant::now();
    assert_eq!(world.b.forwarder.shutdown(ms(5_000)).await, 0);
    let (_, at_the_node) = world.a.ends.next().await;
    for end in [socket.closed().await, at_the_node] {
        assert_eq!(end.close_frame.as_ref().map(|frame| frame.code().as_u16()), Some(1001), "{end}");
        assert_eq!(end.reason, Reason::TransportClosed);
    }
    assert_eq!(left.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_under_way_is_completed_first() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    let mut stream = upgrade(&link, &sid).await;
    stream.write_all(&[0x81, 0x86, 0, 0, 0, 0, b'4', b'h']).await.unwrap();
    tokio::time::sleep(ms(10)).await;
    let forwarder = world.b.forwarder.clone();
    let leaving = tokio::spawn(async move { forwarder.shutdown(ms(5_000)).await });
    tokio::time::sleep(ms(10)).await;
    // The client has its close frame, and completes its message before it answers.
    let mut close = [0; 4];
    stream.read_exact(&mut close).await.unwrap();
    assert_eq!(close, [0x88, 2, 0x03, 0xe9]);
    stream.write_all(b"ello").await.unwrap();
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]).await.unwrap();
    assert_eq!(leaving.await.unwrap(), 0);
    let (_, end) = world.a.ends.next().await;
    assert_eq!(end.close_frame.as_ref().map(|frame| frame.code().as_u16()), Some(1001));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_dropped_after_the_limit() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    let mut stream = upgrade(&link, &sid).await;
    send(&mut stream, "4here").await;
    assert_eq!(receive(&mut stream).await, "4here");
    let left = Instant::now();
    assert_eq!(world.b.forwarder.shutdown(ms(500)).await, 1);
    assert_eq!(left.elapsed(), ms(500));
    assert_eq!(world.b.forwarder.counts().websockets, 0);
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_waits_for_its_node_is_refused_at_once() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    world.a.link.cut();
    let request = websocket(&sid);
    let asked = tokio::spawn(async move { ask(&link, &request).await.0 });
    tokio::time::sleep(ms(100)).await;
    assert_eq!(world.b.forwarder.counts().websockets, 1);
    let left = Instant::now();
    assert_eq!(world.b.forwarder.shutdown(ms(500)).await, 0);
    assert_eq!((asked.await.unwrap(), left.elapsed()), (400, ms(0)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_take_the_answer_to_its_upgrade_is_dropped_after_the_limit() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    link.set_buffer(16);
    let stream = begin(&link, &websocket(&sid)).await;
    tokio::time::sleep(ms(100)).await;
    let left = Instant::now();
    assert_eq!(world.b.forwarder.shutdown(ms(500)).await, 1);
    assert_eq!((left.elapsed(), world.b.forwarder.counts().websockets), (ms(500), 0));
    drop(stream);
}

/// Never shuts down.
struct Stubborn(NetworkStream);

impl AsyncRead for Stubborn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stubborn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_shut_down_takes_no_longer_than_the_limit() {
    let world = World::new();
    let (way, network) = (world.a.link.clone(), Network::new());
    let builder = Forwarder::builder(&world.b.server, |_: &str| "http://a7".parse().ok(), secret());
    let forwarder = builder.dial_with(move |_| {
        let way = way.clone();
        async move { way.connect().await.map(Stubborn) }
    });
    let forwarder = forwarder.build().unwrap();
    let (server, service, listener) = (world.b.server.clone(), forwarder.service(), network.listen());
    tokio::spawn(async move { server.serve_with(listener, service).await });
    let sid = open(&world.link()).await;
    let mut stream = upgrade(&network.link(), &sid).await;
    let left = Instant::now();
    let leaving = tokio::spawn(async move { forwarder.shutdown(ms(500)).await });
    let mut close = [0; 4];
    stream.read_exact(&mut close).await.unwrap();
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]).await.unwrap();
    assert_eq!((leaving.await.unwrap(), left.elapsed()), (1, ms(500)));
}

#[tokio::test(start_paused = true)]
async fn polling_goes_on_and_an_upgrade_fails_without_an_end() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    assert_eq!(world.b.forwarder.shutdown(ms(500)).await, 0);
    let query = format!("polling&sid={sid}");
    assert_eq!(ask(&link, &get(&query)).await.2, "6");
    assert_eq!(ask(&link, &websocket(&sid)).await.0, 400);
    assert_eq!(world.a.server.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_is_answered_and_neither_holds_the_node_nor_ends_its_session() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    let poll = get(&format!("polling&sid={sid}"));
    let waiting = tokio::spawn({
        let poll = poll.clone();
        async move { ask(&link, &poll).await.2 }
    });
    tokio::time::sleep(ms(1_000)).await;
    let left = Instant::now();
    let limit = ms(5_000);
    let (dropped, cut) = tokio::join!(world.b.forwarder.shutdown(limit), world.b.server.shutdown(limit));
    assert_eq!((dropped, cut.is_empty(), left.elapsed()), (0, true, ms(200)));
    assert_eq!(waiting.await.unwrap(), "6");
    assert_eq!(ask(&world.a.link, &poll).await.2, "2");
    assert_eq!(world.a.server.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_poll_is_asked_for_again_once_a_connection_to_its_node_is_free() {
    let world = World::with(|builder| builder, |builder| builder.max_connections(2));
    let mut polls = Vec::new();
    for _ in 0..2 {
        let link = world.link();
        let poll = get(&format!("polling&sid={}", open(&link).await));
        polls.push(tokio::spawn(async move { ask(&link, &poll).await.2 }));
        tokio::time::sleep(ms(10_000)).await;
    }
    let (left, limit) = (Instant::now(), ms(20_000));
    let (dropped, cut) = tokio::join!(world.b.forwarder.shutdown(limit), world.b.server.shutdown(limit));
    // The first poll has the ping of its session, and leaves its connection to the question for the second one.
    assert_eq!((dropped, cut.is_empty(), left.elapsed()), (0, true, ms(5_000)));
    for (poll, answer) in polls.into_iter().zip(["2", "6"]) {
        assert_eq!(poll.await.unwrap(), answer);
    }
    assert_eq!(world.a.server.len(), 2);
}
