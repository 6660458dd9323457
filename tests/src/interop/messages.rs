//! Messages as JSON: `{"text": ".."}` or `{"hex": ".."}`.

use core::fmt::Write as _;

use eio_tokio::Message;
use serde_json::{Map, Value};

/// A message's one member.
#[must_use]
pub fn to_json(message: &Message) -> (&'static str, Value) {
    match message {
        Message::Text(text) => ("text", Value::from(&**text)),
        Message::Binary(bytes) => {
            let mut hex = String::with_capacity(bytes.len() * 2);
            for byte in bytes {
                let _ = write!(hex, "{byte:02x}");
            }
            ("hex", Value::from(hex))
        }
    }
}

/// The message in an event of another program.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn from_json(event: &Map<String, Value>) -> Message {
    if let Some(text) = event.get("text").and_then(Value::as_str) {
        return Message::text(text);
    }
    let hex = event.get("hex").and_then(Value::as_str).expect("a message is text or hex");
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?))
        .collect();
    Message::binary(bytes.expect("pairs of hexadecimal digits"))
}
