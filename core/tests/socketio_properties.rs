//! What holds for every Socket.IO packet and for every text, however hostile.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the input is the test's own, and a test may panic"
)]

use eio_core::BufferTooSmall;
use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{Body, Decoder, MAX_ATTACHMENTS, MAX_ID, Packet, PacketErrorKind, Received};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

const PIECES: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "12",
    "1-",
    "-",
    "/",
    "/a",
    ",",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\",
    "\\u0063",
    "\"ev\"",
    "\"connect\"",
    "{\"a\":1}",
    "{\"_placeholder\":true,\"num\":0}",
    ":",
    "null",
    "true",
    "-1.5e-3",
    " ",
    "\n",
    "é",
    "😀",
];

/// Text that is often close to a packet.
fn nearly_a_packet() -> impl Strategy<Value = String> {
    let built = vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![any::<String>(), built]
}

/// A JSON value's text.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| Value::String(text).to_string()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            vec((any::<String>(), inner), 0..4).prop_map(|members| {
                let members: Vec<_> = members
                    .into_iter()
                    .map(|(key, value)| format!("{}: {value}", Value::String(key)))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// The same with something added, most often an error.
fn damaged_value() -> impl Strategy<Value = String> {
    (value(), any::<Index>(), select(&["", "[", "}", "\"", "1", ",", "\\"][..])).prop_map(
        |(mut text, at, piece)| {
            let borders: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
            text.insert_str(*at.get(&borders), piece);
            text
        },
    )
}

proptest! {
    #[test]
    fn no_text_panics_and_positions_are_inside(text in nearly_a_packet()) {
        match Packet::decode(&text) {
            Ok(packet) => assert_survives(&packet)?,
            Err(error) => prop_assert!(error.at <= text.len(), "{error:?}"),
        }
    }

    #[test]
    fn what_is_sent_is_what_arrives(
        name in any::<String>(),
        args in vec(value(), 0..4),
        namespace in option::of("/[^,\\x00-\\x1f\\x7f]*"),
        id in option::of(0..=MAX_ID),
        attachments in 0..=MAX_ATTACHMENTS,
    ) {
        let list = args.join(",");
        let mut packet = Packet::event(&name, &list).unwrap();
        if let Some(namespace) = &namespace {
            packet = packet.in_namespace(namespace).unwrap();
        }
        if let Some(id) = id {
            packet = packet.with_id(id).unwrap();
        }
        packet = packet.with_attachments(attachments).unwrap();
        let mut out = vec![0; 64 + 6 * name.len() + list.len() + namespace.as_ref().map_or(0, String::len)];
        let read = Packet::decode(packet.encode(&mut out).unwrap()).unwrap();
        prop_assert_eq!(read.namespace(), namespace.as_deref().unwrap_or("/"));
        prop_assert_eq!(read.id(), id);
        prop_assert_eq!(read.attachments(), attachments);
        let Body::Event(event) = read.body() else { panic!("{read:?}") };
        prop_assert!(event.is(&name));
        prop_assert!(event.args().iter().eq(args.iter().map(|arg| arg.trim())));
        assert_survives(&read)?;

        let ack = Packet::ack(id.unwrap_or(7), &list).unwrap();
        assert_survives(&ack)?;
        let Body::Ack(read) = ack.body() else { panic!("{ack:?}") };
        prop_assert!(read.iter().eq(args.iter().map(|arg| arg.trim())));
    }

    #[test]
    fn json_is_judged_as_by_another_parser(
        text in prop_oneof![value(), nearly_a_packet(), damaged_value()],
    ) {
        let other = serde_json::from_str::<Vec<Value>>(&format!("[{text}]"));
        prop_assert_eq!(Packet::ack(0, &text).is_ok(), other.is_ok(), "{:?}", other);
    }

    #[test]
    fn the_decoder_follows_any_order_of_messages(messages in vec(option::of(0_u32..4), 0..20)) {
        let mut decoder = Decoder::new();
        let mut missing = 0;
        for message in messages {
            let text;
            let frame = match message {
                Some(0) => WebSocketMessage::Text("2[\"ev\"]"),
                Some(attachments) => {
                    text = format!("5{attachments}-[\"ev\"]");
                    WebSocketMessage::Text(&text)
                }
                None => WebSocketMessage::Binary(b"data"),
            };
            match (decoder.decode(frame), message) {
                (Ok(Received::Packet(packet)), Some(attachments)) if missing == 0 => {
                    prop_assert_eq!(packet.attachments(), attachments);
                    missing = attachments;
                }
                (Ok(Received::Attachment { last, .. }), None) if missing > 0 => {
                    missing -= 1;
                    prop_assert_eq!(last, missing == 0);
                }
                (Err(error), Some(_)) if missing > 0 => prop_assert_eq!(error.kind, PacketErrorKind::AttachmentMissing),
                (Err(error), None) if missing == 0 => prop_assert_eq!(error.kind, PacketErrorKind::UnexpectedBinary),
                (other, _) => prop_assert!(false, "{other:?}"),
            }
            prop_assert_eq!(decoder.missing(), missing);
        }
    }
}

