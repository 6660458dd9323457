//! Every vector of `sio09.json`: Socket.IO 0.9 packets and polling bodies with the verdicts of the reference parser.
//! Ours agrees, or ignores more for a reason that [`stricter`], [`stricter_body`] and [`not_sent`] name by what the
//! packet does, never by its id.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the input is the test's own, and a test may panic"
)]

use eio_legacy::packet::{
    AckRequest, Advice, ErrorReason, LegacyPacket, LegacyPacketError, LegacyPacketErrorKind, PacketBody,
};
use eio_legacy::payload::{self, LegacyPayloadErrorKind};
use eio_tests::javascript::{same, stringify};
use eio_tests::vectors::{self, Outcome};
use serde_json::{Map, Value, json};

#[test]
fn every_vector_holds_or_is_a_known_stricter_verdict() {
    vectors::run_all(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"),
        "sio09.json",
        |op, vector| match op {
            "sio09_encode" => run_encode(vector),
            "sio09_decode" => run_decode(vector),
            "sio09_encode_payload" => run_encode_payload(vector),
            "sio09_decode_payload" => run_decode_payload(vector),
            _ => Err("unknown op".to_owned()),
        },
    );
}

/// A lone surrogate cannot be in text that is UTF-8.
const NOT_UNICODE: &str = "a lone surrogate, which no body or message on the wire can carry";

// ---- decoding

/// Why a text in which the reference finds a packet is ignored here.
fn stricter(text: &str, kind: LegacyPacketErrorKind) -> Option<&'static str> {
    let reason = match kind {
        LegacyPacketErrorKind::UnknownType(':') => {
            "colons before the packet; the reference's pattern is not anchored"
        }
        LegacyPacketErrorKind::InvalidJson if serde_json::from_str::<Value>(json_of(text)).is_err() => {
            "JSON that does not parse; the reference hands out false, or an event without a name"
        }
        LegacyPacketErrorKind::TooDeep => "JSON nested deeper than 64 levels",
        LegacyPacketErrorKind::InvalidEvent => match serde_json::from_str::<Value>(json_of(text)) {
            Ok(Value::Object(event)) if !event.get("name").is_some_and(Value::is_string) => {
                "an event without a name"
            }
            Ok(Value::Object(event)) if !event.get("args").is_none_or(is_list) => {
                "an event's arguments are no array"
            }
            Ok(Value::Object(_)) => return None,
            _ => "an event that is no object",
        },
        LegacyPacketErrorKind::InvalidArgs
            if serde_json::from_str(json_of(text)).is_ok_and(|args| !is_list(&args)) =>
        {
            "an acknowledgement's arguments are no array"
        }
        LegacyPacketErrorKind::InvalidId if has_odd_id(text) => {
            "an id that could not be echoed as it is, or none"
        }
        _ => return None,
    };
    Some(reason)
}

fn is_list(value: &Value) -> bool {
    value.is_array() || value.is_null()
}

/// The data of a packet; for an acknowledgement, without its id.
fn json_of(text: &str) -> &str {
    let data = data_of(text);
    if text.starts_with('6') {
        let rest = data.trim_start_matches(|c: char| c.is_ascii_digit());
        return rest.strip_prefix('+').unwrap_or(rest);
    }
    data
}

fn data_of(text: &str) -> &str {
    text.splitn(4, ':').nth(3).unwrap_or_default()
}

/// Leading zeros, more than a u64, or an acknowledgement of nothing.
fn has_odd_id(text: &str) -> bool {
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let odd = |id: &str| id.parse::<u64>().map_or(!id.is_empty(), |number| number.to_string() != id);
    let acked = digits(data_of(text));
    odd(&digits(text.split(':').nth(1).unwrap_or_default()))
        || (text.starts_with('6') && (acked.is_empty() || odd(&acked)))
}

fn run_decode(vector: &Value) -> Outcome {
    let Ok(text) = vectors::text(&vector["in"]).ok_or("no text")? else { return Ok(Some(NOT_UNICODE)) };
    let ours = LegacyPacket::decode(&text);
    if let Err(LegacyPacketError { at, .. }) = ours
        && at > text.len()
    {
        return Err(format!("position {at} is outside of {text:?}"));
    }
    compare(&text, &ours, &vector["out"])
}

fn compare(text: &str, ours: &Result<LegacyPacket<'_>, LegacyPacketError>, expected: &Value) -> Outcome {
    // A type that is no name is one that nobody handles.
    let ignored = !expected["type"].is_string();
    match ours {
        Ok(packet) if !ignored => {
            let value = value_of(packet)?;
            if same(&value, expected) {
                Ok(None)
            } else if cut_at_line_end(text) {
                Ok(Some("an acknowledgement that the reference cuts at its first line end; ours is whole"))
            } else {
                Err(format!("ours {value}, the reference's {expected}"))
            }
        }
        Err(_) if ignored => Ok(None),
        Err(error) => stricter(text, error.kind)
            .map(Some)
            .ok_or_else(|| format!("ours {error}, the reference's {expected}")),
        Ok(packet) => Err(format!("ours {packet:?}, the reference ignores it")),
    }
}

