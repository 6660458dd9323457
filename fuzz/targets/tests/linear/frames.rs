//! The bytes of a WebSocket, in one piece and byte by byte.

use core::hint::black_box;

use eio_core::ws::{Decoder, FrameHeader, OpCode, Reader, mask};

use crate::{Case, repeated};

pub(crate) const CASES: &[Case] = &[
    case("messages without data", |length| repeated(&masked(OpCode::Binary, b""), length)),
    case("messages of one byte", |length| repeated(&masked(OpCode::Text, b"4"), length)),
    case("pings", |length| repeated(&masked(OpCode::Ping, b"ping"), length)),
    case("one message of text", |length| masked(OpCode::Text, &repeated("aé😀".as_bytes(), length))),
    case("one message of ASCII", |length| masked(OpCode::Text, &repeated(b"a", length))),
    case("one message of bytes", |length| masked(OpCode::Binary, &repeated(&[0xff], length))),
    case("a character that ends too early, at the end", |length| {
        masked(OpCode::Text, &[&repeated(b"a", length)[..], &[0xf0, 0x9f]].concat())
    }),
    case("one message in fragments of one byte", |length| {
        let mut fragment = masked(OpCode::Continuation, b"a");
        fragment[0] &= 0x7f;
        let mut first = masked(OpCode::Text, b"a");
        first[0] &= 0x7f;
        [first, repeated(&fragment, length), masked(OpCode::Continuation, b"")].concat()
    }),
    case("bytes behind a close frame", |length| {
        [masked(OpCode::Close, &[3, 0xe8]), repeated(&masked(OpCode::Binary, b"x"), length)].concat()
    }),
    Case {
        decoder: "WebSocket frames, byte by byte",
        shape: "one message of text",
        input: |length| masked(OpCode::Text, &repeated("aé😀".as_bytes(), length)),
        read: by_byte,
    },
    Case {
        decoder: "WebSocket frames, byte by byte",
        shape: "messages of one byte",
        input: |length| repeated(&masked(OpCode::Text, b"4"), length),
        read: by_byte,
    },
    Case {
        decoder: "WebSocket frames, by a reader",
        shape: "one message of text",
        input: |length| masked(OpCode::Text, &repeated("aé😀".as_bytes(), length)),
        read: |input| read_by(input, 64 * 1024, 16),
    },
    Case {
        decoder: "WebSocket frames, by a reader",
        shape: "messages of one byte",
        input: |length| repeated(&masked(OpCode::Text, b"4"), length),
        read: |input| read_by(input, 64 * 1024, 16),
    },
    Case {
        decoder: "WebSocket frames, by a reader",
        shape: "messages of one byte, in one read",
        input: |length| repeated(&masked(OpCode::Text, b"4"), length),
        read: |input| read_by(input, 64 * 1024, usize::MAX),
    },
];

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A client's frame.
fn masked(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; FrameHeader::MAX_LEN];
    let len = FrameHeader::new(opcode, payload.len()).encode(&mut header).expect("room");
    header[1] |= 0x80;
    let mut payload = payload.to_vec();
    mask(&mut payload, KEY, 0);
    [&header[..len], &KEY, &payload].concat()
}

const fn case(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |mut input: &mut [u8]| {
        let mut decoder = Decoder::server(u32::MAX);
        while let Ok(decoded) = decoder.decode(input) {
            black_box(decoded.item);
            let consumed = decoded.consumed;
            if consumed == 0 {
                break;
            }
            input = &mut input[consumed..];
        }
    };
    Case { decoder: "WebSocket frames", shape, input, read }
}

/// Hands over what was not consumed together with one more byte.
fn by_byte(input: &mut [u8]) {
    let mut decoder = Decoder::server(u32::MAX);
    let mut start = 0;
    for end in 1..=input.len() {
        while let Ok(decoded) = decoder.decode(&mut input[start..end]) {
            black_box(decoded.item);
            let consumed = decoded.consumed;
            start += consumed;
            if consumed == 0 || start == end {
                break;
            }
        }
    }
}

/// Hands over at most `at_once` bytes for each read.
fn read_by(mut input: &[u8], room: usize, at_once: usize) {
    let mut buffer = vec![0; room];
    let mut reader = Reader::new(Decoder::server(u32::MAX), &mut buffer).expect("room");
    while !input.is_empty() {
        let spare = reader.spare();
        let (now, later) = input.split_at(at_once.min(spare.len()).min(input.len()));
        spare[..now.len()].copy_from_slice(now);
        reader.filled(now.len());
        input = later;
        loop {
            match reader.poll() {
                Ok(Some(received)) => drop(black_box(received)),
                Ok(None) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
