//! Packets: one message of a WebSocket, in both revisions.

use core::hint::black_box;

use eio_core::Revision;
use eio_core::packet::{Base64, WebSocketMessage};

use crate::{Case, between, repeated, text};

pub(crate) const CASES: &[Case] = &[
    Case {
        decoder: "packet, revision 4",
        shape: "text: one long message",
        input: |length| between("4", "é", "", length),
        read: |input| read_text(Revision::V4, input),
    },
    Case {
        decoder: "packet, revision 4",
        shape: "base64: binary data",
        input: |length| between("b", "AbC/", "", length),
        read: |input| read_text(Revision::V4, input),
    },
    Case {
        decoder: "packet, revision 4",
        shape: "base64: padding only",
        input: |length| between("b", "=", "", length),
        read: |input| read_text(Revision::V4, input),
    },
    Case {
        decoder: "packet, revision 4",
        shape: "base64: an invalid symbol at the end",
        input: |length| between("b", "AAAA", "!", length),
        read: |input| read_text(Revision::V4, input),
    },
    Case {
        decoder: "packet, revision 4",
        shape: "binary: binary data",
        input: |length| repeated(&[0xff], length),
        read: |input| {
            black_box(Revision::V4.decode(WebSocketMessage::Binary(input)).is_ok());
        },
    },
    Case {
        decoder: "packet, revision 3",
        shape: "text: one long message",
        input: |length| between("4", "é", "", length),
        read: |input| read_text(Revision::V3, input),
    },
    Case {
        decoder: "packet, revision 3",
        shape: "base64: binary data",
        input: |length| between("b4", "AbC/", "", length),
        read: |input| read_text(Revision::V3, input),
    },
    Case {
        decoder: "packet, revision 3",
        shape: "binary: binary data",
        input: |length| [&[4][..], &repeated(&[0xff], length)].concat(),
        read: |input| {
            black_box(Revision::V3.decode(WebSocketMessage::Binary(input)).is_ok());
        },
    },
    Case {
        decoder: "base64",
        shape: "binary data, to its bytes",
        input: |length| repeated(b"-_+/", length),
        read: |input| {
            let data = Base64::new(text(input)).expect("valid");
            let mut out = vec![0; data.decoded_len()];
            black_box(data.decode(&mut out).is_ok());
        },
    },
];

fn read_text(revision: Revision, input: &[u8]) {
    black_box(revision.decode(WebSocketMessage::Text(text(input))).is_ok());
}
