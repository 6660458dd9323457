//! Recordings that could have been made: the replay must explain what ours does by what happened, and nothing else.

use std::sync::Arc;

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::recording::Recording;
use crate::{Verdict, verdict};

/// A test for each.
pub(crate) fn tests() -> Vec<Trial> {
    vec![
        excepted(
            "a pong before its ping puts the recorded ping off on a WebSocket",
            pong_on_websocket(Some(200.0)),
        ),
        excepted(
            "a pong before its ping puts the recorded ping off on polling",
            pong_on_polling(Some(200.0)),
        ),
        excepted("a pong just before its ping is the recorded answer to it", pong_as_answer()),
        differs("a ping that is late for no reason differs on a WebSocket", pong_on_websocket(None)),
        differs("a ping that is late for no reason differs on polling", pong_on_polling(None)),
    ]
}

/// The difference is explained by failure B4 of `docs/peers.md`.
fn excepted(name: &str, recording: Value) -> Trial {
    judged(name, recording, "the exception B4", |verdict| *verdict == Verdict::Excepted(vec!["B4"]))
}

/// The difference is explained by nothing.
fn differs(name: &str, recording: Value) -> Trial {
    judged(name, recording, "a difference", |verdict| matches!(verdict, Verdict::Differs(_)))
}

fn judged(name: &str, recording: Value, expected: &'static str, is_expected: fn(&Verdict) -> bool) -> Trial {
    Trial::test(name, move || {
        let recording = Recording::parse(&recording.to_string())?.ok_or("not a recording of a server")?;
        let verdict = verdict(&Arc::new(recording));
        if is_expected(&verdict) {
            Ok(())
        } else {
            Err(format!("expected {expected}, but {verdict:?}").into())
        }
    })
}

/// A pong that was sent before any ping, or none; the recorded server pings an interval later than ours.
fn pong_on_websocket(pong: Option<f64>) -> Value {
    let mut events = socket();
    events.extend(pong.map(|at| frame(at, "client", "3")));
    events.extend([frame(500.5, "server", "2"), frame(502.0, "client", "3")]);
    events.push(json!({ "t_ms": 700, "who": "client", "kind": "ws_close", "conn": 1, "code": 1005 }));
    recording(&events)
}

/// The recorded server read the pong after its ping, and goes on.
fn pong_as_answer() -> Value {
    let mut events = socket();
    events.extend([frame(290.0, "client", "3"), frame(302.5, "server", "2")]);
    events.extend([frame(603.0, "server", "2"), frame(604.0, "client", "3")]);
    events.push(json!({ "t_ms": 700, "who": "client", "kind": "ws_close", "conn": 1, "code": 1005 }));
    recording(&events)
}

fn pong_on_polling(pong: Option<f64>) -> Value {
    let mut events = request(1.0, 1, "GET", "", None);
    events.push(answer(1.5, 1, &open_packet(&["websocket"]), "text/plain; charset=UTF-8"));
    events.extend(request(3.0, 2, "GET", "&sid=SID", None));
    if let Some(at) = pong {
        events.extend(request(at, 3, "POST", "&sid=SID", Some("3")));
        events.push(answer(at + 0.5, 3, "ok", "text/html"));
    }
    events.push(answer(500.5, 2, "2", "text/plain; charset=UTF-8"));
    events.extend(request(502.0, 4, "POST", "&sid=SID", Some("3")));
    events.push(answer(502.5, 4, "ok", "text/html"));
    recording(&events)
}

fn recording(events: &[Value]) -> Value {
    let options = json!({ "pingInterval": 300, "pingTimeout": 200 });
    let server = "engine.io 6.6.12";
    json!({ "format": "eio-transcript/1", "generation": "eio4", "server": server, "client": "raw",
        "options": options, "events": events })
}

/// A session on a WebSocket, opened.
fn socket() -> Vec<Value> {
    let url = "/engine.io/?EIO=4&transport=websocket";
    vec![
        json!({ "t_ms": 1, "who": "client", "kind": "ws_connect", "conn": 1, "url": url }),
        json!({ "t_ms": 1.2, "who": "server", "kind": "ws_open", "conn": 1 }),
        frame(1.5, "server", &open_packet(&[])),
    ]
}

fn frame(at: f64, who: &str, text: &str) -> Value {
    json!({ "t_ms": at, "who": who, "kind": "ws_frame", "conn": 1, "data": { "text": text } })
}

fn request(at: f64, id: u64, method: &str, sid: &str, body: Option<&str>) -> Vec<Value> {
    let url = format!("/engine.io/?EIO=4&transport=polling{sid}");
    let headers = match body {
        Some(body) => {
            json!({ "content-type": "text/plain;charset=UTF-8", "content-length": body.len().to_string() })
        }
        None => json!({}),
    };
    let body = body.map(|text| json!({ "text": text }));
    vec![json!({ "t_ms": at, "who": "client", "kind": "http_request", "id": id, "method": method, "url": url,
        "headers": headers, "body": body })]
}

fn answer(at: f64, id: u64, text: &str, content_type: &str) -> Value {
    let headers = json!({ "content-type": content_type, "cache-control": "no-store" });
    json!({ "t_ms": at, "who": "server", "kind": "http_response", "id": id, "status": 200, "headers": headers,
        "body": { "text": text } })
}

fn open_packet(upgrades: &[&str]) -> String {
    let handshake = json!({ "sid": "SID", "upgrades": upgrades, "pingInterval": 300, "pingTimeout": 200,
        "maxPayload": 1_000_000 });
    format!("0{handshake}")
}
