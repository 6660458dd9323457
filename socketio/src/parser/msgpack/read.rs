//! Reads values in `MessagePack`, as notepack.io does.

use bytes::{Buf, Bytes, TryGetError};
use indexmap::IndexMap;
use rmp::Marker;

use super::{MsgPackError, MsgPackErrorKind, date};
use crate::value::{MEMBER_BYTES, OBJECT_BYTES, Value};

/// How deep lists and objects may nest: 64, as in JSON, and the packet itself.
const MAX_DEPTH: u8 = 65;

/// How many bytes of memory the values of a message may take for each of its bytes. A number of one byte takes 40, and an object
/// with a member of a short name and a short value 54.
const MEMORY_PER_BYTE: usize = 64;
/// How many bytes of memory the values of any message may take.
const LEAST_MEMORY: usize = 64 * 1024;

/// Reads the only value of a message. Binary data in it shares the message's bytes.
///
/// Memory is taken for what has arrived, not for what a length declares, and not without a limit.
pub(super) fn document(bytes: Bytes) -> Result<Value, MsgPackError> {
    let len = bytes.len();
    let memory = len.saturating_mul(MEMORY_PER_BYTE).saturating_add(LEAST_MEMORY);
    let mut reader = Reader { rest: bytes, memory };
    let value = reader.value(MAX_DEPTH).and_then(|value| {
        if reader.rest.is_empty() { Ok(value) } else { Err(MsgPackErrorKind::TrailingBytes) }
    });
    value
        .map(Option::unwrap_or_default)
        .map_err(|kind| MsgPackError { at: len.saturating_sub(reader.rest.len()), kind })
}

struct Reader {
    rest: Bytes,
    /// How much more the values may take.
    memory: usize,
}

impl From<TryGetError> for MsgPackErrorKind {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

impl Reader {
    /// Reads a value, in which containers may nest `depth` deep. Returns `None` if it is undefined.
    fn value(&mut self, depth: u8) -> Result<Option<Value>, MsgPackErrorKind> {
        let value = match Marker::from_u8(self.rest.try_get_u8()?) {
            Marker::Null => Value::Null,
            Marker::False => false.into(),
            Marker::True => true.into(),
            Marker::FixPos(number) => number.into(),
            Marker::FixNeg(number) => number.into(),
            Marker::U8 => self.rest.try_get_u8()?.into(),
            Marker::U16 => self.rest.try_get_u16()?.into(),
            Marker::U32 => self.rest.try_get_u32()?.into(),
            Marker::U64 => self.rest.try_get_u64()?.into(),
            Marker::I8 => self.rest.try_get_i8()?.into(),
            Marker::I16 => self.rest.try_get_i16()?.into(),
            Marker::I32 => self.rest.try_get_i32()?.into(),
            Marker::I64 => self.rest.try_get_i64()?.into(),
            Marker::F32 => f64::from(self.rest.try_get_f32()?).into(),
            Marker::F64 => self.rest.try_get_f64()?.into(),
            Marker::FixStr(len) => self.text(len.into())?,
            Marker::Str8 => self.len8().and_then(|len| self.text(len))?,
            Marker::Str16 => self.len16().and_then(|len| self.text(len))?,
            Marker::Str32 => self.len32().and_then(|len| self.text(len))?,
            Marker::Bin8 => self.len8().and_then(|len| self.bytes(len))?.into(),
            Marker::Bin16 => self.len16().and_then(|len| self.bytes(len))?.into(),
            Marker::Bin32 => self.len32().and_then(|len| self.bytes(len))?.into(),
            Marker::FixArray(len) => self.array(len.into(), depth)?,
            Marker::Array16 => self.len16().and_then(|len| self.array(len, depth))?,
            Marker::Array32 => self.len32().and_then(|len| self.array(len, depth))?,
            Marker::FixMap(len) => self.map(len.into(), depth)?,
            Marker::Map16 => self.len16().and_then(|len| self.map(len, depth))?,
            Marker::Map32 => self.len32().and_then(|len| self.map(len, depth))?,
            Marker::FixExt1 => match self.extension(1)? {
                (0, _) => return Ok(None),
                other => unknown(other),
            },
            Marker::FixExt2 => unknown(self.extension(2)?),
            Marker::FixExt4 => unknown(self.extension(4)?),
            Marker::FixExt8 => match self.extension(8)? {
                (0, mut millis) => date::json(millis.try_get_i64()?),
                other => unknown(other),
            },
            Marker::FixExt16 => unknown(self.extension(16)?),
            Marker::Ext8 => self.len8().and_then(|len| self.extension(len)).map(array_buffer)?,
            Marker::Ext16 => self.len16().and_then(|len| self.extension(len)).map(array_buffer)?,
            Marker::Ext32 => self.len32().and_then(|len| self.extension(len)).map(array_buffer)?,
            Marker::Reserved => return Err(MsgPackErrorKind::Reserved),
        };
        let bytes = match &value {
            // What they hold was counted as it was read.
            Value::Array(_) | Value::Object(_) => size_of::<Value>(),
            other => other.byte_len(),
        };
        self.take_memory(bytes)?;
        Ok(Some(value))
    }

