//! Payloads: what HTTP long-polling carries, several packets in one body.
//!
//! | revision | form | content type |
//! |---|---|---|
//! | [`v4`] | packets separated by 0x1E | `text/plain` |
//! | [`v3`], text | `<length>:<packet>` for each | `text/plain` |
//! | [`v3`], binary | marker, length, 0xFF, packet for each | `application/octet-stream` |
//! | [`jsonp`] | either text form in a script, or in a form field | `text/plain`, `application/x-www-form-urlencoded` |
//!
//! A decoder is an iterator that borrows the body: it looks at every byte a bounded number of times, however many
//! packets a body claims to hold, and allocates nothing. The packets before a malformed one are yielded, then the
//! error, then nothing: once its place is lost, the rest cannot be trusted.
//!
//! An encoder takes packets one by one and writes into the caller's buffer. A packet that does not fit is refused and
//! leaves what was written as it was, so the buffer's length is the limit on a body: a client that may post at most
//! `maxPayload` bytes lends that many.
//!
//! ```
//! use eio_core::packet::{Frame, Packet};
//! use eio_core::payload::{v4, DEFAULT_MAX_PACKETS};
//!
//! // Three messages, and posts of at most 12 bytes.
//! let queue = ["first", "second", "third"].map(|text| Packet::message(Frame::Text(text)));
//! let (mut buffer, mut sent, mut posts) = ([0; 12], 0, 0);
//! while sent < queue.len() {
//!     let mut body = v4::Encoder::new(&mut buffer);
//!     let fitting = queue[sent..].iter().take_while(|packet| body.push(packet).is_ok()).count();
//!     assert!(fitting > 0, "this packet alone is longer than a post may be");
//!     let received = v4::decode(body.finish(), DEFAULT_MAX_PACKETS).map(Result::unwrap);
//!     assert!(received.eq(queue[sent..sent + fitting].iter().copied()));
//!     sent += fitting;
//!     posts += 1;
//! }
//! assert_eq!(posts, 3);
//! ```
//!
//! # Stricter than the reference
//!
//! The reference parsers (engine.io-parser 5.2 for revision 4, 2.2 for revision 3) accept some input that is refused
//! here, in payloads and in single packets, and write one payload that is not what it was made of. Everything else is accepted and refused alike.
//!
//! | refused | why |
//! |---|---|
//! | text that is not UTF-8, such as a lone surrogate | no string and no text frame can carry it (RFC 3629 section 3, RFC 6455 section 8.1); the reference invents U+FFFD in its place |
//! | junk in base64 | skipping what does not belong there hides corruption; the reference leaves it to Node's decoder |
//! | no type, or an unknown one, in a binary packet | the reference hands its application an undefined type and goes on; a peer that sends one is broken, and in text the reference refuses it too |
//! | a length that is not plain decimal digits | whatever JavaScript reads as a number (spaces, signs, fractions, exponents, hexadecimal) no client writes, and two readers that disagree on a length are a way to smuggle packets |
//! | a length that splits a surrogate pair | it would deliver half a character, which no string can hold |
//! | a length beyond the end in binary framing | the body was cut off on its way; half a message must not pass for a whole one, and in text framing the reference refuses it too |
//! | a marker other than 0 and 1 in binary framing | there is none in the protocol, so the framing is lost; the reference takes it for 1 |
//! | text with U+001E that is to be encoded in a payload of revision 4 | the peer would read two packets, and the second one could be any |
//!
//! Source: the Engine.IO protocol, revision 4, "Packet encoding / HTTP long-polling", and revision 3, "Payload".

pub mod jsonp;
pub mod v3;
pub mod v4;

/// A limit on the packets in one payload, for callers that have no better number: 16,384.
///
/// The reference server knows no limit, so that one body of a million bytes can hold 500,000 packets, each an event for
/// the application. Half a minute of a client's messages at 500 a second fits into this one.
pub const DEFAULT_MAX_PACKETS: usize = 16_384;
