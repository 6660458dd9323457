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
//! **Malformed packets are ignored**: the reference implementation never ends a session for one. [`Packet::decode`]
//! still says what is wrong, for logs; its callers go on with the next packet.
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
//! What the reference (socket.io 0.9.19) reads as *something*, and this codec refuses, that is: has ignored. JSON that
//! does not parse (the application gets `false`, or an event without a name, there) or nests deeper than 64 levels;
//! an event whose name is no string, or whose arguments, like those of an acknowledgement, are no array; an
//! acknowledgement without an id; an id with leading zeros or above 2^64 − 1, which could not be echoed as it was;
//! colons before the packet; and polling bodies whose lengths do not fit, of which the reference delivers pieces.
//!
//! Source: the Socket.IO 0.9 specification, "Encoding"; socket.io 0.9.19, `lib/parser.js`.

mod error;
mod handshake;
mod payload;

pub use error::{PacketError, PacketErrorKind};
pub use handshake::{Handshake, HandshakeError, HandshakeField};
pub use payload::{Packets, PayloadError, PayloadErrorKind, decode_payload, encode_payload};

use crate::BufferTooSmall;
use crate::json::{self, Kind, Reader};
use crate::socketio::{Args, Event};
use crate::text::{self, Decimal, read_decimal, split_once};

/// One packet. A value that exists is valid: whatever it holds, [`encode`](Self::encode) writes a packet that
/// [`decode`](Self::decode) reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Packet<'a> {
    endpoint: &'a str,
    ack_request: Option<AckRequest>,
    body: Body<'a>,
}

/// What a packet is for, and what it carries. JSON is raw text, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "protocol 1 has these nine types")]
pub enum Body<'a> {
    /// Leaves the endpoint; for the empty endpoint, ends the session.
    Disconnect,
    /// Joins the endpoint, or says that it is joined. Carries a query string (`?a=1`), or nothing (`""`).
    Connect(&'a str),
    /// The server asks whether the client is there; the client sends the same back.
    Heartbeat,
    /// Text.
    Message(&'a str),
    /// The text of a JSON value.
    Json(&'a str),
    /// Something happened.
    Event(Event<'a>),
    /// Answers a packet that asked for it.
    Ack {
        /// The id of the packet that is answered.
        id: u64,
        /// What the answer carries.
        args: Args<'a>,
    },
    /// Something failed.
    Error {
        /// What; `None` if it is not said, or unknown.
        reason: Option<Reason>,
        /// What the client should do; `None` if it is not said, or unknown.
        advice: Option<Advice>,
    },
    /// Nothing: answers a poll that would otherwise last too long.
    Noop,
}

/// Asks the receiver of a packet to acknowledge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "the wire has room for these two")]
pub struct AckRequest {
    /// What the acknowledgement is to repeat.
    pub id: u64,
    /// `+` on the wire: the application answers, with arguments. Otherwise the library confirms the arrival by itself.
    pub with_data: bool,
}

/// Why the server sends [`Body::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "protocol 1 has these three")]
pub enum Reason {
    /// `0`: the transport is not offered.
    TransportNotSupported,
    /// `1`: the session id is unknown.
    ClientNotHandshaken,
    /// `2`: the application refused the client.
    Unauthorized,
}

impl Reason {
    /// The reference's words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TransportNotSupported => "transport not supported",
            Self::ClientNotHandshaken => "client not handshaken",
            Self::Unauthorized => "unauthorized",
        }
    }

    const fn digit(self) -> &'static str {
        match self {
            Self::TransportNotSupported => "0",
            Self::ClientNotHandshaken => "1",
            Self::Unauthorized => "2",
        }
    }
}

/// What [`Body::Error`] tells the client to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "protocol 1 has this one")]
pub enum Advice {
    /// `0`: shake hands again.
    Reconnect,
}

impl Advice {
    /// The reference's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconnect => "reconnect",
        }
    }
}

impl<'a> Packet<'a> {
    /// Ends the session: `0::`.
    pub const DISCONNECT: Self = Self::new(Body::Disconnect);
    /// The server's first packet: `1::`.
    pub const CONNECT: Self = Self::new(Body::Connect(""));
    /// The heartbeat, and its echo: `2::`.
    pub const HEARTBEAT: Self = Self::new(Body::Heartbeat);
    /// The answer to a poll that found nothing: `8::`.
    pub const NOOP: Self = Self::new(Body::Noop);

