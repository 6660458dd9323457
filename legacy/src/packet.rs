//! Packets: a type, perhaps an id, an endpoint and data.
//!
//! A packet is `<type>:[<id>[+]]:[<endpoint>][:<data>]`:
//!
//! | wire | body | data |
//! |---|---|---|
//! | `0::` | [`PacketBody::Disconnect`] | none |
//! | `1::` | [`PacketBody::Connect`] | a query string, or none |
//! | `2::` | [`PacketBody::Heartbeat`] | none; the server sends it, the client echoes it |
//! | `3::` | [`PacketBody::Message`] | text |
//! | `4::` | [`PacketBody::Json`] | a JSON value |
//! | `5::` | [`PacketBody::Event`] | `{"name":"…","args":[…]}` |
//! | `6::` | [`PacketBody::Ack`] | the id that is answered; with arguments, `+` and a JSON array |
//! | `7::` | [`PacketBody::Error`] | a [`ErrorReason`]'s digit; with [`Advice`], `+` and its digit |
//! | `8::` | [`PacketBody::Noop`] | none; answers a poll |
//!
//! **Ignore malformed packets**: the reference implementation never ends a session because of one. [`LegacyPacket::decode`]
//! returns the error, for logs. The caller then continues with the next packet.
//!
//! ```
//! use eio_legacy::packet::{LegacyPacket, PacketBody};
//!
//! let mut out = [0; 64];
//! let packet = LegacyPacket::event("led", "\"on\"")?.in_endpoint("/board")?;
//! assert_eq!(packet.encode(&mut out), Ok(r#"5::/board:{"name":"led","args":["on"]}"#));
//!
//! for text in ["2::", "garbage", "3:::hello"] {
//!     match LegacyPacket::decode(text).map(|packet| packet.body()) {
//!         Ok(PacketBody::Heartbeat) => assert_eq!(LegacyPacket::HEARTBEAT.encode(&mut out), Ok("2::")),
//!         Ok(PacketBody::Message(message)) => assert_eq!(message, "hello"),
//!         Ok(other) => panic!("{other:?}"),
//!         Err(_ignored) => {}
//!     }
//! }
//! # Ok::<(), eio_legacy::packet::LegacyPacketError>(())
//! ```
//!
//! # Where this codec is stricter than the reference
//! The reference (socket.io 0.9.19) accepts some input that this codec refuses, so that callers ignore it:
//!
//! - JSON that does not parse (in the reference, the application gets `false`, or an event without a name), or nests
//!   deeper than 64 levels;
//! - an event whose name is not a string;
//! - an event or an acknowledgement whose arguments are not an array;
//! - an acknowledgement without an id;
//! - an id with leading zeros or above 2^64 − 1, which could not be echoed unchanged;
//! - colons before the packet;
//! - polling bodies whose lengths do not fit (the reference delivers pieces of them).
//!
//! Source: the Socket.IO 0.9 specification, "Encoding"; socket.io 0.9.19, `lib/parser.js`.

mod body;
mod error;

pub use body::{AckRequest, Advice, ErrorReason, PacketBody};
pub use error::{LegacyPacketError, LegacyPacketErrorKind};

use body::{ack_body, error_body, event_body, json_body, put_data, read_id};
use eio_core::BufferTooSmall;
use eio_core::internal::json::check_list;
use eio_core::internal::text::{self, Decimal, split_once};
use eio_core::internal::{args as checked_args, event};
use error::not_json;

/// One packet. A value of this type is always valid: [`encode`](Self::encode) writes a packet that
/// [`decode`](Self::decode) can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LegacyPacket<'a> {
    endpoint: &'a str,
    ack_request: Option<AckRequest>,
    body: PacketBody<'a>,
}

impl<'a> LegacyPacket<'a> {
    /// Ends the session: `0::`.
    pub const DISCONNECT: Self = Self::new(PacketBody::Disconnect);
    /// The server's first packet: `1::`.
    pub const CONNECT: Self = Self::new(PacketBody::Connect(""));
    /// The heartbeat, and its echo: `2::`.
    pub const HEARTBEAT: Self = Self::new(PacketBody::Heartbeat);
    /// The answer to a poll if there is nothing to send: `8::`.
    pub const NOOP: Self = Self::new(PacketBody::Noop);

    /// Creates a packet that joins an endpoint, with a query string (`?a=1`) or without (`""`).
    #[must_use]
    pub const fn connect(query: &'a str) -> Self {
        Self::new(PacketBody::Connect(query))
    }

    /// Creates a message with any text.
    #[must_use]
    pub const fn message(text: &'a str) -> Self {
        Self::new(PacketBody::Message(text))
    }

    /// Creates a message with a JSON value, given as text.
    ///
    /// # Errors
    /// Returns [`LegacyPacketErrorKind::InvalidJson`] or [`LegacyPacketErrorKind::TooDeep`] if `json` is not a valid value.
    pub fn json(json: &'a str) -> Result<Self, LegacyPacketError> {
        json_body(json, 0).map(Self::new)
    }

    /// Creates an event. `name` is plain text, which is escaped when it is written. `args` holds JSON values separated
    /// by commas, or nothing.
    ///
    /// # Errors
    /// Returns [`LegacyPacketErrorKind::InvalidJson`] or [`LegacyPacketErrorKind::TooDeep`] if `args` is not valid.
    pub fn event(name: &'a str, args: &'a str) -> Result<Self, LegacyPacketError> {
        // Its arguments are in an array, which is in an object.
        check_list(args, 2).map_err(not_json)?;
        Ok(Self::new(PacketBody::Event(event(name, checked_args(args)))))
    }

