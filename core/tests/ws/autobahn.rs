//! The cases 1 to 7 and 10 of the Autobahn suite, ported as data: both roles, and cut in every way that matters.

use std::collections::BTreeMap;

use eio_core::ws::{self, Close, CloseCode, ControlFrame};
use serde_json::Value;

use super::support::{self, Event, Outcome, Role};

const LIMIT: u32 = 1 << 20;

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn every_case_holds_in_both_roles_however_it_is_cut() {
    let mut played = 0;
    for case in &cases() {
        for role in Role::BOTH {
            let stream = Stream::of(case, role);
            let expected = Expected::of(case);
            for chunks in stream.cuttings(&case["chop"]) {
                let label = format!("case {}, {role:?}, {} chunks", case["id"], chunks.len());
                let outcome = support::decode(role, LIMIT, chunks.iter().copied());
                expected.check(&outcome, &label);
                // A buffer that holds the stream holds its messages.
                let limit = u32::try_from(stream.bytes.len()).unwrap();
                let outcome = support::read(role, limit, chunks.iter().copied());
                expected.check(&outcome, &label);
                played += 1;
            }
        }
    }
    println!("{} cases played in {played} ways", cases().len());
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn every_case_is_answered_as_it_expects() {
    for case in &cases() {
        for role in Role::BOTH {
            let stream = Stream::of(case, role);
            let outcome = support::decode(role, LIMIT, [&stream.bytes[..]]);
            let answers = echo(role, &outcome);
            assert_eq!(answers, expected_answers(case), "case {}, {role:?}", case["id"]);
        }
    }
}

/// Fail fast: where the case pauses to look, and, for text, at the very byte that makes it invalid.
#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn every_bad_stream_is_refused_at_the_earliest_byte() {
    for case in &cases() {
        for role in Role::BOTH {
            let stream = Stream::of(case, role);
            let label = format!("case {}, {role:?}", case["id"]);
            let outcome = support::decode(role, LIMIT, stream.bytes.chunks(1));
            let refused_at = outcome.refused.map_or(usize::MAX, |(_, fed)| fed);
            for &(at, open) in &stream.pauses {
                assert_eq!(open, refused_at > at, "{label}: at byte {at}, refused at {refused_at}");
            }
            if let Some(invalid_at) = case["invalid_at"].as_u64() {
                let at = stream.text_ends[usize::try_from(invalid_at).unwrap() - 1];
                assert_eq!(refused_at, at, "{label}: invalid from byte {at} on");
            }
        }
    }
}

#[test]
fn the_list_of_cases_is_whole() {
    let mut counts = BTreeMap::<String, usize>::new();
    for case in &cases() {
        let id = case["id"].as_str().unwrap();
        let group = match id.split('.').collect::<Vec<_>>()[..] {
            ["1" | "4" | "6" | "7" | "10", sub, _] => format!("{}.{sub}", &id[..id.find('.').unwrap()]),
            [group, _] => group.to_owned(),
            _ => panic!("{id}"),
        };
        *counts.entry(group).or_default() += 1;
    }
    let expected = [
        ("1.1", 8),
        ("1.2", 8),
        ("2", 11),
        ("3", 7),
        ("4.1", 5),
        ("4.2", 5),
        ("5", 20),
        ("6.1", 3),
        ("6.2", 4),
        ("6.3", 2),
        ("6.4", 4),
        ("6.5", 5),
        ("6.6", 11),
        ("6.7", 4),
        ("6.8", 2),
        ("6.9", 4),
        ("6.10", 3),
        ("6.11", 5),
        ("6.12", 8),
        ("6.13", 5),
        ("6.14", 10),
        ("6.15", 1),
        ("6.16", 3),
        ("6.17", 5),
        ("6.18", 5),
        ("6.19", 5),
        ("6.20", 7),
        ("6.21", 8),
        ("6.22", 34),
        ("6.23", 7),
        ("7.1", 6),
        ("7.3", 6),
        ("7.5", 1),
        ("7.7", 13),
        ("7.9", 9),
        ("7.13", 2),
        ("10.1", 1),
    ];
    let expected = expected.map(|(group, count)| (group.to_owned(), count)).into_iter().collect();
    assert_eq!(counts, expected);
}