    /// Joins an endpoint, with a query string (`?a=1`) or without (`""`).
    #[must_use]
    pub const fn connect(query: &'a str) -> Self {
        Self::new(Body::Connect(query))
    }

    /// Text, which may be anything.
    #[must_use]
    pub const fn message(text: &'a str) -> Self {
        Self::new(Body::Message(text))
    }

    /// A JSON value, as text.
    ///
    /// # Errors
    /// [`PacketErrorKind::InvalidJson`] and [`PacketErrorKind::TooDeep`].
    pub fn json(json: &'a str) -> Result<Self, PacketError> {
        json_body(json, 0).map(Self::new)
    }

    /// An event: `name` is plain text, escaped when it is written; `args` holds JSON values with commas between them,
    /// or nothing.
    ///
    /// # Errors
    /// [`PacketErrorKind::InvalidJson`] and [`PacketErrorKind::TooDeep`] for `args`.
    pub fn event(name: &'a str, args: &'a str) -> Result<Self, PacketError> {
        // Its arguments stand in an array, which stands in an object.
        json::check_list(args, 2)?;
        Ok(Self::new(Body::Event(Event::new(name, Args::new(args)))))
    }

    /// Answers the packet `id`: `args` holds JSON values with commas between them, or nothing.
    ///
    /// # Errors
    /// [`PacketErrorKind::InvalidJson`] and [`PacketErrorKind::TooDeep`] for `args`.
    pub fn ack(id: u64, args: &'a str) -> Result<Self, PacketError> {
        json::check_list(args, 1)?;
        Ok(Self::new(Body::Ack { id, args: Args::new(args) }))
    }

    /// An error.
    #[must_use]
    pub const fn error(reason: Option<Reason>, advice: Option<Advice>) -> Self {
        Self::new(Body::Error { reason, advice })
    }

    /// The same packet for an endpoint (0.9's word for a namespace) such as `/chat`.
    ///
    /// # Errors
    /// [`PacketErrorKind::InvalidEndpoint`] if `endpoint` contains a colon.
    pub fn in_endpoint(self, endpoint: &'a str) -> Result<Self, PacketError> {
        match endpoint.bytes().position(|byte| byte == b':') {
            Some(at) => Err(PacketError { at, kind: PacketErrorKind::InvalidEndpoint }),
            None => Ok(Self { endpoint, ..self }),
        }
    }

    /// The same packet, asking to be acknowledged.
    #[must_use]
    pub const fn with_ack_request(self, request: AckRequest) -> Self {
        Self { ack_request: Some(request), ..self }
    }

    /// The endpoint: empty for the default one.
    #[must_use]
    pub const fn endpoint(&self) -> &'a str {
        self.endpoint
    }

    /// Whether, and how, the sender wants an acknowledgement.
    #[must_use]
    pub const fn ack_request(&self) -> Option<AckRequest> {
        self.ack_request
    }

    /// What the packet is for, and what it carries.
    #[must_use]
    pub const fn body(&self) -> Body<'a> {
        self.body
    }

    /// Reads a packet, in time linear in its length.
    ///
    /// # Errors
    /// [`PacketError`] says what is wrong, and at which byte of `text`. Callers ignore a packet that cannot be read, as
    /// the reference does.
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
        // The colon before the data may be missing when nothing follows.
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

    /// Writes the packet's text, and returns it.
    ///
    /// # Errors
    /// [`BufferTooSmall`] says how many bytes it takes; nothing is written then.
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

/// The colon before the data, and the data; neither, if there is none.
fn put_data(body: &Body<'_>, put: &mut dyn FnMut(&str)) {
    match body {
        Body::Disconnect
        | Body::Connect("")
        | Body::Heartbeat
        | Body::Message("")
        | Body::Error { reason: None, advice: None }
        | Body::Noop => {}
        Body::Connect(data) | Body::Message(data) | Body::Json(data) => {
            put(":");
            put(data);
        }
        Body::Event(event) => {
            put(":{\"name\":");
            event.put_name(put);
            if !event.args().is_empty() {
                put(",\"args\":[");
                put(event.args().as_str());
                put("]");
            }
            put("}");
        }
        Body::Ack { id, args } => {
            put(":");
            put(Decimal::new(*id).as_str());
            if !args.is_empty() {
                put("+[");
                put(args.as_str());
                put("]");
            }
        }
        Body::Error { reason, advice } => {
            put(":");
            put(reason.map_or("", Reason::digit));
            match advice {
                Some(Advice::Reconnect) => put("+0"),
                None => {}
            }
        }
    }
}