/// The dot in the reference's pattern matches no line end.
fn cut_at_line_end(text: &str) -> bool {
    text.starts_with('6') && json_of(text).contains(['\n', '\r', '\u{2028}', '\u{2029}'])
}

/// A decoded packet in the vectors' form. On the way, checks that what is encoded decodes to the same.
fn value_of(packet: &LegacyPacket<'_>) -> Result<Value, String> {
    let text = encode_checked(packet);
    if LegacyPacket::decode(&text) != Ok(*packet) {
        return Err(format!("{text:?} does not decode to {packet:?}"));
    }
    let parse =
        |json: &str| serde_json::from_str::<Value>(json).map_err(|error| format!("{json:?}: {error}"));
    let mut value = Map::new();
    let name = match packet.body() {
        PacketBody::Disconnect => "disconnect",
        PacketBody::Connect(query) => {
            value.insert("qs".into(), query.into());
            "connect"
        }
        PacketBody::Heartbeat => "heartbeat",
        PacketBody::Message(text) => {
            value.insert("data".into(), text.into());
            "message"
        }
        PacketBody::Json(json) => {
            value.insert("data".into(), parse(json)?);
            "json"
        }
        PacketBody::Event(event) => {
            // The name may have escapes, which only its JSON can tell.
            let whole = parse(json_of(&text))?;
            value.insert("name".into(), whole["name"].clone());
            value.insert("args".into(), parse(&format!("[{}]", event.args().as_str()))?);
            "event"
        }
        PacketBody::Ack { id, args } => {
            value.insert("ackId".into(), id.to_string().into());
            value.insert("args".into(), parse(&format!("[{}]", args.as_str()))?);
            "ack"
        }
        PacketBody::Error { reason, advice } => {
            value.insert("reason".into(), reason.map_or("", ErrorReason::as_str).into());
            value.insert("advice".into(), advice.map_or("", Advice::as_str).into());
            "error"
        }
        PacketBody::Noop => "noop",
    };
    value.insert("type".into(), name.into());
    value.insert("endpoint".into(), packet.endpoint().into());
    if let Some(AckRequest { id, with_data }) = packet.ack_request() {
        value.insert("id".into(), id.to_string().into());
        value.insert("ack".into(), if with_data { json!("data") } else { json!(true) });
    }
    Ok(Value::Object(value))
}

// ---- encoding

/// Why a packet that the reference's encoder writes cannot be made here.
fn not_sent(packet: &Value, refusal: &Refusal) -> Option<&'static str> {
    let reason = match refusal {
        Refusal::Made(LegacyPacketErrorKind::InvalidEndpoint) => {
            "an endpoint that receivers would read differently"
        }
        Refusal::Made(LegacyPacketErrorKind::TooDeep) => "JSON nested deeper than 64 levels",
        Refusal::Shape if packet["type"] == "event" && !packet["name"].is_string() => {
            "an event without a name"
        }
        Refusal::Shape if !packet["args"].is_null() && !packet["args"].is_array() => {
            "arguments that are no array"
        }
        Refusal::Shape if packet["type"] == "ack" && packet["ackId"].is_null() => {
            "an acknowledgement of nothing"
        }
        Refusal::Shape if packet["ack"] == "data" && number(&packet["id"]).is_none_or(|id| id == 0) => {
            "a request for an acknowledgement of nothing: a plus without an id"
        }
        Refusal::Shape if !packet["id"].is_null() && number(&packet["id"]).is_none() => {
            "an id that is no whole number"
        }
        Refusal::Shape if packet["type"] == "ack" && number(&packet["ackId"]).is_none() => {
            "an id that is no whole number"
        }
        Refusal::Shape if packet["type"] == "json" && packet["data"].is_null() => {
            "no JSON where there has to be some"
        }
        _ => return None,
    };
    Some(reason)
}

/// Why ours makes no packet of a vector.
#[derive(Debug)]
enum Refusal {
    /// A constructor refused it.
    Made(LegacyPacketErrorKind),
    /// There is no constructor for its shape.
    Shape,
}

impl From<LegacyPacketError> for Refusal {
    fn from(error: LegacyPacketError) -> Self {
        Self::Made(error.kind)
    }
}

fn run_encode(vector: &Value) -> Outcome {
    let expected = &vector["out"];
    match encode(&vector["packet"]) {
        Ok(ours) if expected["text"] == ours => Ok(None),
        Ok(ours) => Err(format!("ours {ours:?}, the reference's {expected}")),
        Err(refusal) => not_sent(&vector["packet"], &refusal)
            .map(Some)
            .ok_or_else(|| format!("ours {refusal:?}, the reference's {expected}")),
    }
}

