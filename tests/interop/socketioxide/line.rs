//! Arguments as lines carry them: JSON, in which bytes are `{"$hex": "00ff"}` and some text is `{"$utf16": [97]}`.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeTuple as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// The arguments of an event or of an answer. The library takes only a tuple for more than one argument.
pub(crate) struct Args(pub(crate) Vec<Value>);

impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for arg in &self.0 {
            tuple.serialize_element(&Sent(arg))?;
        }
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // JSON has tuples of any length.
        match deserializer.deserialize_tuple(0, Read)? {
            Value::Array(args) => Ok(Self(args)),
            _ => Err(serde::de::Error::custom("expected arguments")),
        }
    }
}

/// A value of a line on its way out.
struct Sent<'a>(&'a Value);

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) => serializer.collect_seq(items.iter().map(Sent)),
            Value::Object(members) => match (members.get("$hex"), members.get("$utf16")) {
                (Some(Value::String(hex)), _) => serializer.serialize_bytes(&bytes(hex)),
                (_, Some(Value::Array(units))) => serializer.serialize_str(&text(units)),
                _ => serializer.collect_map(members.iter().map(|(key, member)| (key, Sent(member)))),
            },
            other => other.serialize(serializer),
        }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).filter_map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

fn text(units: &[Value]) -> String {
    let units = units.iter().filter_map(|unit| u16::try_from(unit.as_u64()?).ok());
    String::from_utf16_lossy(&units.collect::<Vec<_>>())
}

/// A value that has come in, as a line carries it.
struct Received(Value);

impl<'de> Deserialize<'de> for Received {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Read).map(Self)
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON or bytes")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
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

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(json!({ "$hex": value.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Received(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Received(member))) = members.next_entry()? {
            object.insert(key, member);
        }
        Ok(object.into())
    }
}
