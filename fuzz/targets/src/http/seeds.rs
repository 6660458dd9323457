//! What clients have asked in the recordings, with settings that it wakes, and stories of what else may happen.

use super::{COMPRESSION, CORS, EIO3, FAST, HTTP2, LIMITS, NO_UPGRADE};
use crate::recordings::{self, Exchange};
use crate::script::step;

/// What makes a server of each setting answer otherwise than others.
const HEADERS: &str = "origin: http://b.test\r\naccept-encoding: gzip\r\n";

/// Frames are masked with zeros: a probe, an upgrade, a message, a pong.
const FRAMES: [&[u8]; 4] =
    [b"\x81\x86\0\0\0\x002probe", b"\x81\x81\0\0\0\x005", b"\x81\x83\0\0\0\x004hi", b"\x81\x81\0\0\0\x003"];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = recorded();
    for settings in
        [0, NO_UPGRADE, LIMITS, CORS, COMPRESSION, CORS | COMPRESSION, FAST, FAST | EIO3, 3 * FAST]
    {
        seeds.extend(polling(settings));
        seeds.push(upgrade(settings));
    }
    seeds.push([&[HTTP2][..], b"c", &step(b'w', HTTP2_PREFACE), b"rt\x06r"].concat());
    seeds
}

/// The connection preface of HTTP/2, with empty settings.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The recorded requests, each on a connection of its own; and a WebSocket with a few frames.
fn recorded() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for exchanges in recordings::exchanges() {
        let mut seed = vec![EIO3];
        for exchange in exchanges.iter().take(6) {
            seed.push(b'c');
            seed.extend(step(b'w', &recorded_request(exchange)));
            seed.extend(b"rt\x06");
            if exchange.method == "WS" {
                for frame in FRAMES {
                    seed.extend(step(b'w', frame));
                    seed.extend(b"rt\x06");
                }
            }
        }
        if seed.len() < 3_000 {
            seeds.push(seed);
        }
    }
    seeds.sort();
    seeds.dedup_by_key(|seed| seed.len() / 16);
    for (number, seed) in (0_u8..).zip(&mut seeds) {
        seed[0] = [EIO3, EIO3 | CORS, EIO3 | COMPRESSION, EIO3 | FAST | LIMITS][usize::from(number % 4)];
    }
    seeds
}

fn recorded_request(exchange: &Exchange) -> Vec<u8> {
    let body = &exchange.body[..exchange.body.len().min(1_000)];
    let content_type = exchange.content_type.as_ref().map(|kind| format!("content-type: {kind}\r\n"));
    match exchange.method.as_str() {
        "WS" => websocket(&exchange.target),
        method => request(method, &exchange.target, content_type.as_deref().unwrap_or(""), body),
    }
}

fn request(method: &str, target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head =
        format!("{method} {target} HTTP/1.1\r\nhost: a\r\n{HEADERS}{headers}content-length: {len}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn websocket(target: &str) -> Vec<u8> {
    let headers = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    format!("GET {target} HTTP/1.1\r\nhost: a\r\n{headers}\r\n").into_bytes()
}

fn target(settings: u8, transport: &str, sid: &str) -> String {
    let revision = if settings & EIO3 == 0 { 4 } else { 3 };
    format!("/engine.io/?EIO={revision}&transport={transport}{sid}")
}

/// Writes a request of a session, or one that opens it, and reads the answer.
fn asks(method: &str, settings: u8, sid: &str, body: &[u8]) -> Vec<u8> {
    let content_type = if body.is_empty() { "" } else { "content-type: text/plain\r\n" };
    let request = request(method, &target(settings, "polling", sid), content_type, body);
    [step(b'w', &request), b"r".to_vec()].concat()
}

const SID: &str = "&sid={sid}";

/// Two sessions on polling: messages, short and long, to one and to all, an application that closes, and a server that stops.
fn polling(settings: u8) -> [Vec<u8>; 3] {
    let text = |text: &str| {
        let framed = if settings & EIO3 == 0 { text.to_owned() } else { format!("{}:{text}", text.len()) };
        framed.into_bytes()
    };
    let long = text(&format!("4{}", "x".repeat(1_200)));
    let open = [&[settings, b'c'][..], &asks("GET", settings, "", b"")].concat();
    let posts =
        [&asks("POST", settings, SID, &text("4hello"))[..], &asks("GET", settings, SID, b"")].concat();
    [
        [&open[..], &posts, &asks("POST", settings, SID, &long), &asks("GET", settings, SID, b""), b"t\x10"]
            .concat(),
        [
            &open[..],
            &asks("GET", settings, "", b""),
            &posts,
            b"i\x01",
            &posts,
            &step(b'm', b"to all"),
            b"qt\x03",
            &posts,
        ]
        .concat(),
        [&open[..], &posts, b"c", &asks("GET", settings, SID, b""), b"St\x05", &posts].concat(),
    ]
}

/// A session that moves to a WebSocket while a poll waits.
fn upgrade(settings: u8) -> Vec<u8> {
    let open = [&[settings, b'c'][..], &asks("GET", settings, "", b"")].concat();
    let poll = asks("GET", settings, SID, b"");
    let [probe, done, hello, pong] = FRAMES.map(|frame| [step(b'w', frame), b"r".to_vec()].concat());
    let socket = [b"c", &step(b'w', &websocket(&target(settings, "websocket", SID)))[..], b"r"].concat();
    [&open[..], &poll, &socket, &probe, b"t\x07s\x00rs\x01", &done, &hello, &pong, b"t\x08", &hello].concat()
}
