//! Every vector of `sio5.json`: packets of Socket.IO 5 with the verdicts of socket.io-parser. The codec judges them
//! against the reference in its own tests; here the default parser agrees with the codec on each, and makes of it the
//! values that the reference makes.

use bytes::Bytes;
use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{self, Received};
use eio_socketio::{Body, DefaultParser, Packet, Parser, RawArgs, Value};
use eio_tests::javascript::{same, stringify};
use eio_tests::vectors::{self, Bytes as Data, Outcome};
use eio_tokio::Message;
use serde_json::{Value as Json, json};

#[test]
fn every_vector_is_read_and_written_as_by_the_reference_or_refused_with_the_codec() {
    vectors::run_all(vectors::OWN, "sio5.json", |op, vector| match op {
        "sio_encode" => run_encode(vector),
        "sio_decode" => run_decode(vector),
        _ => Err("unknown op".to_owned()),
    });
}

fn run_decode(vector: &Json) -> Outcome {
    let mut decoder = DefaultParser.decoder();
    let mut codec = socketio::Decoder::new();
    let mut packets = Vec::new();
    let mut refused = false;
    for message in vector["in"].as_array().expect("a list of messages") {
        let message = match Data::read(message) {
            Data::Binary(bytes) => Message::binary(bytes),
            data @ Data::Text(_) => match data.to_text() {
                Some(text) => Message::text(text),
                None => return Ok(Some("a lone surrogate, which no message on the wire can carry")),
            },
        };
        let verdict = match &message {
            Message::Text(text) => codec.decode(WebSocketMessage::Text(text)),
            Message::Binary(bytes) => codec.decode(WebSocketMessage::Binary(bytes)),
        };
        let complete = match verdict {
            Ok(Received::Packet(packet)) => Some(packet.attachments() == 0),
            Ok(Received::Attachment { last, .. }) => Some(last),
            Err(_) => None,
        };
        match (decoder.decode(message.clone()), complete) {
            (Ok(packet), Some(complete)) if packet.is_some() == complete => packets.extend(packet),
            (Err(_), None) => refused = true,
            (ours, _) => return Err(format!("{message:?}: ours {ours:?}, the codec's {complete:?}")),
        }
        if refused {
            break;
        }
    }
    let expected = vector["out"].get("before").unwrap_or(&vector["out"]);
    let expected: Vec<Json> =
        expected.as_array().ok_or("expected a list of packets")?.iter().map(normal).collect();
    let ours: Vec<Json> = packets.iter().map(json_of).collect::<Result<_, _>>()?;
    let all = refused || ours.len() == expected.len();
    if !all || !ours.iter().zip(&expected).all(|(ours, expected)| same(ours, expected)) {
        return Err(format!("ours {}, the reference's {}", Json::Array(ours), vector["out"]));
    }
    Ok((refused && vector["out"].get("error").is_none()).then_some("as the codec"))
}

/// A packet in the vectors' form.
fn json_of(packet: &Packet) -> Result<Json, String> {
    let values = |args: &RawArgs| args.values().map_err(|error| error.to_string());
    let (kind, data, id) = match &packet.body {
        Body::Connect(data) => ("CONNECT", values(data)?.pop(), None),
        Body::Disconnect => ("DISCONNECT", None, None),
        Body::Event { name, args, id } => {
            let mut data = vec![Value::from(&**name)];
            data.extend(values(args)?);
            ("EVENT", Some(Value::Array(data)), *id)
        }
        Body::Ack { id, args } => {
            ("ACK", Some(Value::Array(values(args)?)), Some(*id).filter(|id| *id != u64::MAX))
        }
        Body::ConnectError(data) => ("CONNECT_ERROR", values(data)?.pop(), None),
        other => return Err(format!("unknown {other:?}")),
    };
    let mut value = json!({ "type": kind, "nsp": &*packet.namespace });
    if let Some(data) = data {
        value["data"] = plain(&data);
    }
    if let Some(id) = id {
        value["id"] = id.into();
    }
    Ok(value)
}

