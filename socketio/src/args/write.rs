//! Writes arguments as JSON, binary data beside it.

use std::cell::Cell;
use std::io;

use bytes::Bytes;
use bytestring::ByteString;
use eio_core::socketio::{Packet, PacketErrorKind};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::EncodeError;
use crate::value::lent;

/// As many containers may enclose a value that is an argument: receivers accept 64, and the list of arguments is one.
const MAX_DEPTH: u32 = 63;

/// The most memory that a thread keeps for the next text.
const KEPT: usize = 4096;

thread_local! {
    /// Where texts are written before their length is known, so that each then takes what it needs and no more.
    static DRAFT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Writes one value.
pub(super) fn value<T: Serialize + ?Sized>(value: &T) -> Result<(ByteString, Vec<Bytes>), EncodeError> {
    write(value, MAX_DEPTH, |text| Ok(text))
}

/// Writes the members of a sequence, without the brackets.
pub(super) fn list<T: Serialize + ?Sized>(values: &T) -> Result<(ByteString, Vec<Bytes>), EncodeError> {
    write(values, MAX_DEPTH + 1, |text| match text {
        "null" => Ok(""),
        _ => text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or(EncodeError::NotASequence),
    })
}

/// Writes a value, and keeps the part of its text that `part` returns.
fn write<T: Serialize + ?Sized>(
    value: &T,
    max_depth: u32,
    part: fn(&str) -> Result<&str, EncodeError>,
) -> Result<(ByteString, Vec<Bytes>), EncodeError> {
    // The value's own code may write others meanwhile: they find no draft, and begin one.
    let mut draft = DRAFT.take();
    let written = write_into(&mut draft, value, max_depth, part);
    if draft.capacity() <= KEPT {
        draft.clear();
        DRAFT.set(draft);
    }
    written
}

fn write_into<T: Serialize + ?Sized>(
    draft: &mut Vec<u8>,
    value: &T,
    max_depth: u32,
    part: fn(&str) -> Result<&str, EncodeError>,
) -> Result<(ByteString, Vec<Bytes>), EncodeError> {
    let mut seen = Seen::default();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *draft, Attaching(&mut seen));
    value.serialize(&mut serializer).map_err(|error| EncodeError::Serialize(error.to_string().into()))?;
    let Seen { attachments, deepest, fragment, .. } = seen;
    if deepest > max_depth {
        return Err(EncodeError::TooDeep);
    }
    let text = str::from_utf8(draft).map_err(|error| EncodeError::Serialize(error.to_string().into()))?;
    if fragment {
        check_depth(text)?;
    }
    Ok((part(text)?.into(), attachments))
}

/// Checks how deep text nests that another wrote.
fn check_depth(text: &str) -> Result<(), EncodeError> {
    Packet::ack(0, text).map(drop).map_err(|error| match error.kind {
        PacketErrorKind::TooDeep => EncodeError::TooDeep,
        _ => EncodeError::Packet(error),
    })
}

/// What a formatter meets.
#[derive(Default)]
struct Seen {
    attachments: Vec<Bytes>,
    depth: u32,
    deepest: u32,
    /// Whether some of the text was JSON before.
    fragment: bool,
}

/// Writes a placeholder for each piece of binary data.
struct Attaching<'a>(&'a mut Seen);

impl Attaching<'_> {
    fn enter(&mut self) {
        self.0.depth += 1;
        self.0.deepest = self.0.deepest.max(self.0.depth);
    }

    fn leave(&mut self) {
        self.0.depth = self.0.depth.saturating_sub(1);
    }
}

impl Formatter for Attaching<'_> {
    fn write_byte_array<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        self.enter();
        self.leave();
        let num = self.0.attachments.len();
        self.0.attachments.push(lent::take(value));
        write!(writer, r#"{{"_placeholder":true,"num":{num}}}"#)
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.0.fragment = true;
        CompactFormatter.write_raw_fragment(writer, fragment)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter();
        CompactFormatter.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.leave();
        CompactFormatter.end_array(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.enter();
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.leave();
        CompactFormatter.end_object(writer)
    }
}
