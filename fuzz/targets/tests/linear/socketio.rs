//! The parsers of `eio-socketio`, and the arguments that they hand out.

use core::hint::black_box;

use bytes::Bytes;
use eio_core::socketio::MAX_ATTACHMENTS;
use eio_socketio::engine::Message;
use eio_socketio::{Body, DefaultParser, MsgPackParser, Parser};

use crate::json::nested;
use crate::{Case, between, repeated, text};

pub(crate) const CASES: &[Case] = &[
    default("arguments of one digit", |length| between(r#"2["a""#, ",1", "]", length)),
    default("an argument of many members", |length| between(r#"2["a",{"a":1"#, r#","b":2"#, "}]", length)),
    default("members of different names", |length| {
        let members: Vec<String> = (0..length / 11).map(|number| format!(r#""{number:06}":1"#)).collect();
        format!(r#"2["a",{{{}}}]"#, members.join(",")).into_bytes()
    }),
    default("arguments nested as deep as may be", |length| {
        between(r#"2["a""#, &nested(",", ""), "]", length)
    }),
    default("a string of backslashes", |length| between(r#"2["a",""#, r"\\", r#""]"#, length)),
    default("a string of escapes", |length| between(r#"2["a",""#, r"\ud83d\ude00", r#""]"#, length)),
    default("a name of escapes", |length| between(r#"2[""#, r"\u0061", r#""]"#, length)),
    default("a long number", |length| between(r#"2["a","#, "9", "]", length)),
    default("digits behind the point", |length| between(r#"2["a",0."#, "1", "]", length)),
    default("white space only", |length| between(r#"2["a","#, " ", "1]", length)),
    default("a long namespace", |length| between("2/", "a/", r#",["a"]"#, length)),
    default("a query of a namespace", |length| between("0/?", "a=b&", ",", length)),
    default("placeholders", |length| {
        between(r#"510-["a""#, r#",{"_placeholder":true,"num":9}"#, "]", length)
    }),
    default("objects that are nearly placeholders", |length| {
        between(r#"51-["a",{"_placeholder":true,"num":0}"#, r#",{"_placeholder":false}"#, "]", length)
    }),
    msgpack("elements of one byte", |length| {
        let count = u32::try_from(length).expect("a small number");
        [
            &b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xdd"[..],
            &(count + 1).to_be_bytes(),
            b"\xa1a",
            &repeated(&[1], length),
        ]
        .concat()
    }),
    msgpack("arrays without elements", |length| {
        let count = u32::try_from(length).expect("a small number");
        [
            &b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\xdd"[..],
            &(count + 1).to_be_bytes(),
            b"\xa1a",
            &repeated(&[0x90], length),
        ]
        .concat()
    }),
    msgpack("arrays within arrays only", |length| repeated(&[0x91], length)),
    msgpack("one long string", |length| {
        let count = u32::try_from(length / 2 * 2).expect("a small number");
        [
            &b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1a\xdb"[..],
            &count.to_be_bytes(),
            &repeated("é".as_bytes(), length),
        ]
        .concat()
    }),
];

/// Reads a packet with its attachments, and its arguments as values.
const fn default(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    Case {
        decoder: "default parser of Socket.IO",
        shape,
        input,
        read: |input| read(&DefaultParser, Message::text(text(input))),
    }
}

const fn msgpack(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |input: &mut [u8]| read(&MsgPackParser, Message::binary(Bytes::copy_from_slice(input)));
    Case { decoder: "MessagePack parser of Socket.IO", shape, input, read }
}

fn read(parser: &dyn Parser, message: Message) {
    let mut decoder = parser.decoder();
    let mut packet = decoder.decode(message);
    for _ in 0..MAX_ATTACHMENTS {
        if !matches!(packet, Ok(None)) {
            break;
        }
        packet = decoder.decode(Message::binary(&b"attachment"[..]));
    }
    if let Ok(Some(packet)) = packet {
        black_box((packet.namespace(), packet.query()));
        if let Body::Event { args, .. } = packet.body {
            black_box((args.len(), args.byte_len()));
            black_box(args.values().is_ok());
        }
    }
}
