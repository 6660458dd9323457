//! Payloads. HTTP long-polling carries several packets in one body, the payload.
//!
//! | revision | form | content type |
//! |---|---|---|
//! | [`v4`] | packets separated by 0x1E | `text/plain` |
//! | [`v3`], text | `<length>:<packet>` for each | `text/plain` |
//! | [`v3`], binary | marker, length, 0xFF, packet for each | `application/octet-stream` |
//! | [`jsonp`] | either text form in a script, or in a form field | `text/plain`, `application/x-www-form-urlencoded` |
//!
//! A decoder is an iterator that borrows the body and allocates nothing. It reads every byte a bounded number of times,
//! regardless of how many packets the body claims to hold. It returns the packets before a malformed packet, then the
//! error, then `None`: after an error, the boundaries of the rest cannot be trusted.
//!
//! An encoder takes packets one by one and writes into the caller's buffer. It refuses a packet that does not fit, and
//! leaves the payload unchanged. So the length of the buffer is the limit on a body: a client that may post at most
//! `maxPayload` bytes provides a buffer of that length.
//!
//! Where the revision is known only at run time, [`Format`] chooses between these modules, and [`Layout`] computes the
//! exact length of a payload before it is written.
//!
//! ```
//! use eio_core::packet::{Packet, WebSocketMessage};
//! use eio_core::payload::{DEFAULT_MAX_PACKETS, v4};
//!
//! // Three messages, and posts of at most 12 bytes.
//! let queue = ["first", "second", "third"].map(|text| Packet::message(WebSocketMessage::Text(text)));
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
//! This crate refuses some input that the reference parsers (engine.io-parser 5.2 for revision 4, 2.2 for revision 3)
//! accept, in payloads and in single packets. It also refuses to write one payload that the peer would read as other
//! packets. Otherwise it accepts and refuses the same input.
//!
//! | refused | why |
//! |---|---|
//! | text that is not UTF-8, such as a lone surrogate | no string and no text frame can carry it (RFC 3629 section 3, RFC 6455 section 8.1); the reference replaces it with U+FFFD |
//! | junk in base64 | skipping invalid characters hides corruption; the reference leaves it to Node's decoder |
//! | no type, or an unknown one, in a binary packet | the reference passes an undefined type to its application and continues; a peer that sends one is broken, and the reference also refuses it in text |
//! | a length that is not plain decimal digits | no client writes the other forms that JavaScript reads as a number (spaces, signs, fractions, exponents, hexadecimal), and two readers that disagree on a length let a peer smuggle packets |
//! | a length that splits a surrogate pair | it would deliver half a character, which no string can hold |
//! | a length beyond the end in binary framing | the body was cut off on its way; half a message must not pass for a whole one, and the reference also refuses it in text framing |
//! | a marker other than 0 and 1 in binary framing | the protocol has no other marker, so the framing is lost; the reference reads it as 1 |
//! | text with U+001E that is to be encoded in a payload of revision 4 | the peer would read two packets, and the second could be of any type |
//!
//! Source: the Engine.IO protocol, revision 4, "Packet encoding / HTTP long-polling", and revision 3, "Payload".

mod format;
pub mod jsonp;
pub mod v3;
pub mod v4;

pub use format::{Decoder, Format, Layout};

/// The default limit on the packets in one payload: 16,384.
///
/// The reference server has no limit, so one body of a million bytes can hold 500,000 packets, each of which is an
/// event for the application. This limit leaves room for half a minute of a client's messages at 500 a second.
pub const DEFAULT_MAX_PACKETS: usize = 16_384;
