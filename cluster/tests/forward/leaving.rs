//! A node that leaves closes the WebSockets that it forwards, on both sides.

use eio_tokio::DisconnectReason as Reason;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::support::{Way, World, ask, get, ms, open, receive, send, upgrade};

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
async fn polling_goes_on_and_an_upgrade_fails_without_an_end() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    assert_eq!(world.b.forwarder.shutdown(ms(500)).await, 0);
    let query = format!("polling&sid={sid}");
    assert_eq!(ask(&link, &get(&query)).await.2, "2");
    let probe = get(&format!("websocket&sid={sid}")).replace(
        "connection: close",
        "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
    );
    assert_eq!(ask(&link, &probe).await.0, 400);
    assert_eq!(world.a.server.len(), 1);
}
