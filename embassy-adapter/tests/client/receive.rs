//! What the server sends: messages of all sizes and cuts, control frames, the end, and garbage.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::packet::{Data, WebSocketMessage};
use eio_core::session::Violation;
use eio_core::ws::{Close, CloseCode, ControlFrame, FrameHeader, MessageKind, OpCode};
use eio_embassy::{Buffers, ClientSettings, IncomingMessage, LongMessages, SendError};

use crate::bad_frames::bad_frames;
use crate::fakes::{self, OPEN, Sent, Server, TestClient, done, open, open_with, received, text, waits};

fn next(client: &mut TestClient) -> Result<Sent, DisconnectReason> {
    done(client.recv()).map(received).map_err(|end| end.reason)
}

/// A message as frames of at most `len` bytes, with a ping before each but the first.
fn fragments(kind: OpCode, payload: &[u8], len: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    let count = payload.len().div_ceil(len);
    for (i, chunk) in payload.chunks(len).enumerate() {
        if i > 0 {
            wire.extend(fakes::control_frame(ControlFrame::Ping(b"between")));
        }
        let opcode = if i == 0 { kind } else { OpCode::Continuation };
        let header = FrameHeader { fin: i + 1 == count, ..FrameHeader::new(opcode, chunk.len()) };
        let mut head = [0; FrameHeader::MAX_LEN];
        let head_len = header.encode(&mut head).expect("room");
        wire.extend(&head[..head_len]);
        wire.extend(chunk);
    }
    wire
}

#[test]
fn text_and_bytes_come_as_they_were_sent() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.text("4hello");
    server.binary(&[0, 255]);
    server.text("4");
    server.text("6");
    server.text("bAQID");
    assert_eq!(next(&mut client), Ok(text("hello")));
    assert_eq!(next(&mut client), Ok(Sent::Binary(vec![0, 255])));
    assert_eq!(client.last_event(), Some(IncomingMessage::Whole(Data::Binary(&[0, 255]))));
    assert_eq!(next(&mut client), Ok(text("")));
    let Ok(IncomingMessage::Whole(Data::Base64(bytes))) = done(client.recv()) else { panic!("no base64") };
    assert_eq!(bytes.decode(&mut [0; 3]), Ok(&[1, 2, 3][..]));
    waits(client.recv());
    assert_eq!(client.last_event(), None);
}

#[test]
fn every_cut_of_the_stream_is_the_same() {
    let _clock = fakes::clock();
    let mut wire = fragments(OpCode::Text, "4Gr\u{fc}\u{df}e \u{1f600}".as_bytes(), 3);
    wire.extend(fakes::frame(WebSocketMessage::Text("2")));
    wire.extend(fakes::frame(WebSocketMessage::Binary(&[7; 200])));
    wire.extend(fakes::frame(WebSocketMessage::Text("4end")));
    for at_once in 1..wire.len() {
        let (mut client, mut server) = open();
        server.set_at_once(at_once, usize::MAX);
        server.raw(&wire);
        assert_eq!(next(&mut client), Ok(text("Gr\u{fc}\u{df}e \u{1f600}")), "{at_once}");
        assert_eq!(next(&mut client), Ok(Sent::Binary(vec![7; 200])), "{at_once}");
        assert_eq!(next(&mut client), Ok(text("end")), "{at_once}");
        waits(client.recv());
        let sent = server.take();
        assert!(sent.contains(&text("3")) && sent.contains(&Sent::Pong(b"between".to_vec())), "{sent:?}");
    }
    for cut in 0..=wire.len() {
        let (mut client, mut server) = open();
        server.raw(&wire[..cut]);
        let mut messages = Vec::new();
        let mut rest = Some(&wire[cut..]);
        while messages.len() < 3 {
            let task = fakes::Task::new();
            match task.poll(core::pin::pin!(client.recv())) {
                core::task::Poll::Ready(event) => messages.push(received(event.expect("alive"))),
                core::task::Poll::Pending => server.raw(rest.take().expect("all has come")),
            }
        }
        let expected = [text("Gr\u{fc}\u{df}e \u{1f600}"), Sent::Binary(vec![7; 200]), text("end")];
        assert_eq!(messages, expected, "cut at {cut}");
    }
}

#[test]
fn the_longest_message_that_fits_is_received_whole_and_one_more_byte_ends_the_session() {
    let _clock = fakes::clock();
    for rx in [300, 512, 1024] {
        let longest = rx - Buffers::RX_OVERHEAD;
        for split in [longest, 50] {
            let (mut client, mut server) = open_with(&ClientSettings::DEFAULT, rx, 512, OPEN);
            server.raw(&fragments(OpCode::Binary, &vec![1; longest], split));
            assert_eq!(next(&mut client), Ok(Sent::Binary(vec![1; longest])));
            server.raw(&fragments(OpCode::Binary, &vec![1; longest + 1], split));
            let reason = DisconnectReason::Violation(Violation::PayloadTooLarge);
            assert_eq!(next(&mut client), Err(reason));
            let _ = server.take();
            assert_eq!(done(client.close()).reason, reason);
            assert_eq!(server.take(), [Sent::Close(Some(1009))]);
        }
    }
}

