//! Packets: what travels in one WebSocket message, and what a polling payload is made of.
//!
//! A packet is a [`PacketType`] and its [`Data`]. The wire forms differ by protocol revision: [`v4`] and [`v3`] hold
//! one `decode` and one `encode` each. Decoding borrows the caller's bytes; nothing is copied or allocated.
//!
//! Source: the Engine.IO protocol, revision 4, "Packet encoding", and revision 3, "Encoding".
//!
//! ```
//! use eio_core::packet::{v4, Data, Frame, PacketType};
//!
//! let packet = v4::decode(Frame::Text("4hello"))?;
//! assert_eq!(packet.packet_type, PacketType::Message);
//! assert_eq!(packet.data, Data::Text("hello"));
//! # Ok::<(), eio_core::packet::DecodeError>(())
//! ```

mod base64;
pub mod v3;
pub mod v4;
mod writer;

pub use base64::Base64;
pub(crate) use base64::encode_into as encode_base64;
pub(crate) use writer::Writer;

/// One WebSocket message: exactly one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "RFC 6455 has two kinds of data messages")]
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// What a packet is for. The discriminant is the digit on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "both protocol revisions know these seven types")]
pub enum PacketType {
    /// `0`: the handshake, from the server, first in every session.
    Open = 0,
    /// `1`: the sender ends the session.
    Close = 1,
    /// `2`: asks for a pong. Servers ask in revision 4, clients in revision 3.
    Ping = 2,
    /// `3`: answers a ping.
    Pong = 3,
    /// `4`: the application's own data.
    Message = 4,
    /// `5`: the client moves the session to the transport that carries this packet.
    Upgrade = 5,
    /// `6`: nothing; answers a pending poll while the session moves to another transport.
    Noop = 6,
}

impl PacketType {
    /// The type that stands for `digit` (0 to 6) on the wire, if there is one.
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

    /// The number on the wire, 0 to 6.
    #[must_use]
    pub const fn digit(self) -> u8 {
        self as u8
    }

    /// The character on the wire, `0` to `6`.
    const fn as_ascii(self) -> u8 {
        self.digit().saturating_add(b'0')
    }
}

/// One packet. Its data borrows the bytes it was decoded from, or those it will be encoded from.
///
/// The wire does not distinguish empty data from none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "a packet is a type and its data, in every revision")]
pub struct Packet<'a> {
    /// What the packet is for.
    pub packet_type: PacketType,
    /// What it carries; empty for most control packets.
    pub data: Data<'a>,
}

impl<'a> Packet<'a> {
    /// Ends the session: `1`.
    pub const CLOSE: Self = Self::text(PacketType::Close, "");
    /// Asks for a pong: `2`.
    pub const PING: Self = Self::text(PacketType::Ping, "");
    /// Answers a ping: `3`.
    pub const PONG: Self = Self::text(PacketType::Pong, "");
    /// Opens the upgrade on the new transport, from the client: `2probe`.
    pub const PING_PROBE: Self = Self::text(PacketType::Ping, "probe");
    /// Answers the probe on the new transport, from the server: `3probe`.
    pub const PONG_PROBE: Self = Self::text(PacketType::Pong, "probe");
    /// Completes the upgrade, from the client: `5`.
    pub const UPGRADE: Self = Self::text(PacketType::Upgrade, "");
    /// Answers a pending poll with nothing: `6`.
    pub const NOOP: Self = Self::text(PacketType::Noop, "");

    /// A packet with text data.
    #[must_use]
    pub const fn text(packet_type: PacketType, text: &'a str) -> Self {
        Self { packet_type, data: Data::Text(text) }
    }