/// What is encoded decodes to the same, and the size of the buffer is asked for exactly.
fn assert_survives(packet: &Packet<'_>) -> Result<(), TestCaseError> {
    let Err(BufferTooSmall { needed, .. }) = packet.encode(&mut []) else { panic!("no packet is empty") };
    let mut out = vec![b'.'; needed];
    prop_assert!(packet.encode(&mut out[..needed - 1]).is_err());
    prop_assert!(out.iter().all(|byte| *byte == b'.'), "nothing is written in part");
    let text = packet.encode(&mut out).unwrap();
    prop_assert_eq!(text.len(), needed);
    prop_assert_eq!(&Packet::decode(text).unwrap(), packet);
    Ok(())
}

#[test]
fn reserved_names_are_refused_however_they_are_escaped() {
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        assert_eq!(Packet::event(name, "").unwrap_err().kind, PacketErrorKind::ReservedName);
        let escaped: String =
            name.chars().fold(String::new(), |sum, c| format!("{sum}\\u{:04X}", u32::from(c)));
        let error = Packet::decode(&format!("2[\"{escaped}\"]")).unwrap_err();
        assert_eq!((error.at, error.kind), (2, PacketErrorKind::ReservedName));
    }
    assert!(Packet::event("connected", "").is_ok());
}

#[test]
fn errors_point_at_the_offending_byte() {
    for (text, at) in [
        ("7", 0),
        ("5", 1),
        ("51", 2),
        ("50-[\"a\"]", 1),
        ("511-[\"a\"]", 1),
        ("5x-", 1),
        ("1{}", 1),
        ("2/a,x", 4),
        ("2/a", 3),
        ("29007199254740992[\"a\"]", 1),
        ("2/a,12[true]", 7),
        ("2[\"a\"] x", 7),
        ("0[]", 1),
        ("4[]", 1),
        ("3{}", 1),
        ("2[\"a\",]", 6),
        ("51-[\"a\",{\"_placeholder\":true,\"num\":1}]", 36),
        ("51-[\"a\", {\"_placeholder\":true}]", 29),
    ] {
        assert_eq!(Packet::decode(text).unwrap_err().at, at, "{text}");
    }
}

/// A quadratic decoder would need hours for these.
#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn a_megabyte_of_malice_is_read_in_linear_time() {
    const MEGABYTE: usize = 1 << 20;
    let of = |piece: &str| piece.repeat(MEGABYTE / piece.len());
    let placeholders = of("{\"_placeholder\":true,\"num\":0},");
    for (text, valid) in [
        (format!("2[\"a\"{}]", of(",[]")), true),
        (format!("2[\"a\"{}]", of(",{\"\\u0000\":\"\\n\"}")), true),
        (format!("51-[\"a\",{placeholders}0]"), true),
        (format!("2[\"{}\"]", of("\\u0063")), true),
        (format!("0{{{}\"a\":0}}", of("\"a\":{\"a\":0},")), true),
        (format!("2{}", of("[")), false),
        (format!("2{}", of("9")), false),
        (format!("5{}-", of("9")), false),
        (format!("5{}", of("-")), false),
        (format!("2[{}", of("-")), false),
        (format!("2[\"{}", of("\\")), false),
        (format!("2/{}", of("/")), false),
        (format!("2{}", of(" ")), false),
    ] {
        let packet = Packet::decode(&text);
        assert_eq!(packet.is_ok(), valid, "{:?}", packet.err());
        if let Ok(Body::Event(event)) = packet.map(|packet| packet.body()) {
            event.args().iter().for_each(drop);
        }
        if let Ok(Body::Connect(object)) = packet.map(|packet| packet.body()) {
            assert_eq!(eio_core::socketio::member(object, "a"), Some("0"));
        }
    }
}

#[test]
fn attachments_belong_to_events_and_acknowledgements() {
    let placeholder = r#"{"a":[{"num":1,"_placeholder":true}]}"#;
    let event = Packet::event("a", placeholder).unwrap();
    assert!(event.with_attachments(2).is_ok());
    assert_eq!(event.with_attachments(1).unwrap_err().kind, PacketErrorKind::InvalidPlaceholder);
    assert_eq!(event.with_attachments(11).unwrap_err().kind, PacketErrorKind::TooManyAttachments);
    assert!(event.with_attachments(0).is_ok(), "without attachments it is an object like any other");
    assert_eq!(
        Packet::disconnect().with_attachments(1).unwrap_err().kind,
        PacketErrorKind::InvalidAttachments
    );
    assert_eq!(Packet::disconnect().with_attachments(0), Ok(Packet::disconnect()));
}
