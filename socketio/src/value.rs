//! Values whose type is known only when they arrive.

mod binary;
mod de;
pub(crate) mod lent;
mod ser;

use bytes::Bytes;
use eio_core::socketio::MAX_ATTACHMENTS;
use indexmap::IndexMap;
use serde_json::Number;

pub use binary::Binary;

/// A value of JSON, or binary data: any argument, whatever its sender meant.
///
/// ```
/// use eio_socketio::{RawArgs, Value};
///
/// let args = RawArgs::new(Value::from_iter([("temperature", Value::from(21.5)), ("unit", Value::from("C"))]))?;
/// let value: Value = args.first()?;
/// assert_eq!(value.get("unit").and_then(Value::as_str), Some("C"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these kinds")]
pub enum Value {
    /// Nothing. Values that JavaScript calls undefined arrive as null.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A number: an integer of 64 bits exactly, anything else as a double. `serde_json` may round a double's last bit
    /// when it reads it, unless the program turns on its feature `float_roundtrip`.
    Number(Number),
    /// Text.
    String(String),
    /// Binary data.
    Binary(Bytes),
    /// A list.
    Array(Vec<Self>),
    /// Members in their sender's order. Of several with one name, the last counts.
    Object(Box<IndexMap<String, Self>>),
}

/// What an object takes without its members, outside of the value.
pub(crate) const OBJECT_BYTES: usize = size_of::<IndexMap<String, Value>>();
/// About what a member of an object takes besides the text of its key and its value: the key, its allocation, its hash, and its
/// place in the table.
pub(crate) const MEMBER_BYTES: usize = 64;

impl Value {
    /// Returns the member `key` of an object, and `None` for other values.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// Returns whether this is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the boolean, and `None` for other values.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// Returns the number if it is an integer that an `i64` can hold.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Number(value) = self { value.as_i64() } else { None }
    }

    /// Returns the number if it is an integer that a `u64` can hold.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Number(value) = self { value.as_u64() } else { None }
    }

    /// Returns the number, rounded if an `f64` cannot hold it exactly.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Number(value) = self { value.as_f64() } else { None }
    }

    /// Returns the text of a string, and `None` for other values.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(value) = self { Some(value) } else { None }
    }

    /// Returns binary data, and `None` for other values.
    #[must_use]
    pub const fn as_binary(&self) -> Option<&Bytes> {
        if let Self::Binary(value) = self { Some(value) } else { None }
    }

    /// Returns the members of a list, and `None` for other values.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(value) = self { Some(value) } else { None }
    }

    /// Returns the members of an object, and `None` for other values.
    #[must_use]
    pub fn as_object(&self) -> Option<&IndexMap<String, Self>> {
        if let Self::Object(value) = self { Some(value) } else { None }
    }

    /// Returns about how many bytes of memory the value takes. That may be many times as much as it takes on the wire.
    pub(crate) fn byte_len(&self) -> usize {
        let content: usize = match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => 0,
            Self::String(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
            Self::Array(values) => values.iter().map(Self::byte_len).sum(),
            Self::Object(members) => {
                let members = members.iter().map(|(key, value)| MEMBER_BYTES + key.len() + value.byte_len());
                OBJECT_BYTES + members.sum::<usize>()
            }
        };
        size_of::<Self>() + content
    }

    /// Copies what is a part of a message, so that the message can go.
    pub(crate) fn into_own_memory(self) -> Self {
        match self {
            Self::Binary(bytes) => Self::Binary(Bytes::copy_from_slice(&bytes)),
            Self::Array(values) => Self::Array(values.into_iter().map(Self::into_own_memory).collect()),
            Self::Object(members) => {
                let own = members.into_iter().map(|(key, value)| (key, value.into_own_memory()));
                Self::Object(Box::new(own.collect()))
            }
            other => other,
        }
    }

    /// Replaces the placeholders in the value by the attachments that they refer to. As in JavaScript, other members of
    /// a placeholder mean nothing. There
    /// may be as many placeholders as a packet may have attachments.
    pub(crate) fn fill(&mut self, attachments: &mut Attachments<'_>) -> Result<(), TooManyPlaces> {
        match self {
            Self::Array(values) => values.iter_mut().try_for_each(|value| value.fill(attachments)),
            Self::Object(members) if members.get("_placeholder") == Some(&Self::Bool(true)) => {
                let num = members.get("num").and_then(Self::as_u64).and_then(|num| usize::try_from(num).ok());
                // The parser has checked the number.
                *self = attachments.put(num)?.map_or(Self::Null, Self::Binary);
                Ok(())
            }
            Self::Object(members) => members.values_mut().try_for_each(|value| value.fill(attachments)),
            _ => Ok(()),
        }
    }
}

