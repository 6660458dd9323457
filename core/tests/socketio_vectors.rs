//! Every vector of `sio5.json`: Socket.IO v5 packets with the verdicts of socket.io-parser. Ours agrees, or is stricter
//! for a reason that [`stricter`] and [`not_sent`] name by what the packet does, never by its id.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the input is the test's own, and a test may panic"
)]

use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{Body, Decoder, Expected, MAX_ID, Packet, PacketError, PacketErrorKind, Received};
use eio_tests::javascript::{same, stringify};
use eio_tests::vectors::{self, Outcome};
use serde_json::{Map, Value, json};

#[test]
fn every_vector_holds_or_is_a_known_stricter_verdict() {
    vectors::run_all(vectors::OWN, "sio5.json", |op, vector| match op {
        "sio_encode" => run_encode(vector),
        "sio_decode" => run_decode(vector),
        _ => Err("unknown op".to_owned()),
    });
}

// ---- decoding

/// Why a text that the reference reads is an error here.
fn stricter(text: &str, kind: PacketErrorKind) -> Option<&'static str> {
    let (count, tail) = header(text);
    let id = &tail[..tail.find(|c: char| !c.is_ascii_digit() && !is_space(c)).unwrap_or(tail.len())];
    let reason = match kind {
        PacketErrorKind::Empty if text.is_empty() => {
            "an empty text; JavaScript reads it as the number 0, a connect"
        }
        PacketErrorKind::UnknownType(c) if is_space(c) => {
            "whitespace for a type; JavaScript reads it as the number 0"
        }
        PacketErrorKind::InvalidJson
        | PacketErrorKind::IdTooLarge
        | PacketErrorKind::WrongData(Expected::Nothing)
            if id.contains(is_space) =>
        {
            "whitespace in an id; JavaScript's Number skips it"
        }
        PacketErrorKind::IdTooLarge if id.parse::<u64>().map_or(true, |id| id > MAX_ID) => {
            "an id that a double cannot hold exactly"
        }
        PacketErrorKind::InvalidAttachments if !count.bytes().all(|b| b.is_ascii_digit()) => {
            "attachments not counted in plain digits"
        }
        PacketErrorKind::WrongData(Expected::Array | Expected::NamedArray) if id.len() == tail.len() => {
            "an event or acknowledgement without its array"
        }
        PacketErrorKind::TooDeep if depth(tail) > 64 => "JSON nested deeper than 64 levels",
        PacketErrorKind::InvalidPlaceholder
            if serde_json::from_str(&tail[id.len()..]).is_ok_and(|data| bad_placeholder(&data, count)) =>
        {
            "a placeholder without its attachment, noticed before the attachments arrive"
        }
        _ => return None,
    };
    Some(reason)
}

fn run_decode(vector: &Value) -> Outcome {
    let mut decoder = Decoder::new();
    let mut packets = Vec::new();
    let mut pending: Option<(Value, Vec<String>)> = None;
    let mut error: Option<(String, PacketError)> = None;
    for message in vector["in"].as_array().expect("a list of messages") {
        let (text, binary) = match (vectors::text(message), message["base64"].as_str()) {
            (Some(Ok(text)), _) => (Some(text), ""),
            (Some(Err(_)), _) => return Ok(Some("a lone surrogate, which no message on the wire can carry")),
            (None, Some(base64)) => (None, base64),
            (None, None) => return Err(format!("unknown message {message}")),
        };
        // The bytes of attachments are not looked at: their base64 stands for them.
        let frame =
            text.as_deref().map_or(WebSocketMessage::Binary(binary.as_bytes()), WebSocketMessage::Text);
        match decoder.decode(frame) {
            Ok(Received::Packet(packet)) => {
                let value = value_of(&packet)?;
                if packet.attachments() > 0 {
                    pending = Some((value, Vec::new()));
                } else {
                    packets.push(value);
                }
            }
            Ok(Received::Attachment { data, last, .. }) => {
                let (_, attachments) = pending.as_mut().expect("a packet before its attachments");
                attachments.push(String::from_utf8(data.to_vec()).expect("base64"));
                if last {
                    let (mut value, attachments) = pending.take().expect("just used");
                    fill_placeholders(&mut value, &attachments);
                    packets.push(value);
                }
            }
            Err(refused) => {
                let text = text.unwrap_or_default();
                if refused.at > text.len() {
                    return Err(format!("position {} is outside of {text:?}", refused.at));
                }
                error = Some((text, refused));
                break;
            }
        }
    }
    let expected = &vector["out"];
    // Where the reference gives up, the vector holds the packets before.
    let expected_packets =
        expected.get("before").unwrap_or(expected).as_array().ok_or("expected a list of packets")?;
    let same_so_far = packets.len() <= expected_packets.len()
        && packets.iter().zip(expected_packets).all(|(ours, expected)| same(ours, expected));
    let agree = packets.len() == expected_packets.len() && error.is_some() == expected.get("error").is_some();
    let difference =
        || format!("ours {} {error:?}, the reference's {expected}", Value::Array(packets.clone()));
    match &error {
        _ if same_so_far && agree => Ok(None),
        Some((text, refused)) if same_so_far => stricter(text, refused.kind).map(Some).ok_or_else(difference),
        _ => Err(difference()),
    }
}

