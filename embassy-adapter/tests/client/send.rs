//! What the application sends: whole, in fragments, in pieces, against a slow stream, and the close.

use core::cell::Cell;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::rc::Rc;

use eio_core::DisconnectReason;
use eio_core::packet::WebSocketMessage;
use eio_core::ws::{Close, CloseCode, ControlFrame, Decoder, Item, MessageKind, Piece};
use eio_embassy::{Buffers, Client, ClientSettings, Endpoint, SendError};
use embedded_io_async::{ErrorKind, ErrorType, Read};

use crate::fakes::{
    self, OPEN, Sent, Server, Task, buffers, done, open, open_with, received, rng, text, waits,
};

#[test]
fn messages_go_out_as_they_are() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    assert_eq!(done(client.send(WebSocketMessage::Text("hi"))), Ok(()));
    assert_eq!(done(client.send(WebSocketMessage::Text(""))), Ok(()));
    assert_eq!(done(client.send(WebSocketMessage::Binary(&[1, 2, 3]))), Ok(()));
    assert_eq!(server.take(), [text("4hi"), text("4"), Sent::Binary(vec![1, 2, 3])]);
}

#[test]
fn every_frame_has_a_mask_of_its_own() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100 {
        assert_eq!(done(client.send(WebSocketMessage::Text("same"))), Ok(()));
        assert!(seen.insert(server.take_raw()));
    }
}

#[test]
fn a_message_of_any_length_arrives_whole() {
    let _clock = fakes::clock();
    let tx = 300;
    let fits = tx - Buffers::TX_OVERHEAD;
    for len in [fits - 2, fits - 1, fits, fits + 1, 2 * fits - 1, 2 * fits, 5_000] {
        for window in [1, 100, 1 << 20] {
            let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, tx, OPEN);
            server.set_window(window);
            let message = "x".repeat(len);
            let mut arrived = Vec::new();
            {
                let task = Task::new();
                let mut send = pin!(client.send(WebSocketMessage::Text(&message)));
                while task.poll(send.as_mut()).is_pending() {
                    arrived.extend(server.take());
                }
            }
            while arrived.is_empty() {
                waits(client.recv());
                arrived.extend(server.take());
            }
            assert_eq!(arrived, [text(&format!("4{message}"))], "{len} through {window}");
        }
    }
}

#[test]
fn a_long_message_may_be_dropped_anywhere_and_resumed() {
    let _clock = fakes::clock();
    let message: String = ('a'..='z').cycle().take(3_000).collect();
    for polls in 1..12 {
        let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 400, OPEN);
        server.set_window(100);
        let mut arrived = Vec::new();
        let mut begun = false;
        loop {
            let task = Task::new();
            let mut send = pin!(client.send(WebSocketMessage::Text(&message)));
            let done = (0..polls).any(|_| {
                arrived.extend(server.take());
                task.poll_once(send.as_mut()).is_ready()
            });
            if done {
                break;
            }
            begun = true;
        }
        assert!(begun || polls > 10);
        while arrived.is_empty() {
            waits(client.recv());
            arrived.extend(server.take());
        }
        assert_eq!(arrived, [text(&format!("4{message}"))], "dropped after {polls}");
    }
}

#[test]
fn inside_a_long_message_nothing_else_is_sent_and_the_heartbeat_waits() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 300, OPEN);
    server.set_window(50);
    let message = "y".repeat(1_000);
    waits(client.send(WebSocketMessage::Text(&message)));
    assert_eq!(done(client.send(WebSocketMessage::Text("other"))), Err(SendError::Unfinished));
    assert_eq!(done(client.send(WebSocketMessage::Binary(&[0; 1_000]))), Err(SendError::Unfinished));
    server.text("2");
    server.control(eio_core::ws::ControlFrame::Ping(b"may come between"));
    let mut arrived = Vec::new();
    for _ in 0..50 {
        waits(client.recv());
        arrived.extend(server.take());
    }
    assert_eq!(arrived, [Sent::Pong(b"may come between".to_vec())]);
    server.set_window(10_000);
    assert_eq!(done(client.send(WebSocketMessage::Text(&message))), Ok(()));
    waits(client.recv());
    assert_eq!(server.take(), [text(&format!("4{message}")), text("3")]);
    assert_eq!(done(client.send(WebSocketMessage::Text("other"))), Ok(()));
}

#[test]
fn a_message_can_be_made_piece_by_piece() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 300, OPEN);
    let piece = |bytes: &'static [u8], first, last| Piece { kind: MessageKind::Binary, bytes, first, last };
    assert_eq!(done(client.send_piece(piece(b"x", false, true))), Err(SendError::NotBegun));
    assert_eq!(done(client.send_piece(piece(b"abc", true, false))), Ok(3));
    assert_eq!(done(client.send_piece(piece(b"abc", true, false))), Err(SendError::Unfinished));
    let other = Piece { kind: MessageKind::Text, ..piece(b"x", false, true) };
    assert_eq!(done(client.send_piece(other)), Err(SendError::NotBegun));
    assert_eq!(done(client.send(WebSocketMessage::Text("x"))), Err(SendError::Unfinished));
    assert_eq!(done(client.send_piece(piece(&[7; 1_000], false, false))), Ok(300 - Buffers::TX_OVERHEAD));
    assert_eq!(done(client.send_piece(piece(b"", false, true))), Ok(0));
    let expected = [b"abc", &[7; 300 - Buffers::TX_OVERHEAD][..]].concat();
    assert_eq!(server.take(), [Sent::Binary(expected)]);
    assert_eq!(done(client.send(WebSocketMessage::Text("x"))), Ok(()));
}