    /// Creates an acknowledgement of the packet `id`. `args` holds JSON values separated by commas, or nothing.
    ///
    /// # Errors
    /// Returns [`LegacyPacketErrorKind::InvalidJson`] or [`LegacyPacketErrorKind::TooDeep`] if `args` is not valid.
    pub fn ack(id: u64, args: &'a str) -> Result<Self, LegacyPacketError> {
        check_list(args, 1).map_err(not_json)?;
        Ok(Self::new(PacketBody::Ack { id, args: checked_args(args) }))
    }

    /// Creates an error packet.
    #[must_use]
    pub const fn error(reason: Option<ErrorReason>, advice: Option<Advice>) -> Self {
        Self::new(PacketBody::Error { reason, advice })
    }

    /// Returns this packet for an endpoint such as `/chat`. Endpoint is 0.9's word for a namespace.
    ///
    /// # Errors
    /// Returns [`LegacyPacketErrorKind::InvalidEndpoint`] if `endpoint` contains a colon.
    pub fn in_endpoint(self, endpoint: &'a str) -> Result<Self, LegacyPacketError> {
        match endpoint.bytes().position(|byte| byte == b':') {
            Some(at) => Err(LegacyPacketError { at, kind: LegacyPacketErrorKind::InvalidEndpoint }),
            None => Ok(Self { endpoint, ..self }),
        }
    }

    /// Returns this packet with a request for an acknowledgement.
    #[must_use]
    pub const fn with_ack_request(self, request: AckRequest) -> Self {
        Self { ack_request: Some(request), ..self }
    }

    /// Returns the endpoint. It is empty for the default endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> &'a str {
        self.endpoint
    }

    /// Returns whether and how the sender wants an acknowledgement.
    #[must_use]
    pub const fn ack_request(&self) -> Option<AckRequest> {
        self.ack_request
    }

    /// Returns the type and the content of the packet.
    #[must_use]
    pub const fn body(&self) -> PacketBody<'a> {
        self.body
    }

    /// Reads a packet, in time linear in its length.
    ///
    /// # Errors
    /// Returns a [`LegacyPacketError`] that says what is wrong, and at which byte of `text`. Callers should ignore a packet
    /// that cannot be read, as the reference does.
    pub fn decode(text: &'a str) -> Result<Self, LegacyPacketError> {
        let mut chars = text.chars();
        let digit = chars.next().ok_or(LegacyPacketError { at: 0, kind: LegacyPacketErrorKind::Empty })?;
        if !matches!(digit, '0'..='8') {
            return Err(LegacyPacketError { at: 0, kind: LegacyPacketErrorKind::UnknownType(digit) });
        }
        expect_colon(text, 1)?;
        let (ack_request, at) = read_ack_request(text, 2)?;
        expect_colon(text, at)?;
        let start = at.saturating_add(1);
        let rest = text.get(start..).unwrap_or_default();
        let (endpoint, _) = split_once(rest, b':');
        // The colon before the data may be missing if nothing follows.
        let at = start.saturating_add(endpoint.len()).saturating_add(1).min(text.len());
        let data = text.get(at..).unwrap_or_default();
        let body = match digit {
            '0' => PacketBody::Disconnect,
            '1' => PacketBody::Connect(data),
            '2' => PacketBody::Heartbeat,
            '3' => PacketBody::Message(data),
            '4' => json_body(text, at)?,
            '5' => event_body(text, at)?,
            '6' => ack_body(text, at)?,
            '7' => error_body(data),
            _ => PacketBody::Noop,
        };
        Ok(Self { endpoint, ack_request, body })
    }

    /// Writes the packet's text and returns it.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`], with the number of bytes needed, if the text does not fit. Nothing is written then.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall> {
        text::write(out, &|put| {
            put(match self.body {
                PacketBody::Disconnect => "0:",
                PacketBody::Connect(_) => "1:",
                PacketBody::Heartbeat => "2:",
                PacketBody::Message(_) => "3:",
                PacketBody::Json(_) => "4:",
                PacketBody::Event(_) => "5:",
                PacketBody::Ack { .. } => "6:",
                PacketBody::Error { .. } => "7:",
                PacketBody::Noop => "8:",
            });
            if let Some(request) = self.ack_request {
                put(Decimal::new(request.id).as_str());
                put(if request.with_data { "+" } else { "" });
            }
            put(":");
            put(self.endpoint);
            put_data(&self.body, put);
        })
    }

    const fn new(body: PacketBody<'a>) -> Self {
        Self { endpoint: "", ack_request: None, body }
    }
}

fn expect_colon(text: &str, at: usize) -> Result<(), LegacyPacketError> {
    if text.as_bytes().get(at) == Some(&b':') {
        return Ok(());
    }
    Err(LegacyPacketError { at: at.min(text.len()), kind: LegacyPacketErrorKind::MissingColon })
}

/// Reads the id and its `+`, if present, and returns the offset after them.
fn read_ack_request(text: &str, at: usize) -> Result<(Option<AckRequest>, usize), LegacyPacketError> {
    let mut at = at;
    let mut id = None;
    if matches!(text.as_bytes().get(at), Some(b'0'..=b'9')) {
        let (number, end) = read_id(text, at)?;
        (id, at) = (Some(number), end);
    }
    let with_data = text.as_bytes().get(at) == Some(&b'+');
    if with_data {
        at = at.saturating_add(1);
    }
    // A plus without an id asks for nothing.
    Ok((id.map(|id| AckRequest { id, with_data }), at))
}