/// The attachments of a packet, and how many places they may have. Senders give each attachment one place. A packet with many
/// thousand places of a few bytes would take the memory of as many attachments in a type that copies.
pub(crate) struct Attachments<'a> {
    all: &'a [Bytes],
    places: usize,
}

/// There are too many placeholders.
pub(crate) struct TooManyPlaces;

impl<'a> Attachments<'a> {
    pub(crate) fn new(all: &'a [Bytes]) -> Self {
        Self { all, places: all.len().max(MAX_ATTACHMENTS as usize) }
    }

    /// Returns the attachment of this number, if there is one.
    fn put(&mut self, num: Option<usize>) -> Result<Option<Bytes>, TooManyPlaces> {
        self.places = self.places.checked_sub(1).ok_or(TooManyPlaces)?;
        Ok(num.and_then(|num| self.all.get(num)).cloned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {
        $(impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                Self::Number(value.into())
            }
        })*
    };
}

from_integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

/// As in JavaScript, a number that JSON cannot express (an infinity, or not a number) is null.
impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Number::from_f64(value).map_or(Self::Null, Self::Number)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Self::Binary(value)
    }
}

impl From<Binary> for Value {
    fn from(value: Binary) -> Self {
        Self::Binary(value.0)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        values.into_iter().collect()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(number),
            serde_json::Value::String(text) => Self::String(text),
            serde_json::Value::Array(values) => values.into_iter().collect(),
            serde_json::Value::Object(members) => members.into_iter().collect(),
        }
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<String>, V: Into<Self>> FromIterator<(K, V)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let members = members.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self::Object(Box::new(members.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::RawArgs;

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn integers_of_64_bits_are_exact_and_other_numbers_are_doubles() {
        for json in
            ["18446744073709551615", "-9223372036854775808", "9007199254740993", "1.5", "-0.0", "1e300"]
        {
            let value = read(json);
            assert_eq!(
                serde_json::to_value(&value).unwrap(),
                serde_json::from_str::<serde_json::Value>(json).unwrap()
            );
        }
        assert_eq!(read("18446744073709551615").as_u64(), Some(u64::MAX));
        assert_eq!(read("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(read("18446744073709551616").as_f64(), Some(18_446_744_073_709_551_616.0));
        assert_eq!(Value::from(f64::NAN), Value::Null);
        assert_eq!(Value::from(f64::INFINITY), Value::Null);
    }

    #[test]
    fn members_keep_their_order_and_the_last_of_one_name_counts() {
        let value = read(r#"{"b":1,"a":2,"b":3,"__proto__":{}}"#);
        assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"b":3,"a":2,"__proto__":{}}"#);
    }

    #[test]
    fn each_kind_of_value_is_only_what_it_is() {
        let bytes = Bytes::from_static(b"x");
        let kinds = [
            Value::Null,
            true.into(),
            1.into(),
            "a".into(),
            bytes.clone().into(),
            vec![1].into(),
            Value::from_iter([("a", 1)]),
        ];
        let seen = kinds.each_ref().map(|value| {
            [
                value.is_null(),
                value.as_bool() == Some(true),
                value.as_u64() == Some(1) && value.as_i64() == Some(1) && value.as_f64() == Some(1.0),
                value.as_str() == Some("a"),
                value.as_binary() == Some(&bytes),
                value.as_array() == Some(&[1.into()][..]),
                value.get("a") == Some(&1.into()) && value.as_object().is_some(),
            ]
        });
        for (index, row) in seen.iter().enumerate() {
            assert!(row.iter().enumerate().all(|(kind, is)| *is == (kind == index)), "{:?}", kinds[index]);
        }
    }

    #[test]
    fn values_are_made_of_what_rust_and_serde_json_have() {
        let json = serde_json::json!({"a": [1, -1, 1.5, null, true, "s"], "b": {}});
        assert_eq!(Value::from(json.clone()), read(&json.to_string()));
        assert_eq!(Value::from(vec![Some("a"), None]), read(r#"["a",null]"#));
        assert_eq!(Value::from(Binary::from(vec![1])), Value::Binary(vec![1].into()));
    }

    #[test]
    fn the_size_of_a_value_is_that_of_its_memory() {
        assert!(size_of::<Value>() <= 40, "{}", size_of::<Value>());
        let nulls = Value::Array(vec![Value::Null; 1000]);
        assert!(RawArgs::from_values([nulls]).byte_len() > 1000 * size_of::<Value>());
        let members = [("key", Value::from("text")), ("bytes", Bytes::from_static(b"1234").into())];
        let least = 3 * size_of::<Value>() + OBJECT_BYTES + 2 * MEMBER_BYTES + "keytextbytes1234".len();
        assert!(RawArgs::from_values([Value::from_iter(members)]).byte_len() >= least);
    }
}