#[test]
fn what_the_server_does_not_take_is_not_sent() {
    let _clock = fakes::clock();
    let open = OPEN.replace("100000", "1000");
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 300, &open);
    let too_large = Err(SendError::TooLarge { max: 1_000 });
    assert_eq!(done(client.send(WebSocketMessage::Text(&"x".repeat(1_000)))), too_large);
    assert_eq!(server.take(), []);
    assert_eq!(done(client.send(WebSocketMessage::Text(&"x".repeat(999)))), Ok(()));
    assert_eq!(done(client.send(WebSocketMessage::Binary(&[0; 1_000]))), Ok(()));
    assert_eq!(server.take().len(), 2);
    let piece = Piece { kind: MessageKind::Binary, bytes: &[0; 101], first: true, last: false };
    let mut sent = 0;
    let error = loop {
        match done(client.send_piece(Piece { first: sent == 0, ..piece })) {
            Ok(len) => sent += len,
            Err(error) => break error,
        }
    };
    assert_eq!((sent, error), (909, SendError::TooLarge { max: 1_000 }));
}

#[test]
fn an_application_that_only_sends_is_told_that_it_does_not_read() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.set_window(0);
    server.text("4nobody takes this");
    assert_eq!(done(client.send(WebSocketMessage::Text("a"))), Ok(()));
    let task = Task::new();
    {
        let mut send = pin!(client.send(WebSocketMessage::Text("b")));
        for _ in 0..49 {
            assert!(task.poll(send.as_mut()).is_pending(), "at {}", fakes::now());
            server.text("2");
            fakes::advance(10_000);
        }
        assert!(task.poll(send.as_mut()).is_pending());
        fakes::advance(10_000);
        assert_eq!(task.poll(send.as_mut()), Poll::Ready(Err(SendError::Closed)));
    }
    assert_eq!(received(done(client.recv()).expect("it is still there")), text("nobody takes this"));
    assert_eq!(done(client.recv()).expect_err("ended").reason, DisconnectReason::ApplicationStalled);
}

#[test]
fn reading_again_in_time_lets_the_session_live() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.set_window(0);
    server.text("4take this");
    assert_eq!(done(client.send(WebSocketMessage::Text("a"))), Ok(()));
    waits(client.send(WebSocketMessage::Text("b")));
    fakes::advance(490_000);
    waits(client.send(WebSocketMessage::Text("b")));
    assert_eq!(received(done(client.recv()).expect("a message")), text("take this"));
    server.text("2");
    fakes::advance(490_000);
    waits(client.recv());
    server.set_window(100);
    waits(client.recv());
    assert_eq!(server.take(), [text("4a"), text("3")]);
}

#[test]
fn closing_sends_what_is_left_and_then_a_close_frame() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.set_window(5);
    assert_eq!(done(client.send(WebSocketMessage::Text("last words"))), Ok(()));
    server.text("4ignored");
    let task = Task::new();
    {
        let mut close = pin!(client.close());
        assert!(task.poll(close.as_mut()).is_pending());
        server.set_window(100);
        let Poll::Ready(end) = task.poll(close.as_mut()) else { panic!("it waits") };
        assert_eq!(end.reason, DisconnectReason::LocalClose);
    }
    assert_eq!(server.take(), [text("4last words"), Sent::Close(None)]);
    assert_eq!(done(client.recv()).expect_err("ended").reason, DisconnectReason::LocalClose);
    assert_eq!(done(client.send(WebSocketMessage::Text("x"))), Err(SendError::Closed));
    assert_eq!(done(client.close()).reason, DisconnectReason::LocalClose);
    assert_eq!(server.take(), []);
}

#[test]
fn closing_on_a_stream_that_hangs_has_an_end() {
    for (close_timeout, expected, reason) in [
        (Duration::from_millis(100), 100_000, DisconnectReason::LocalClose),
        (Duration::from_secs(100), 500_000, DisconnectReason::PingTimeout),
    ] {
        let _clock = fakes::clock();
        let settings = ClientSettings { close_timeout, ..ClientSettings::DEFAULT };
        let (mut client, mut server) = open_with(&settings, 512, 300, OPEN);
        server.set_window(0);
        let task = Task::new();
        let mut close = pin!(client.close());
        assert!(task.poll(close.as_mut()).is_pending());
        fakes::advance(expected - 1);
        assert!(task.poll(close.as_mut()).is_pending());
        fakes::advance(1);
        let Poll::Ready(end) = task.poll(close.as_mut()) else { panic!("it waits") };
        assert_eq!(end.reason, reason);
    }
}

