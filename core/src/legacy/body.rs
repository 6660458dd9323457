//! Reads and writes the contents of packets.

use super::{PacketError, PacketErrorKind};
use crate::json::{self, Kind, Reader};
use crate::socketio::{Args, Event};
use crate::text::{Decimal, read_decimal, split_once};

/// The type and the content of a packet. JSON is raw text that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "protocol 1 has these nine types")]
pub enum Body<'a> {
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
        reason: Option<Reason>,
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

/// The reason why the server sends [`Body::Error`].
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

/// The advice that [`Body::Error`] gives to the client.
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
pub(super) fn put_data(body: &Body<'_>, put: &mut dyn FnMut(&str)) {
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

/// Reads an id that will be written exactly as it was read, and returns the offset after it.
pub(super) fn read_id(text: &str, at: usize) -> Result<(u64, usize), PacketError> {
    let rest = text.get(at..).unwrap_or_default();
    match read_decimal(rest, u64::MAX) {
        Some((id, length)) if length == 1 || !rest.starts_with('0') => Ok((id, at.saturating_add(length))),
        _ => Err(PacketError { at, kind: PacketErrorKind::InvalidId }),
    }
}

pub(super) fn json_body(text: &str, at: usize) -> Result<Body<'_>, PacketError> {
    json::expect_end(text, json::skip_value(text, at, 0)?)?;
    Ok(Body::Json(json::trim(text.get(at..).unwrap_or_default())))
}

/// Reads an object with a string `name` and an optional array `args`. Ignores other members.
pub(super) fn event_body(text: &str, at: usize) -> Result<Body<'_>, PacketError> {
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
        reader.skip_value().map_err(|kind| reader.error(kind))?;
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

/// Returns the arguments in the array that begins with `first` and ends before `end`. `null` has no arguments.
fn read_args<'a>(text: &'a str, first: json::Token<'a>, end: usize) -> Option<Args<'a>> {
    match first.kind {
        Kind::Array => text.get(first.at.saturating_add(1)..end.saturating_sub(1)).map(Args::new),
        Kind::Null => Some(Args::default()),
        _ => None,
    }
}

pub(super) fn ack_body(text: &str, at: usize) -> Result<Body<'_>, PacketError> {
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

pub(super) fn error_body(data: &str) -> Body<'_> {
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
