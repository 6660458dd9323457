//! Socket.IO 0.9 (protocol 1), which is older than Engine.IO: its packets, its polling bodies and its handshake.
//!
//! A packet is `<type>:[<id>[+]]:[<endpoint>][:<data>]`:
//!
//! | wire | body | data |
//! |---|---|---|
//! | `0::` | [`Body::Disconnect`] | none |
//! | `1::` | [`Body::Connect`] | a query string, or none |
//! | `2::` | [`Body::Heartbeat`] | none; the server sends it, the client echoes it |
//! | `3::` | [`Body::Message`] | text |
//! | `4::` | [`Body::Json`] | a JSON value |
//! | `5::` | [`Body::Event`] | `{"name":"…","args":[…]}` |
//! | `6::` | [`Body::Ack`] | the id that is answered; with arguments, `+` and a JSON array |
//! | `7::` | [`Body::Error`] | a [`Reason`]'s digit; with [`Advice`], `+` and its digit |
//! | `8::` | [`Body::Noop`] | none; answers a poll |
//!
//! **Ignore malformed packets**: the reference implementation never ends a session because of one. [`Packet::decode`]
//! returns the error, for logs. The caller then continues with the next packet.
//!
//! ```
//! use eio_core::legacy::{Body, Packet};
//!
//! let mut out = [0; 64];
//! let packet = Packet::event("led", "\"on\"")?.in_endpoint("/board")?;
//! assert_eq!(packet.encode(&mut out), Ok(r#"5::/board:{"name":"led","args":["on"]}"#));
//!
//! for text in ["2::", "garbage", "3:::hello"] {
//!     match Packet::decode(text).map(|packet| packet.body()) {
//!         Ok(Body::Heartbeat) => assert_eq!(Packet::HEARTBEAT.encode(&mut out), Ok("2::")),
//!         Ok(Body::Message(message)) => assert_eq!(message, "hello"),
//!         Ok(other) => panic!("{other:?}"),
//!         Err(_ignored) => {}
//!     }
//! }
//! # Ok::<(), eio_core::legacy::PacketError>(())
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
mod handshake;
mod payload;

pub use body::{AckRequest, Advice, Body, Reason};
pub use error::{PacketError, PacketErrorKind};
pub use handshake::{Handshake, HandshakeError, HandshakeField};
pub use payload::{Packets, PayloadError, PayloadErrorKind, decode_payload, encode_payload};

use crate::BufferTooSmall;
use crate::json;
use crate::socketio::{Args, Event};
use crate::text::{self, Decimal, split_once};
use body::{ack_body, error_body, event_body, json_body, put_data, read_id};

/// One packet. A value of this type is always valid: [`encode`](Self::encode) writes a packet that
/// [`decode`](Self::decode) can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Packet<'a> {
    endpoint: &'a str,
    ack_request: Option<AckRequest>,
    body: Body<'a>,
}

impl<'a> Packet<'a> {
    /// Ends the session: `0::`.
    pub const DISCONNECT: Self = Self::new(Body::Disconnect);
    /// The server's first packet: `1::`.
    pub const CONNECT: Self = Self::new(Body::Connect(""));
    /// The heartbeat, and its echo: `2::`.
    pub const HEARTBEAT: Self = Self::new(Body::Heartbeat);
    /// The answer to a poll if there is nothing to send: `8::`.
    pub const NOOP: Self = Self::new(Body::Noop);

    /// Creates a packet that joins an endpoint, with a query string (`?a=1`) or without (`""`).
    #[must_use]
    pub const fn connect(query: &'a str) -> Self {
        Self::new(Body::Connect(query))
    }

    /// Creates a message with any text.
    #[must_use]
    pub const fn message(text: &'a str) -> Self {
        Self::new(Body::Message(text))
    }

    /// Creates a message with a JSON value, given as text.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::InvalidJson`] or [`PacketErrorKind::TooDeep`] if `json` is not a valid value.
    pub fn json(json: &'a str) -> Result<Self, PacketError> {
        json_body(json, 0).map(Self::new)
    }

    /// Creates an event. `name` is plain text, which is escaped when it is written. `args` holds JSON values separated
    /// by commas, or nothing.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::InvalidJson`] or [`PacketErrorKind::TooDeep`] if `args` is not valid.
    pub fn event(name: &'a str, args: &'a str) -> Result<Self, PacketError> {
        // Its arguments are in an array, which is in an object.
        json::check_list(args, 2)?;
        Ok(Self::new(Body::Event(Event::new(name, Args::new(args)))))
    }

    /// Creates an acknowledgement of the packet `id`. `args` holds JSON values separated by commas, or nothing.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::InvalidJson`] or [`PacketErrorKind::TooDeep`] if `args` is not valid.
    pub fn ack(id: u64, args: &'a str) -> Result<Self, PacketError> {
        json::check_list(args, 1)?;
        Ok(Self::new(Body::Ack { id, args: Args::new(args) }))
    }

    /// Creates an error packet.
    #[must_use]
    pub const fn error(reason: Option<Reason>, advice: Option<Advice>) -> Self {
        Self::new(Body::Error { reason, advice })
    }

    /// Returns this packet for an endpoint such as `/chat`. Endpoint is 0.9's word for a namespace.
    ///
    /// # Errors
    /// Returns [`PacketErrorKind::InvalidEndpoint`] if `endpoint` contains a colon.
    pub fn in_endpoint(self, endpoint: &'a str) -> Result<Self, PacketError> {
        match endpoint.bytes().position(|byte| byte == b':') {
            Some(at) => Err(PacketError { at, kind: PacketErrorKind::InvalidEndpoint }),
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
    pub const fn body(&self) -> Body<'a> {
        self.body
    }

    /// Reads a packet, in time linear in its length.
    ///
    /// # Errors
    /// Returns a [`PacketError`] that says what is wrong, and at which byte of `text`. Callers should ignore a packet
    /// that cannot be read, as the reference does.
    pub fn decode(text: &'a str) -> Result<Self, PacketError> {
        let mut chars = text.chars();
        let digit = chars.next().ok_or(PacketError { at: 0, kind: PacketErrorKind::Empty })?;
        if !matches!(digit, '0'..='8') {
            return Err(PacketError { at: 0, kind: PacketErrorKind::UnknownType(digit) });
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
            '0' => Body::Disconnect,
            '1' => Body::Connect(data),
            '2' => Body::Heartbeat,
            '3' => Body::Message(data),
            '4' => json_body(text, at)?,
            '5' => event_body(text, at)?,
            '6' => ack_body(text, at)?,
            '7' => error_body(data),
            _ => Body::Noop,
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
                Body::Disconnect => "0:",
                Body::Connect(_) => "1:",
                Body::Heartbeat => "2:",
                Body::Message(_) => "3:",
                Body::Json(_) => "4:",
                Body::Event(_) => "5:",
                Body::Ack { .. } => "6:",
                Body::Error { .. } => "7:",
                Body::Noop => "8:",
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

    const fn new(body: Body<'a>) -> Self {
        Self { endpoint: "", ack_request: None, body }
    }
}

fn expect_colon(text: &str, at: usize) -> Result<(), PacketError> {
    if text.as_bytes().get(at) == Some(&b':') {
        return Ok(());
    }
    Err(PacketError { at: at.min(text.len()), kind: PacketErrorKind::MissingColon })
}

/// Reads the id and its `+`, if present, and returns the offset after them.
fn read_ack_request(text: &str, at: usize) -> Result<(Option<AckRequest>, usize), PacketError> {
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
