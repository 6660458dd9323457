//! What holds for all bytes: encoding and decoding are inverses, and decoding always gets on.

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{
    self, CloseCode, ControlFrame, Decoded, Decoder, FrameHeader, Item, Key, OpCode, Reader, Received,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::support::{self, Event, Role};

proptest! {
    #[test]
    fn a_decoded_message_is_the_one_that_was_encoded(
        payload in vec(any::<u8>(), 0..70_000), key in any::<Option<[u8; 4]>>(), text in ".{0,300}",
    ) {
        for message in [WebSocketMessage::Binary(&payload), WebSocketMessage::Text(&text)] {
            let mut out = vec![0xee; payload.len().max(text.len()) + FrameHeader::MAX_LEN + 1];
            let len = ws::encode_message(message, key, &mut out).unwrap();
            prop_assert!(out[len..].iter().all(|&byte| byte == 0xee), "nothing is written behind the frame");
            prop_assert_eq!(
                ws::encode_message(message, key, &mut vec![0; len - 1]).map_err(|error| error.needed),
                Err(len)
            );

            let mut decoder = if key.is_some() { Decoder::server(70_000) } else { Decoder::client(70_000) };
            prop_assert_eq!(
                decoder.decode(&mut out[..len]),
                Ok(Decoded { consumed: len, item: Some(Item::Message(message)) })
            );
        }
    }

    #[test]
    fn a_decoded_control_frame_is_the_one_that_was_encoded(
        payload in vec(any::<u8>(), 0..=125), key in any::<Option<[u8; 4]>>(),
        code in any::<u16>().prop_map(CloseCode::new).prop_filter("sendable", |code| code.is_sendable()),
        reason in "[ -~]{0,123}",
    ) {
        let close = ws::Close::new(code, &reason).unwrap();
        for control in
            [ControlFrame::Ping(&payload), ControlFrame::Pong(&payload), ControlFrame::Close(None), ControlFrame::Close(Some(close))]
        {
            let mut out = [0; ControlFrame::MAX_LEN];
            let len = control.encode(key, &mut out).unwrap();
            let mut decoder = if key.is_some() { Decoder::server(0) } else { Decoder::client(0) };
            for cut in 0..len {
                // Nothing happens to an incomplete control frame.
                let mut incomplete = out;
                let decoded = decoder.decode(&mut incomplete[..cut]);
                prop_assert_eq!(decoded, Ok(Decoded { consumed: 0, item: None }));
                prop_assert_eq!(incomplete, out);
            }
            prop_assert_eq!(
                decoder.decode(&mut out[..len]),
                Ok(Decoded { consumed: len, item: Some(Item::Control(control)) })
            );
        }
    }

    /// Without an item, all that is left is an incomplete header or control frame; with one, bytes were consumed.
    #[test]
    fn decoding_any_bytes_gets_on_and_touches_nothing_beyond_what_it_consumed(
        server in any::<bool>(), limit in prop_oneof![0_u32..300, any::<u32>()], bytes in vec(any::<u8>(), 0..600),
    ) {
        let mut decoder = if server { Decoder::server(limit) } else { Decoder::client(limit) };
        let mut input = bytes.clone();
        let mut at = 0;
        loop {
            match decoder.decode(&mut input[at..]) {
                Ok(Decoded { consumed, item: Some(_) }) => {
                    prop_assert!(consumed > 0);
                    at += consumed;
                }
                Ok(Decoded { consumed, item: None }) => {
                    at += consumed;
                    prop_assert!(input.len() - at <= Decoder::MAX_INCOMPLETE);
                    prop_assert_eq!(
                        decoder.decode(&mut input[at..]), Ok(Decoded { consumed: 0, item: None })
                    );
                    break;
                }
                Err(error) => {
                    prop_assert!(error.close_code().is_sendable());
                    break;
                }
            }
            prop_assert_eq!(&input[at..], &bytes[at..]);
        }
    }

    /// Streams that get past their first bytes: most of the random ones do not.
    #[test]
    fn plausible_streams_get_on_too(
        frames in vec((any::<u8>(), vec(any::<u8>(), 0..150), any::<bool>()), 0..12), places in vec(any::<usize>(), 0..20),
    ) {
        for role in Role::BOTH {
            let mut bytes = Vec::new();
            for (first, payload, tame) in &frames {
                let first = if *tame { [0x02, 0x00, 0x80, 0x82, 0x89][usize::from(first % 5)] } else { *first };
                bytes.extend(support::frame(first, role.peer_key(bytes.len()), payload));
            }
            let chunks = support::cut(&bytes, &places);
            let decoded = support::decode(role, 1_000, chunks.iter().copied());
            let read = support::read(role, 1_000, chunks.iter().copied());
            prop_assert_eq!((decoded.events, decoded.refused.map(|(error, _)| error)),
                (read.events, read.refused.map(|(error, _)| error)));
        }
    }

    #[test]
    fn masking_twice_changes_nothing(
        payload in vec(any::<u8>(), 0..300), key in any::<[u8; 4]>(), start in 0_usize..16, offset in any::<usize>(),
    ) {
        let mut masked = payload.clone();
        let start = start.min(masked.len());
        ws::mask(&mut masked[start..], key, offset);
        for (i, (now, before)) in masked.iter().zip(&payload).enumerate().skip(start) {
            prop_assert_eq!(*now, before ^ key[(i - start + offset % 4) % 4]);
        }
        ws::mask(&mut masked[start..], key, offset);
        prop_assert_eq!(masked, payload);
    }

    #[test]
    fn a_key_is_accepted_by_its_own_answer_alone(random in any::<[u8; 16]>(), other in any::<[u8; 16]>()) {
        let key = Key::from_random(random);
        let answer = Key::parse(key.as_str().as_bytes()).unwrap().accept();
        prop_assert!(key.is_accepted_by(&answer));
        prop_assert_eq!(Key::from_random(other).is_accepted_by(&answer), random == other);
    }

    #[test]
    fn parsing_any_key_never_panics(value in vec(any::<u8>(), 20..28)) {
        if let Ok(key) = Key::parse(&value) {
            prop_assert_eq!(key.as_str().as_bytes(), &value[..]);
        }
    }
}

#[test]
fn a_reader_refuses_by_the_header_what_its_buffer_cannot_hold() {
    let mut buffer = [0; 200];
    let mut reader = Reader::new(Decoder::client(1_000_000), &mut buffer).unwrap();
    reader.spare()[..4].copy_from_slice(&[0x82, 126, 0, 200]);
    reader.filled(4);
    assert_eq!(reader.poll(), Err(ws::Error::MessageTooLong { max: 69 }));
}

#[test]
fn a_reader_needs_room_for_a_control_frame_and_a_byte() {
    let needed =
        |len| Reader::new(Decoder::client(9), &mut vec![0; len]).map(drop).map_err(|error| error.needed);
    assert_eq!(needed(Reader::OVERHEAD), Err(Reader::OVERHEAD + 1));
    assert_eq!(needed(Reader::OVERHEAD + 1), Ok(()));
}

/// The end of the buffer is the end of what can have been received.
#[test]
fn a_reader_takes_no_more_than_it_has_room_for() {
    let mut buffer = [0x8a, 0].repeat(100);
    let mut reader = Reader::new(Decoder::client(9), &mut buffer).unwrap();
    reader.filled(usize::MAX);
    for _ in 0..100 {
        assert_eq!(reader.poll(), Ok(Some(Received::Control(ControlFrame::Pong(b"")))));
    }
    assert_eq!(reader.poll(), Ok(None));
    assert_eq!(reader.spare().len(), 200);
}

/// A caller that reports more than it was lent is wrong, and still nothing panics.
#[test]
fn a_reader_survives_a_caller_that_cannot_count() {
    let mut buffer = [0; 200];
    let mut reader = Reader::new(Decoder::client(9), &mut buffer).unwrap();
    reader.filled(usize::MAX);
    reader.skip(usize::MAX);
    assert!(reader.unread().is_empty());
    reader.filled(usize::MAX);
    while let Ok(Some(_)) = reader.poll() {}
    assert!(reader.spare().len() <= 200);
    reader.filled(usize::MAX);
    while let Ok(Some(_)) = reader.poll() {}
}

/// A fragmented message of the greatest length that fits, and the longest control frame in the middle of it.
#[test]
fn a_reader_has_room_for_every_message_that_it_accepts() {
    for role in Role::BOTH {
        let mut stream = Vec::new();
        for i in 0..50 {
            let first = u8::from(i == 49) << 7 | if i == 0 { 2 } else { 0 };
            stream.extend(support::frame(first, role.peer_key(i), &[7; 2]));
            stream.extend(support::frame(0x89, role.peer_key(i + 100), &[9; 125]));
        }
        for chunk in [1, 2, 7, 130, 131, 132, 1_000, 10_000] {
            let outcome = support::read(role, 100, stream.chunks(chunk));
            assert_eq!(outcome.refused, None);
            assert_eq!(outcome.events.len(), 51);
            assert_eq!(outcome.events[49], Event::Binary(vec![7; 100]));
        }
    }
}

/// Tiny fragments, and empty ones, cost time linear in the bytes and no memory: the state is the same 32 bytes.
#[test]
fn endless_fragments_end() {
    println!("{} bytes: ws::Decoder", size_of::<Decoder>());
    println!("{} bytes: ws::Reader", size_of::<Reader<'_>>());
    println!("{} bytes: ws::Error", size_of::<ws::Error>());
    assert!(size_of::<Decoder>() <= 32);

    let mut decoder = Decoder::client(1_000);
    assert!(decoder.decode(&mut [0x02, 0]).is_ok());
    let fragments = (0..2_000).find(|_| decoder.decode(&mut [0x00, 1, 7]).is_err());
    assert_eq!(fragments, Some(1_000), "fragments with bytes end at the limit of the message");

    let mut decoder = Decoder::client(1_000);
    assert!(decoder.decode(&mut [0x02, 0]).is_ok());
    let fragments = (1..200).find(|_| decoder.decode(&mut [0x00, 0]).is_err());
    assert_eq!(fragments, Some(ws::MAX_EMPTY_FRAGMENTS), "empty ones at a limit of their own");

    let mut flood = vec![0; 2 << 20];
    assert_eq!(decoder.decode(&mut flood), Err(ws::Error::EmptyFragments));
}

#[test]
fn one_encoded_frame_serves_many_receivers() {
    let mut frame = [0; 64];
    let len = ws::encode_message(WebSocketMessage::Text("4hello"), None, &mut frame).unwrap();
    for _ in 0..3 {
        let mut received = frame;
        let decoded = Decoder::client(100).decode(&mut received[..len]).map(|decoded| decoded.item);
        assert_eq!(decoded, Ok(Some(Item::Message(WebSocketMessage::Text("4hello")))));
    }
    let mut header = [0; FrameHeader::MAX_LEN];
    let header_len = FrameHeader::new(OpCode::Text, 6).encode(&mut header).unwrap();
    assert_eq!([&header[..header_len], b"4hello"].concat(), frame[..len]);
}
