//! Writes values by serde.

use serde::ser::{Serialize, Serializer};

use super::{Value, lent};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            // Not as the number serializes itself: that depends on the features of `serde_json`.
            Self::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(value), ..) => serializer.serialize_u64(value),
                (None, Some(value), _) => serializer.serialize_i64(value),
                (None, None, value) => serializer.serialize_f64(value.unwrap_or(f64::NAN)),
            },
            Self::String(text) => serializer.serialize_str(text),
            Self::Binary(bytes) => lent::with(bytes, |bytes| serializer.serialize_bytes(bytes)),
            Self::Array(values) => serializer.collect_seq(values),
            Self::Object(members) => serializer.collect_map(&**members),
        }
    }
}
