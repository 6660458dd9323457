//! What RFC 6455 asks of a server whose client breaks a rule of it, and of the order in which a connection closes.

use eio_core::session::Violation;
use eio_core::ws::OpCode;
use eio_tokio::Server;

use crate::support::{
    Harness, Reason, Received, WebSocket, bad_frames, follow, handing_out, listen, ms, noting,
};

#[tokio::test(start_paused = true)]
async fn a_frame_that_breaks_a_rule_is_answered_with_its_code_and_nothing_behind_it_is_heard() {
    for (what, bytes, code) in bad_frames(true) {
        let (builder, journal) = noting(follow);
        let mut harness = Harness::new(builder);
        let mut websocket = harness.websocket(4).await;
        websocket.send("4before").await;
        let late = WebSocket::frame(OpCode::Text, b"4late");
        websocket.connection.write(&[bytes, late].concat()).await;
        assert_eq!(websocket.next().await, Received::Close(Some(code)), "{what}");
        assert_eq!(websocket.next().await, Received::End, "{what}");
        let end = harness.assert_ends(0, Reason::Violation(Violation::WebSocket)).await;
        assert_eq!(end.reason.as_str(), "transport error", "{what}");
        assert_eq!(journal.read(), ["before", "end: transport error"], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn control_frames_between_the_fragments_of_a_message_are_answered_at_once() {
    let (builder, journal) = noting(follow);
    let harness = Harness::new(builder);
    let mut websocket = harness.websocket(4).await;
    let [first, ping, last] = [(0x01, "4he"), (0x89, "now"), (0x80, "llo")]
        .map(|(first, payload)| crate::support::frame(true, first, payload.as_bytes()));
    websocket.connection.write(&[first, ping].concat()).await;
    assert_eq!(websocket.next().await, Received::Pong(b"now".to_vec()));
    assert!(journal.read().is_empty());
    websocket.connection.write(&last).await;
    crate::support::settle().await;
    assert_eq!(journal.read(), ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_closes_the_connection_behind_its_close_frame_whoever_begins() {
    // The client begins.
    let mut harness = Harness::new(Server::builder(listen));
    let mut websocket = harness.websocket(4).await;
    websocket.connection.write(&WebSocket::frame(OpCode::Close, &1000_u16.to_be_bytes())).await;
    assert_eq!(websocket.next().await, Received::Close(Some(1000)));
    assert_eq!(websocket.next().await, Received::End);
    harness.assert_ends(0, Reason::TransportClosed).await;
    // The server begins, and its client has not answered.
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.close();
    assert_eq!(websocket.next().await, Received::Close(None));
    assert_eq!(websocket.next().await, Received::End);
    assert_eq!(harness.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn no_ping_is_answered_behind_a_close_frame() {
    let harness = Harness::new(Server::builder(listen));
    let mut websocket = harness.websocket(4).await;
    let close = WebSocket::frame(OpCode::Close, b"");
    let ping = WebSocket::frame(OpCode::Ping, b"late");
    websocket.connection.write(&[close, ping].concat()).await;
    assert_eq!(websocket.next().await, Received::Close(None));
    assert_eq!(websocket.next().await, Received::End);
}
