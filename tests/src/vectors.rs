//! The codec vectors: inputs with the verdicts of the reference parsers.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::string::FromUtf16Error;

use serde_json::Value;

/// The vectors of one file, such as `eio4.json`, from the directory that `EIO_VECTORS` names, or from
/// `tests/data/vectors`.
///
/// # Panics
/// If the file is missing, is not in the format `eio-codec-vectors/1`, or holds no vector.
#[must_use]
pub fn load(file: &str) -> Vec<Value> {
    let directory = env::var_os("EIO_VECTORS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/vectors")), PathBuf::from);
    let path = directory.join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut whole: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(whole["format"], "eio-codec-vectors/1", "{}", path.display());
    match whole["vectors"].take() {
        Value::Array(vectors) if !vectors.is_empty() => vectors,
        _ => panic!("{}: no vectors", path.display()),
    }
}

/// The text of `{"text"}` or `{"utf16_hex"}`; of the latter, an error if it holds half a surrogate pair. `None` for other
/// data.
///
/// # Panics
/// If `utf16_hex` is not groups of four hexadecimal digits.
#[must_use]
pub fn text(data: &Value) -> Option<Result<String, FromUtf16Error>> {
    if let Some(text) = data["text"].as_str() {
        return Some(Ok(text.to_owned()));
    }
    let hex = data["utf16_hex"].as_str()?;
    assert!(hex.is_ascii() && hex.len().is_multiple_of(4), "utf16_hex: {hex}");
    let unit =
        |at| u16::from_str_radix(&hex[at..at + 4], 16).unwrap_or_else(|error| panic!("utf16_hex: {error}"));
    let units: Vec<u16> = (0..hex.len()).step_by(4).map(unit).collect();
    Some(String::from_utf16(&units))
}
