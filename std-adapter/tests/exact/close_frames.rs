//! Close frames: what the peer's says is kept and answered with its code, and an application may send its own.

use eio_core::ws::{CloseCode, OpCode};
use eio_tokio::{CloseFrame, Server, Socket};

use crate::support::{Harness, Reason, Received, WebSocket, follow, handing_out, listen, ms, noting, settle};

fn close(code: u16, reason: &str) -> Vec<u8> {
    WebSocket::frame(OpCode::Close, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_is_answered_with_its_code_and_messages_before_it_arrive() {
    let (builder, journal) = noting(follow);
    let mut harness = Harness::new(builder);
    let mut websocket = harness.websocket(4).await;
    websocket.send("4last").await;
    harness.at(42).await;
    websocket.connection.write(&close(1000, "")).await;
    assert_eq!(websocket.next().await, Received::Close(Some(1000)));
    let end = harness.assert_ends(42, Reason::TransportClosed).await;
    // The frame itself was the last sign of life.
    assert_eq!(end.silent_for, ms(0));
    assert_eq!(journal.read(), ["last", "end: transport close"]);
}

#[tokio::test(start_paused = true)]
async fn the_code_and_the_reason_of_the_peers_close_frame_are_kept() {
    let longest = "x".repeat(123);
    for (code, reason) in [(4001, "bye"), (1001, ""), (3000, "\u{1b}[31m"), (4999, &*longest)] {
        let mut harness = Harness::new(Server::builder(listen));
        let mut websocket = harness.websocket(4).await;
        websocket.connection.write(&close(code, reason)).await;
        assert_eq!(websocket.next().await, Received::Close(Some(code)));
        // The answer is the code alone.
        assert_eq!(websocket.close_reason, "");
        let frame = harness.assert_ends(0, Reason::TransportClosed).await.close_frame.expect("a close frame");
        assert_eq!((frame.code().as_u16(), frame.reason()), (code, reason));
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_without_a_code_differs_from_no_close_frame() {
    let mut harness = Harness::new(Server::builder(listen));
    let mut websocket = harness.websocket(4).await;
    websocket.connection.write(&WebSocket::frame(OpCode::Close, b"")).await;
    assert_eq!(websocket.next().await, Received::Close(None));
    let frame = harness.assert_ends(0, Reason::TransportClosed).await.close_frame.expect("a close frame");
    assert_eq!((frame.code(), frame.reason()), (CloseCode::NO_STATUS, ""));

    let mut harness = Harness::new(Server::builder(listen));
    drop(harness.websocket(4).await);
    assert_eq!(harness.assert_ends(0, Reason::TransportClosed).await.close_frame, None);
}

#[tokio::test(start_paused = true)]
async fn the_end_carries_the_close_frame() {
    let mut harness = Harness::new(Server::builder(listen));
    let mut websocket = harness.websocket(4).await;
    websocket.connection.write(&close(4001, "bye")).await;
    assert_eq!(
        harness.assert_ends(0, Reason::TransportClosed).await.to_string(),
        "transport close: the connection ended, close frame 4001 \"bye\" (after 0 ms of silence, on websocket)"
    );
}

#[tokio::test(start_paused = true)]
async fn an_application_closes_with_a_code_and_a_reason_of_its_own_behind_its_messages() {
    let mut harness = Harness::new(Server::builder(|mut socket: Socket| async move {
        for number in 0..100 {
            socket.send(number.to_string()).await.unwrap();
        }
        socket.close_with(CloseFrame::new(CloseCode::new(4001), "signed in elsewhere").unwrap());
        // The first word counts.
        socket.close_with(CloseFrame::new(CloseCode::new(4002), "").unwrap());
        socket.close();
        while socket.recv().await.is_ok() {}
    }));
    let mut websocket = harness.websocket(4).await;
    for number in 0..100 {
        assert_eq!(websocket.text().await, format!("4{number}"));
    }
    assert_eq!(websocket.next().await, Received::Close(Some(4001)));
    assert_eq!(websocket.close_reason, "signed in elsewhere");
    let end = harness.assert_ends(0, Reason::LocalClose).await;
    // It tells the peer's, and there was none.
    assert_eq!(end.close_frame, None);
}

#[tokio::test(start_paused = true)]
async fn the_close_packet_of_polling_carries_no_code() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    polling.begin_poll().await;
    socket.close_with(CloseFrame::new(CloseCode::new(4001), "bye").unwrap());
    assert_eq!(polling.poll_answer().await, ["1"]);
    harness.assert_ends(0, Reason::LocalClose).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_close_frames_that_cross_each_is_reported() {
    let (mut harness, mut sockets) = handing_out(|builder| builder.outbox(50, 50_000_000));
    // The pipe holds less than the message, so that our close frame has to wait.
    let mut websocket = harness.websocket_with_room(10_000).await;
    let socket = sockets.recv().await.unwrap();
    socket.try_send(vec![0; 50_000]).unwrap();
    socket.close_with(CloseFrame::new(CloseCode::new(4001), "ours").unwrap());
    settle().await;
    websocket.connection.write(&close(4002, "theirs")).await;
    let end = harness.assert_ends(0, Reason::LocalClose).await;
    let frame = end.close_frame.expect("the peer's");
    assert_eq!((frame.code().as_u16(), frame.reason()), (4002, "theirs"));
    // A frame that was begun is finished, for a peer that takes no message more; then comes the answer.
    assert!(matches!(websocket.next().await, Received::Binary(_)));
    assert_eq!(websocket.next().await, Received::Close(Some(4002)));
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_closes_or_breaks_the_framing_is_answered_with_the_code() {
    let mut harness = Harness::new(Server::builder(listen));
    let polling = harness.polling(4).await;
    let unmasked = b"\x81\x012".to_vec();
    for (bytes, code) in [(close(4001, "bye"), 4001), (unmasked, 1002)] {
        let mut candidate = harness.candidate(&polling).await;
        candidate.connection.write(&bytes).await;
        assert_eq!(candidate.next().await, Received::Close(Some(code)));
    }
    harness.assert_alive();
}
