//! What a client has not passed on: counted to the byte, also after every kind of end.

use core::pin::pin;

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{MessageKind, Piece};
use eio_embassy::socketio::{Namespaces, SocketError};
use eio_embassy::{Client, ClientSettings, Endpoint, Protocol, SendError};

use crate::fakes::{self, OPEN, Server, Task, TestClient, buffers, done, open, open_with, rng, waits};

/// The bytes and the message that are unsent.
fn unsent(client: &TestClient) -> (usize, bool) {
    let unsent = client.unsent();
    (unsent.bytes, unsent.message)
}

/// A message of so many bytes of text; `4` and a masked header of 6 come on top.
fn send(client: &mut TestClient, len: usize) {
    let message = "x".repeat(len);
    done(client.send(WebSocketMessage::Text(&message))).expect("sent");
}

#[test]
fn what_the_stream_takes_is_sent() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    assert_eq!(unsent(&client), (0, false));
    send(&mut client, 20);
    assert_eq!(unsent(&client), (0, false));
    server.take_raw();
    server.set_window(10);
    send(&mut client, 20);
    assert_eq!(unsent(&client), (17, true), "27 bytes of a frame, 10 of them taken");
    server.take_raw();
    waits(client.recv());
    assert_eq!(unsent(&client), (7, true));
    server.take_raw();
    waits(client.recv());
    assert_eq!(unsent(&client), (0, false));
}

#[test]
fn heartbeats_and_control_frames_are_no_messages() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.set_window(1);
    server.text("2");
    waits(client.recv());
    assert_eq!(unsent(&client), (6, false), "the answer to a ping");
    server.take_raw();
    server.set_window(4096);
    waits(client.recv());
    server.take_raw();
    server.set_window(1);
    client.measure_rtt();
    waits(client.recv());
    assert_eq!(unsent(&client), (13, false), "a ping of WebSocket, with 8 bytes");

    let settings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };
    let (mut client, mut server) = open_with(&settings, 512, 512, OPEN);
    server.set_window(1);
    fakes::advance(300_000);
    waits(client.recv());
    assert_eq!(unsent(&client), (6, false), "the ping of revision 3");
}

#[test]
fn every_kind_of_message_counts_whatever_its_length() {
    let _clock = fakes::clock();
    for len in [0, 1, 124, 125, 126, 300] {
        for _mask in 0..8 {
            let (mut client, mut server) = open();
            server.set_window(1);
            send(&mut client, len);
            assert!(unsent(&client).1, "{len}");
            let (mut client, mut server) = open();
            server.set_window(1);
            done(client.send(WebSocketMessage::Binary(&vec![3; len]))).expect("sent");
            assert!(unsent(&client).1, "{len}");
        }
    }
    let settings = ClientSettings { protocol: Protocol::V3, ..ClientSettings::DEFAULT };
    let (mut client, mut server) = open_with(&settings, 512, 512, OPEN);
    server.set_window(1);
    done(client.send(WebSocketMessage::Binary(b"x"))).expect("sent");
    assert_eq!(unsent(&client), (7, true));
}

#[test]
fn a_message_of_which_only_a_part_was_given_is_unsent() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let piece = Piece { kind: MessageKind::Text, bytes: b"begin", first: true, last: false };
    assert_eq!(done(client.send_piece(piece)), Ok(5));
    assert_eq!(unsent(&client), (0, true), "its rest was not given");
    server.take_raw();
    server.set_window(1);
    let piece = Piece { bytes: b" end", first: false, last: true, ..piece };
    assert_eq!(done(client.send_piece(piece)), Ok(4));
    assert_eq!(unsent(&client), (9, true), "its last fragment");
    server.set_window(4096);
    waits(client.recv());
    assert_eq!(unsent(&client), (0, false));
}

/// A message is taken once it is in the send buffer. What becomes of it there is no error of sending it.
#[test]
fn a_message_that_was_taken_is_sent_and_unsent_when_the_stream_then_fails() {
    let _clock = fakes::clock();
    let fails = || {
        let (client, mut server) = open();
        server.refuse_writes();
        client
    };
    let mut client = fails();
    assert_eq!(done(client.send(WebSocketMessage::Text("x"))), Ok(()));
    assert_eq!(unsent(&client), (8, true));
    assert_eq!(done(client.send(WebSocketMessage::Text("y"))), Err(SendError::Closed));
    assert_eq!(unsent(&client), (8, true), "the first");

    let mut client = fails();
    let piece = Piece { kind: MessageKind::Text, bytes: b"begin", first: true, last: false };
    assert_eq!(done(client.send_piece(piece)), Ok(5));
    assert_eq!(unsent(&client), (12, true));

    // Its first fragment was taken, and not the rest.
    let mut client = fails();
    assert_eq!(done(client.send(WebSocketMessage::Binary(&[0; 1_000]))), Err(SendError::Closed));
    assert!(unsent(&client).1);

    // The stream fails before there is room.
    let (mut client, mut server) = open();
    server.set_window(1);
    send(&mut client, 20);
    server.refuse_writes();
    assert_eq!(done(client.send(WebSocketMessage::Text("y"))), Err(SendError::Closed));
    assert_eq!(unsent(&client), (26, true), "the first");

    let mut client = fails();
    let mut namespaces = Namespaces::<_, _, 2>::new(&mut client);
    assert_eq!(done(namespaces.join("/a", "")), Ok(()));
    assert_eq!(done(namespaces.join("/a", "")), Err(SocketError::AlreadyJoined));
    assert_eq!(unsent(&client), (11, true));
}

#[test]
fn the_count_stays_when_the_session_has_ended() {
    let _clock = fakes::clock();
    // The server falls silent while a write hangs.
    let (mut client, mut server) = open();
    server.set_window(1);
    send(&mut client, 20);
    fakes::advance(500_000);
    assert!(done(client.recv()).is_err());
    assert_eq!(unsent(&client), (26, true));

    // The connection is reset.
    let (mut client, mut server) = open();
    server.set_window(1);
    send(&mut client, 20);
    server.reset();
    assert!(done(client.recv()).is_err());
    assert_eq!(unsent(&client), (26, true));
    assert!(!client.is_open());
    done(client.close());
    assert_eq!(unsent(&client), (26, true), "nothing comes in the place of what was not sent");

    // Only writing fails.
    let (mut client, mut server) = open();
    server.set_window(1);
    send(&mut client, 20);
    server.refuse_writes();
    assert!(done(client.recv()).is_err());
    assert_eq!(unsent(&client), (26, true));

    // The session closes in order.
    let (mut client, mut server) = open();
    send(&mut client, 20);
    done(client.close());
    assert_eq!(unsent(&client), (0, false));
    assert_eq!(server.take().len(), 2);
}

#[test]
fn the_request_counts_as_bytes() {
    let _clock = fakes::clock();
    let (mut server, reader, writer) = Server::new();
    server.set_window(10);
    let settings = ClientSettings::DEFAULT;
    let rng = rng();
    let mut client = Client::new(reader, writer, buffers(512, 512), rng, &settings).expect("room");
    let endpoint = Endpoint::engineio("host");
    assert!(Task::new().poll(pin!(client.connect(&endpoint))).is_pending());
    let left = client.unsent();
    assert!(left.bytes > 100 && !left.message, "{left:?}");
}
