//! Reads values by serde, and reads Rust types from values.

mod key;

use std::fmt;

use bytes::Bytes;
use indexmap::IndexMap;
use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Number;

use self::key::Key;
use super::{Value, lent};
use crate::args::DecodeError;

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(Value::Binary(lent::take(bytes)))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Binary(bytes.into()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        // What a sender says about the length is not believed.
        let mut values = Vec::new();
        while let Some(value) = access.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = IndexMap::new();
        while let Some(key) = access.next_key::<String>()? {
            if key == NUMBER && members.is_empty() && numbers_keep_their_text() {
                let number: String = access.next_value()?;
                return number.parse().map(Value::Number).map_err(Error::custom);
            }
            members.insert(key, access.next_value()?);
        }
        Ok(Value::Object(Box::new(members)))
    }
}

/// The key under which `serde_json` hands over a number if its feature `arbitrary_precision` is on.
const NUMBER: &str = "$serde_json::private::Number";

/// Returns whether that feature is on: any crate of a program may turn it on for all.
fn numbers_keep_their_text() -> bool {
    const TEXT: &str = "1.00";
    TEXT.parse().is_ok_and(|number: Number| number.to_string() == TEXT)
}

impl<'de> IntoDeserializer<'de, DecodeError> for &'de Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads a Rust type from the value, by the rules of `serde_json`; binary data is bytes.
impl<'de> Deserializer<'de> for &'de Value {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => visit_number(number, visitor),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Binary(bytes) => visit_binary(bytes, visitor),
            Value::Array(values) => {
                let mut values = SeqDeserializer::new(values.iter());
                let result = visitor.visit_seq(&mut values)?;
                values.end()?;
                Ok(result)
            }
            Value::Object(members) => {
                let mut members = MapDeserializer::new(members.iter().map(|(key, value)| (Key(key), value)));
                let result = visitor.visit_map(&mut members)?;
                members.end()?;
                Ok(result)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self {
            Value::String(text) => visitor.visit_enum(StrDeserializer::new(text)),
            Value::Object(members) if members.len() == 1 => {
                let members = MapDeserializer::new(members.iter().map(|(key, value)| (Key(key), value)));
                visitor.visit_enum(MapAccessDeserializer::new(members))
            }
            other => {
                Err(Error::invalid_type(other.unexpected(), &"the name of a variant, or an object of one"))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, DecodeError> {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(value), ..) => visitor.visit_u64(value),
        (None, Some(value), _) => visitor.visit_i64(value),
        (None, None, value) => visitor.visit_f64(value.unwrap_or(f64::NAN)),
    }
}

fn visit_binary<'de, V: Visitor<'de>>(bytes: &'de Bytes, visitor: V) -> Result<V::Value, DecodeError> {
    lent::with(bytes, |_| visitor.visit_borrowed_bytes(bytes))
}

impl Value {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Number(number) => Unexpected::Float(number.as_f64().unwrap_or(f64::NAN)),
            Self::String(text) => Unexpected::Str(text),
            Self::Binary(bytes) => Unexpected::Bytes(bytes),
            Self::Array(_) => Unexpected::Seq,
            Self::Object(_) => Unexpected::Map,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_named_as_serde_json_names_numbers_is_a_member_unless_it_does() {
        let object: MapDeserializer<'_, _, serde_json::Error> =
            MapDeserializer::new([(NUMBER, "1.5")].into_iter());
        let value = Value::deserialize(object).unwrap();
        assert_eq!(value.as_f64().is_some(), numbers_keep_their_text());
        assert_eq!(value.get(NUMBER).is_none(), numbers_keep_their_text());
    }
}
