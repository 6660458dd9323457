//! Messages come back as they went. Anything that is not a packet ends its session.

use core::time::Duration;

use eio_core::{DisconnectReason, Revision};
use eio_tests::interop::{Case, Log, soon};
use eio_tokio::Message;

use super::{Cases as _, Stage};

pub(super) fn cases(revision: Revision, cases: &mut Vec<Case>) {
    cases.push(revision.case("a text comes back on polling", one_text));
    cases.push(revision.case("texts in one payload come back in one payload", several_texts));
    cases.push(revision.case("text and bytes in one payload come back in one payload", text_and_bytes));
    if revision == Revision::V3 {
        cases.push(revision.case("bytes come back as bytes to a client that can take them", bytes_as_bytes));
    }
    cases.push(revision.case("what is no packet ends its session on polling", no_packet_on_polling));
    cases.push(revision.case("a second poll beside a first ends their session", two_polls));
    cases.push(revision.case("a poll that its client aborts ends the session", aborted_poll));
    cases.push(revision.case("a text comes back on a WebSocket", text_on_websocket));
    cases.push(revision.case("bytes come back on a WebSocket", bytes_on_websocket));
    cases.push(revision.case("what is no packet ends its session on a WebSocket", no_packet_on_websocket));
}

/// Posts these packets and polls the same back.
async fn comes_back(revision: Revision, log: Log, packets: &[&str]) {
    let mut stage = Stage::open(revision, &log).await;
    let (sid, mut at_server) = stage.session().await;
    let posted = stage.post(&sid, packets).await;
    assert_eq!((posted.status, posted.text()), (200, "ok"));
    for _ in packets {
        at_server.message().await;
    }
    let polled = stage.poll(&sid).await;
    assert_eq!((polled.status, polled.text()), (200, &*revision.payload(packets)));
}

/// "message, HTTP long-polling: sends and receives a payload containing one plain text packet". Protocol, "Sending data"
/// and "Receiving data"; revision 3, "4 message".
async fn one_text(revision: Revision, log: Log) {
    comes_back(revision, log, &["4hello"]).await;
}

/// "message, HTTP long-polling: sends and receives a payload containing several plain text packets". Protocol, "Packet
/// encoding: HTTP long-polling"; revision 3, "Payload".
async fn several_texts(revision: Revision, log: Log) {
    comes_back(revision, log, &["4test1", "4test2", "4test3"]).await;
}

/// "message, HTTP long-polling: sends and receives a payload containing plain text and binary packets", in revision 3
/// "(base64 encoded)". Protocol, "Packet encoding: HTTP long-polling"; revision 3, "Payload".
async fn text_and_bytes(revision: Revision, log: Log) {
    let bytes = if revision == Revision::V3 { "b4AQIDBA==" } else { "bAQIDBA==" };
    comes_back(revision, log, &["4hello", bytes]).await;
}

/// "message, HTTP long-polling: sends and receives a payload containing plain text and binary packets (binary)". Revision
/// 3, "Payload".
async fn bytes_as_bytes(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let opened = stage.ask("GET", "EIO=3&transport=polling", None).await;
    let handshake = stage.handshake(opened.text());
    let sid = handshake["sid"].as_str().expect("a sid is text").to_owned();
    let mut at_server = stage.server.accept().await;
    let posted = stage.post(&sid, &["4hello", "b4AQIDBA=="]).await;
    assert_eq!((posted.status, posted.text()), (200, "ok"));
    at_server.message().await;
    at_server.message().await;
    // Text or bytes, its length in digits, 255, and the packet; its type is a digit in text, and itself in bytes.
    let text = [&[0, 6, 0xff][..], b"4hello"].concat();
    let bytes = [1, 5, 0xff, 4, 1, 2, 3, 4];
    let polled = stage.poll(&sid).await;
    assert_eq!(polled.content_type, "application/octet-stream");
    assert_eq!(polled.body, [&text[..], &bytes].concat());
}

/// "message, HTTP long-polling: closes the session upon invalid packet format". Protocol, "Packet encoding"; revision 3,
/// "Packet".
async fn no_packet_on_polling(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (sid, at_server) = stage.session().await;
    let query = stage.polling(Some(&sid));
    assert_eq!(stage.ask("POST", &query, Some("abc")).await.status, 400);
    assert_eq!(at_server.closed().await.reason.as_str(), "parse error");
    assert_eq!(stage.poll(&sid).await.status, 400);
}

/// "message, HTTP long-polling: closes the session upon duplicate poll requests". Protocol, "Receiving data"; revision 3,
/// "Polling".
async fn two_polls(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (sid, at_server) = stage.session().await;
    let first = stage.poll(&sid);
    let second = stage.poll(&sid);
    // Which of the two comes first is decided on the way.
    let (first, second) = tokio::join!(first, second);
    let mut answers = [(first.status, first.text()), (second.status, second.text())];
    answers.sort_unstable();
    assert_eq!(answers[0], (200, &*revision.payload(&["1"])));
    assert_eq!(answers[1].0, 400);
    assert_eq!(at_server.closed().await.reason.as_str(), "transport error");
    assert_eq!(stage.poll(&sid).await.status, 400);
}

/// "message, HTTP long-polling: closes the session upon cancelled polling request", of revision 4. Protocol, "Receiving
/// data"; revision 3, "Polling".
async fn aborted_poll(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (sid, at_server) = stage.session().await;
    let url = stage.url("http", &stage.polling(Some(&sid)));
    stage.clients.abandon(&url, Duration::from_millis(100)).await;
    assert_eq!(at_server.closed().await.reason, DisconnectReason::TransportError);
    assert_eq!(stage.poll(&sid).await.status, 400);
}

/// "message, WebSocket: sends and receives a plain text packet". Protocol, "Packet encoding: WebSocket"; revision 3,
/// "4 message".
async fn text_on_websocket(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (mut socket, _at_server) = stage.socket().await;
    socket.send("4hello");
    assert_eq!(socket.message().await, Message::text("4hello"));
}

/// "message, WebSocket: sends and receives a binary packet". Protocol, "Packet encoding: WebSocket"; revision 3, "Packet",
/// where the type stands before the bytes.
async fn bytes_on_websocket(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (mut socket, mut at_server) = stage.socket().await;
    let bytes: &[u8] = if revision == Revision::V3 { &[4, 1, 2, 3, 4] } else { &[1, 2, 3, 4] };
    socket.send(bytes.to_vec());
    assert_eq!(socket.message().await, Message::binary(bytes.to_vec()));
    assert_eq!(at_server.message().await, Message::binary(vec![1, 2, 3, 4]));
}

/// "message, WebSocket: closes the session upon invalid packet format". Protocol, "Packet encoding"; revision 3, "Packet".
async fn no_packet_on_websocket(revision: Revision, log: Log) {
    let mut stage = Stage::open(revision, &log).await;
    let (mut socket, at_server) = stage.socket().await;
    socket.send("abc");
    soon("the WebSocket to be closed", socket.closed()).await;
    assert_eq!(at_server.closed().await.reason.as_str(), "parse error");
}
