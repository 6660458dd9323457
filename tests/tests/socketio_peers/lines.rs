//! Arguments as lines carry them: JSON, in which bytes are `{"$hex": "00ff"}` and text that a line or JSON cannot carry
//! is `{"$utf16": [0xd800]}`.

use eio_socketio::{Binary, Value};
use eio_tests::interop::to_json;
use eio_tokio::Message;
use serde_json::{Map, json};

/// The one form of a value: text that JSON can carry is text.
pub(crate) fn canonical(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(items) => items.iter().map(canonical).collect(),
        serde_json::Value::Object(members) => match text_of(members) {
            Some(Ok(text)) => text.into(),
            Some(Err(())) => value.clone(),
            None => members.iter().map(|(key, member)| (key.clone(), canonical(member))).collect(),
        },
        _ => value.clone(),
    }
}

/// The value that our server sends. `None` if it has text that is not Unicode.
pub(crate) fn to_ours(value: &serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::Array(items) => Value::Array(items.iter().map(to_ours).collect::<Option<_>>()?),
        serde_json::Value::Object(members) => match (text_of(members), members.get("$hex")) {
            (Some(text), _) => text.ok()?.into(),
            (_, Some(hex)) => Binary::from(bytes(hex.as_str()?)).into(),
            _ => {
                let members = members.iter().map(|(key, member)| Some((key.clone(), to_ours(member)?)));
                members.collect::<Option<Vec<_>>>()?.into_iter().collect()
            }
        },
        other => other.clone().into(),
    })
}

/// A value that our server received.
pub(crate) fn from_ours(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number.clone().into(),
        Value::String(text) => text.as_str().into(),
        Value::Binary(bytes) => hex(bytes),
        Value::Array(items) => items.iter().map(from_ours).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, member)| (key.clone(), from_ours(member))).collect::<Map<_, _>>().into()
        }
    }
}

/// Bytes in a line.
pub(crate) fn hex(bytes: &[u8]) -> serde_json::Value {
    let (_, digits) = to_json(&Message::binary(bytes.to_vec()));
    json!({ "$hex": digits })
}

/// Text in a line. Programs in JavaScript end lines at U+2028 and U+2029.
pub(crate) fn text(text: &str) -> serde_json::Value {
    json!({ "$utf16": text.encode_utf16().collect::<Vec<_>>() })
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// The text that an object stands for, or an error if it is not Unicode. `None` if it is another object.
fn text_of(members: &Map<String, serde_json::Value>) -> Option<Result<String, ()>> {
    let units = members.get("$utf16")?.as_array()?;
    let units: Option<Vec<u16>> = units.iter().map(|unit| u16::try_from(unit.as_u64()?).ok()).collect();
    Some(String::from_utf16(&units?).map_err(drop))
}
