//! Reads values in `MessagePack`, as notepack.io does.

use bytes::{Buf, Bytes, TryGetError};
use indexmap::IndexMap;
use rmp::Marker;

use super::{MsgPackError, MsgPackErrorKind, date};
use crate::value::Value;

/// How deep lists and objects may nest: 64, as in JSON, and the packet itself.
const MAX_DEPTH: u8 = 65;

/// Reads the only value of a message. Binary data in it shares the message's bytes.
///
/// Memory is taken for what has arrived, not for what a length declares.
pub(super) fn document(bytes: Bytes) -> Result<Value, MsgPackError> {
    let len = bytes.len();
    let mut reader = Reader { rest: bytes };
    let value = reader.value(MAX_DEPTH).and_then(|value| {
        if reader.rest.is_empty() { Ok(value) } else { Err(MsgPackErrorKind::TrailingBytes) }
    });
    value
        .map(Option::unwrap_or_default)
        .map_err(|kind| MsgPackError { at: len.saturating_sub(reader.rest.len()), kind })
}

struct Reader {
    rest: Bytes,
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
            Marker::FixExt1 => return self.extension(1, |_| None),
            Marker::FixExt2 => return self.extension(2, unknown),
            Marker::FixExt4 => return self.extension(4, unknown),
            Marker::FixExt8 => return self.extension(8, date),
            Marker::FixExt16 => return self.extension(16, unknown),
            Marker::Ext8 => return self.len8().and_then(|len| self.extension(len, array_buffer)),
            Marker::Ext16 => return self.len16().and_then(|len| self.extension(len, array_buffer)),
            Marker::Ext32 => return self.len32().and_then(|len| self.extension(len, array_buffer)),
            Marker::Reserved => return Err(MsgPackErrorKind::Reserved),
        };
        Ok(Some(value))
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
        Ok(Value::Array(values))
    }

    fn map(&mut self, len: usize, depth: u8) -> Result<Value, MsgPackErrorKind> {
        let depth = depth.checked_sub(1).ok_or(MsgPackErrorKind::TooDeep)?;
        let mut members = IndexMap::new();
        for _ in 0..len {
            let Some(Value::String(key)) = self.value(depth)? else {
                return Err(MsgPackErrorKind::InvalidKey);
            };
            if let Some(value) = self.value(depth)? {
                members.insert(key, value);
            }
        }
        Ok(Value::Object(members))
    }

    /// Reads an extension of `len` bytes. `known` reads those of notepack.io's type, 0. The reference makes a list of
    /// any other: its type and its bytes.
    fn extension(
        &mut self,
        len: usize,
        known: impl FnOnce(Bytes) -> Option<Value>,
    ) -> Result<Option<Value>, MsgPackErrorKind> {
        let kind = self.rest.try_get_i8()?;
        let bytes = self.bytes(len)?;
        Ok(if kind == 0 { known(bytes) } else { other(kind, bytes) })
    }
}

fn array_buffer(bytes: Bytes) -> Option<Value> {
    Some(bytes.into())
}

fn date(mut millis: Bytes) -> Option<Value> {
    millis.try_get_i64().ok().map(date::json)
}

fn unknown(bytes: Bytes) -> Option<Value> {
    other(0, bytes)
}

fn other(kind: i8, bytes: Bytes) -> Option<Value> {
    Some(Value::Array(vec![kind.into(), bytes.into()]))
}
