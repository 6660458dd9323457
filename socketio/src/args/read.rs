//! Reads arguments as Rust types.

use std::slice;

use eio_core::socketio::MAX_ATTACHMENTS;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::DecodeError;
use crate::value::{Attachments, TooManyPlaces, Value};

/// Iterates over the texts of the values of a list.
pub(super) struct Texts<'a> {
    rest: &'a str,
}

impl<'a> Texts<'a> {
    pub(super) const fn new(list: &'a str) -> Self {
        Self { rest: list }
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<IgnoredAny>();
        // The list was checked, so that only its end is no value.
        values.next()?.ok()?;
        let (text, rest) = self.rest.split_at(values.byte_offset());
        let rest = rest.trim_start();
        self.rest = rest.strip_prefix(',').unwrap_or(rest);
        Some(text)
    }
}

pub(super) fn first_of_text<T: DeserializeOwned>(list: &str) -> Result<T, DecodeError> {
    if list.is_empty() {
        return missing(0);
    }
    // What follows the first value is not read.
    T::deserialize(&mut serde_json::Deserializer::from_str(list))
        .map_err(|error| DecodeError::custom(error).at(0))
}

pub(super) fn first_of_values<T: DeserializeOwned>(values: &[Value]) -> Result<T, DecodeError> {
    match values {
        [] => missing(0),
        [first, ..] => T::deserialize(first).map_err(|error| error.at(0)),
    }
}

pub(super) fn all_of_text<T: DeserializeOwned>(list: &str) -> Result<T, DecodeError> {
    T::deserialize(Positional { args: Source::Texts(Texts::new(list)), index: 0, at_least: 0 })
}

pub(super) fn all_of_values<T: DeserializeOwned>(values: &[Value]) -> Result<T, DecodeError> {
    T::deserialize(Positional { args: Source::Values(values.iter()), index: 0, at_least: 0 })
}

/// Reads one value, and puts attachments in the places of its placeholders.
pub(super) fn filled_value(
    text: &str,
    attachments: Option<&mut Attachments<'_>>,
) -> Result<Value, DecodeError> {
    let mut value: Value = serde_json::from_str(text).map_err(DecodeError::custom)?;
    if let Some(attachments) = attachments {
        value.fill(attachments).map_err(|TooManyPlaces| {
            DecodeError::custom(format_args!("too many placeholders: expected at most {MAX_ATTACHMENTS}"))
        })?;
    }
    Ok(value)
}

fn missing<T: DeserializeOwned>(index: usize) -> Result<T, DecodeError> {
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
    Texts(Texts<'de>),
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
            Source::Texts(texts) => {
                if let Some(text) = texts.next() {
                    let mut value = serde_json::Deserializer::from_str(text);
                    return seed
                        .deserialize(&mut value)
                        .map(Some)
                        .map_err(|error| DecodeError::custom(error).at(index));
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