    /// The message packet that carries `body`.
    #[must_use]
    pub const fn message(body: Frame<'a>) -> Self {
        let data = match body {
            Frame::Text(text) => Data::Text(text),
            Frame::Binary(bytes) => Data::Binary(bytes),
        };
        Self { packet_type: PacketType::Message, data }
    }
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "both protocol revisions know these three forms")]
pub enum Data<'a> {
    /// Text, possibly empty.
    Text(&'a str),
    /// Bytes as they are.
    Binary(&'a [u8]),
    /// Bytes that travelled as base64, checked and not yet decoded: decoding needs a buffer, which is the caller's.
    Base64(Base64<'a>),
}

impl Data<'_> {
    /// Whether the data is bytes, in whichever form, rather than text.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        !matches!(self, Self::Text(_))
    }

    /// The length in bytes of the data as it is.
    const fn raw_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Base64(text) => text.decoded_len(),
        }
    }

    /// The length in bytes of the data in a text frame.
    pub(crate) const fn text_len(&self) -> usize {
        if self.is_binary() { base64::encoded_len(self.raw_len()) } else { self.raw_len() }
    }

    /// Writes the data as it is; the caller has reserved `raw_len`.
    fn write_raw(&self, writer: &mut Writer<'_>) {
        match *self {
            Self::Text(text) => writer.bytes(text.as_bytes()),
            Self::Binary(bytes) => writer.bytes(bytes),
            Self::Base64(text) => writer.decoded(text),
        }
    }

    /// Writes the data as it stands in a text frame; the caller has reserved `text_len`.
    fn write_text(&self, writer: &mut Writer<'_>) {
        match *self {
            Self::Text(text) => writer.bytes(text.as_bytes()),
            Self::Binary(bytes) => writer.base64(bytes),
            Self::Base64(text) => writer.base64_again(text),
        }
    }
}

/// The packet in `text`, whose first character is its type's digit. Both revisions agree on this form.
fn decode_plain(text: &str) -> Result<Packet<'_>, DecodeError> {
    let packet_type = packet_type(text.as_bytes(), b'0')?;
    Ok(Packet::text(packet_type, text.get(1..).unwrap_or_default()))
}

/// The type that the first of `bytes` stands for, where `zero` stands for 0.
fn packet_type(bytes: &[u8], zero: u8) -> Result<PacketType, DecodeError> {
    let Some(&first) = bytes.first() else { return Err(DecodeError::new(DecodeErrorKind::Empty, 0)) };
    let packet_type = first.checked_sub(zero).and_then(PacketType::from_digit);
    packet_type.ok_or(DecodeError::new(DecodeErrorKind::UnknownType(first), 0))
}

/// Why bytes are not a packet or a payload, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct DecodeError {
    /// The offset of the offending byte from the start of the frame or payload that was given to `decode`: at most its
    /// length, and equal to it when something is missing at the end.
    pub at: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    pub(crate) const fn new(kind: DecodeErrorKind, at: usize) -> Self {
        Self { at, kind }
    }

    /// The same error, seen from a beginning that lies `offset` bytes earlier.
    pub(crate) const fn after(self, offset: usize) -> Self {
        Self { at: self.at.saturating_add(offset), ..self }
    }
}

/// What is wrong with bytes that should have been a packet or a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// No byte at all where a packet, or its type, was expected.
    #[error("empty packet: expected a type")]
    Empty,
    /// The byte that should say a packet's type says none.
    #[error("unknown packet type {0:#04x}: expected 0 to 6, or b for base64")]
    UnknownType(u8),
    /// Text that is not UTF-8. The position is that of the first byte of the character that is none.
    #[error("invalid UTF-8 in text")]
    InvalidUtf8,
    /// A character outside the base64 alphabets, or a missing one: base64 cannot end with the first symbol of a group.
    #[error("invalid base64")]
    InvalidBase64,
    /// Revision 3 payloads in binary framing: the byte before a packet says neither text nor bytes.
    #[error("unknown marker {0:#04x} before a packet: expected 0x00 for text or 0x01 for bytes")]
    InvalidMarker(u8),
    /// Revision 3 payloads: a packet's length is malformed, and the position is where a digit or the end of the
    /// number was expected; or it does not end where a character ends, or reaches beyond the payload, and the
    /// position is that of its first digit.
    #[error("invalid length prefix")]
    InvalidLength,
    /// More packets in one payload than the caller's limit. The position is where the first one too many begins.
    #[error("too many packets in one payload")]
    TooManyPackets,
}
