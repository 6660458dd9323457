//! What the reference implementations have said: the vectors and the recordings, as seeds.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use eio_tests::vectors::{self, Bytes};
use serde_json::Value;

/// The vectors of Socket.IO 0.9.
const LEGACY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../legacy/tests/data");
const TRANSCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/transcripts");
const LEGACY_TRANSCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../legacy/tests/data/transcripts");

/// A message on a WebSocket.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) by_client: bool,
    pub(crate) data: Bytes,
}

/// A request of a client, and what it was answered with.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// The data of all vectors in these files.
pub(crate) fn vectors(files: &[&str]) -> impl Iterator<Item = Vec<u8>> {
    let mut found = Vec::new();
    for file in files {
        for vector in vectors::load(vectors::OWN, file) {
            collect(&vector, &mut found);
        }
    }
    found.into_iter()
}

/// The data of the vectors of Socket.IO 0.9, and what its recordings have sent.
pub(crate) fn legacy() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let vectors = vectors::load(LEGACY, "sio09.json");
    let events = read(LEGACY_TRANSCRIPTS).concat();
    for value in vectors.iter().chain(&events) {
        collect(value, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// The messages of all recordings.
pub(crate) fn frames() -> Vec<Frame> {
    let frame = |event: &Value| {
        let by_client = event["who"] == "client";
        data(&event["data"]).map(|data| Frame { by_client, data })
    };
    events().filter(|event| event["kind"] == "ws_frame").filter_map(frame).collect()
}

/// The bodies of all recorded requests and responses.
pub(crate) fn bodies() -> impl Iterator<Item = Vec<u8>> {
    events().filter_map(|event| Some(data(&event["body"])?.to_wire()))
}

/// The requests of each recording.
pub(crate) fn exchanges() -> Vec<Vec<Exchange>> {
    let exchange = |event: &Value| {
        let url = event["url"].as_str()?;
        let path = url.find("://").map_or(url, |scheme| &url[scheme + 3..]);
        let target = path.find('/').map_or("/", |slash| &path[slash..]);
        Some(Exchange {
            method: event["method"].as_str().unwrap_or("WS").to_owned(),
            target: with_sid(target),
            content_type: event["headers"]["content-type"].as_str().map(str::to_owned),
            body: data(&event["body"]).map_or_else(Vec::new, |data| data.to_wire()),
        })
    };
    let is_request = |event: &&Value| event["kind"] == "http_request" || event["kind"] == "ws_connect";
    RECORDINGS.iter().map(|events| events.iter().filter(is_request).filter_map(exchange).collect()).collect()
}

/// The session's identifier becomes a place for the one that it has when the seed is played.
fn with_sid(target: &str) -> String {
    let Some((before, sid)) = target.split_once("sid=") else { return target.to_owned() };
    let rest = sid.find('&').map_or("", |end| &sid[end..]);
    format!("{before}sid={{sid}}{rest}")
}

fn data(value: &Value) -> Option<Bytes> {
    let is_data = ["text", "base64", "utf16_hex"].iter().any(|key| value[key].is_string());
    is_data.then(|| Bytes::read(value))
}

/// Finds all data in a value.
fn collect(value: &Value, found: &mut Vec<Vec<u8>>) {
    if let Some(data) = data(value) {
        found.push(data.to_wire());
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|member| collect(member, found)),
        _ => {}
    }
}

/// The events of all recordings.
fn events() -> impl Iterator<Item = &'static Value> {
    RECORDINGS.iter().flatten()
}

/// The events of each recording. They are read once: there are many, and every target wants some.
static RECORDINGS: LazyLock<Vec<Vec<Value>>> = LazyLock::new(|| read(TRANSCRIPTS));

/// The events of each recording in a folder, by name.
fn read(folder: &str) -> Vec<Vec<Value>> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder that can be read").path()).collect();
    paths.sort();
    let events = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let json: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        json["events"].as_array().cloned().unwrap_or_default()
    };
    paths.iter().map(events).collect()
}
