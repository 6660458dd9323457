//! The names of events as JavaScript knows them.

use std::fmt;

use bytestring::ByteString;
use eio_core::socketio::Event;
use serde::de::{Deserializer as _, Visitor};

/// Returns the name of an event in `text`: a part of it, unless it has escapes or is a number.
pub(super) fn in_text(text: &ByteString, namespace: &str, event: &Event<'_>) -> ByteString {
    let json = after_bracket(text, namespace);
    match event.name() {
        Some(name) if json.starts_with('"') => text.slice_ref(name),
        Some(number) => of_number(number).into(),
        None => read_string(json).into(),
    }
}

/// Returns the text from the name on: it is the first in the first array after the namespace.
fn after_bracket<'a>(text: &'a str, namespace: &str) -> &'a str {
    // The name of a namespace may have brackets, but no comma. It is left out, or is `/`, which has neither.
    let after_namespace = if namespace == "/" { text } else { after(text, ',') };
    after(after_namespace, '[').trim_start()
}

fn after(text: &str, character: char) -> &str {
    text.split_once(character).map_or("", |(_, rest)| rest)
}

/// Decodes the string that begins `json`. Halves of surrogate pairs, which are not text in Rust, are replaced.
fn read_string(json: &str) -> String {
    serde_json::Deserializer::from_str(json).deserialize_bytes(Lossy).unwrap_or_default()
}

struct Lossy;

impl Visitor<'_> for Lossy {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    // `serde_json` encodes a lone half as if it were a character.
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// Returns what JavaScript makes of a number where it needs text: `1.0` is "1", and `1e21` is "1e+21".
pub(super) fn of_number(json: &str) -> String {
    // ECMA-262, `Number::toString`: the shortest digits, as in Rust, and an exponent from 1e21 on and below 1e-6.
    let number: f64 = json.parse().unwrap_or(f64::NAN);
    let scientific = format!("{number:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return if number < 0.0 { "-Infinity" } else { "Infinity" }.to_owned();
    };
    match exponent.parse() {
        Ok(21_i32..) => format!("{digits}e+{exponent}"),
        Ok(..=-7_i32) => scientific,
        // Zero has no sign.
        _ if number == 0.0 => "0".to_owned(),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_text_that_javascript_makes_of_them() {
        for (json, text) in [
            ("1", "1"),
            ("1.0", "1"),
            ("-0", "0"),
            ("-5", "-5"),
            ("0.1", "0.1"),
            ("1e3", "1000"),
            ("123456789012345680000", "123456789012345680000"),
            ("1e21", "1e+21"),
            ("-1.5e300", "-1.5e+300"),
            ("0.000001", "0.000001"),
            ("0.00000015", "1.5e-7"),
            ("9007199254740993", "9007199254740992"),
            ("1e999", "Infinity"),
            ("-1e999", "-Infinity"),
        ] {
            assert_eq!(of_number(json), text, "{json}");
        }
    }
}
