//! WebSocket framing (RFC 6455), both roles, in the caller's buffers: no I/O, no allocation, no clock.
//!
//! ```text
//!            bytes from the peer                         bytes to the peer
//!                    │                                           ▲
//!   Decoder::decode(&mut bytes)                 FrameHeader, encode_message, Control::encode
//!                    │                                           │
//!        Item::{Message, Piece, Control}                  Frame, Control
//! ```
//!
//! - [`Decoder`] is the stream decoder: 32 bytes of state, any cut of the input is fine, and neither side ever needs a
//!   buffer as large as a message. A whole message that lies in the input comes out as it is, anything else in pieces.
//!   Servers with many idle connections keep only this per connection, and a scratch buffer per thread.
//! - [`Reader`] puts one lent buffer behind it, for firmware and simple loops: whole messages only, and since every
//!   received byte is in the buffer before anything waits, a cancelled read loses nothing.
//! - [`FrameHeader`], [`encode_message`] and [`Control`] write. A server's frames are not masked, so that one encoded
//!   frame serves every receiver; a client masks each frame with a fresh random key.
//! - [`Key`] is the opening handshake's challenge and its answer. HTTP itself is somebody else's.
//!
//! ```
//! use eio_core::packet::Frame;
//! use eio_core::ws::{self, Control, Decoder, Item};
//!
//! // A client says hello: its frames are masked, with randomness of its own.
//! let mut wire = [0; 64];
//! let len = ws::encode_message(Frame::Text("2probe"), Some([0x37, 0xfa, 0x21, 0x3d]), &mut wire)?;
//!
//! // The server decodes in place, in the very bytes that it read.
//! let mut decoder = Decoder::server(1_000_000);
//! let decoded = decoder.decode(&mut wire[..len])?;
//! assert_eq!(decoded.consumed, len);
//! assert_eq!(decoded.item, Some(Item::Message(Frame::Text("2probe"))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is refused
//!
//! Everything that RFC 6455 lets an endpoint refuse, each as its own [`Error`] with the [`CloseCode`] that the RFC
//! assigns to it: reserved bits and opcodes (no extension is ever negotiated), a wrong masking bit for the role,
//! lengths that are not minimal or have their top bit set, control frames that are long or fragmented, continuations
//! of nothing, text that is not UTF-8, close codes that must not travel, messages above the limit. The length limit
//! holds for the sum over all fragments and is checked as soon as a header announces it, before anything is kept.
//! Invalid UTF-8 is reported at the byte that makes it invalid, however the bytes were cut.
//!
//! # What a hostile peer can cost
//!
//! Decoding takes time linear in the bytes received, and memory that does not depend on them. Fragments without bytes
//! are a way to keep a message open for ever: at most [`MAX_EMPTY_FRAGMENTS`] may occur in one message. Fragments
//! with bytes are bounded by the limit on the message, and nothing is kept per fragment, so tiny ones cost a peer at
//! least three times as many bytes as a receiver has to store. Control frames are bounded by nothing but the
//! peer's bandwidth; whoever answers pings decides how many answers wait in a queue.
//!
//! After a close frame the rest of the input is discarded (RFC 6455 section 1.4); after an error every call returns
//! that error again.

mod close;
mod control;
mod decoder;
mod encode;
mod error;
mod handshake;
mod header;
mod item;
mod mask;
mod reader;
mod sha1;
mod utf8;

pub use close::{Close, CloseCode, CloseError};
pub use control::{Control, EncodeError};
pub use decoder::{Decoder, MAX_EMPTY_FRAGMENTS};
pub use encode::encode_message;
pub use error::Error;
pub use handshake::{InvalidKey, Key};
pub use header::{FrameHeader, OpCode};
pub use item::{Decoded, Item, MessageKind, Piece};
pub use mask::mask;
pub use reader::{Reader, Received};