fn encode(packet: &Value) -> Result<String, Refusal> {
    let text = |key: &str| packet[key].as_str().unwrap_or_default();
    let args = match &packet["args"] {
        Value::Array(items) => items.iter().map(stringify).collect::<Vec<_>>().join(","),
        Value::Null => String::new(),
        _ => return Err(Refusal::Shape),
    };
    let json;
    let mut made = match text("type") {
        "disconnect" => LegacyPacket::DISCONNECT,
        "connect" => LegacyPacket::connect(text("qs")),
        "heartbeat" => LegacyPacket::HEARTBEAT,
        "message" => LegacyPacket::message(text("data")),
        "json" if packet.get("data").is_some() => {
            json = stringify(&packet["data"]);
            LegacyPacket::json(&json)?
        }
        "event" => LegacyPacket::event(packet["name"].as_str().ok_or(Refusal::Shape)?, &args)?,
        "ack" => LegacyPacket::ack(number(&packet["ackId"]).ok_or(Refusal::Shape)?, &args)?,
        "error" => {
            let reasons = [
                ErrorReason::TransportNotSupported,
                ErrorReason::ClientNotHandshaken,
                ErrorReason::Unauthorized,
            ];
            let reason = reasons.into_iter().find(|reason| reason.as_str() == text("reason"));
            let advice = Some(Advice::Reconnect).filter(|advice| advice.as_str() == text("advice"));
            LegacyPacket::error(reason, advice)
        }
        "noop" => LegacyPacket::NOOP,
        _ => return Err(Refusal::Shape),
    };
    made = made.in_endpoint(text("endpoint"))?;
    match (&packet["id"], packet["ack"] == "data") {
        // No ids to JavaScript's `||`.
        (Value::Null, false) => {}
        (id, false) if *id == 0 || *id == "" => {}
        (id, with_data) => {
            let id = number(id).filter(|_| *id != 0).ok_or(Refusal::Shape)?;
            made = made.with_ack_request(AckRequest { id, with_data });
        }
    }
    Ok(encode_checked(&made))
}

/// An id, which the reference takes as a number or as digits.
fn number(value: &Value) -> Option<u64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// The packet's text. On the way, checks that the buffer's size is asked for exactly.
fn encode_checked(packet: &LegacyPacket<'_>) -> String {
    let needed = packet.encode(&mut []).expect_err("no packet is empty").needed;
    let mut out = vec![b'.'; needed];
    packet.encode(&mut out[..needed - 1]).expect_err("one byte is missing");
    assert!(out.iter().all(|byte| *byte == b'.'), "nothing is written in part");
    packet.encode(&mut out).expect("room").to_owned()
}

// ---- polling bodies

/// Why packets that the reference finds in a polling body are ignored here.
fn stricter_body(
    body: &str,
    kind: LegacyPayloadErrorKind,
    ours: &[Value],
    expected: &[Value],
) -> Option<&'static str> {
    // What comes before the error must agree.
    if ours.len() > expected.len() || !ours.iter().zip(expected).all(|(ours, expected)| same(ours, expected))
    {
        return None;
    }
    let marks = body.matches('\u{fffd}').count();
    match kind {
        LegacyPayloadErrorKind::InvalidLength if marks >= 2 => {
            Some("a length that does not fit; the reference delivers pieces")
        }
        LegacyPayloadErrorKind::MissingMark if marks >= 2 => {
            Some("a packet behind rubbish, which the reference skips")
        }
        _ => None,
    }
}

fn run_decode_payload(vector: &Value) -> Outcome {
    let Ok(body) = vectors::text(&vector["in"]).ok_or("no text")? else { return Ok(Some(NOT_UNICODE)) };
    let all = vector["out"].as_array().ok_or("expected a list")?;
    let expected: Vec<Value> = all.iter().filter(|packet| packet["type"].is_string()).cloned().collect();
    let mut ours = Vec::new();
    let mut stopped = None;
    let mut ignored = None;
    for text in payload::decode(&body, 1_000) {
        match text.map(|text| (text, LegacyPacket::decode(text))) {
            Ok((_, Ok(packet))) => ours.push(value_of(&packet)?),
            Ok((text, Err(error))) => ignored = ignored.or(stricter(text, error.kind)),
            Err(error) if error.at > body.len() => {
                return Err(format!("position {} is outside of {body:?}", error.at));
            }
            Err(error) => stopped = Some(error.kind),
        }
    }
    if same(&Value::Array(ours.clone()), &Value::Array(expected.clone())) {
        return Ok(None);
    }
    stopped
        .and_then(|kind| stricter_body(&body, kind, &ours, &expected))
        .or(ignored.filter(|_| ours.len() < expected.len()))
        .map(Some)
        .ok_or_else(|| format!("ours {} {stopped:?}, the reference's {}", Value::Array(ours), vector["out"]))
}

fn run_encode_payload(vector: &Value) -> Outcome {
    let packets: Vec<&str> =
        vector["packets"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let needed =
        payload::encode(packets.iter().copied(), &mut []).map_or_else(|error| error.needed, str::len);
    let mut out = vec![0; needed];
    let ours = payload::encode(packets.iter().copied(), &mut out).map_err(|error| error.to_string())?;
    let expected = &vector["out"];
    if expected["text"] == *ours {
        Ok(None)
    } else {
        Err(format!("ours {ours:?}, the reference's {expected}"))
    }
}