/// A decoded packet in the vectors' form. On the way, checks that what is encoded decodes to the same.
fn value_of(packet: &Packet<'_>) -> Result<Value, String> {
    let mut out = vec![0; packet.encode(&mut []).expect_err("no packet is empty").needed];
    let text = packet.encode(&mut out).map_err(|error| error.to_string())?;
    if Packet::decode(text) != Ok(*packet) {
        return Err(format!("{text:?} does not decode to {packet:?}"));
    }
    let (name, data) = match packet.body() {
        Body::Connect(data) => ("CONNECT", data.to_owned()),
        Body::Disconnect => ("DISCONNECT", String::new()),
        Body::Event(_) => {
            ("EVENT", header(text).1.trim_start_matches(|c: char| c.is_ascii_digit()).to_owned())
        }
        Body::Ack(args) => ("ACK", format!("[{}]", args.as_str())),
        Body::ConnectError(data) => ("CONNECT_ERROR", data.to_owned()),
    };
    let mut value = Map::new();
    value.insert("type".into(), name.into());
    value.insert("nsp".into(), packet.namespace().into());
    if let Some(id) = packet.id() {
        value.insert("id".into(), id.into());
    }
    if !data.is_empty() {
        value.insert(
            "data".into(),
            serde_json::from_str(&data).map_err(|error| format!("{data:?}: {error}"))?,
        );
    }
    Ok(Value::Object(value))
}

fn fill_placeholders(value: &mut Value, attachments: &[String]) {
    if value["_placeholder"] == true {
        let num =
            value["num"].as_u64().and_then(|num| usize::try_from(num).ok()).expect("checked by the decoder");
        *value = json!({ "_binary_base64": attachments[num] });
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| fill_placeholders(item, attachments)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| fill_placeholders(member, attachments));
        }
        _ => {}
    }
}

/// The attachments' digits, and what follows the namespace: an id and data.
fn header(text: &str) -> (&str, &str) {
    let mut rest = text.get(1..).unwrap_or_default();
    let mut count = "";
    if text.starts_with(['5', '6']) {
        (count, rest) = rest.split_once('-').unwrap_or((rest, ""));
    }
    if rest.starts_with('/') {
        rest = rest.split_once(',').map_or("", |(_, rest)| rest);
    }
    (count, rest)
}

/// What `Number` of JavaScript skips.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn bad_placeholder(value: &Value, count: &str) -> bool {
    let count: u64 = count.parse().unwrap_or(0);
    match value {
        Value::Array(items) => items.iter().any(|item| bad_placeholder(item, &count.to_string())),
        Value::Object(members) => {
            let valid = members.get("num").and_then(Value::as_u64).is_some_and(|num| num < count);
            (members.get("_placeholder") == Some(&Value::Bool(true)) && !valid)
                || members.values().any(|member| bad_placeholder(member, &count.to_string()))
        }
        _ => false,
    }
}

