//! What a WebSocket has taken arrives, although its session has ended: the server stays until the client has read it, within
//! its limits of time.

use eio_core::ws::OpCode;
use eio_tokio::test_util::{Link, Network, NetworkStream};
use eio_tokio::{CutOff, Server, ServerBuilder, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Harness, Reason, Received, WebSocket, ms, settle};

/// Sends a hundred messages of a kilobyte, and listens.
async fn speak(mut socket: Socket) {
    for _ in 0..100 {
        socket.send("x".repeat(1_000)).await.unwrap();
    }
    while socket.recv().await.is_ok() {}
}

/// Sends a message, and closes.
async fn greet_and_close(socket: Socket) {
    socket.send("hello").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_until_a_client_that_reads_slowly_has_read_everything() {
    let harness = Harness::patient(Server::builder(speak));
    let mut websocket = harness.connect_with_room(1_000_000).upgrade(4, None).await;
    assert!(websocket.text().await.starts_with("0{"));
    settle().await;
    let server = harness.server.clone();
    let shutdown = tokio::spawn(async move { server.shutdown(ms(10_000)).await });
    settle().await;
    assert!(harness.server.is_empty(), "the session has ended");
    // It goes on talking, as a client does that has not read the close frame yet.
    for _ in 0..100 {
        sleep(ms(50)).await;
        websocket.send("4still here").await;
        assert_eq!(websocket.text().await.len(), 1_001);
    }
    assert!(!shutdown.is_finished());
    assert_eq!(websocket.next().await, Received::Close(None));
    websocket.connection.write(&WebSocket::frame(OpCode::Close, b"")).await;
    assert!(shutdown.await.unwrap().is_empty());
    assert_eq!(harness.elapsed(), ms(5_000));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_leave_is_dropped_and_counted_at_the_limit_of_the_shutdown() {
    let harness = Harness::patient(Server::builder(greet_and_close));
    let mut staying = harness.websocket(4).await;
    harness.websocket(4).await.leave_with_server();
    settle().await;
    let cut = harness.server.shutdown(ms(2_000)).await;
    assert_eq!((cut.sessions, cut.applications, cut.connections), (0, 0, 1));
    assert_eq!(staying.text().await, "4hello");
    assert_eq!(staying.next().await, Received::Close(None));
    settle().await;
    assert!(!staying.connection.is_taken().await, "the server has left");
    assert_eq!(harness.elapsed(), ms(2_000));
    assert!(harness.server.shutdown(ms(1)).await.is_empty(), "nothing is left");
}

#[tokio::test(start_paused = true)]
async fn serving_ends_when_the_last_client_has_left_and_not_before() {
    let builder = Server::builder(greet_and_close);
    let (server, mut stream) = on_a_network(builder, |_| {}).await;
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(Network::new().listen()).await }
    });
    sleep(ms(10)).await;
    let shutdown = tokio::spawn(async move { server.shutdown(ms(10_000)).await });
    sleep(ms(700)).await;
    assert!(!serving.is_finished() && !shutdown.is_finished());
    stream.write_all(&WebSocket::frame(OpCode::Close, b"")).await.unwrap();
    settle().await;
    assert!(serving.is_finished() && shutdown.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_before_the_shutdown_is_waited_for_as_well() {
    let mut harness = Harness::patient(Server::builder(greet_and_close));
    let mut websocket = harness.websocket(4).await;
    assert_eq!(harness.end().await.disconnect.reason, Reason::LocalClose);
    settle().await;
    let server = harness.server.clone();
    let shutdown = tokio::spawn(async move { server.shutdown(ms(10_000)).await });
    harness.at(700).await;
    assert!(!shutdown.is_finished());
    assert_eq!(websocket.text().await, "4hello");
    drop(websocket);
    assert!(shutdown.await.unwrap().is_empty());
    assert_eq!(harness.elapsed(), ms(700));
}

/// The server drops the connection of a session that has ended, whose client stays, at this time.
async fn assert_dropped_at(harness: &Harness, websocket: &mut WebSocket, millis: u64) {
    for (at, is_taken) in [(millis - 1, true), (millis, false)] {
        harness.at(at).await;
        settle().await;
        assert_eq!(websocket.connection.is_taken().await, is_taken, "after {at} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn the_close_timeout_counts_from_the_close_and_not_from_the_end_of_the_session() {
    for takes in [0, 3_000, 7_000] {
        let builder = Server::builder(|socket: Socket| async move {
            socket.send("x".repeat(100_000)).await.unwrap();
            socket.close();
            sleep(ms(2_000)).await;
            socket.close();
        });
        let mut harness = Harness::patient(builder.close_timeout(ms(8_000)));
        let mut websocket = harness.websocket(4).await;
        sleep(ms(takes)).await;
        while websocket.next().await != Received::Close(None) {}
        harness.assert_ends(takes, Reason::LocalClose).await;
        assert_dropped_at(&harness, &mut websocket, 8_000).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_closed_the_session_has_five_seconds_to_leave() {
    let builder = Server::builder(|mut socket: Socket| async move {
        socket.recv().await.unwrap();
        // Too late: the client's close has been read together with the message.
        socket.close();
    });
    let mut harness = Harness::patient(builder.close_timeout(ms(8_000)));
    let mut websocket = harness.websocket(4).await;
    sleep(ms(100)).await;
    let last = [&b"4bye"[..], b"1"].map(|packet| WebSocket::frame(OpCode::Text, packet));
    websocket.connection.write(&last.concat()).await;
    assert_eq!(websocket.next().await, Received::Close(None));
    harness.assert_ends(100, Reason::PeerClose).await;
    assert_dropped_at(&harness, &mut websocket, 5_100).await;
}

/// A server on a network, and the client's end of a WebSocket, whose answer has been read up to the end of its head.
async fn on_a_network(builder: ServerBuilder, prepare: impl FnOnce(&Link)) -> (Server, NetworkStream) {
    let network = Network::new();
    let (server, listener) = (builder.build().unwrap(), network.listen());
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    let link = network.link();
    prepare(&link);
    let mut stream = link.connect().await.unwrap();
    let request = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (server, stream)
}

/// Reads to the end of a connection. Returns what came, and whether it ended in order.
async fn rest(stream: &mut NetworkStream) -> (Vec<u8>, bool) {
    let mut rest = Vec::new();
    let in_order = stream.read_to_end(&mut rest).await.is_ok();
    (rest, in_order)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_taken_everything_is_dropped_in_order_when_the_close_timeout_is_over() {
    let builder = Server::builder(greet_and_close).close_timeout(ms(9_000));
    let (_server, mut stream) = on_a_network(builder, |_| {}).await;
    sleep(ms(8_990)).await;
    stream.write_all(&WebSocket::frame(OpCode::Text, b"4here")).await.unwrap();
    // The server leaves: a reset follows only what is sent from then on.
    sleep(ms(20)).await;
    let (rest, in_order) = rest(&mut stream).await;
    assert!(in_order && rest.ends_with(b"\x81\x064hello\x88\x00"), "{in_order}: {rest:?}");
    stream.write_all(b"x").await.unwrap();
    assert!(stream.write_all(b"x").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_not_taken_the_close_frame_is_reset_then() {
    let builder = Server::builder(|socket: Socket| async move {
        sleep(ms(10)).await;
        // It fills the buffer to the last byte.
        socket.send("x".repeat(995)).await.unwrap();
    });
    let (server, mut stream) =
        on_a_network(builder.close_timeout(ms(9_000)), |link| link.set_buffer(1_000)).await;
    let mut open = [0; 512];
    let len = timeout(ms(1), stream.read(&mut open)).await.unwrap().unwrap();
    assert!(open[..len].starts_with(b"\x81"), "the open packet");
    sleep(ms(9_020)).await;
    assert!(server.is_empty());
    let (rest, in_order) = rest(&mut stream).await;
    assert_eq!((rest.len(), in_order), (1_000, false));
}

/// Opens a session on polling, over a connection that holds a kilobyte. Returns the request for its first answer, which is
/// long. The application leaves behind it, unless it `stays`.
async fn long_answer(stays: bool) -> (Server, NetworkStream, String) {
    let network = Network::new();
    let server = Server::builder(move |socket: Socket| async move {
        for _ in 0..10 {
            socket.send("x".repeat(2_000)).await.unwrap();
        }
        if stays {
            socket.closed().await;
        }
    });
    let (server, listener) = (server.build().unwrap(), network.listen());
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener).await });
    let link = network.link();
    link.set_buffer(1_000);
    let mut stream = link.connect().await.unwrap();
    let get = |sid: &str| format!("GET /engine.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(get("").as_bytes()).await.unwrap();
    let mut open = Vec::new();
    while !open.ends_with(b"}") {
        open.push(stream.read_u8().await.unwrap());
    }
    settle().await;
    let open = String::from_utf8(open).unwrap();
    let sid = format!("&sid={}", open.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap());
    (server, stream, get(&sid))
}

/// Asks for that answer while the server shuts down, so that it is the last one.
async fn long_last_answer() -> (JoinHandle<CutOff>, NetworkStream) {
    let (server, mut stream, poll) = long_answer(false).await;
    let shutdown = tokio::spawn(async move { server.shutdown(ms(60_000)).await });
    settle().await;
    stream.write_all(poll.as_bytes()).await.unwrap();
    (shutdown, stream)
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_a_client_that_takes_its_last_answer_slowly() {
    let (shutdown, mut stream) = long_last_answer().await;
    let mut answer = Vec::with_capacity(50_000);
    while !answer.ends_with(b"\x1e1") {
        assert!(!shutdown.is_finished(), "after {} bytes", answer.len());
        sleep(ms(1_000)).await;
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "cut off after {} bytes", answer.len());
    }
    let answer = String::from_utf8(answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.matches('x').count(), 20_000);
    assert!(shutdown.await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_the_next_poll_of_a_client_that_still_takes_an_earlier_answer() {
    let (server, mut stream, poll) = long_answer(true).await;
    stream.write_all(poll.as_bytes()).await.unwrap();
    settle().await;
    let shutdown = tokio::spawn(async move { server.shutdown(ms(60_000)).await });
    let mut answer = Vec::with_capacity(50_000);
    while !answer.ends_with(b"x") || answer.len() < 20_000 {
        sleep(ms(1_000)).await;
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "cut off after {} bytes", answer.len());
    }
    stream.write_all(poll.as_bytes()).await.unwrap();
    answer.clear();
    while !answer.ends_with(b"6\x1e1") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{answer:?}");
    }
    assert!(shutdown.await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_its_last_answer_is_dropped_after_five_seconds_and_counted() {
    let start = Instant::now();
    let (shutdown, stream) = long_last_answer().await;
    let cut = shutdown.await.unwrap();
    assert_eq!((cut.sessions, cut.applications, cut.connections), (0, 0, 1));
    assert!((ms(5_000)..ms(5_010)).contains(&start.elapsed()), "{:?}", start.elapsed());
    drop(stream);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_dropped_before_the_shutdown_is_not_counted() {
    let (server, mut stream, poll) = long_answer(false).await;
    stream.write_all(poll.as_bytes()).await.unwrap();
    // Twice the request timeout.
    sleep(ms(60_010)).await;
    assert!(!rest(&mut stream).await.0.ends_with(b"\x1e1"), "the server has left");
    assert!(server.shutdown(ms(1_000)).await.is_empty());
}
