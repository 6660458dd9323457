//! The core's JSON, beside `serde_json`: which text is valid, what a member holds, what an escaped name says.

use eio_core::socketio::{self, Body, Packet, PacketErrorKind};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::recordings;

/// Reads the bytes as a list of values, as an object, and as the name of an event.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let is_deep = text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > 60;
    let list = format!("[{text}]");
    let other = serde_json::from_str::<Vec<IgnoredAny>>(&list);
    match Packet::ack(0, text) {
        Ok(packet) => {
            let other = other.expect("a list that was taken");
            let Body::Ack(args) = packet.body() else { panic!("{packet:?}") };
            assert_eq!(args.iter().count(), other.len());
            assert_eq!(args.is_empty(), other.is_empty());
            for arg in args {
                assert!(serde_json::from_str::<IgnoredAny>(arg).is_ok(), "{arg}");
            }
        }
        Err(error) => {
            assert!(error.at <= text.len(), "{error:?}");
            assert!(other.is_err() || is_deep && error.kind == PacketErrorKind::TooDeep, "{error:?}");
        }
    }
    if let Ok(packet) = Packet::connect(text)
        && let Body::Connect(object) = packet.body()
        && let Ok(other) = serde_json::from_str::<Map<String, Value>>(object)
    {
        for (key, value) in &other {
            let ours = socketio::member(object, key).expect("a member that is there");
            // Of members with one name, either is an answer.
            let ours = serde_json::from_str::<IgnoredAny>(ours);
            assert!(ours.is_ok(), "{key}: {value}");
        }
        assert_eq!(
            socketio::member(object, "no such member, \u{1f600}").is_some(),
            other.contains_key("no such member, \u{1f600}")
        );
    }
    let _ = socketio::placeholder(text);
    assert_name(text);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let json = [
        r#""a",{"b":[1,-2.5e+3,null,true,false],"cé\u00e9\ud83d\ude00":"\"\\\/\b\f\n\r\t"}"#,
        r#"{"_placeholder":true,"num":0}"#,
        r#"{"token":"x","nested":{"a":{"a":[[[]]]}}} "#,
        r#""\u0063onnect""#,
        " \t\r\n1 , 2",
        "-0, 0.5, 1e9, 1E-9, 123456789012345678901234567890",
    ];
    let sio = recordings::vectors(&["sio5.json"]).filter_map(|packet| {
        let from = packet.iter().position(|byte| matches!(byte, b'[' | b'{'))?;
        packet.get(from..).map(<[u8]>::to_vec)
    });
    json.map(|text| text.as_bytes().to_vec()).into_iter().chain(sio).collect()
}

/// The name of an event is the string that its text stands for.
fn assert_name(text: &str) {
    let packet = format!("2[\"{text}\"]");
    let Ok(packet) = Packet::decode(&packet) else { return };
    let Body::Event(event) = packet.body() else { return };
    if let Ok(values) = serde_json::from_str::<Vec<Value>>(&format!("[\"{text}\"]"))
        && let Some(Value::String(name)) = values.first()
    {
        assert!(event.is(name), "{name:?}");
        assert!(!event.is(&format!("{name}x")));
        assert!(event.name().is_none_or(|plain| plain == name));
    }
}
