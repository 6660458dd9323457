//! The open packet: what is read, what is refused and where, and that `serde_json` agrees.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use core::fmt::Write as _;
use std::fs;
use std::path::Path;

use eio_core::handshake::{
    Field, Handshake, HandshakeErrorKind as Kind, Sid, SidError, Transport, Transports,
};
use eio_core::settings::{HeartbeatError, Period};
use eio_core::{BufferTooSmall, Heartbeat};
use proptest::prelude::*;
use serde_json::Value;

const GOOD: &str = r#"{"sid":"x","pingInterval":300,"pingTimeout":200}"#;

/// What `json` is refused for, and where.
fn refused(json: &str) -> (Kind, usize) {
    let error = Handshake::parse(json).expect_err(json);
    assert!(error.at <= json.len(), "{json}: {error}");
    (error.kind, error.at)
}

/// A packet that is fine but for the value of `key`, and where that value begins.
fn with_member(key: &str, value: &str) -> (String, usize) {
    let mut json = String::from("{");
    for (other, fine) in [("sid", "\"x\""), ("pingInterval", "300"), ("pingTimeout", "200")] {
        if other != key {
            write!(json, "\"{other}\":{fine},").unwrap();
        }
    }
    write!(json, "\"{key}\":").unwrap();
    let at = json.len();
    json.push_str(value);
    json.push('}');
    (json, at)
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn the_packets_of_recorded_reference_servers_are_read_and_written_byte_by_byte() {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/transcripts"));
    let mut seen = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("eio") || name.contains("-client--") {
            continue;
        }
        let transcript: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for event in transcript["events"].as_array().unwrap() {
            let text = event["data"]["text"].as_str().or_else(|| event["body"]["text"].as_str());
            let Some((_, json)) = text.and_then(|text| text.split_once(r#"0{"sid":"#)) else { continue };
            let json = format!(r#"{{"sid":{}}}"#, json.split_once('}').unwrap().0);
            let handshake = Handshake::parse(&json).unwrap_or_else(|error| panic!("{name}: {error}: {json}"));
            assert_eq!(handshake.encode(&mut [0; Handshake::MAX_LEN]), Ok(json.as_str()), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} open packets found");
}

#[test]
fn white_space_unknown_keys_and_any_order_are_accepted() {
    let json = "\r\n\t { \"pingTimeout\" : 200 , \"future\" : { \"a\" : [ 1 , -2.5e-3 , { } , [ ] , \"}\\\"\\u00e9\" ] } ,\
                \"pingInterval\":300,\"b\":null,\"c\":true,\"d\":false, \"ключ\\n\":0,\"sid\":\"x\"\n}\n ";
    assert_eq!(Handshake::parse(json), Handshake::parse(GOOD));
}

#[test]
fn a_key_with_escapes_is_an_unknown_key() {
    let others = r#"{"\nsid":1,"sid\u0000":2,"\u0073id":3,"\ud83d\ude00sid":4,"sid":"x","pingInterval":300,"pingTimeout":200}"#;
    assert_eq!(Handshake::parse(others), Handshake::parse(GOOD));
    let escaped = r#"{"\u0073id":"x","pingInterval":300,"pingTimeout":200}"#;
    assert_eq!(refused(escaped), (Kind::Missing(Field::Sid), escaped.len() - 1));
}

#[test]
fn a_missing_field_is_named_and_upgrades_and_max_payload_may_be_missing() {
    assert_eq!(refused("{}"), (Kind::Missing(Field::Sid), 1));
    assert_eq!(refused(r#"{"pingInterval":300,"pingTimeout":200}"#), (Kind::Missing(Field::Sid), 37));
    assert_eq!(refused(r#"{"sid":"x","pingTimeout":200 }"#), (Kind::Missing(Field::PingInterval), 29));
    assert_eq!(refused(r#"{"sid":"x","pingInterval":300}"#), (Kind::Missing(Field::PingTimeout), 29));
    let handshake = Handshake::parse(GOOD).unwrap();
    assert_eq!((handshake.upgrades, handshake.max_payload), (Transports::NONE, None));
}

#[test]
fn every_known_field_may_occur_once() {
    for field in ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"] {
        let json = r#"{"sid":"x","upgrades":null,"pingInterval":300,"pingTimeout":200,"maxPayload":null,""#;
        let json = format!("{json}{field}\":[]}}");
        let (kind, at) = refused(&json);
        assert!(matches!(kind, Kind::Duplicate(twice) if twice.as_str() == field), "{kind:?}");
        assert_eq!(at, json.rfind(field).unwrap() - 1);
    }
}

#[test]
fn timing_that_would_end_the_session_silently_is_refused() {
    for field in [Field::PingInterval, Field::PingTimeout] {
        let period = if field == Field::PingInterval { Period::PingInterval } else { Period::PingTimeout };
        for (value, kind) in [
            ("\"300\"", Kind::WrongType(field)),
            ("null", Kind::WrongType(field)),
            ("true", Kind::WrongType(field)),
            ("[300]", Kind::WrongType(field)),
            ("+300", Kind::Json),
            ("NaN", Kind::Json),
            ("-300", Kind::Negative(field)),
            ("-0.5", Kind::Negative(field)),
            ("0.5", Kind::Fraction(field)),
            ("1e-400", Kind::Fraction(field)),
            ("300.00000000000000000001", Kind::Fraction(field)),
            ("0", Kind::Heartbeat(HeartbeatError::Zero { period })),
            ("-0", Kind::Heartbeat(HeartbeatError::Zero { period })),
            ("0e99999999999999999999", Kind::Heartbeat(HeartbeatError::Zero { period })),
            ("2147483648", Kind::Heartbeat(HeartbeatError::TooLong)),
            ("4294967296", Kind::Heartbeat(HeartbeatError::TooLong)),
            ("18446744073709551916", Kind::Heartbeat(HeartbeatError::TooLong)),
            ("1e400", Kind::Heartbeat(HeartbeatError::TooLong)),
            ("1e99999999999999999999", Kind::Heartbeat(HeartbeatError::TooLong)),
        ] {
            let (json, at) = with_member(field.as_str(), value);
            assert_eq!(refused(&json), (kind, at), "{json}");
        }
    }
}

/// B5: a pingTimeout of 2^31 ms overflows the reference client's timer into an immediate close.
#[test]
fn b5_periods_that_overflow_a_timer_are_refused_and_the_longest_allowed_is_not() {
    let json = r#"{"sid":"x","pingInterval":1,"pingTimeout":2147483647}"#;
    assert_eq!(refused(json), (Kind::Heartbeat(HeartbeatError::TooLong), 42));
    let json = r#"{"sid":"x","pingInterval":1,"pingTimeout":2147483646}"#;
    let heartbeat = Handshake::parse(json).unwrap().heartbeat;
    assert_eq!(heartbeat.ping_interval() + heartbeat.ping_timeout(), Heartbeat::MAX_SUM);
}

/// B20: python-engineio announces 0.5 s as 0 ms and 1.9 s as 1000 ms.
#[test]
fn b20_a_fraction_of_a_second_is_announced_exactly() {
    let heartbeat = Heartbeat::from_millis(500, 1_900).unwrap();
    let handshake = Handshake::new(Sid::new("x").unwrap(), heartbeat);
    assert_eq!(
        handshake.encode(&mut [0; Handshake::MAX_LEN]),
        Ok(r#"{"sid":"x","upgrades":[],"pingInterval":500,"pingTimeout":1900}"#)
    );
}

#[test]
fn a_whole_number_counts_however_it_is_spelled() {
    for spelling in ["300", "300.0", "3e2", "3.0E+2", "30000e-2", "0.03e4"] {
        let (json, _) = with_member("pingInterval", spelling);
        assert_eq!(Handshake::parse(&json), Handshake::parse(GOOD), "{spelling}");
    }
}

#[test]
fn max_payload_may_be_unlimited_or_beyond_a_u32_but_must_be_whole_bytes() {
    for (value, expected) in [
        ("1000000", Ok(Some(1_000_000))),
        ("1e6", Ok(Some(1_000_000))),
        ("null", Ok(None)),
        ("0", Ok(None)),
        ("4294967296", Ok(Some(u32::MAX))),
        ("1e100", Ok(Some(u32::MAX))),
        ("-1", Err(Kind::Negative(Field::MaxPayload))),
        ("0.5", Err(Kind::Fraction(Field::MaxPayload))),
        ("\"1000000\"", Err(Kind::WrongType(Field::MaxPayload))),
    ] {
        let (json, _) = with_member("maxPayload", value);
        let read = Handshake::parse(&json).map(|handshake| handshake.max_payload).map_err(|error| error.kind);
        assert_eq!(read, expected, "{json}");
    }
}

#[test]
fn upgrades_are_a_list_of_names_of_which_unknown_ones_are_ignored() {
    let websocket = Transports::NONE.with(Transport::WebSocket);
    let wrong = Err(Kind::WrongType(Field::Upgrades));
    for (value, expected) in [
        ("[]", Ok(Transports::NONE)),
        ("null", Ok(Transports::NONE)),
        (r#"["websocket"]"#, Ok(websocket)),
        (r#"[ "foo" , "WebSocket","websocket","websocket" ]"#, Ok(websocket)),
        (r#"["websocket","webtransport"]"#, Ok(websocket.with(Transport::WebTransport))),
        (r#""websocket""#, wrong),
        ("{}", wrong),
        ("1", wrong),
        ("[1]", wrong),
        ("[,]", Err(Kind::Json)),
        (r#"["websocket",null]"#, wrong),
        (r#"["websocket",]"#, Err(Kind::Json)),
        (r#"[["websocket"]]"#, wrong),
        (r#"["websocket"}"#, Err(Kind::Json)),
    ] {
        let (json, _) = with_member("upgrades", value);
        let read = Handshake::parse(&json).map(|handshake| handshake.upgrades).map_err(|error| error.kind);
        assert_eq!(read, expected, "{json}");
    }
}

#[test]
fn a_sid_is_a_string_of_visible_ascii_without_escapes() {
    let longest = format!("\"{}\"", "a".repeat(64));
    assert!(Handshake::parse(&with_member("sid", &longest).0).is_ok());
    let too_long = format!("\"{}\"", "a".repeat(65));
    for (value, kind) in [
        (r#""""#, Kind::Sid(SidError::Empty)),
        (too_long.as_str(), Kind::Sid(SidError::TooLong)),
        (r#""a b""#, Kind::Sid(SidError::Character { at: 1 })),
        (r#""ab\u0063""#, Kind::Sid(SidError::Character { at: 2 })),
        (r#""\/""#, Kind::Sid(SidError::Character { at: 0 })),
        (r#""é""#, Kind::Sid(SidError::Character { at: 0 })),
        ("7", Kind::WrongType(Field::Sid)),
        ("null", Kind::WrongType(Field::Sid)),
    ] {
        let (json, at) = with_member("sid", value);
        assert_eq!(refused(&json), (kind, at), "{json}");
    }
}

#[test]
fn what_is_not_one_json_object_is_refused_at_the_offending_byte() {
    for (json, at) in [
        ("", 0),
        ("  ", 2),
        ("null", 0),
        ("[]", 0),
        ("\u{feff}{}", 0),
        ("{", 1),
        ("{,}", 1),
        ("{'sid':1}", 1),
        (r#"{"a"}"#, 4),
        (r#"{"a":1,}"#, 7),
        (r#"{"a":1 "b":2}"#, 7),
        (r#"{"a":01}"#, 6),
        (r#"{"a":1"#, 6),
        (r#"{"a":{]}"#, 6),
        (r#"{"a":}"#, 5),
        (r#"{"a":-}"#, 6),
        (r#"{"a"#, 3),
        (r#"{"a":"\u00g0"}"#, 10),
        ("{\"a\":\"b\nc\"}", 7),
        (r#"{"sid":"x","pingInterval":300,"pingTimeout":200}}"#, 48),
        (r#"{"sid":"x","pingInterval":300,"pingTimeout":200} 0"#, 49),
    ] {
        assert_eq!(refused(json), (Kind::Json, at), "{json}");
    }
}

#[test]
fn nesting_is_bounded_at_64_levels() {
    let nested = |levels: usize| {
        let (json, at) = with_member("a", &format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
        Handshake::parse(&json).map(|_| ()).map_err(|error| (error.kind, error.at - at))
    };
    assert_eq!(nested(63), Ok(()));
    assert_eq!(nested(64), Err((Kind::TooDeep, 63)));
    assert_eq!(nested(1_000_000), Err((Kind::TooDeep, 63)));
}

#[test]
fn errors_are_sentences() {
    for (json, sentence) in [
        ("hello", "the open packet is not a JSON object, at byte 0"),
        (
            r#"{"sid":"x","pingTimeout":200}"#,
            "the open packet lacks the key pingInterval: expected it before the closing brace, at byte 28",
        ),
        (r#"{"sid":"x","sid":"y"}"#, "the open packet has the key sid twice: expected it once, at byte 11"),
        (
            r#"{"sid":"x y"}"#,
            "byte 1 of the sid is not allowed: expected visible ASCII characters other than quote and backslash, \
             at byte 7",
        ),
        (r#"{"pingTimeout":0}"#, "pingTimeout is zero: expected at least 1 ms, at byte 15"),
        (r#"{"pingTimeout":-1}"#, "pingTimeout is negative: expected a whole number above zero, at byte 15"),
        (
            r#"{"pingTimeout":0.5}"#,
            "pingTimeout is not whole: expected a number without a fraction, at byte 15",
        ),
        (
            r#"{"upgrades":"websocket"}"#,
            "upgrades is not an array of strings: expected names of transports, at byte 12",
        ),
    ] {
        assert_eq!(Handshake::parse(json).unwrap_err().to_string(), sentence);
    }
}

#[test]
fn a_buffer_too_small_stays_as_it_was_and_the_error_says_how_much_is_needed() {
    let sid = "-".repeat(Sid::MAX_LEN);
    let heartbeat = Heartbeat::from_millis(1_073_741_824, 1_073_741_823).unwrap();
    let handshake = Handshake::new(Sid::new(&sid).unwrap(), heartbeat)
        .with_upgrades(Transport::ALL.into_iter().collect())
        .with_max_payload(u32::MAX);
    assert_eq!(handshake.encode(&mut [0; Handshake::MAX_LEN]).map(str::len), Ok(Handshake::MAX_LEN));
    for size in 0..Handshake::MAX_LEN {
        let mut buffer = vec![0xaa; size];
        let BufferTooSmall { needed, .. } = handshake.encode(&mut buffer).unwrap_err();
        assert_eq!(needed, Handshake::MAX_LEN);
        assert!(buffer.iter().all(|byte| *byte == 0xaa));
    }
}

#[test]
fn logs_do_not_give_the_session_away() {
    let json = r#"{"sid":"lv_VI97HAXpY6yYWAAAC","pingInterval":3,"pingTimeout":2}"#;
    let log = format!("{:?}", Handshake::parse(json).unwrap());
    assert!(log.contains("Sid(lv_V…)"), "{log}");
    assert!(!log.contains("VI97"), "{log}");
}

/// What a client learns from an open packet.
#[derive(Debug, PartialEq)]
struct Meaning {
    sid: String,
    upgrades: Vec<&'static str>,
    ping_interval: u32,
    ping_timeout: u32,
    max_payload: Option<u32>,
}

fn ours(json: &str) -> Option<Meaning> {
    let handshake = Handshake::parse(json).ok()?;
    Some(Meaning {
        sid: handshake.sid.as_str().to_owned(),
        upgrades: handshake.upgrades.iter().map(Transport::as_str).collect(),
        ping_interval: handshake.heartbeat.ping_interval().as_millis().try_into().unwrap(),
        ping_timeout: handshake.heartbeat.ping_timeout().as_millis().try_into().unwrap(),
        max_payload: handshake.max_payload,
    })
}

/// The same by way of `serde_json`, which keeps the last of two members with one key.
fn oracle(json: &str) -> Option<Meaning> {
    meaning(&serde_json::from_str(json).ok()?)
}

fn meaning(value: &Value) -> Option<Meaning> {
    let object = value.as_object()?;
    let sid = object.get("sid")?.as_str()?.to_owned();
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if sid.is_empty() || sid.len() > 64 || !sid.bytes().all(allowed) {
        return None;
    }
    let ping_interval = whole(object.get("pingInterval")?)?;
    let ping_timeout = whole(object.get("pingTimeout")?)?;
    let sum = ping_interval.checked_add(ping_timeout)?;
    if ping_interval == 0 || ping_timeout == 0 || sum > 0x7fff_ffff {
        return None;
    }
    let upgrades = match object.get("upgrades") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
            let known = ["polling", "websocket", "webtransport"];
            known.into_iter().filter(|known| names.iter().any(|name| name == known)).collect()
        }
        Some(_) => return None,
    };
    let max_payload = match object.get("maxPayload") {
        None | Some(Value::Null) => None,
        Some(value) => Some(whole(value)?).filter(|bytes| *bytes > 0),
    };
    Some(Meaning { sid, upgrades, ping_interval, ping_timeout, max_payload })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
fn whole(value: &Value) -> Option<u32> {
    let number = value.as_f64()?;
    (number >= 0.0 && number.fract() == 0.0).then_some(number as u32)
}

/// Any JSON value, up to five levels deep.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A number as some server might write it, fit for a period or not.
fn any_number() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (1_u32..100_000).prop_map(|n| n.to_string()),
        1 => any::<u64>().prop_map(|n| n.to_string()),
        1 => any::<i32>().prop_map(|n| n.to_string()),
        1 => (0_u32..100_000, 1_usize..4).prop_map(|(n, zeros)| format!("{n}.{}", "0".repeat(zeros))),
        1 => (0_u32..1_000, -4_i32..12).prop_map(|(n, power)| format!("{n}e{power}")),
        1 => (0_u32..1_000, 0_u32..1_000).prop_map(|(n, fraction)| format!("{n}.{fraction}")),
    ]
}

/// A member that a client can do without, as its key and the JSON of its value.
fn any_optional_member() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (".{0,8}", any_value()).prop_map(|(key, value)| (format!("_{key}"), value.to_string())),
        any_number().prop_map(|number| ("maxPayload".to_owned(), number)),
        Just(("upgrades".to_owned(), r#"["websocket","carrier-pigeon"]"#.to_owned())),
        any_value().prop_map(|value| ("upgrades".to_owned(), value.to_string())),
    ]
}

/// Objects with every field that a client needs, in any order, among others, with white space.
fn any_packet() -> impl Strategy<Value = String> {
    let sid = prop_oneof![9 => "[A-Za-z0-9_-]{20}", 1 => "[!-~]{0,70}"];
    let members = (sid, any_number(), any_number(), prop::collection::vec(any_optional_member(), 0..4))
        .prop_map(|(sid, interval, timeout, mut members)| {
            members.push(("sid".to_owned(), Value::from(sid).to_string()));
            members.push(("pingInterval".to_owned(), interval));
            members.push(("pingTimeout".to_owned(), timeout));
            members.sort();
            members.dedup_by(|a, b| a.0 == b.0);
            members
        });
    (members.prop_shuffle(), prop::array::uniform4("[ \t\r\n]{0,2}")).prop_map(|(members, [a, b, c, d])| {
        let members: Vec<_> = members
            .into_iter()
            .map(|(key, value)| format!("{a}{}{b}:{c}{value}{d}", Value::from(key)))
            .collect();
        format!("{d}{{{}}}{a}", members.join(","))
    })
}

#[test]
fn keys_and_transports_are_displayed_as_they_are_written() {
    assert_eq!(format!("{:>6}", Field::Sid), "   sid");
    assert_eq!(format!("{:>10}", Transport::WebSocket), " websocket");
}

proptest! {
    #[test]
    fn serde_json_agrees_on_every_packet(json in any_packet()) {
        prop_assert_eq!(ours(&json), oracle(&json), "{}", json);
    }

    #[test]
    fn a_damaged_packet_never_panics_and_means_what_serde_json_reads_in_it_or_nothing(
        json in any_packet(),
        at in any::<prop::sample::Index>(),
        cut in 0_usize..3,
        paste in r#"[{}\[\]",:\\0-9.eE+\-ntusid \n]{0,2}"#,
    ) {
        let mut damaged: Vec<char> = json.chars().collect();
        let start = at.index(damaged.len());
        let end = (start + cut).min(damaged.len());
        damaged.splice(start..end, paste.chars());
        let damaged: String = damaged.into_iter().collect();
        match (Handshake::parse(&damaged), serde_json::from_str(&damaged)) {
            // A value that we skip need not fit a float: RFC 8259 section 6 leaves that to the reader.
            (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("number out of range"), "{}", damaged),
            (Ok(_), Ok(value)) => prop_assert_eq!(ours(&damaged), meaning(&value), "{}", damaged),
            (Err(error), _) => prop_assert!(damaged.is_char_boundary(error.at), "{} in {}", error, damaged),
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = Handshake::parse(&text);
        let _ = Handshake::parse(&format!("{{\"{text}"));
        let _ = Handshake::parse(&format!("{{\"a\":{text}"));
    }

    #[test]
    fn what_is_written_is_read_back(
        sid in "[A-Za-z0-9._-]{1,64}",
        interval in 1_u32..0x4000_0000,
        timeout in 1_u32..0x4000_0000,
        upgrades in prop::sample::subsequence(&Transport::ALL, 0..=3),
        max_payload in any::<u32>(),
    ) {
        let handshake = Handshake::new(Sid::new(&sid).unwrap(), Heartbeat::from_millis(interval, timeout).unwrap())
            .with_upgrades(upgrades.into_iter().collect())
            .with_max_payload(max_payload);
        let mut buffer = [0; Handshake::MAX_LEN];
        let json = handshake.encode(&mut buffer).unwrap();
        prop_assert_eq!(Handshake::parse(json), Ok(handshake));
        prop_assert_eq!(ours(json), oracle(json));
    }
}