/// What the peer sends, and where in it the case looks at the endpoint.
struct Stream {
    bytes: Vec<u8>,
    frame_ends: Vec<usize>,
    /// After this many bytes the endpoint is still open, or has failed the connection.
    pauses: Vec<(usize, bool)>,
    /// Where each byte of text ends.
    text_ends: Vec<usize>,
}

impl Stream {
    fn of(case: &Value, role: Role) -> Self {
        let mut stream =
            Self { bytes: Vec::new(), frame_ends: Vec::new(), pauses: Vec::new(), text_ends: Vec::new() };
        for step in case["send"].as_array().unwrap() {
            if let Some(then) = step["then"].as_str() {
                stream.pauses.push((stream.bytes.len(), then == "open"));
                continue;
            }
            let opcode = u8::try_from(step["op"].as_u64().unwrap()).unwrap();
            let fin = step["fin"].as_bool().unwrap_or(true);
            let rsv = u8::try_from(step["rsv"].as_u64().unwrap_or(0)).unwrap();
            let code = step["code"].as_u64().map(|code| u16::try_from(code).unwrap().to_be_bytes());
            let body: Vec<u8> = code.iter().flatten().copied().chain(payload(&step["payload"])).collect();
            let first = u8::from(fin) << 7 | rsv << 4 | opcode;
            stream.bytes.extend(support::frame(first, role.peer_key(stream.frame_ends.len()), &body));
            let end = stream.bytes.len();
            stream.frame_ends.push(end);
            if opcode < 8 {
                stream.text_ends.extend((1..=body.len()).map(|i| end - body.len() + i));
            }
            for pause in step["pauses"].as_array().into_iter().flatten() {
                let after = usize::try_from(pause["after"].as_u64().unwrap()).unwrap();
                stream.pauses.push((end - body.len() + after, pause["then"] == "open"));
            }
        }
        stream
    }

    /// As the case says, in one piece, byte by byte, and in two pieces cut at every border. Long streams are cut in
    /// two only around their first frames and near their end.
    fn cuttings(&self, chop: &Value) -> Vec<Vec<&[u8]>> {
        let bytes = &self.bytes[..];
        let mut cuttings =
            vec![vec![bytes], bytes.chunks(1).collect(), support::cut(bytes, &self.frame_ends)];
        if let Some(octets) = chop.as_u64() {
            cuttings.push(bytes.chunks(usize::try_from(octets).unwrap()).collect());
        }
        let borders: Vec<_> = self.frame_ends.iter().take(3).copied().chain([0, bytes.len()]).collect();
        let near = |place: usize| borders.iter().any(|border| place.abs_diff(*border) < 20);
        for place in (1..bytes.len()).filter(|&place| bytes.len() < 600 || near(place)) {
            cuttings.push(support::cut(bytes, &[place]));
        }
        cuttings
    }
}

/// What the endpoint has to make of the stream.
struct Expected {
    /// Messages and pings, in order. The pongs of a peer are not among them: nothing follows from them.
    events: Vec<Event>,
    code: Option<CloseCode>,
}

impl Expected {
    fn of(case: &Value) -> Self {
        let mut events: Vec<_> = case["expect"].as_array().unwrap().iter().map(expected_event).collect();
        let code = case["end"]["failed"].as_u64().map(|code| CloseCode::new(u16::try_from(code).unwrap()));
        if let Some(closed) = case["end"].get("closed") {
            let sent = case["send"].as_array().unwrap();
            let reason = sent.iter().find(|step| step["op"] == 8).map(|step| payload(&step["payload"]));
            let reason = String::from_utf8(reason.unwrap()).unwrap();
            events.push(Event::Close(closed.as_u64().map(|code| (u16::try_from(code).unwrap(), reason))));
        }
        Self { events, code }
    }

    fn check(&self, outcome: &Outcome, label: &str) {
        let events: Vec<_> = outcome.events.iter().filter(|event| !matches!(event, Event::Pong(_))).collect();
        assert!(events.iter().copied().eq(&self.events), "{label}: {events:?} instead of {:?}", self.events);
        assert_eq!(outcome.error().map(ws::Error::close_code), self.code, "{label}");
    }
}