    fn take_memory(&mut self, bytes: usize) -> Result<(), MsgPackErrorKind> {
        self.memory = self.memory.checked_sub(bytes).ok_or(MsgPackErrorKind::TooMuchMemory)?;
        Ok(())
    }

    fn len8(&mut self) -> Result<usize, MsgPackErrorKind> {
        Ok(self.rest.try_get_u8()?.into())
    }

    fn len16(&mut self) -> Result<usize, MsgPackErrorKind> {
        Ok(self.rest.try_get_u16()?.into())
    }

    fn len32(&mut self) -> Result<usize, MsgPackErrorKind> {
        usize::try_from(self.rest.try_get_u32()?).map_err(|_| MsgPackErrorKind::Truncated)
    }

    fn bytes(&mut self, len: usize) -> Result<Bytes, MsgPackErrorKind> {
        if self.rest.len() < len {
            return Err(MsgPackErrorKind::Truncated);
        }
        Ok(self.rest.split_to(len))
    }

    /// Reads text. As in the reference, what is not UTF-8 is replaced.
    fn text(&mut self, len: usize) -> Result<Value, MsgPackErrorKind> {
        Ok(String::from_utf8_lossy(&self.bytes(len)?).into_owned().into())
    }

    fn array(&mut self, len: usize, depth: u8) -> Result<Value, MsgPackErrorKind> {
        let depth = depth.checked_sub(1).ok_or(MsgPackErrorKind::TooDeep)?;
        let mut values = Vec::new();
        for _ in 0..len {
            values.push(self.value(depth)?.unwrap_or_default());
        }
        values.shrink_to_fit();
        Ok(Value::Array(values))
    }

    fn map(&mut self, len: usize, depth: u8) -> Result<Value, MsgPackErrorKind> {
        let depth = depth.checked_sub(1).ok_or(MsgPackErrorKind::TooDeep)?;
        self.take_memory(OBJECT_BYTES)?;
        let mut members = IndexMap::new();
        for _ in 0..len {
            let Some(Value::String(key)) = self.value(depth)? else {
                return Err(MsgPackErrorKind::InvalidKey);
            };
            // The key itself was counted as a value.
            self.take_memory(MEMBER_BYTES.saturating_sub(size_of::<Value>()))?;
            if let Some(value) = self.value(depth)? {
                members.insert(key, value);
            }
        }
        members.shrink_to_fit();
        Ok(Value::Object(Box::new(members)))
    }

    /// Reads an extension of `len` bytes: its type, which is 0 for those of notepack.io, and its bytes.
    fn extension(&mut self, len: usize) -> Result<(i8, Bytes), MsgPackErrorKind> {
        let kind = self.rest.try_get_i8()?;
        Ok((kind, self.bytes(len)?))
    }
}

fn array_buffer(extension: (i8, Bytes)) -> Value {
    match extension {
        (0, bytes) => bytes.into(),
        other => unknown(other),
    }
}

/// Returns what the reference makes of an extension that it does not know: a list of its type and its bytes.
fn unknown((kind, bytes): (i8, Bytes)) -> Value {
    Value::Array(vec![kind.into(), bytes.into()])
}
