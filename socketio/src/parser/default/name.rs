//! The names of events as JavaScript knows them.

use bytestring::ByteString;
use eio_core::socketio::Event;

/// Returns the name of an event in `text`: a part of it, unless it has escapes or is a number.
pub(super) fn read(text: &ByteString, namespace: &str, event: &Event<'_>) -> ByteString {
    let json = name_json(text, namespace);
    match event.name() {
        Some(name) if json.starts_with('"') => text.slice_ref(name),
        Some(number) => read_number(number).into(),
        None => read_string(json).into(),
    }
}

/// Returns the text from the name on: it is the first in the first array after the namespace.
fn name_json<'a>(text: &'a str, namespace: &str) -> &'a str {
    // The name of a namespace may have brackets, but no comma. It is left out, or is `/`, which has neither.
    let after_namespace = if namespace == "/" { text } else { after(text, ',') };
    after(after_namespace, '[').trim_start()
}

fn after(text: &str, character: char) -> &str {
    text.split_once(character).map_or("", |(_, rest)| rest)
}

/// Decodes the string that begins `json`. Halves of surrogate pairs, which are not text in Rust, are replaced.
fn read_string(json: &str) -> String {
    struct Lossy;

    impl serde::de::Visitor<'_> for Lossy {
        type Value = String;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
    }

    use serde::Deserializer as _;
    serde_json::Deserializer::from_str(json).deserialize_bytes(Lossy).unwrap_or_default()
}

/// Returns what JavaScript makes of a number where it needs text: `1.0` is "1", and `1e21` is "1e+21".
fn read_number(json: &str) -> String {
    // ECMA-262, `Number::toString`.
    let number: f64 = json.parse().unwrap_or(f64::NAN);
    let scientific = format!("{number:e}");
    match scientific
        .split_once('e')
        .and_then(|(digits, exponent)| Some((digits, exponent.parse::<i32>().ok()?)))
    {
        None => if number < 0.0 { "-Infinity" } else { "Infinity" }.to_owned(),
        Some((digits, exponent @ 21..)) => format!("{digits}e+{exponent}"),
        Some((digits, exponent @ ..=-7)) => format!("{digits}e{exponent}"),
        // Neither has a sign.
        Some(_) if number == 0.0 => "0".to_owned(),
        Some(_) => number.to_string(),
    }
}
