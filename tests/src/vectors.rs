//! The codec vectors: inputs and what the reference implementations make of them. Format: `data/README.md`.

use core::fmt::Debug;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::string::FromUtf16Error;

use serde_json::Value;

/// The directory of this package's vectors.
pub const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/vectors");

/// The vectors in the file of this name, at least one. It is in the directory that the variable `EIO_VECTORS` names, so
/// that others than the repository's can be tried, or in the package's `own`.
///
/// # Panics
/// When the file cannot be read, has another format, or is empty.
#[must_use]
pub fn load(own: &str, file: &str) -> Vec<Value> {
    let directory = env::var_os("EIO_VECTORS").map_or_else(|| PathBuf::from(own), PathBuf::from);
    let path = directory.join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let json: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(json["format"], "eio-codec-vectors/1", "{}", path.display());
    let vectors = json["vectors"].as_array().cloned().unwrap_or_default();
    assert!(!vectors.is_empty(), "{}: no vectors", path.display());
    vectors
}

/// A JavaScript string or buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the format has no other data")]
pub enum Bytes {
    /// UTF-16 code units, surrogates perhaps lone.
    Text(Vec<u16>),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Bytes {
    /// Reads null, `{"text"}`, `{"utf16_hex"}` or `{"base64"}`; null is empty text, from which the wire does not
    /// distinguish it.
    ///
    /// # Panics
    /// On anything else.
    #[must_use]
    pub fn read(value: &Value) -> Self {
        if value.is_null() {
            Self::Text(Vec::new())
        } else if let Some(text) = value["text"].as_str() {
            Self::Text(text.encode_utf16().collect())
        } else if let Some(hex) = value["utf16_hex"].as_str() {
            Self::Text(utf16(hex))
        } else if let Some(text) = value["base64"].as_str() {
            Self::Binary(from_base64(text))
        } else {
            panic!("unknown data: {value}")
        }
    }

    /// Text as a string, unless it is binary or has lone surrogates.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Text(units) => String::from_utf16(units).ok(),
            Self::Binary(_) => None,
        }
    }

    /// The bytes on the wire; a lone surrogate, which UTF-8 does not have, is encoded as if it did.
    #[must_use]
    pub fn to_wire(&self) -> Vec<u8> {
        match self {
            Self::Text(units) => char::decode_utf16(units.iter().copied())
                .flat_map(|unit| match unit {
                    Ok(character) => character.to_string().into_bytes(),
                    Err(lone) => {
                        let [high, low] = lone.unpaired_surrogate().to_be_bytes();
                        vec![0xe0 | high >> 4, 0x80 | (high & 15) << 2 | low >> 6, 0x80 | low & 0x3f]
                    }
                })
                .collect(),
            Self::Binary(bytes) => bytes.clone(),
        }
    }
}

/// The bytes that canonical base64 stands for, read slowly and obviously.
///
/// # Panics
/// When a character is outside the standard alphabet.
#[must_use]
pub fn from_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<bool> = text
        .trim_end_matches('=')
        .chars()
        .flat_map(|symbol| {
            let value = ALPHABET.find(symbol).unwrap_or_else(|| panic!("no base64: {text}"));
            (0..6).rev().map(move |bit| value >> bit & 1 == 1)
        })
        .collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
}

/// Counts verdicts on one file's vectors.
#[derive(Debug, Default)]
pub struct Tally {
    held: usize,
    stricter: BTreeMap<&'static str, usize>,
    mismatches: Vec<String>,
}

impl Tally {
    /// Ours and the reference's verdict are one.
    pub fn held(&mut self) {
        self.held += 1;
    }

    /// Ours refuses what the reference accepts, for a reason that is documented under the name of the `behaviour`.
    pub fn stricter(&mut self, behaviour: &'static str) {
        *self.stricter.entry(behaviour).or_default() += 1;
    }

    /// They differ, and nothing explains that.
    pub fn mismatch(&mut self, vector: &Value, ours: &dyn Debug, theirs: &dyn Debug) {
        self.mismatches.push(format!("{}: ours {ours:?}, the reference's {theirs:?}", vector["id"]));
    }

    /// Prints a line about `file`.
    ///
    /// # Panics
    /// When anything differed.
    pub fn finish(self, file: &str) {
        let stricter: Vec<String> =
            self.stricter.iter().map(|(behaviour, count)| format!("{count} {behaviour}")).collect();
        println!("{file}: {} held; stricter: {}", self.held, stricter.join(", "));
        assert!(self.mismatches.is_empty(), "{file}:\n{}", self.mismatches.join("\n"));
    }
}

/// What came of one vector: `Ok(None)` if ours agrees with the reference, `Ok(Some(reason))` if it is stricter, `Err` with
/// both verdicts otherwise.
pub type Outcome = Result<Option<&'static str>, String>;

/// Runs every vector of `file`, which [`load`] finds, by its operation, names those where ours is stricter, and prints a line about all.
///
/// # Panics
/// When anything differed, or an operation is not known: `run` says so by an error.
pub fn run_all(own: &str, file: &str, run: impl Fn(&str, &Value) -> Outcome) {
    let vectors = load(own, file);
    let (mut held, mut stricter, mut failed) = (0, 0, Vec::new());
    for vector in &vectors {
        match run(vector["op"].as_str().unwrap_or_default(), vector) {
            Ok(None) => held += 1,
            Ok(Some(reason)) => {
                stricter += 1;
                println!("{} stricter: {reason}", vector["id"]);
            }
            Err(difference) => failed.push(format!("{}: {difference}", vector["id"])),
        }
    }
    println!("{file}: {} vectors, {held} hold, {stricter} stricter, {} fail", vectors.len(), failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
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
    Some(String::from_utf16(&utf16(data["utf16_hex"].as_str()?)))
}

/// Code units of four digits each, perhaps with spaces between them.
fn utf16(hex: &str) -> Vec<u16> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    let unit = |digits: &[char]| {
        let unit = u16::from_str_radix(&String::from_iter(digits), 16).ok().filter(|_| digits.len() == 4);
        unit.unwrap_or_else(|| panic!("utf16_hex: {hex}"))
    };
    digits.chunks(4).map(unit).collect()
}
