//! Socket.IO 0.9.

use core::hint::black_box;

use eio_legacy::handshake::LegacyHandshake;
use eio_legacy::packet::{LegacyPacket, PacketBody};
use eio_legacy::payload;

use crate::json::nested;
use crate::{Case, between, repeated, text};

pub(crate) const CASES: &[Case] = &[
    packet("colons only", |length| repeated(b":", length)),
    packet("a long endpoint", |length| between("3::/", "a", ":x", length)),
    packet("digits of an id", |length| between("3:", "9", "::x", length)),
    packet("arguments of one digit", |length| between(r#"5:::{"name":"a","args":[0"#, ",1", "]}", length)),
    packet("arguments nested as deep as may be", |length| {
        between(r#"5:::{"name":"a","args":[0"#, &nested(",", ""), "]}", length)
    }),
    packet("members of another name", |length| between(r#"5:::{"name":"a""#, r#","b":1"#, "}", length)),
    packet("arguments of an answer", |length| between("6:::1+[0", ",1", "]", length)),
    payload("packets without data", |length| repeated("\u{fffd}3\u{fffd}8::".as_bytes(), length)),
    payload("marks only", |length| repeated("\u{fffd}".as_bytes(), length)),
    payload("digits only", |length| between("\u{fffd}", "9", "", length)),
    payload("one packet", |length| {
        let characters = (length - 20) / 4;
        between(&format!("\u{fffd}{}\u{fffd}3:::", 2 * characters + 4), "😀", "", 4 * characters + 20)
    }),
    Case {
        decoder: "handshake of Socket.IO 0.9",
        shape: "names of transports",
        input: |length| between("a:1:1:b", ",b", "", length),
        read: |input| {
            if let Ok(handshake) = LegacyHandshake::decode(text(input)) {
                black_box(handshake.transports().count());
            }
        },
    },
];

const fn packet(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |input: &mut [u8]| {
        if let Ok(packet) = LegacyPacket::decode(text(input)) {
            let args = match packet.body() {
                PacketBody::Event(event) => event.args(),
                PacketBody::Ack { args, .. } => args,
                _ => return,
            };
            black_box(args.iter().count());
        }
    };
    Case { decoder: "packet of Socket.IO 0.9", shape, input, read }
}

const fn payload(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |input: &mut [u8]| {
        for packet in payload::decode(text(input), usize::MAX) {
            black_box(packet.is_ok());
        }
    };
    Case { decoder: "payload of Socket.IO 0.9", shape, input, read }
}
