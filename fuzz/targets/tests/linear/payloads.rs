//! Payloads: what a client posts, and what a server answers a poll with, in all framings.

use core::hint::black_box;

use eio_core::payload::v3::Framing;
use eio_core::payload::{jsonp, v3, v4};

use crate::{Case, between, repeated};

pub(crate) const CASES: &[Case] = &[
    case_v4("separators only", |length| repeated(b"\x1e", length)),
    case_v4("packets without data", |length| repeated(b"4\x1e", length)),
    case_v4("packets of binary data", |length| repeated(b"bAAAA\x1e", length)),
    case_v4("packets of no type", |length| repeated(b"x\x1e", length)),
    case_v4("one packet", |length| between("4", "😀", "", length)),
    case_v4("a character that ends too early, at the end", |length| {
        [&between("4", "a", "", length)[..], &[0xf0, 0x9f]].concat()
    }),
    case_v3("packets without data", |length| repeated(b"1:4", length)),
    case_v3("lengths of nothing", |length| repeated(b"0:", length)),
    case_v3("digits only", |length| repeated(b"9", length)),
    case_v3("zeros only", |length| repeated(b"0", length)),
    case_v3("colons only", |length| repeated(b":", length)),
    case_v3("one packet", |length| {
        let characters = length / 2;
        between(&format!("{}:4", characters + 1), "é", "", 2 * characters + 7)
    }),
    case_v3("packets of binary data", |length| repeated(b"6:b4AAAA", length)),
    case_v3("lengths within packets", |length| repeated(b"7000:4", length)),
    case_binary("packets without data", |length| repeated(&[0, 1, 0xff, b'4'], length)),
    case_binary("packets of binary data", |length| repeated(&[1, 2, 0xff, 4, 7], length)),
    case_binary("the longest lengths", |length| {
        repeated(&[&[0; 310][..], &[1, 0xff, b'4']].concat(), length)
    }),
    case_binary("zeros only", |length| repeated(&[0], length)),
    case_binary("one packet", |length| {
        let digits: Vec<u8> = (length / 2 * 2 + 1).to_string().bytes().map(|digit| digit - b'0').collect();
        [&[0][..], &digits, &[0xff, b'4'], &repeated("é".as_bytes(), length)].concat()
    }),
    case_jsonp("letters", |length| between("d=", "4a", "", length)),
    case_jsonp("backslashes only", |length| between("d=", "\\", "", length)),
    case_jsonp("backslashes in percent signs", |length| between("d=", "%5C", "", length)),
    case_jsonp("line ends", |length| between("d=", "%5Cn\\\\n", "", length)),
    case_jsonp("percent signs only", |length| between("d=", "%", "", length)),
    case_jsonp("plus signs only", |length| between("d=", "+", "", length)),
    case_jsonp("fields without a name", |length| repeated(b"&", length)),
    case_jsonp("fields before the one", |length| between("", "e=1&", "d=4", length)),
];

const fn case_v4(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |input: &mut [u8]| {
        for packet in v4::decode(input, usize::MAX) {
            black_box(packet.is_ok());
        }
    };
    Case { decoder: "payload, revision 4", shape, input, read }
}

const fn case_v3(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    Case { decoder: "payload, revision 3, text", shape, input, read: |input| read_v3(Framing::Text, input) }
}

const fn case_binary(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    Case {
        decoder: "payload, revision 3, binary",
        shape,
        input,
        read: |input| read_v3(Framing::Binary, input),
    }
}

const fn case_jsonp(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |input: &mut [u8]| {
        black_box(jsonp::decode(input));
    };
    Case { decoder: "payload, JSONP", shape, input, read }
}

fn read_v3(framing: Framing, input: &[u8]) {
    for packet in v3::decode(framing, input, usize::MAX) {
        black_box(packet.is_ok());
    }
}
