//! WebSocket framing (RFC 6455) for both roles, in the caller's buffers, without I/O, allocation or a clock.
//!
//! ```text
//!            bytes from the peer                         bytes to the peer
//!                    │                                           ▲
//!   Decoder::decode(&mut bytes)                 FrameHeader, encode_message, ControlFrame::encode
//!                    │                                           │
//!        Item::{Message, Piece, Control}         WebSocketMessage, ControlFrame
//! ```
//!
//! - [`Decoder`] is the stream decoder. It has 32 bytes of state and accepts input cut at any place. Neither side needs
//!   a buffer as large as a message: a message that is completely in the input is returned whole, and any other message
//!   in pieces. Servers with many idle connections need only a decoder per connection, and one scratch buffer per
//!   thread.
//! - [`Reader`] combines a decoder with one borrowed buffer, for firmware and simple loops. It returns only whole
//!   messages. Every received byte is in the buffer before the caller waits, so a cancelled read loses nothing.
//! - [`Connection`] is one connection of either role: a decoder, the frames that may go out, and the closing handshake.
//!   [`FrameWriter`] is its sending side alone, for a caller that reads with a [`Reader`]. [`PacketFrame`] is one packet
//!   as one frame.
//! - [`FrameHeader`], [`encode_message`] and [`ControlFrame`] write frames. A server's frames are not masked, so one
//!   encoded frame can be sent to every receiver. A client masks each frame with a fresh random key.
//! - [`Key`] is the challenge of the opening handshake and computes its answer. [`opening`] writes, reads and checks the
//!   HTTP heads around it.
//!
//! ```
//! use eio_core::packet::WebSocketMessage;
//! use eio_core::ws::{self, ControlFrame, Decoder, Item};
//!
//! // A client sends a message. It masks each frame with a fresh random key.
//! let mut wire = [0; 64];
//! let len = ws::encode_message(WebSocketMessage::Text("2probe"), Some([0x37, 0xfa, 0x21, 0x3d]), &mut wire)?;
//!
//! // The server decodes in place, in the buffer with the bytes that it read.
//! let mut decoder = Decoder::server(1_000_000);
//! let decoded = decoder.decode(&mut wire[..len])?;
//! assert_eq!(decoded.consumed, len);
//! assert_eq!(decoded.item, Some(Item::Message(WebSocketMessage::Text("2probe"))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Refused input
//!
//! The decoder refuses everything that RFC 6455 lets an endpoint refuse. Each violation has its own [`Error`], with the
//! [`CloseCode`] that the RFC assigns to it: reserved bits and opcodes (no extension is ever negotiated), a wrong
//! masking bit for the role, lengths that are not minimal or have their top bit set, control frames that are too long
//! or fragmented, continuations without a message, text that is not UTF-8, close codes that must not be sent, and
//! messages above the limit. The length limit applies to the sum over all fragments. It is checked as soon as a header
//! announces the length, before any byte is kept. Invalid UTF-8 is reported at the byte that makes it invalid, however
//! the input was cut.
//!
//! # The cost of a hostile peer
//!
//! Decoding takes time linear in the bytes received, and memory that does not depend on them. A peer could use
//! fragments without bytes to keep a message open indefinitely, so one message may have at most [`MAX_EMPTY_FRAGMENTS`]
//! of them. The limit on the message bounds fragments with bytes, and nothing is stored per fragment. So tiny fragments
//! cost the peer at least three times as many bytes as the receiver has to store. Only the peer's bandwidth limits
//! control frames. The caller that answers pings decides how many answers may wait in a queue.
//!
//! After a close frame the rest of the input is discarded (RFC 6455 section 1.4). After an error every call returns
//! that error again.

mod close;
mod connection;
mod control;
mod decoder;
mod encode;
mod error;
mod frame_writer;
mod handshake;
mod header;
mod item;
mod mask;
pub mod opening;
mod packet_frame;
mod reader;
mod sha1;
mod utf8;

pub use close::{Close, CloseCode, CloseError};
pub use connection::Connection;
pub use control::{ControlFrame, ControlFrameError};
pub use decoder::{Decoder, MAX_EMPTY_FRAGMENTS};
pub use encode::encode_message;
pub use error::Error;
pub use frame_writer::{FrameOrderError, FrameWriter};
pub use handshake::{InvalidKey, Key};
pub use header::{FrameHeader, OpCode};
pub use item::{Decoded, Item, MessageKind, Piece};
pub use mask::mask;
pub use packet_frame::PacketFrame;
pub use reader::{Reader, Received};
