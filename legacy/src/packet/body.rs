//! Reads and writes the contents of packets.

use eio_core::internal::json::{self, Kind, Reader};
use eio_core::internal::text::{Decimal, read_decimal, split_once};
use eio_core::internal::{args as checked_args, event_from_json, put_event_name};
use eio_core::socketio::{Args, Event};

use super::error::not_json;
use super::{LegacyPacketError, LegacyPacketErrorKind};

/// The type and the content of a packet. JSON is raw text that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "protocol 1 has these nine types")]
pub enum PacketBody<'a> {
    /// Leaves the endpoint. For the empty endpoint, it ends the session.
    Disconnect,
    /// Joins the endpoint, or confirms that it is joined. Carries a query string (`?a=1`), or nothing (`""`).
    Connect(&'a str),
    /// The server asks whether the client is alive. The client echoes the packet.
    Heartbeat,
    /// Text.
    Message(&'a str),
    /// The text of a JSON value.
    Json(&'a str),
    /// An event of the application.
    Event(Event<'a>),
    /// Answers a packet that asked for it.
    Ack {
        /// The id of the packet that is answered.
        id: u64,
        /// The arguments of the answer.
        args: Args<'a>,
    },
    /// Reports an error.
    Error {
        /// The reason, or `None` if it is missing or unknown.
        reason: Option<ErrorReason>,
        /// The advice to the client, or `None` if it is missing or unknown.
        advice: Option<Advice>,
    },
    /// Carries nothing. Answers a poll that would otherwise last too long.
    Noop,
}

/// Asks the receiver of a packet to acknowledge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "the wire has room for these two")]
pub struct AckRequest {
    /// The id that the acknowledgement must repeat.
    pub id: u64,
    /// `+` on the wire: the application answers with arguments. Otherwise the library itself confirms the arrival.
    pub with_data: bool,
}

/// The reason why the server sends [`PacketBody::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "protocol 1 has these three")]
pub enum ErrorReason {
    /// `0`: the transport is not offered.
    TransportNotSupported,
    /// `1`: the session id is unknown.
    ClientNotHandshaken,
    /// `2`: the application refused the client.
    Unauthorized,
}

impl ErrorReason {
    /// Returns the text that the reference uses.
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

/// The advice that [`PacketBody::Error`] gives to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "protocol 1 has this one")]
pub enum Advice {
    /// `0`: shake hands again.
    Reconnect,
}

impl Advice {
    /// Returns the word that the reference uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reconnect => "reconnect",
        }
    }
}

/// Writes the colon before the data, and the data. Writes nothing if there is no data.
pub(super) fn put_data(body: &PacketBody<'_>, put: &mut dyn FnMut(&str)) {
    match body {
        PacketBody::Disconnect
        | PacketBody::Connect("")
        | PacketBody::Heartbeat
        | PacketBody::Message("")
        | PacketBody::Error { reason: None, advice: None }
        | PacketBody::Noop => {}
        PacketBody::Connect(data) | PacketBody::Message(data) | PacketBody::Json(data) => {
            put(":");
            put(data);
        }
        PacketBody::Event(event) => {
            put(":{\"name\":");
            put_event_name(event, put);
            if !event.args().is_empty() {
                put(",\"args\":[");
                put(event.args().as_str());
                put("]");
            }
            put("}");
        }
        PacketBody::Ack { id, args } => {
            put(":");
            put(Decimal::new(*id).as_str());
            if !args.is_empty() {
                put("+[");
                put(args.as_str());
                put("]");
            }
        }
        PacketBody::Error { reason, advice } => {
            put(":");
            put(reason.map_or("", ErrorReason::digit));
            match advice {
                Some(Advice::Reconnect) => put("+0"),
                None => {}
            }
        }
    }
}

/// Reads an id that will be written exactly as it was read, and returns the offset after it.
pub(super) fn read_id(text: &str, at: usize) -> Result<(u64, usize), LegacyPacketError> {
    let rest = text.get(at..).unwrap_or_default();
    match read_decimal(rest, u64::MAX) {
        Some((id, length)) if length == 1 || !rest.starts_with('0') => Ok((id, at.saturating_add(length))),
        _ => Err(LegacyPacketError { at, kind: LegacyPacketErrorKind::InvalidId }),
    }
}

pub(super) fn json_body(text: &str, at: usize) -> Result<PacketBody<'_>, LegacyPacketError> {
    let end = json::skip_value(text, at, 0).map_err(not_json)?;
    json::expect_end(text, end).map_err(not_json)?;
    Ok(PacketBody::Json(json::trim(text.get(at..).unwrap_or_default())))
}

/// Reads an object with a string `name` and an optional array `args`. Ignores other members.
pub(super) fn event_body(text: &str, at: usize) -> Result<PacketBody<'_>, LegacyPacketError> {
    let malformed = LegacyPacketError { at, kind: LegacyPacketErrorKind::InvalidEvent };
    let mut reader = Reader::new(text, at, 0);
    if reader.next().map_err(not_json)?.kind != Kind::Object {
        return Err(malformed);
    }
    let (mut name, mut args) = (None, Some(Args::default()));
    // As in JavaScript, the last of several members with one name counts.
    loop {
        let key = reader.next().map_err(not_json)?;
        if key.kind != Kind::Key {
            break;
        }
        let value = reader.clone().next().map_err(not_json)?;
        reader.skip_value().map_err(|kind| not_json(reader.error(kind)))?;
        if json::raw_eq(key.raw, "name") {
            name = Some(value).filter(|token| token.kind == Kind::String);
        } else if json::raw_eq(key.raw, "args") {
            args = read_args(text, value, reader.at());
        }
    }
    let end = reader.finish().map_err(not_json)?;
    json::expect_end(text, end).map_err(not_json)?;
    let event = name.zip(args).and_then(|(name, args)| event_from_json(name, args));
    event.map(PacketBody::Event).ok_or(malformed)
}