/// Receives one message that comes in pieces, and checks their marks.
fn collect(client: &mut TestClient) -> (MessageKind, Vec<u8>, usize) {
    let (mut bytes, mut count) = (Vec::new(), 0);
    loop {
        match done(client.recv()).expect("alive") {
            IncomingMessage::Piece(piece) => {
                assert_eq!(piece.first, count == 0);
                bytes.extend_from_slice(piece.bytes);
                count += 1;
                if piece.last {
                    return (piece.kind, bytes, count);
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_longer_message_comes_in_pieces_if_asked() {
    let _clock = fakes::clock();
    let settings =
        ClientSettings { long_messages: LongMessages::in_pieces(10_000), ..ClientSettings::DEFAULT };
    let payload: Vec<u8> = (0..9_999).map(|i: u32| b'a' + u8::try_from(i % 26).unwrap()).collect();
    let packet = [b"4", &payload[..]].concat();
    for at_once in [1, 7, 100, 5_000, usize::MAX] {
        for split in [packet.len(), 1_000, 37] {
            let (mut client, mut server) = open_with(&settings, 400, 512, OPEN);
            server.set_at_once(at_once, usize::MAX);
            server.raw(&fragments(OpCode::Text, &packet, split));
            server.text("2");
            server.raw(&fragments(OpCode::Binary, &payload, split));
            server.text("4short");
            let (kind, bytes, count) = collect(&mut client);
            assert_eq!((kind, &bytes), (MessageKind::Text, &payload));
            assert!(count >= 10_000 / 400, "{count}");
            let (kind, bytes, _) = collect(&mut client);
            assert_eq!((kind, &bytes), (MessageKind::Binary, &payload));
            assert_eq!(next(&mut client), Ok(text("short")));
            assert!(server.take().contains(&text("3")));
        }
    }
    let (mut client, mut server) = open_with(&settings, 400, 512, OPEN);
    server.raw(&fragments(OpCode::Binary, &[0; 10_001], 10_001));
    assert_eq!(next(&mut client), Err(DisconnectReason::Violation(Violation::PayloadTooLarge)));
}

#[test]
fn a_packet_other_than_a_message_cannot_come_in_pieces() {
    let _clock = fakes::clock();
    let settings =
        ClientSettings { long_messages: LongMessages::in_pieces(10_000), ..ClientSettings::DEFAULT };
    for first in ["2", "0", "b", "x"] {
        let (mut client, mut server) = open_with(&settings, 400, 512, OPEN);
        server.text(&format!("{first}{}", "A".repeat(1_000)));
        assert_eq!(next(&mut client), Err(DisconnectReason::Violation(Violation::PayloadTooLarge)));
    }
}

#[test]
fn pings_of_websocket_are_answered_with_their_own_bytes() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.control(ControlFrame::Ping(&[9; 125]));
    waits(client.recv());
    assert_eq!(server.take(), [Sent::Pong(vec![9; 125])]);
    // While nothing can be written, the latest is kept.
    server.set_window(2);
    assert_eq!(done(client.send(WebSocketMessage::Text("x"))), Ok(()));
    for i in 0..5 {
        server.control(ControlFrame::Ping(&[i; 3]));
    }
    waits(client.recv());
    server.set_window(1_000);
    waits(client.recv());
    assert_eq!(server.take(), [text("4x"), Sent::Pong(vec![4; 3])]);
}

#[test]
fn every_way_to_end_has_its_reason_and_comes_after_what_was_sent_before() {
    type End = (fn(&mut Server), DisconnectReason, Option<CloseCode>, &'static [Sent]);
    let _clock = fakes::clock();
    let violation = DisconnectReason::Violation(Violation::WebSocket);
    let ends: [End; 9] = [
        (Server::hang_up, DisconnectReason::TransportClosed, None, &[]),
        (Server::reset, DisconnectReason::TransportReset, None, &[]),
        (Server::refuse_writes, DisconnectReason::TransportReset, None, &[]),
        (|server| server.text("1"), DisconnectReason::PeerClose, None, &[]),
        (
            |server| server.control(ControlFrame::Close(None)),
            DisconnectReason::TransportClosed,
            Some(CloseCode::NO_STATUS),
            &[Sent::Close(None)],
        ),
        (
            |server| {
                server.control(ControlFrame::Close(Some(
                    Close::new(CloseCode::GOING_AWAY, "restart").unwrap(),
                )));
            },
            DisconnectReason::TransportClosed,
            Some(CloseCode::GOING_AWAY),
            &[Sent::Close(Some(1001))],
        ),
        (|server| server.raw(&[0x81, 0x81, 0, 0, 0, 0, 0]), violation, None, &[Sent::Close(Some(1002))]),
        (|server| server.raw(&[0x81, 2, b'4', 0xff]), violation, None, &[Sent::Close(Some(1007))]),
        (|server| server.text(OPEN), DisconnectReason::UnexpectedPacket, None, &[Sent::Close(None)]),
    ];
    for (i, (end, reason, code, last_words)) in ends.into_iter().enumerate() {
        let (mut client, mut server) = open();
        server.text("4before");
        server.text("4it");
        end(&mut server);
        if i == 2 {
            // Only writing shows that nothing can be written.
            let _ = done(client.send(WebSocketMessage::Text("x")));
        }
        assert_eq!(next(&mut client), Ok(text("before")), "{reason}");
        assert_eq!(next(&mut client), Ok(text("it")), "{reason}");
        assert_eq!(next(&mut client), Err(reason));
        assert_eq!(next(&mut client), Err(reason), "for ever");
        let end = client.end().expect("it has ended");
        assert_eq!(end.close_code, code);
        assert_eq!(client.close_reason(), if code == Some(CloseCode::GOING_AWAY) { "restart" } else { "" });
        assert_eq!(server.take(), [], "the end is reported before anything is written");
        assert_eq!(done(client.close()).reason, reason);
        assert_eq!(server.take(), last_words, "{reason}");
        assert_eq!(client.close_reason(), if code == Some(CloseCode::GOING_AWAY) { "restart" } else { "" });
    }
}

#[test]
fn a_frame_that_breaks_a_rule_is_answered_with_its_code_and_nothing_behind_it_is_heard() {
    let _clock = fakes::clock();
    let violation = DisconnectReason::Violation(Violation::WebSocket);
    for long_messages in
        [LongMessages::REFUSED, LongMessages::REFUSED_WITH_LATE_TEXT_CHECK, LongMessages::in_pieces(2_000)]
    {
        let settings = ClientSettings { long_messages, ..ClientSettings::DEFAULT };
        for (what, bytes, code) in bad_frames(false) {
            let (mut client, mut server) = open_with(&settings, 512, 512, OPEN);
            server.text("4before");
            server.raw(&bytes);
            server.text("4late");
            assert_eq!(next(&mut client), Ok(text("before")), "{what}");
            assert_eq!(next(&mut client), Err(violation), "{what}");
            assert_eq!(next(&mut client), Err(violation), "{what}");
            assert_eq!(done(client.close()).reason, violation, "{what}");
            assert_eq!(server.take(), [Sent::Close(Some(code))], "{what}");
        }
    }
}

#[test]
fn a_failed_write_does_not_hide_why_the_server_left() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.text("4first");
    server.text("1");
    server.refuse_writes();
    assert_eq!(done(client.send(WebSocketMessage::Text("taken"))), Ok(()));
    assert_eq!(done(client.send(WebSocketMessage::Text("too late"))), Err(SendError::Closed));
    assert_eq!(next(&mut client), Ok(text("first")));
    assert_eq!(next(&mut client), Err(DisconnectReason::PeerClose));
}

#[test]
fn random_bytes_never_do_harm() {
    let _clock = fakes::clock();
    let rng = fakes::rng();
    for _ in 0..500 {
        let long_messages =
            if rng().is_multiple_of(2) { LongMessages::in_pieces(2_000) } else { LongMessages::REFUSED };
        let settings = ClientSettings { long_messages, ..ClientSettings::DEFAULT };
        let (mut client, mut server) = open_with(&settings, 300, 300, OPEN);
        let mut wire = fragments(OpCode::Text, &[b'4'; 700], 100);
        for _ in 0..(rng() % 4) {
            let at = rng() as usize % wire.len();
            wire[at] ^= 1 << (rng() % 8);
        }
        server.set_at_once(1 + rng() as usize % 200, 1 + rng() as usize % 20);
        server.raw(&wire);
        server.hang_up();
        let end = loop {
            if let Err(end) = done(client.recv()) {
                break end;
            }
        };
        assert!(end.silent_for <= Duration::ZERO, "{end:?}");
        assert_eq!(done(client.close()), end);
    }
}

#[test]
fn the_last_event_is_no_message_that_has_yet_to_be_received() {
    let _clock = fakes::clock();
    let (mut client, mut server) = open();
    server.text("4one");
    assert_eq!(done(client.recv()).map(received), Ok(text("one")));
    server.set_window(0);
    assert_eq!(done(client.send(WebSocketMessage::Text("a"))), Ok(()));
    server.text("4two");
    // Its place is taken while this waits for room.
    waits(client.send(WebSocketMessage::Text("b")));
    assert_eq!(client.last_event(), None);
    assert_eq!(done(client.recv()).map(received), Ok(text("two")));
    assert_eq!(client.last_event().map(received), Some(text("two")));
}