/// A message is echoed, so it was received; a pong was sent, so a ping was received.
fn expected_event(expect: &Value) -> Event {
    let (kind, value) = expect.as_object().unwrap().iter().next().unwrap();
    let bytes = payload(value);
    match &kind[..] {
        "text" => Event::Text(String::from_utf8(bytes).unwrap()),
        "binary" => Event::Binary(bytes),
        "pong" => Event::Ping(bytes),
        _ => panic!("{kind}"),
    }
}

/// An endpoint that echoes messages, answers pings and closes: its frames, as first byte and payload.
fn echo(role: Role, outcome: &Outcome) -> Vec<(u8, Vec<u8>)> {
    let key = match role {
        Role::Server => None,
        Role::Client => Some([0x11, 0x22, 0x33, 0x44]),
    };
    let mut out = vec![0; 300_000];
    let mut answers = Vec::new();
    for event in &outcome.events {
        let len = match event {
            Event::Text(text) => {
                ws::encode_message(eio_core::packet::WebSocketMessage::Text(text), key, &mut out).unwrap()
            }
            Event::Binary(bytes) => {
                ws::encode_message(eio_core::packet::WebSocketMessage::Binary(bytes), key, &mut out).unwrap()
            }
            Event::Ping(payload) => {
                ControlFrame::Ping(payload).reply().unwrap().encode(key, &mut out).unwrap()
            }
            Event::Pong(payload) => {
                assert_eq!(ControlFrame::Pong(payload).reply(), None);
                continue;
            }
            Event::Close(body) => {
                let body =
                    body.as_ref().map(|(code, reason)| Close::new(CloseCode::new(*code), reason).unwrap());
                ControlFrame::Close(body).reply().unwrap().encode(key, &mut out).unwrap()
            }
        };
        answers.push(parse(&out[..len], key.is_some()));
    }
    if let Some(error) = outcome.error() {
        let close = Close::new(error.close_code(), "").unwrap();
        let len = ControlFrame::Close(Some(close)).encode(key, &mut out).unwrap();
        answers.push(parse(&out[..len], key.is_some()));
    }
    answers
}

fn expected_answers(case: &Value) -> Vec<(u8, Vec<u8>)> {
    let mut answers: Vec<_> = case["expect"]
        .as_array()
        .unwrap()
        .iter()
        .map(|expect| {
            let (kind, value) = expect.as_object().unwrap().iter().next().unwrap();
            let first = match &kind[..] {
                "text" => 0x81,
                "binary" => 0x82,
                _ => 0x8a,
            };
            (first, payload(value))
        })
        .collect();
    let (_, code) = case["end"].as_object().unwrap().iter().next().unwrap();
    let code = code.as_u64().map(|code| u16::try_from(code).unwrap().to_be_bytes());
    answers.push((0x88, code.iter().flatten().copied().collect()));
    answers
}

/// One frame, read without the codec.
fn parse(frame: &[u8], masked: bool) -> (u8, Vec<u8>) {
    assert_eq!(frame[1] & 0x80 != 0, masked);
    let (len, start) = match frame[1] & 0x7f {
        126 => (usize::from(u16::from_be_bytes(frame[2..4].try_into().unwrap())), 4),
        127 => (usize::try_from(u64::from_be_bytes(frame[2..10].try_into().unwrap())).unwrap(), 10),
        len => (usize::from(len), 2),
    };
    let (key, start) =
        if masked { (frame[start..start + 4].to_vec(), start + 4) } else { (vec![0; 4], start) };
    assert_eq!(frame.len(), start + len);
    (frame[0], frame[start..].iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect())
}

/// `{"text"}` or `{"hex"}`, repeated `times`, or until there are `octets` bytes.
fn payload(value: &Value) -> Vec<u8> {
    let once = match (value["text"].as_str(), value["hex"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (_, Some(hex)) => {
            let pairs = hex.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
            pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
        }
        _ => Vec::new(),
    };
    let number = |key: &str| value[key].as_u64().map(|number| usize::try_from(number).unwrap());
    match number("octets") {
        Some(octets) => once.iter().copied().cycle().take(octets).collect(),
        None => once.repeat(number("times").unwrap_or(1)),
    }
}

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/autobahn/cases.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(file["format"], "eio-websocket-cases/1");
    file["cases"].as_array().unwrap().clone()
}
