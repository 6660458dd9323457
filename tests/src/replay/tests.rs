//! The replay must be able to fail, and must not need to know a recording to judge it.

mod altered;
mod namespaces;
mod variants;

use serde_json::{Value, json};

use super::transcript::Transcript;
use super::{Verdict, replay};

/// A recording of the workspace, as JSON.
fn recording(name: &str) -> Value {
    let of_legacy = concat!(env!("CARGO_MANIFEST_DIR"), "/../legacy/tests/data/transcripts");
    let directory = if name.starts_with("sio09--") { of_legacy } else { super::OWN };
    let path = format!("{directory}/{name}.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a recording")).expect("JSON")
}

/// What the replay says of a recording, whatever its name.
fn verdict(recording: &Value) -> Verdict {
    let transcript = Transcript::parse(&recording.to_string()).expect("a transcript");
    replay("somebody".into(), &transcript).verdict
}

fn excepted(id: &'static str) -> Verdict {
    Verdict::Excepted(vec![id])
}

fn differs(recording: &Value) -> bool {
    matches!(verdict(recording), Verdict::Differs(_))
}

/// Changes every event that `wanted` accepts.
fn change(recording: &mut Value, wanted: impl Fn(&Value) -> bool, mut change: impl FnMut(&mut Value)) {
    let events = recording["events"].as_array_mut().expect("events");
    let mut changed = 0;
    for event in events.iter_mut().filter(|event| wanted(event)) {
        change(event);
        changed += 1;
    }
    assert!(changed > 0, "nothing to change");
}

/// Removes every event that `unwanted` accepts.
fn remove(recording: &mut Value, unwanted: impl Fn(&Value) -> bool) {
    let events = recording["events"].as_array_mut().expect("events");
    let before = events.len();
    events.retain(|event| !unwanted(event));
    assert!(events.len() < before, "nothing to remove");
}

/// Whether an event is a WebSocket message of `who` with this text.
fn is_frame(event: &Value, who: &str, text: &str) -> bool {
    event["kind"] == "ws_frame" && event["who"] == who && event["data"]["text"] == text
}

/// Whether an event is the library's report of a session's end.
fn is_end(event: &Value) -> bool {
    event["kind"] == "api" && event["event"] == "close"
}

fn shift(event: &mut Value, millis: f64) {
    event["t_ms"] = json!(event["t_ms"].as_f64().expect("a time") + millis);
}

/// A recording made here, of a library or two and what happened between them.
struct Scene {
    generation: &'static str,
    server: &'static str,
    client: &'static str,
    options: Value,
    events: Vec<Value>,
}

impl Scene {
    fn new(generation: &'static str, server: &'static str, client: &'static str) -> Self {
        Self { generation, server, client, options: json!({}), events: Vec::new() }
    }

    fn event(mut self, at: f64, who: &str, kind: &str, mut fields: Value) -> Self {
        fields["t_ms"] = json!(at);
        fields["who"] = json!(who);
        fields["kind"] = json!(kind);
        self.events.push(fields);
        self
    }

    /// A WebSocket that carries a session from the start, with the session's open packet.
    fn socket(self, at: f64, eio: u8, interval: u64, timeout: u64) -> Self {
        let url = format!("/engine.io/?EIO={eio}&transport=websocket");
        let open = open_packet(&[], interval, timeout);
        self.event(at, "client", "ws_connect", json!({ "conn": 1, "url": url }))
            .event(at, "server", "ws_open", json!({ "conn": 1 }))
            .frame(at, "server", &open)
    }

    /// A session on polling.
    fn polling(self, at: f64, eio: u8, interval: u64, timeout: u64) -> Self {
        let open = open_packet(&["websocket"], interval, timeout);
        let body = if eio == 4 { open } else { format!("{}:{open}", open.len()) };
        self.get(at, 1, eio, "").answer(at, 1, &body)
    }

    fn get(self, at: f64, id: u64, eio: u8, sid: &str) -> Self {
        let url = format!("/engine.io/?EIO={eio}&transport=polling{sid}");
        self.event(
            at,
            "client",
            "http_request",
            json!({ "id": id, "method": "GET", "url": url, "body": null }),
        )
    }

    fn post(self, at: f64, id: u64, eio: u8, text: &str) -> Self {
        let url = format!("/engine.io/?EIO={eio}&transport=polling&sid=SID");
        let fields = json!({ "id": id, "method": "POST", "url": url, "body": { "text": text } });
        self.event(at, "client", "http_request", fields).answer(at + 1.0, id, "ok")
    }

    fn answer(self, at: f64, id: u64, text: &str) -> Self {
        let fields = json!({ "id": id, "status": 200, "body": { "text": text } });
        self.event(at, "server", "http_response", fields)
    }

    /// A candidate for an upgrade.
    fn candidate(self, at: f64, eio: u8) -> Self {
        let url = format!("/engine.io/?EIO={eio}&transport=websocket&sid=SID");
        self.event(at, "client", "ws_connect", json!({ "conn": 1, "url": url })).event(
            at,
            "server",
            "ws_open",
            json!({ "conn": 1 }),
        )
    }

    fn frame(self, at: f64, who: &str, text: &str) -> Self {
        self.event(at, who, "ws_frame", json!({ "conn": 1, "data": { "text": text } }))
    }

    fn dropped(self, at: f64, who: &str, text: &str) -> Self {
        self.event(at, who, "ws_frame", json!({ "conn": 1, "data": { "text": text }, "dropped": true }))
    }

    fn end(self, at: f64, who: &str, reason: &str) -> Self {
        self.event(at, who, "api", json!({ "event": "close", "args": { "reason": reason } }))
    }

    fn note(self, at: f64, text: &str) -> Self {
        self.event(at, "observer", "note", json!({ "text": text }))
    }

    fn socket_closed(self, at: f64, who: &str) -> Self {
        self.event(at, who, "ws_close", json!({ "conn": 1, "code": 1005, "reason": "" }))
    }

    fn verdict(self) -> Verdict {
        verdict(&json!({
            "format": "eio-transcript/1",
            "generation": self.generation,
            "server": self.server,
            "client": self.client,
            "options": self.options,
            "events": self.events,
        }))
    }
}

fn open_packet(upgrades: &[&str], interval: u64, timeout: u64) -> String {
    let handshake =
        json!({ "sid": "SID", "upgrades": upgrades, "pingInterval": interval, "pingTimeout": timeout });
    format!("0{handshake}")
}