/// Returns the arguments in the array that begins with `first` and ends before `end`. `null` has no arguments.
fn read_args<'a>(text: &'a str, first: json::Token<'a>, end: usize) -> Option<Args<'a>> {
    match first.kind {
        Kind::Array => text.get(first.at.saturating_add(1)..end.saturating_sub(1)).map(checked_args),
        Kind::Null => Some(Args::default()),
        _ => None,
    }
}

pub(super) fn ack_body(text: &str, at: usize) -> Result<PacketBody<'_>, LegacyPacketError> {
    let (id, at) = read_id(text, at)?;
    let at = if text.as_bytes().get(at) == Some(&b'+') { at.saturating_add(1) } else { at };
    if at == text.len() {
        return Ok(PacketBody::Ack { id, args: Args::default() });
    }
    let first = Reader::new(text, at, 0).next().map_err(not_json)?;
    let end = json::skip_value(text, at, 0).map_err(not_json)?;
    json::expect_end(text, end).map_err(not_json)?;
    match read_args(text, first, end) {
        Some(args) => Ok(PacketBody::Ack { id, args }),
        None => Err(LegacyPacketError { at, kind: LegacyPacketErrorKind::InvalidArgs }),
    }
}

pub(super) fn error_body(data: &str) -> PacketBody<'_> {
    let (reason, rest) = split_once(data, b'+');
    let reason = match reason {
        "0" => Some(ErrorReason::TransportNotSupported),
        "1" => Some(ErrorReason::ClientNotHandshaken),
        "2" => Some(ErrorReason::Unauthorized),
        _ => None,
    };
    let advice = match rest.map(|rest| split_once(rest, b'+')) {
        Some(("0", _)) => Some(Advice::Reconnect),
        _ => None,
    };
    PacketBody::Error { reason, advice }
}
