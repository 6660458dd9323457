//! Writes arguments as JSON, binary data beside it.

use std::io;

use bytes::Bytes;
use eio_core::socketio::{Packet, PacketErrorKind};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::EncodeError;
use crate::value::lent;

/// As many containers may enclose a value that is an argument: receivers accept 64, and the list of arguments is one.
const MAX_DEPTH: u32 = 63;

/// Writes one value.
pub(super) fn value<T: Serialize + ?Sized>(value: &T) -> Result<(String, Vec<Bytes>), EncodeError> {
    write(value, MAX_DEPTH)
}

/// Writes the members of a sequence, without the brackets.
pub(super) fn list<T: Serialize + ?Sized>(values: &T) -> Result<(String, Vec<Bytes>), EncodeError> {
    let (mut text, attachments) = write(values, MAX_DEPTH + 1)?;
    if text == "null" {
        return Ok((String::new(), attachments));
    }
    if !text.starts_with('[') {
        return Err(EncodeError::NotASequence);
    }
    text.pop();
    text.remove(0);
    Ok((text, attachments))
}

fn write<T: Serialize + ?Sized>(value: &T, max_depth: u32) -> Result<(String, Vec<Bytes>), EncodeError> {
    let mut seen = Seen::default();
    let mut text = Vec::with_capacity(64);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Attaching(&mut seen));
    value.serialize(&mut serializer).map_err(|error| EncodeError::Serialize(error.to_string().into()))?;
    let Seen { attachments, deepest, fragment, .. } = seen;
    if deepest > max_depth {
        return Err(EncodeError::TooDeep);
    }
    let text = String::from_utf8(text).map_err(|error| EncodeError::Serialize(error.to_string().into()))?;
    if fragment {
        check_depth(&text)?;
    }
    Ok((text, attachments))
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
