//! JSON that the core reads: the open packet, and packets of Socket.IO with their arguments.

use core::hint::black_box;

use eio_core::handshake::Handshake;
use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{Body, Decoder, Packet, Received, member, placeholder};

use crate::{Case, between, text};

pub(crate) const CASES: &[Case] = &[
    case_open("unknown members", |length| between(OPEN, r#","a":1"#, "}", length)),
    case_open("unknown members that are nested", |length| {
        between(OPEN, &nested(r#","a":"#, ""), "}", length)
    }),
    case_open("names of transports", |length| {
        between(
            r#"{"sid":"a","pingInterval":1,"pingTimeout":1,"upgrades":["x""#,
            r#","websocket""#,
            "]}",
            length,
        )
    }),
    case_open("a long sid", |length| between(r#"{"sid":""#, "a", r#""}"#, length)),
    case_open("a string of backslashes", |length| between(r#"{"a":""#, r"\\", r#""}"#, length)),
    case_open("a string of escapes", |length| between(r#"{"a":""#, r"\ud83d\ude00", r#""}"#, length)),
    case_open("digits only", |length| between(r#"{"pingInterval":"#, "9", "}", length)),
    case_open("white space only", |length| between("{", " ", "}", length)),
    case_event("arguments of one digit", |length| between(r#"2["a""#, ",1", "]", length)),
    case_event("strings without characters", |length| between(r#"2["a""#, r#","""#, "]", length)),
    case_event("quotes only", |length| between(r#"2["a","#, "\"", "]", length)),
    case_event("a string of backslashes", |length| between(r#"2["a",""#, r"\\", r#""]"#, length)),
    case_event("a name of escapes", |length| between(r#"2[""#, r"\u0061", r#""]"#, length)),
    case_event("brackets only", |length| between("2", "[", "", length)),
    case_event("arguments nested as deep as may be", |length| {
        between(r#"2["a""#, &nested(",", ""), "]", length)
    }),
    case_event("objects within objects", |length| {
        between(r#"2["a""#, &[",", &r#"{"a":"#.repeat(60), "1", &"}".repeat(60)].concat(), "]", length)
    }),
    case_event("an object of many members", |length| between(r#"2["a",{"a":1"#, r#","b":2"#, "}]", length)),
    case_event("white space only", |length| between(r#"2["a","#, " ", "1]", length)),
    case_event("digits of an id", |length| between("2", "9", r#"["a"]"#, length)),
    case_event("a long number", |length| between(r#"2["a","#, "9", "]", length)),
    case_event("a long namespace", |length| between("2/", "a/", r#",["a"]"#, length)),
    case_event("placeholders", |length| {
        between(r#"510-["a""#, r#",{"_placeholder":true,"num":9}"#, "]", length)
    }),
    case_event("placeholders within placeholders", |length| {
        let deep = [",", &r#"{"_placeholder":true,"num":"#.repeat(40), "1", &"}".repeat(40)].concat();
        between(r#"510-["a""#, &deep, "]", length)
    }),
    case_event("digits of the number of attachments", |length| between("5", "1", "-[]", length)),
    Case {
        decoder: "Socket.IO packet, connect",
        shape: "members before the one that is looked for",
        input: |length| between(r#"0{"a":1"#, r#","sid_":"x""#, "}", length),
        read: |input| {
            if let Ok(packet) = Packet::decode(text(input))
                && let Body::Connect(data) = packet.body()
            {
                black_box(member(data, "sid"));
            }
        },
    },
    Case {
        decoder: "Socket.IO packet, attachments",
        shape: "ten attachments, over and over",
        input: |length| between("", r#"510-["a",{"_placeholder":true,"num":9}]"#, "", length),
        read: |input| {
            let mut decoder = Decoder::new();
            for header in text(input).split_inclusive(']') {
                black_box(decoder.decode(WebSocketMessage::Text(header)).is_ok());
                while decoder.missing() > 0 {
                    black_box(decoder.decode(WebSocketMessage::Binary(&[0xff])).is_ok());
                }
            }
        },
    },
];

/// The start of an open packet.
const OPEN: &str = r#"{"sid":"a","upgrades":[],"pingInterval":1,"pingTimeout":1,"maxPayload":1"#;

/// Arrays, nested nearly as deep as the core reads them.
pub(crate) fn nested(start: &str, end: &str) -> String {
    [start, &"[".repeat(60), &"]".repeat(60), end].concat()
}

const fn case_open(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |input: &mut [u8]| {
        black_box(Handshake::parse(text(input)).is_ok());
    };
    Case { decoder: "open packet", shape, input, read }
}

/// Reads a packet, and each of its arguments.
const fn case_event(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |input: &mut [u8]| {
        let message = WebSocketMessage::Text(text(input));
        if let Ok(Received::Packet(packet)) = Decoder::new().decode(message)
            && let Body::Event(event) = packet.body()
        {
            black_box(event.is("another"));
            for argument in event.args() {
                black_box(placeholder(argument));
            }
        }
    };
    Case { decoder: "Socket.IO packet, event", shape, input, read }
}
