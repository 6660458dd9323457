//! Messages above and below the length from which they are read directly to their own memory, cut at every awkward place.

use std::time::Duration;

use eio_core::ws::OpCode;
use eio_tokio::{Message, Server, Socket};

use crate::support::{Harness, Reason, Received, WebSocket, handing_out, ms, settle};

/// Below, at and above the limits of frame headers, of direct reads, of the scratch buffer and of what is read at once.
const SIZES: [usize; 17] = [
    0, 1, 125, 126, 4_096, 16_383, 16_384, 16_385, 65_521, 65_535, 65_536, 65_550, 20, 131_072, 262_144,
    300_000, 3,
];

async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

/// The start of a text in which characters have one to four bytes.
fn text(size: usize) -> String {
    "ab é € 👋 "
        .chars()
        .cycle()
        .scan(0, |len, next| {
            *len += next.len_utf8();
            (*len <= size).then_some(next)
        })
        .collect()
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// A frame whose bits are those of the first byte.
fn fragment(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = WebSocket::frame(OpCode::Binary, payload);
    frame[0] = first;
    frame
}

/// Sends the messages of each size as text and as bytes, in pieces of `piece` bytes, each of which the server reads before
/// the next comes. All of them return as they were.
async fn echoes(piece: usize, sizes: impl Iterator<Item = usize> + Clone) {
    let harness = Harness::patient(Server::builder(echo).outbox(64, 50_000_000));
    let mut websocket = harness.websocket_with_room(8_000_000).await;
    let mut wire = Vec::new();
    for size in sizes.clone() {
        wire.extend(WebSocket::frame(OpCode::Text, format!("4{}", text(size)).as_bytes()));
        wire.extend(WebSocket::frame(OpCode::Binary, &bytes(size)));
    }
    for piece in wire.chunks(piece) {
        websocket.connection.write(piece).await;
        settle().await;
    }
    for size in sizes {
        assert!(websocket.text().await[1..] == text(size), "text of {size}");
        assert!(websocket.next().await == Received::Binary(bytes(size)), "{size} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_of_every_length_arrive_whole_however_they_are_cut() {
    for piece in [1_400, 16_383, 16_384, 20_000, 65_536, 65_550, 65_551, 262_143, usize::MAX] {
        echoes(piece, SIZES.into_iter()).await;
    }
    for piece in [1, 2, 7, 13, 14, 15] {
        echoes(piece, [0, 1, 126, 5_000, 20].into_iter()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_message_may_be_cut_anywhere_in_its_header_and_at_its_end() {
    let harness = Harness::patient(Server::builder(echo));
    let mut websocket = harness.websocket(4).await;
    let message = format!("4{}", text(70_000));
    let frame = WebSocket::frame(OpCode::Text, message.as_bytes());
    let after = WebSocket::frame(OpCode::Text, b"4after");
    let wire = [&frame[..], &after].concat();
    let cuts = (1..20).chain(frame.len() - 3..frame.len() + after.len());
    for cut in cuts {
        websocket.connection.write(&wire[..cut]).await;
        settle().await;
        // The pipe holds less than this, so that the rest comes in two pieces.
        websocket.connection.write(&wire[cut..]).await;
        assert!(websocket.text().await == message, "cut at {cut}");
        assert_eq!(websocket.text().await, "4after", "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn fragments_of_a_large_message_may_have_any_length_and_pings_between_them() {
    let harness = Harness::patient(Server::builder(echo));
    let mut websocket = harness.websocket_with_room(2_000_000).await;
    let message = format!("4{}", text(200_000));
    // The second time, large messages are expected.
    for _ in 0..2 {
        for fragment_len in [1_000, 16_384, 16_385, 50_001, 66_000] {
            let mut first = 0x01;
            for piece in message.as_bytes().chunks(fragment_len) {
                websocket.connection.write(&fragment(first, piece)).await;
                websocket.connection.write(&WebSocket::frame(OpCode::Ping, b"?")).await;
                settle().await;
                assert_eq!(websocket.next().await, Received::Pong(b"?".to_vec()));
                first = 0;
            }
            websocket.connection.write(&fragment(0x80, b"")).await;
            assert!(websocket.text().await == message, "fragments of {fragment_len}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn text_that_is_not_utf_8_ends_the_session_before_its_message_is_complete() {
    use eio_core::session::Violation;

    let whole = WebSocket::frame(OpCode::Text, format!("4{}", text(100_000)).as_bytes());
    let mut broken = text(100_000).into_bytes();
    broken[60_000] = 0xff;
    let broken = WebSocket::frame(OpCode::Text, &[b"4", &broken[..]].concat());
    for before in [&b""[..], &whole] {
        let mut harness = Harness::patient(Server::builder(echo));
        let mut websocket = harness.websocket_with_room(1_000_000).await;
        websocket.connection.write(before).await;
        settle().await;
        websocket.connection.write(&broken[..50_000]).await;
        settle().await;
        harness.assert_alive();
        websocket.connection.write(&broken[50_000..70_000]).await;
        let end = harness.end().await;
        assert_eq!(end.disconnect.reason, Reason::Violation(Violation::WebSocket));
        websocket.connection.write(&broken[70_000..]).await;
        loop {
            match websocket.next().await {
                Received::Text(_) => {}
                other => break assert_eq!(other, Received::Close(Some(1007))),
            }
        }
    }
    // A message that ends in the middle of a character.
    let mut harness = Harness::patient(Server::builder(echo));
    let mut websocket = harness.websocket(4).await;
    let cut = [format!("4{}", text(60_000)).as_bytes(), b"\xe2\x82"].concat();
    websocket.connection.write(&WebSocket::frame(OpCode::Text, &cut)).await;
    assert_eq!(websocket.next().await, Received::Close(Some(1007)));
    assert_eq!(harness.end().await.disconnect.reason, Reason::Violation(Violation::WebSocket));
}

#[tokio::test(start_paused = true)]
async fn a_large_message_that_is_too_long_ends_the_session_before_any_of_it_comes() {
    use eio_core::session::Violation;

    let mut harness = Harness::patient(Server::builder(echo).max_payload(100_000));
    let mut websocket = harness.websocket(4).await;
    let largest = WebSocket::frame(OpCode::Binary, &bytes(100_000));
    websocket.connection.write(&largest).await;
    assert!(websocket.next().await == Received::Binary(bytes(100_000)));
    let header = WebSocket::frame(OpCode::Binary, &bytes(100_001));
    websocket.connection.write(&header[..14]).await;
    assert_eq!(websocket.next().await, Received::Close(Some(1009)));
    assert_eq!(harness.end().await.disconnect.reason, Reason::Violation(Violation::PayloadTooLarge));
}

#[tokio::test(start_paused = true)]
async fn pieces_of_a_large_message_are_a_sign_of_life_where_any_packet_is() {
    let builder = Server::builder(echo).liveness(eio_core::Liveness::AnyPacket);
    let mut harness = Harness::new(builder);
    let mut websocket = harness.websocket_with_room(1_000_000).await;
    let frame = WebSocket::frame(OpCode::Binary, &bytes(200_000));
    // The second message is expected to be large.
    websocket.connection.write(&frame).await;
    for piece in frame.chunks(20_000) {
        tokio::time::sleep(ms(400)).await;
        websocket.connection.write(piece).await;
    }
    settle().await;
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_message_outlives_its_session_and_others_that_were_read_with_it() {
    let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel();
    let harness = Harness::patient(Server::builder(move |mut socket: Socket| {
        let sender = sender.clone();
        async move {
            while let Ok(message) = socket.recv().await {
                let _ = sender.send(message);
            }
        }
    }));
    let mut websocket = harness.websocket_with_room(1_000_000).await;
    for size in [50_000, 10, 50_001, 11] {
        websocket.connection.write(&WebSocket::frame(OpCode::Binary, &bytes(size))).await;
    }
    drop(websocket);
    for size in [50_000, 10, 50_001, 11] {
        let message = tokio::time::timeout(Duration::from_secs(1), messages.recv()).await.unwrap();
        assert!(message == Some(Message::from(bytes(size))), "{size}");
    }
}

/// A server's ping overtakes the messages that wait, but not the one that is being written.
#[tokio::test(start_paused = true)]
async fn a_ping_behind_a_message_that_is_being_written_may_be_answered_for_the_whole_timeout_from_then() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket_with_room(1_000).await;
    let socket = sockets.recv().await.unwrap();
    socket.sender().try_send(bytes(5_000)).unwrap();
    // The ping is due at 300 ms.
    harness.at(450).await;
    assert_eq!(websocket.next().await, Received::Binary(bytes(5_000)));
    assert_eq!(websocket.text().await, "2");
    harness.at(640).await;
    websocket.send("3").await;
    harness.at(700).await;
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_it_no_room_is_silent() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let _websocket = harness.websocket_with_room(1_000).await;
    let socket = sockets.recv().await.unwrap();
    socket.sender().try_send(bytes(5_000)).unwrap();
    harness.assert_ends(500, Reason::PingTimeout).await;
}

/// The client makes room for the ping 1 ms before the deadline, and the server's task runs 5 ms after it.
#[tokio::test(start_paused = true)]
async fn room_that_a_client_makes_just_in_time_counts_if_the_server_is_a_little_late() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket_with_room(1_000).await;
    let socket = sockets.recv().await.unwrap();
    socket.sender().try_send(bytes(1_500)).unwrap();
    // The ping is due at 300 ms, behind the rest of the message.
    harness.at(499).await;
    {
        // Reads once, before the clock moves on.
        let mut next = core::pin::pin!(websocket.next());
        let mut cx = core::task::Context::from_waker(core::task::Waker::noop());
        assert!(next.as_mut().poll(&mut cx).is_pending());
        tokio::time::advance(ms(6)).await;
        assert_eq!(next.await, Received::Binary(bytes(1_500)));
    }
    assert_eq!(websocket.text().await, "2");
    harness.at(690).await;
    harness.assert_alive();
}
