//! Packets. One WebSocket message carries one packet; a polling payload carries one or more.
//!
//! A packet consists of a [`PacketType`] and its [`Data`]. The wire forms differ by protocol revision: [`v4`] and
//! [`v3`] each have a `decode` and an `encode`. Decoding borrows the caller's bytes. It copies and allocates nothing.
//!
//! Source: the Engine.IO protocol, revision 4, "Packet encoding", and revision 3, "Encoding".
//!
//! ```
//! use eio_core::packet::{Data, PacketType, WebSocketMessage, v4};
//!
//! let packet = v4::decode(WebSocketMessage::Text("4hello"))?;
//! assert_eq!(packet.packet_type, PacketType::Message);
//! assert_eq!(packet.data, Data::Text("hello"));
//! # Ok::<(), eio_core::packet::DecodeError>(())
//! ```

mod base64;
pub mod v3;
pub mod v4;
mod writer;

use core::fmt;

pub use base64::Base64;
pub(crate) use base64::encode_into as encode_base64;
pub(crate) use writer::Writer;

/// One WebSocket message, which carries exactly one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has two kinds of data messages")]
pub enum WebSocketMessage<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// The type of a packet. The discriminant is the digit on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "both protocol revisions know these seven types")]
pub enum PacketType {
    /// `0`: the handshake, which the server sends first in every session.
    Open = 0,
    /// `1`: the sender ends the session.
    Close = 1,
    /// `2`: asks for a pong. Servers send it in revision 4, clients in revision 3.
    Ping = 2,
    /// `3`: answers a ping.
    Pong = 3,
    /// `4`: the application's own data.
    Message = 4,
    /// `5`: the client moves the session to the transport that carries this packet.
    Upgrade = 5,
    /// `6`: carries nothing. It answers a pending poll while the session moves to another transport.
    Noop = 6,
}

impl PacketType {
    /// Returns the type with the number `digit` (0 to 6) on the wire, or `None` for another number.
    #[must_use]
    pub const fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            0 => Self::Open,
            1 => Self::Close,
            2 => Self::Ping,
            3 => Self::Pong,
            4 => Self::Message,
            5 => Self::Upgrade,
            6 => Self::Noop,
            _ => return None,
        })
    }

    /// Returns the number on the wire, 0 to 6.
    #[must_use]
    pub const fn digit(self) -> u8 {
        self as u8
    }

    /// Returns the name that the protocol gives to the type, such as `ping`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Message => "message",
            Self::Upgrade => "upgrade",
            Self::Noop => "noop",
        }
    }

    /// Returns the character on the wire, `0` to `6`.
    const fn as_ascii(self) -> u8 {
        self.digit().saturating_add(b'0')
    }
}

/// Displays the name that the protocol gives to the type, such as `ping`.
///
/// ```
/// use eio_core::packet::{Packet, PacketType};
///
/// assert_eq!(format!("sent a {}", Packet::PING_PROBE.packet_type), "sent a ping");
/// assert_eq!(PacketType::Noop.to_string(), "noop");
/// ```
impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One packet. Its data borrows the bytes that it was decoded from, or that it will be encoded from.
///
/// The wire does not distinguish between empty data and no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "a packet is a type and its data, in every revision")]
pub struct Packet<'a> {
    /// The type of the packet.
    pub packet_type: PacketType,
    /// The data that it carries. Most control packets carry empty data.
    pub data: Data<'a>,
}

impl<'a> Packet<'a> {
    /// Ends the session: `1`.
    pub const CLOSE: Self = Self::text(PacketType::Close, "");
    /// Asks for a pong: `2`.
    pub const PING: Self = Self::text(PacketType::Ping, "");
    /// Answers a ping: `3`.
    pub const PONG: Self = Self::text(PacketType::Pong, "");
    /// Starts the upgrade on the new transport; sent by the client: `2probe`.
    pub const PING_PROBE: Self = Self::text(PacketType::Ping, "probe");
    /// Answers the probe on the new transport; sent by the server: `3probe`.
    pub const PONG_PROBE: Self = Self::text(PacketType::Pong, "probe");
    /// Completes the upgrade; sent by the client: `5`.
    pub const UPGRADE: Self = Self::text(PacketType::Upgrade, "");
    /// Answers a pending poll with nothing: `6`.
    pub const NOOP: Self = Self::text(PacketType::Noop, "");

    /// Creates a packet with text data.
    #[must_use]
    pub const fn text(packet_type: PacketType, text: &'a str) -> Self {
        Self { packet_type, data: Data::Text(text) }
    }