/// How deep the brackets outside of strings nest.
fn depth(json: &str) -> usize {
    let (mut open, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '[' | '{' if !in_string => open += 1,
            ']' | '}' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

// ---- encoding

/// Why a packet that the reference's encoder writes cannot be made here.
fn not_sent(packet: &Value, refusal: &Refusal) -> Option<&'static str> {
    let data = &packet["data"];
    let reason = match refusal {
        Refusal::Made(PacketErrorKind::ReservedName) => "a reserved event name, which receivers refuse",
        Refusal::Made(PacketErrorKind::InvalidNamespace) => {
            "a namespace that receivers would read differently"
        }
        Refusal::Made(PacketErrorKind::IdTooLarge) => "an id that a double cannot hold exactly",
        Refusal::Made(PacketErrorKind::TooManyAttachments) => "more attachments than receivers accept",
        Refusal::Made(PacketErrorKind::TooDeep) if depth(&stringify(data)) > 64 => {
            "JSON nested deeper than 64 levels"
        }
        Refusal::Made(PacketErrorKind::InvalidPlaceholder) => "a placeholder of the application's own making",
        Refusal::Made(PacketErrorKind::WrongData(_)) => "data that the protocol does not have for this type",
        Refusal::Shape if packet["type"] == "ACK" && !packet["id"].is_u64() => {
            "an acknowledgement of nothing"
        }
        Refusal::Shape if !packet["id"].is_null() && !packet["id"].is_u64() => {
            "an id that is no whole number"
        }
        Refusal::Shape if !data.is_array() || !data[0].is_string() => {
            "data that the protocol does not have for this type"
        }
        _ => return None,
    };
    Some(reason)
}

/// Why ours makes no packet of a vector.
#[derive(Debug)]
enum Refusal {
    /// A constructor refused it.
    Made(PacketErrorKind),
    /// There is no constructor for its shape.
    Shape,
}

impl From<PacketError> for Refusal {
    fn from(error: PacketError) -> Self {
        Self::Made(error.kind)
    }
}

fn run_encode(vector: &Value) -> Outcome {
    let packet = &vector["packet"];
    let expected = &vector["out"];
    let ours = match encode(packet) {
        Ok(messages) => messages,
        Err(refusal) => {
            return not_sent(packet, &refusal)
                .map(Some)
                .ok_or_else(|| format!("ours {refusal:?}, the reference's {expected}"));
        }
    };
    if same(&ours, expected) { Ok(None) } else { Err(format!("ours {ours}, the reference's {expected}")) }
}

fn encode(packet: &Value) -> Result<Value, Refusal> {
    let mut attachments = Vec::new();
    let data = with_placeholders(&packet["data"], &mut attachments);
    let json = if data.is_null() { String::new() } else { stringify(&data) };
    let list = |items: &[Value]| items.iter().map(stringify).collect::<Vec<_>>().join(",");
    let id = match &packet["id"] {
        Value::Null => None,
        id => Some(id.as_u64().ok_or(Refusal::Shape)?),
    };
    let args;
    let mut made = match (packet["type"].as_str(), data.as_array().map(Vec::as_slice)) {
        (Some("CONNECT"), _) => Packet::connect(&json)?,
        (Some("DISCONNECT"), _) if json.is_empty() => Packet::disconnect(),
        (Some("EVENT"), Some([Value::String(name), rest @ ..])) => {
            args = list(rest);
            Packet::event(name, &args)?
        }
        (Some("ACK"), Some(items)) => {
            args = list(items);
            Packet::ack(id.ok_or(Refusal::Shape)?, &args)?
        }
        (Some("CONNECT_ERROR"), _) if !json.is_empty() => Packet::connect_error(&json)?,
        _ => return Err(Refusal::Shape),
    };
    made = made.in_namespace(packet["nsp"].as_str().filter(|nsp| !nsp.is_empty()).unwrap_or("/"))?;
    if let Some(id) = id {
        made = made.with_id(id)?;
    }
    made = made.with_attachments(u32::try_from(attachments.len()).expect("few"))?;

    let mut out = vec![0; json.len() + 256];
    let text = made.encode(&mut out).expect("room").to_owned();
    let needed = text.len();
    let too_small = made.encode(&mut out[..needed - 1]).expect_err("one byte is missing");
    assert_eq!(too_small.needed, needed);

    let mut messages = vec![json!({ "text": text })];
    messages.extend(attachments.into_iter().map(|base64| json!({ "base64": base64 })));
    Ok(Value::Array(messages))
}

/// The same value with binary leaves replaced by placeholders; collects the leaves.
fn with_placeholders(value: &Value, attachments: &mut Vec<Value>) -> Value {
    match value {
        Value::Object(members) if members.contains_key("_binary_base64") => {
            attachments.push(members["_binary_base64"].clone());
            json!({ "_placeholder": true, "num": attachments.len() - 1 })
        }
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), with_placeholders(member, attachments)))
            .collect(),
        Value::Array(items) => items.iter().map(|item| with_placeholders(item, attachments)).collect(),
        other => other.clone(),
    }
}
