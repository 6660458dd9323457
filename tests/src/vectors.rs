//! The codec vectors: inputs with the verdicts of the reference parsers.

use std::env;
use std::fs;
use std::path::PathBuf;

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
