//! Reads arguments as Rust types.

use std::marker::PhantomData;
use std::{mem, slice};

use eio_core::socketio::MAX_ATTACHMENTS;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::DecodeError;
use crate::value::{Attachments, TooManyPlaces, Value};

/// The values of a list that are still to be read. The list was checked.
pub(super) struct Unread<'de> {
    list: &'de str,
}

impl<'de> Unread<'de> {
    pub(super) fn new(list: &'de str) -> Self {
        Self { list: list.trim_start() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Reads the next value. After one that does not fit its type, nothing is left.
    pub(super) fn read<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, DecodeError> {
        let list = mem::take(&mut self.list);
        let mut json = serde_json::Deserializer::from_str(list);
        let value = seed.deserialize(&mut json).map_err(|error| DecodeError::of_json(&error))?;
        let end = json.into_iter::<IgnoredAny>().byte_offset();
        let rest = list.get(end..).unwrap_or_default().trim_start();
        self.list = rest.strip_prefix(',').unwrap_or(rest);
        Ok(value)
    }

    /// Counts the values.
    pub(super) fn count(mut self) -> usize {
        let mut count = 0;
        while !self.is_empty() && self.read(PhantomData::<IgnoredAny>).is_ok() {
            count += 1;
        }
        count
    }
}

pub(super) fn first_of_values<T: DeserializeOwned>(values: &[Value]) -> Result<T, DecodeError> {
    match values {
        [] => missing(0),
        [first, ..] => T::deserialize(first).map_err(|error| error.at(0)),
    }
}

pub(super) fn all_of_text<T: DeserializeOwned>(list: &str) -> Result<T, DecodeError> {
    T::deserialize(Positional { args: Source::Text(Unread::new(list)), index: 0, at_least: 0 })
}

pub(super) fn all_of_values<T: DeserializeOwned>(values: &[Value]) -> Result<T, DecodeError> {
    T::deserialize(Positional { args: Source::Values(values.iter()), index: 0, at_least: 0 })
}

/// Returns the last value if it is a string without escapes.
#[cfg(feature = "client")]
pub(super) fn last_string(list: &str) -> Option<&str> {
    let list = list.trim_end().strip_suffix('"')?;
    // The quote before the last one begins the string, unless it is escaped. Then it stands behind a backslash.
    let (before, text) = list.rsplit_once('"')?;
    let is_whole = matches!(before.trim_end().chars().next_back(), None | Some(','));
    (is_whole && !text.contains('\\')).then_some(text)
}

/// Reads the next value, and puts attachments in the places of its placeholders.
pub(super) fn filled_value(
    unread: &mut Unread<'_>,
    attachments: Option<&mut Attachments<'_>>,
) -> Result<Value, DecodeError> {
    let mut value = unread.read(PhantomData::<Value>)?;
    if let Some(attachments) = attachments {
        value.fill(attachments).map_err(|TooManyPlaces| {
            DecodeError::custom(format_args!("too many placeholders: expected at most {MAX_ATTACHMENTS}"))
        })?;
    }
    Ok(value)
}

pub(super) fn missing<T: DeserializeOwned>(index: usize) -> Result<T, DecodeError> {
    T::deserialize(&Value::Null).map_err(|error| error.missing(index))
}

/// All arguments as one sequence.
struct Positional<'de> {
    args: Source<'de>,
    /// The index of the next argument.
    index: usize,
    /// Arguments up to this number are read as null if they are missing.
    at_least: usize,
}

enum Source<'de> {
    Text(Unread<'de>),
    Values(slice::Iter<'de, Value>),
}

impl<'de> SeqAccess<'de> for Positional<'de> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let index = self.index;
        self.index += 1;
        match &mut self.args {
            Source::Text(unread) => {
                if !unread.is_empty() {
                    return unread.read(seed).map(Some).map_err(|error| error.at(index));
                }
            }
            Source::Values(values) => {
                if let Some(value) = values.next() {
                    return seed.deserialize(value).map(Some).map_err(|error| error.at(index));
                }
            }
        }
        if index < self.at_least {
            return seed.deserialize(&Value::Null).map(Some).map_err(|error| error.missing(index));
        }
        Ok(None)
    }
}

impl<'de> Deserializer<'de> for Positional<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(Self { at_least: len, ..self })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf seq map enum identifier
        ignored_any
    }
}
