//! Reads the contents of packets.

use super::{Args, Event, Expected, PacketError, PacketErrorKind, decoder};
use crate::json::{self, Kind, Reader};

/// The type and the content of a packet. JSON is raw text that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "revision 5 of the protocol has these, and two binary forms")]
pub enum Body<'a> {
    /// Asks to join the namespace, or confirms that the socket has joined it. Carries the text of an object, or nothing
    /// (`""`).
    Connect(&'a str),
    /// Leaves the namespace. The Engine.IO session stays open.
    Disconnect,
    /// An event of the application. With [`attachments`](super::Packet::attachments), it is a "binary event".
    Event(Event<'a>),
    /// Answers the event whose [`id`](super::Packet::id) this packet repeats. With attachments, it is a "binary ack".
    Ack(Args<'a>),
    /// The server refuses to let the client join the namespace. Carries the text of an object with a `message`, or of a
    /// string, or nothing (`""`).
    ConnectError(&'a str),
}

/// Names that an event must not have, because they mean something else to users of Socket.IO.
const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

pub(super) fn connect_body(text: &str, at: usize) -> Result<Body<'_>, PacketError> {
    if at == text.len() {
        return Ok(Body::Connect(""));
    }
    document(text, at, Expected::Object, &[Kind::Object]).map(Body::Connect)
}

pub(super) fn connect_error_body(text: &str, at: usize) -> Result<Body<'_>, PacketError> {
    document(text, at, Expected::ObjectOrString, &[Kind::Object, Kind::String]).map(Body::ConnectError)
}

/// Returns the one value that `text` holds from `at` on, without the whitespace around it.
fn document<'a>(
    text: &'a str,
    at: usize,
    expected: Expected,
    kinds: &[Kind],
) -> Result<&'a str, PacketError> {
    let mut reader = Reader::new(text, at, 0);
    let first = reader.next()?;
    if !kinds.contains(&first.kind) {
        return Err(wrong(first.at, expected));
    }
    json::expect_end(text, reader.finish()?)?;
    Ok(json::trim(text.get(at..).unwrap_or_default()))
}

pub(super) fn event_body(text: &str, at: usize, attachments: u32) -> Result<Body<'_>, PacketError> {
    let mut reader = open_array(text, at, Expected::NamedArray)?;
    let name = reader.next()?;
    // A comma or the end of the array follows the name.
    let after_name = json::skip_whitespace(text, reader.at());
    let (args, start) = rest_of_array(text, reader, after_name.saturating_add(1))?;
    let event = Event::from_json(name, args).ok_or(wrong(name.at, Expected::NamedArray))?;
    check_reserved(&event, name.at)?;
    check_attached(args, start, attachments)?;
    Ok(Body::Event(event))
}

pub(super) fn ack_body(text: &str, at: usize, attachments: u32) -> Result<Body<'_>, PacketError> {
    let reader = open_array(text, at, Expected::Array)?;
    let start = reader.at();
    let (args, start) = rest_of_array(text, reader, start)?;
    check_attached(args, start, attachments)?;
    Ok(Body::Ack(args))
}

fn open_array(text: &str, at: usize, expected: Expected) -> Result<Reader<'_>, PacketError> {
    let mut reader = Reader::new(text, at, 0);
    if at < text.len() && reader.next()?.kind == Kind::Array {
        return Ok(reader);
    }
    Err(wrong(at, expected))
}

/// Reads the array to its end, which must be the end of the text. Returns the values from `start` on, and their offset.
fn rest_of_array<'a>(
    text: &'a str,
    reader: Reader<'a>,
    start: usize,
) -> Result<(Args<'a>, usize), PacketError> {
    let end = reader.finish()?;
    json::expect_end(text, end)?;
    let start = json::skip_whitespace(text, start);
    // Empty if the array ended right after the name.
    Ok((Args::new(text.get(start..end.saturating_sub(1)).unwrap_or_default()), start))
}

fn check_attached(args: Args<'_>, start: usize, attachments: u32) -> Result<(), PacketError> {
    if attachments == 0 {
        return Ok(());
    }
    decoder::check_placeholders(args, attachments)
        .map_err(|error| PacketError { at: error.at.saturating_add(start), ..error })
}

pub(super) fn check_reserved(event: &Event<'_>, at: usize) -> Result<(), PacketError> {
    if RESERVED_EVENTS.iter().any(|name| event.is(name)) {
        return Err(PacketError { at, kind: PacketErrorKind::ReservedName });
    }
    Ok(())
}

pub(super) const fn wrong(at: usize, expected: Expected) -> PacketError {
    PacketError { at, kind: PacketErrorKind::WrongData(expected) }
}