#[test]
fn a_close_in_the_middle_of_a_message_is_possible() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, 512, 300, OPEN);
    server.set_window(50);
    waits(client.send(WebSocketMessage::Text(&"y".repeat(1_000))));
    server.text("2");
    server.set_window(10_000);
    assert_eq!(done(client.close()).reason, DisconnectReason::LocalClose);
    assert_eq!(server.take(), [Sent::Close(None)]);
}

#[test]
fn a_send_that_finds_the_servers_close_says_that_the_session_is_closed() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    fakes::advance(10_000_000);
    server.control(ControlFrame::Close(Some(Close::new(CloseCode::GOING_AWAY, "").unwrap())));
    assert_eq!(done(client.send(WebSocketMessage::Text("x"))), Err(SendError::Closed));
    assert!(client.end().is_some());
}

#[test]
fn a_send_that_found_a_sign_of_life_and_then_loses_the_session_says_that_it_is_closed() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    fakes::advance(10_000_000);
    server.set_window(0);
    server.text("2");
    let task = Task::new();
    {
        let mut send = pin!(client.send(WebSocketMessage::Text("x")));
        assert!(task.poll(send.as_mut()).is_pending(), "the pong is in the way");
        server.hang_up();
        assert_eq!(task.poll(send.as_mut()), Poll::Ready(Err(SendError::Closed)));
    }
    assert!(client.end().is_some());
}

#[test]
fn a_send_that_is_refused_for_silence_judges_nobody() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    // Less than the lateness after which nothing is believed.
    fakes::advance(505_000);
    assert_eq!(done(client.send(WebSocketMessage::Text("x"))), Err(SendError::Expired));
    assert_eq!(client.end(), None);
    server.text("2");
    assert_eq!(done(client.send(WebSocketMessage::Text("x"))), Ok(()));
    assert_eq!(server.take(), [text("3"), text("4x")]);
}

#[test]
fn what_is_sent_leaves_at_once_also_in_many_small_writes() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.set_at_once(usize::MAX, 10);
    let message = "x".repeat(100);
    assert_eq!(done(client.send(WebSocketMessage::Text(&message))), Ok(()));
    assert_eq!(server.take(), [text(&format!("4{message}"))]);
}

/// A stream that has one more WebSocket ping at every read, once it is told to.
struct Flood<R> {
    stream: R,
    begun: Rc<Cell<bool>>,
    reads: Rc<Cell<usize>>,
}

impl<R: Read<Error = ErrorKind>> ErrorType for Flood<R> {
    type Error = ErrorKind;
}

impl<R: Read<Error = ErrorKind>> Read for Flood<R> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        if !self.begun.get() {
            return self.stream.read(buf).await;
        }
        self.reads.set(self.reads.get() + 1);
        assert!(self.reads.get() < 1_000, "the call does not return");
        buf[..2].copy_from_slice(b"\x89\x00");
        Ok(2)
    }
}

#[test]
fn a_server_that_never_stops_to_ping_keeps_no_call_from_returning() {
    let _clock = fakes::clock();
    let (mut server, reader, writer) = Server::new();
    let (begun, reads) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(0)));
    let reader = Flood { stream: reader, begun: begun.clone(), reads };
    let mut client =
        Client::new(reader, writer, buffers(512, 512), rng(), &ClientSettings::DEFAULT).expect("room");
    let endpoint = Endpoint::engineio("host");
    waits(client.connect(&endpoint));
    let (_, switch) = server.request();
    server.raw(switch.as_bytes());
    server.text(OPEN);
    assert_eq!(done(client.connect(&endpoint)), Ok(()));
    begun.set(true);
    // The writes are slow, so that there is always something to write.
    server.set_at_once(usize::MAX, 3);
    assert_eq!(done(client.send(WebSocketMessage::Text("x"))), Ok(()));
    done(client.close());
}

#[test]
fn one_close_frame_is_sent_and_nothing_after_it() {
    let _clock = fakes::clock();
    for arrives in [ControlFrame::Close(None), ControlFrame::Ping(b"x")] {
        let (mut client, mut server) = open();
        server.control(arrives);
        done(client.close());
        let raw = server.take_raw();
        assert_eq!(raw.len(), 6, "{arrives:?}: {raw:02x?}");
    }
}

#[test]
fn a_close_frame_carries_a_code_and_words_of_any_length_that_may_be_sent() {
    let _clock = fakes::clock();
    for words in ["", "battery low", &"x".repeat(Close::MAX_REASON)] {
        // The words live as long as the buffers.
        let words: &'static str = words.to_owned().leak();
        let close = Close::new(CloseCode::new(4001), words).unwrap();
        // The shortest send buffer that there may be.
        let (mut client, mut server) = fakes::open_with(&ClientSettings::DEFAULT, 1024, 264, fakes::OPEN);
        assert_eq!(done(client.close_with(close)).reason, DisconnectReason::LocalClose);
        let mut sent = server.take_raw();
        let decoded = Decoder::server(0).decode(&mut sent).unwrap();
        assert_eq!(decoded.item, Some(Item::Control(ControlFrame::Close(Some(close)))));
    }
}
