//! What servers say to the client: what they have said in the recordings, and stories of what else may happen.

use super::{EIO3, FOLLOW, LIMITS, NO_UPGRADE, SLEEPS, SMALL_BUFFER, TRY_ALL, WEBSOCKET};
use crate::recordings;
use crate::script::step;

const OPEN: &str =
    r#"0{"sid":"x7","upgrades":["websocket"],"pingInterval":300,"pingTimeout":200,"maxPayload":1000}"#;

/// Its heartbeat is slower than an upgrade.
const SLOW: &str =
    r#"0{"sid":"x7","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100000}"#;

/// A WebSocket opens beside the polls, and the server answers the probe that it has read.
const PROBED: &[u8] = b"ahrf\x06\x003probe";

/// An answer on the other connection, and a moment for the client to write on this one.
fn beside(body: &str) -> Vec<u8> {
    [b"n", &answer(body)[..], b"nr"].concat()
}

fn answer(body: &str) -> Vec<u8> {
    step(b'o', body.as_bytes())
}

fn frames(frames: &[&str]) -> Vec<u8> {
    frames.iter().flat_map(|frame| step(b'f', frame.as_bytes())).collect()
}

/// The body in which one packet comes on polling.
fn body(settings: u8, packet: &str) -> String {
    if settings & EIO3 == 0 { packet.to_owned() } else { format!("{}:{packet}", packet.len()) }
}

/// A session that opens on polling.
fn on_polling(settings: u8, open: &str) -> Vec<u8> {
    [&[settings, b'a'][..], &answer(&body(settings, open))].concat()
}

/// A session that opens on a WebSocket.
fn on_websocket(settings: u8, open: &str) -> Vec<u8> {
    [&[settings | WEBSOCKET][..], b"ah", &frames(&[open])].concat()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = recorded();
    for settings in [0, EIO3, SMALL_BUFFER] {
        seeds.extend(upgrades(settings));
        seeds.push(posts(settings | NO_UPGRADE));
    }
    seeds.extend(limits());
    seeds.extend(answers_of_http());
    seeds
}

/// What servers have said in the recordings, on a WebSocket and on polling.
fn recorded() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let said: Vec<_> = recordings::frames().into_iter().filter(|frame| !frame.by_client).collect();
    for (number, said) in said.chunks(4).take(40).enumerate() {
        let mut seed = on_websocket(if number % 2 == 0 { 0 } else { EIO3 }, OPEN);
        for frame in said {
            let payload = frame.data.to_wire();
            seed.extend(step(b'f', &payload[..payload.len().min(500)]));
        }
        seeds.push([&seed, &b"t\x09"[..]].concat());
    }
    for body in recordings::bodies().filter(|body| body.len() < 500).take(60) {
        // A length or a marker stands before each packet of revision 3.
        let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_eio3 = body.get(digits) == Some(&b':') || matches!(body.first(), Some(0 | 1));
        let settings = NO_UPGRADE | if is_eio3 { EIO3 } else { 0 };
        seeds.push([on_polling(settings, OPEN), step(b'o', &body), b"aat\x09".to_vec()].concat());
    }
    seeds
}

/// Upgrades that succeed, are broken off, and are waited for in vain.
fn upgrades(settings: u8) -> [Vec<u8>; 5] {
    let noop = beside(&body(settings, "6"));
    let hello = beside(&body(settings, "4hello"));
    let start = [on_polling(settings, SLOW), PROBED.to_vec()].concat();
    let upgraded = [&start[..], &noop].concat();
    [
        // Messages, a heartbeat, a pause, and silence.
        [&upgraded[..], &frames(&["4hello", "2", "3", "4more"]), b"rt\x0er", &frames(&["4late"]), b"t\x10"]
            .concat(),
        [&upgraded[..], b"B\x82\x40B\x81\x02B\x01\x21B\x80\x08r"].concat(),
        // The client gives up before the server answers the poll.
        [&start[..], b"t\x0d", &noop, &hello, &hello].concat(),
        [&on_polling(settings, SLOW)[..], b"ad", &answer(&body(settings, "4hello")), b"t\x09"].concat(),
        [&start[..], b"d", &answer(&body(settings, "6")), &answer(&body(settings, "4hello")), b"t\x09"]
            .concat(),
    ]
}

/// Polling, with messages and heartbeats that the client answers by posts.
fn posts(settings: u8) -> Vec<u8> {
    let said = |packet| answer(&body(settings, packet));
    let ok = beside("ok");
    let start = [&on_polling(settings, SLOW)[..], &said("4hello"), b"a", &answer("ok"), b"n"].concat();
    [&start[..], &said("2"), &ok, &said("4more"), &ok, &said("3"), b"t\x0e", &said("1")].concat()
}

/// Messages that are too long or too many, a server that reads nothing, and an application that reads nothing.
fn limits() -> Vec<Vec<u8>> {
    let many = frames(&["4a", "4b", "4c", "4d", "4e", "2"]);
    let mut seeds = Vec::new();
    for settings in [LIMITS, LIMITS | SMALL_BUFFER, LIMITS | SLEEPS, SMALL_BUFFER | SLEEPS] {
        seeds.push([&on_websocket(settings, SLOW)[..], &many, b"t\x10", &many, b"t\x10"].concat());
        seeds.push([&on_websocket(settings, SLOW)[..], b"B\x82\x01B\x82\x7fB\x82\x01t\x0f"].concat());
        let long = format!("4{}", "x".repeat(400));
        seeds.push([on_polling(settings | NO_UPGRADE, SLOW), answer(&long), b"a".to_vec()].concat());
    }
    seeds.push([&on_websocket(0, SLOW)[..], &[&b"B\x82\x40"[..]; 6].concat(), b"t\x10"].concat());
    seeds
}

/// Redirects, cookies and refusals.
fn answers_of_http() -> [Vec<u8>; 4] {
    let empty = "content-length: 0\r\n\r\n";
    let written = |head: String| step(b'w', head.as_bytes());
    let found = |to: &str| {
        written(format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\nset-cookie: a=b; Path=/\r\n{empty}"))
    };
    let open = |headers: &str| {
        let len = SLOW.len();
        written(format!("HTTP/1.1 200 OK\r\n{headers}content-length: {len}\r\n\r\n{SLOW}"))
    };
    let refused = written(format!("HTTP/1.1 404 Not Found\r\n{empty}"));
    let follow = FOLLOW | NO_UPGRADE;
    [
        [&[follow][..], b"ar", &found("/engine.io/?x=1"), b"ar", &open(""), b"r", &answer("4hi"), b"ar"]
            .concat(),
        [
            &[follow][..],
            b"ar",
            &found("http://other.test/"),
            b"ar",
            &found("//third.test:81/"),
            b"ar",
            &open(""),
        ]
        .concat(),
        [&[follow][..], b"ar", &open("set-cookie: sid=1; HttpOnly\r\n"), b"r", &answer("4hi"), b"ar"]
            .concat(),
        [&[TRY_ALL][..], b"ar", &refused, b"ah", &frames(&[SLOW, "4hello"]), b"r"].concat(),
    ]
}