/// What the reference read, with the two things that are otherwise here: the name of an event is text, and only events
/// and answers have a number.
fn normal(packet: &Json) -> Json {
    let mut packet = plain(&binary(packet));
    match packet["type"].as_str() {
        Some("EVENT") if packet["data"][0].is_number() => {
            packet["data"][0] = stringify(&packet["data"][0]).into();
        }
        Some("EVENT" | "ACK") => {}
        _ => {
            packet.as_object_mut().and_then(|packet| packet.shift_remove("id"));
        }
    }
    packet
}

fn run_encode(vector: &Json) -> Outcome {
    let packet = &vector["packet"];
    let messages = vector["out"].as_array().ok_or("expected a list of messages")?;
    let messages: Vec<Message> = messages
        .iter()
        .map(|message| match Data::read(message) {
            Data::Binary(bytes) => Message::binary(bytes),
            text @ Data::Text(_) => Message::text(text.to_text().expect("whole characters")),
        })
        .collect();
    let Some(ours) = packet_of(packet) else {
        return Ok(Some("a shape that the type of a packet does not have"));
    };
    match DefaultParser.encode(&ours) {
        Ok(encoded) if same_messages(&encoded.messages().cloned().collect::<Vec<_>>(), &messages) => Ok(None),
        Ok(encoded) => Err(format!("ours {encoded:?}, the reference's {messages:?}")),
        // It is right not to send what receivers refuse.
        Err(_) if decodes(&messages) => Err(format!("{ours:?} is refused, and its text is not")),
        Err(_) => Ok(Some("what receivers refuse")),
    }
}

fn packet_of(packet: &Json) -> Option<Packet> {
    let data = &packet["data"];
    let id = match &packet["id"] {
        Json::Null => None,
        id => Some(id.as_u64()?),
    };
    let whole = || RawArgs::from_values((!data.is_null()).then(|| binary(data)));
    let list = |items: &[Json]| RawArgs::from_values(items.iter().map(binary));
    let body = match (packet["type"].as_str()?, data.as_array().map(Vec::as_slice)) {
        ("CONNECT", _) => Body::Connect(whole()),
        ("DISCONNECT", None) if data.is_null() => Body::Disconnect,
        ("EVENT", Some([Json::String(name), rest @ ..])) => {
            Body::Event { name: name.as_str().into(), args: list(rest), id }
        }
        ("ACK", Some(items)) => Body::Ack { id: id?, args: list(items) },
        ("CONNECT_ERROR", _) => Body::ConnectError(whole()),
        _ => return None,
    };
    let namespace = packet["nsp"].as_str().filter(|name| !name.is_empty()).unwrap_or("/");
    Some(Packet { namespace: namespace.into(), body })
}

/// A value of the vectors, in which an object of one member stands for binary data.
fn binary(json: &Json) -> Value {
    match json {
        Json::Object(members) => match members.get("_binary_base64").and_then(Json::as_str) {
            Some(base64) => Bytes::from(vectors::from_base64(base64)).into(),
            None => members.iter().map(|(key, member)| (key.as_str(), binary(member))).collect(),
        },
        Json::Array(items) => items.iter().map(binary).collect(),
        other => other.clone().into(),
    }
}

/// A value to compare: binary data is its bytes.
fn plain(value: &Value) -> Json {
    match value {
        Value::Binary(bytes) => json!({ "binary": &bytes[..] }),
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Object(members) => members.iter().map(|(key, member)| (key.clone(), plain(member))).collect(),
        other => serde_json::to_value(other).expect("JSON"),
    }
}

fn same_messages(ours: &[Message], theirs: &[Message]) -> bool {
    let same_message = |(ours, theirs): (&Message, &Message)| match (ours, theirs) {
        (Message::Text(ours), Message::Text(theirs)) => {
            let (ours, theirs) = (split(ours), split(theirs));
            ours.0 == theirs.0 && same(&ours.1, &theirs.1)
        }
        _ => ours == theirs,
    };
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(same_message)
}

/// The head of a packet's text, and its JSON: the languages write numbers differently.
fn split(text: &str) -> (&str, Json) {
    let (head, json) = text.split_at(text.find(['[', '{', '"']).unwrap_or(text.len()));
    (head, serde_json::from_str(json).unwrap_or_default())
}

fn decodes(messages: &[Message]) -> bool {
    let mut decoder = DefaultParser.decoder();
    messages.iter().all(|message| decoder.decode(message.clone()).is_ok())
}