fn expect_colon(text: &str, at: usize) -> Result<(), PacketError> {
    if text.as_bytes().get(at) == Some(&b':') {
        return Ok(());
    }
    Err(PacketError { at: at.min(text.len()), kind: PacketErrorKind::MissingColon })
}

/// The id and its `+`, if there is one; returns the offset behind it.
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

/// An id that will be written as it was read; returns the offset behind it.
fn read_id(text: &str, at: usize) -> Result<(u64, usize), PacketError> {
    let rest = text.get(at..).unwrap_or_default();
    match read_decimal(rest, u64::MAX) {
        Some((id, length)) if length == 1 || !rest.starts_with('0') => Ok((id, at.saturating_add(length))),
        _ => Err(PacketError { at, kind: PacketErrorKind::InvalidId }),
    }
}

fn json_body(text: &str, at: usize) -> Result<Body<'_>, PacketError> {
    json::expect_end(text, json::skip_value(text, at, 0)?)?;
    Ok(Body::Json(json::trim(text.get(at..).unwrap_or_default())))
}

/// An object with a `name`, a string, and perhaps `args`, an array. Other members are ignored.
fn event_body(text: &str, at: usize) -> Result<Body<'_>, PacketError> {
    let malformed = PacketError { at, kind: PacketErrorKind::InvalidEvent };
    let mut reader = Reader::new(text, at, 0);
    if reader.next()?.kind != Kind::Object {
        return Err(malformed);
    }
    let (mut name, mut args) = (None, Some(Args::default()));
    // As in JavaScript, the last of several members with one name counts.
    loop {
        let key = reader.next()?;
        if key.kind != Kind::Key {
            break;
        }
        let value = reader.clone().next()?;
        reader.skip_value()?;
        if json::raw_eq(key.raw, "name") {
            name = Some(value).filter(|token| token.kind == Kind::String);
        } else if json::raw_eq(key.raw, "args") {
            args = read_args(text, value, reader.at());
        }
    }
    json::expect_end(text, reader.finish()?)?;
    let event = name.zip(args).and_then(|(name, args)| Event::from_json(name, args));
    event.map(Body::Event).ok_or(malformed)
}

/// The arguments in the array that begins with `first` and ends before `end`; none in `null`.
fn read_args<'a>(text: &'a str, first: json::Token<'a>, end: usize) -> Option<Args<'a>> {
    match first.kind {
        Kind::Array => text.get(first.at.saturating_add(1)..end.saturating_sub(1)).map(Args::new),
        Kind::Null => Some(Args::default()),
        _ => None,
    }
}

fn ack_body(text: &str, at: usize) -> Result<Body<'_>, PacketError> {
    let (id, at) = read_id(text, at)?;
    let at = if text.as_bytes().get(at) == Some(&b'+') { at.saturating_add(1) } else { at };
    if at == text.len() {
        return Ok(Body::Ack { id, args: Args::default() });
    }
    let first = Reader::new(text, at, 0).next()?;
    let end = json::skip_value(text, at, 0)?;
    json::expect_end(text, end)?;
    match read_args(text, first, end) {
        Some(args) => Ok(Body::Ack { id, args }),
        None => Err(PacketError { at, kind: PacketErrorKind::InvalidArgs }),
    }
}

fn error_body(data: &str) -> Body<'_> {
    let (reason, rest) = split_once(data, b'+');
    let reason = match reason {
        "0" => Some(Reason::TransportNotSupported),
        "1" => Some(Reason::ClientNotHandshaken),
        "2" => Some(Reason::Unauthorized),
        _ => None,
    };
    let advice = match rest.map(|rest| split_once(rest, b'+')) {
        Some(("0", _)) => Some(Advice::Reconnect),
        _ => None,
    };
    Body::Error { reason, advice }
}