    /// Creates a message packet that carries `body`.
    #[must_use]
    pub const fn message(body: WebSocketMessage<'a>) -> Self {
        let data = match body {
            WebSocketMessage::Text(text) => Data::Text(text),
            WebSocketMessage::Binary(bytes) => Data::Binary(bytes),
        };
        Self { packet_type: PacketType::Message, data }
    }
}

/// The data of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "both protocol revisions know these three forms")]
pub enum Data<'a> {
    /// Text, possibly empty.
    Text(&'a str),
    /// Raw bytes.
    Binary(&'a [u8]),
    /// Bytes that were sent as base64. They are checked but not yet decoded, because decoding needs a buffer of the
    /// caller.
    Base64(Base64<'a>),
}

impl Data<'_> {
    /// Returns whether the data is bytes, raw or as base64, and not text.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        !matches!(self, Self::Text(_))
    }

    /// Returns the length of the raw data in bytes.
    pub(crate) const fn raw_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Base64(text) => text.decoded_len(),
        }
    }

    /// Returns the length of the data as text, in bytes.
    pub(crate) const fn text_len(&self) -> usize {
        if self.is_binary() { base64::encoded_len(self.raw_len()) } else { self.raw_len() }
    }

    /// Writes the raw data. The caller has reserved `raw_len`.
    pub(crate) fn write_raw(&self, writer: &mut Writer<'_>) {
        match *self {
            Self::Text(text) => writer.bytes(text.as_bytes()),
            Self::Binary(bytes) => writer.bytes(bytes),
            Self::Base64(text) => writer.decoded(text),
        }
    }

    /// Writes the data as text into `out`, whose length is `text_len`.
    #[inline]
    fn fill_text(&self, out: &mut [u8]) {
        match *self {
            Self::Text(text) => out.iter_mut().zip(text.as_bytes()).for_each(|(to, from)| *to = *from),
            Self::Binary(bytes) => base64::encode_into(bytes, out),
            Self::Base64(text) => text.rewrite_into(out),
        }
    }
}

/// Returns the type that the first of `bytes` encodes, where `zero` encodes 0.
fn packet_type(bytes: &[u8], zero: u8) -> Result<PacketType, DecodeError> {
    let Some(&first) = bytes.first() else { return Err(DecodeError::new(DecodeErrorKind::Empty, 0)) };
    let packet_type = first.checked_sub(zero).and_then(PacketType::from_digit);
    packet_type.ok_or(DecodeError::new(DecodeErrorKind::UnknownType(first), 0))
}

/// The error for bytes that are not a packet or a payload: what is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct DecodeError {
    /// The offset of the offending byte from the start of the message or payload that was passed to `decode`. It is at
    /// most the length of the input, and equal to it if something is missing at the end.
    pub at: usize,
    /// The problem at that offset.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    pub(crate) const fn new(kind: DecodeErrorKind, at: usize) -> Self {
        Self { at, kind }
    }

    /// Returns the same error, counted from a start that is `offset` bytes earlier.
    pub(crate) const fn after(self, offset: usize) -> Self {
        Self { at: self.at.saturating_add(offset), ..self }
    }
}

/// The problem with bytes that are not a packet or a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input is empty where a packet, or its type, was expected.
    #[error("empty packet: expected a type")]
    Empty,
    /// The byte for the packet's type is not a valid type.
    #[error("unknown packet type {0:#04x}: expected 0 to 6, or b for base64")]
    UnknownType(u8),
    /// The text is not UTF-8. The position is that of the first byte of the invalid character.
    #[error("invalid UTF-8 in text")]
    InvalidUtf8,
    /// A character is not in a base64 alphabet, or is missing: base64 cannot end with the first symbol of a group.
    #[error("invalid base64")]
    InvalidBase64,
    /// Revision 3 payloads in binary framing: the byte before a packet marks neither text nor bytes.
    #[error("unknown marker {0:#04x} before a packet: expected 0x00 for text or 0x01 for bytes")]
    InvalidMarker(u8),
    /// Revision 3 payloads: the length of a packet is invalid. If it is malformed, the position is where a digit or the
    /// end of the number was expected. If it does not end at the end of a character, or reaches beyond the payload, the
    /// position is that of its first digit.
    #[error("invalid length prefix")]
    InvalidLength,
    /// The payload has more packets than the caller's limit. The position is the start of the first packet above the
    /// limit.
    #[error("too many packets in one payload")]
    TooManyPackets,
}
