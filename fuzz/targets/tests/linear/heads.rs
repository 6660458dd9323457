//! Heads of HTTP that the core reads itself: a request that opens a WebSocket or polls, and the answer to one.

use core::hint::black_box;

use eio_core::Revision;
use eio_core::request::Request;
use eio_core::ws::Key;
use eio_core::ws::opening::{HeadEnd, RequestHead, check_response};

use crate::{Case, between, repeated};

pub(crate) const CASES: &[Case] = &[
    request("headers of one letter", |length| between(START, "a:\r\n", "\r\n", length)),
    request("one long header", |length| between(&[START, "a:"].concat(), "b", "\r\n\r\n", length)),
    request("white space only", |length| between(&[START, "a:"].concat(), " ", "\r\n\r\n", length)),
    request("colons only", |length| between(&[START, "a:"].concat(), ":", "\r\n\r\n", length)),
    request("the same header over and over", |length| between(START, "Connection: a\r\n", "\r\n", length)),
    request("commas only", |length| between(&[START, "Connection:"].concat(), ",", "\r\n\r\n", length)),
    request("names of protocols", |length| {
        between(&[START, "Sec-WebSocket-Protocol: a"].concat(), ", b", "\r\n\r\n", length)
    }),
    request("a long path", |length| between("GET /", "a/", " HTTP/1.1\r\n\r\n", length)),
    request("parameters without a name", |length| {
        between("GET /?EIO=4&transport=polling", "&", " HTTP/1.1\r\n\r\n", length)
    }),
    request("parameters", |length| {
        between("GET /?EIO=4&transport=polling", "&t=a", " HTTP/1.1\r\n\r\n", length)
    }),
    request("spaces in the first line", |length| between("GET /", " ", " HTTP/1.1\r\n\r\n", length)),
    Case {
        decoder: "end of a head, byte by byte",
        shape: "line ends that are none",
        input: |length| repeated(b"\r\n\r", length),
        read: |input| {
            let mut end = HeadEnd::new();
            for len in 0..input.len() {
                black_box(end.find(&input[..len]));
            }
        },
    },
    response("headers of one letter", |length| between(ANSWER, "a:\r\n", "\r\n", length)),
    response("one long header", |length| between(&[ANSWER, "Connection:"].concat(), "b", "\r\n\r\n", length)),
    response("commas only", |length| between(&[ANSWER, "Connection:"].concat(), ",", "\r\n\r\n", length)),
];

const START: &str = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
                     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n";

const fn request(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |input: &mut [u8]| {
        if let Ok(head) = RequestHead::parse(input) {
            black_box(Request::read(&head, &[Revision::V4, Revision::V3]).is_ok());
        }
    };
    Case { decoder: "head of a request", shape, input, read }
}

const fn response(shape: &'static str, input: fn(usize) -> Vec<u8>) -> Case {
    let read = |input: &mut [u8]| {
        let key = Key::from_random(*b"the sample nonce");
        black_box(check_response(input, &key, &["soap", "wamp"]).is_ok());
    };
    Case { decoder: "head of an answer", shape, input, read }
}
