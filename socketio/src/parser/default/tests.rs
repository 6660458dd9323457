//! Packets and their text.

use eio_core::socketio::{Expected, MAX_ID, PacketErrorKind};
use proptest::prelude::*;

use super::*;
use crate::args::{Args, IntoArgs};
use crate::value::{Binary, Value};

fn args(args: impl IntoArgs) -> RawArgs {
    RawArgs::new(args).unwrap()
}

fn packet(namespace: &'static str, body: Body) -> Packet {
    Packet { namespace: namespace.into(), body }
}

fn event(name: &'static str, args: RawArgs, id: Option<u64>) -> Body {
    Body::Event { name: name.into(), args, id }
}

/// The text of a packet without attachments.
fn text(packet: &Packet) -> String {
    let encoded = DefaultParser.encode(packet).unwrap();
    assert_eq!(encoded.len(), 1);
    encoded.messages().next().and_then(Message::as_text).unwrap().to_owned()
}

fn decode(messages: impl IntoIterator<Item = Message>) -> Result<Option<Packet>, ParseError> {
    let mut decoder = DefaultParser.decoder();
    let mut packet = None;
    for message in messages {
        assert_eq!(packet, None, "complete too early");
        packet = decoder.decode(message)?;
    }
    Ok(packet)
}

fn read(text: &str) -> Packet {
    decode([Message::text(text)]).unwrap().unwrap()
}

/// The error of the codec for a text.
fn refused(text: impl Into<String>) -> PacketErrorKind {
    match decode([Message::text(text.into())]) {
        Err(ParseError::Packet(error)) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_type_of_packet_is_written_as_in_the_protocol_and_read_back() {
    let object = || args(Value::from_iter([("sid", "x")]));
    for (expected, packet) in [
        ("0", packet("/", Body::Connect(RawArgs::none()))),
        (r#"0{"sid":"x"}"#, packet("/", Body::Connect(object()))),
        (r#"0/admin,{"sid":"x"}"#, packet("/admin", Body::Connect(object()))),
        ("1", packet("/", Body::Disconnect)),
        ("1/admin,", packet("/admin", Body::Disconnect)),
        (r#"2["a"]"#, packet("/", event("a", RawArgs::none(), None))),
        (r#"2["a",1]"#, packet("/", event("a", args(1), None))),
        (r#"2/admin,12["a",1,"b"]"#, packet("/admin", event("a", args(Args((1, "b"))), Some(12)))),
        (r#"2["say \"hi\"\n"]"#, packet("/", event("say \"hi\"\n", RawArgs::none(), None))),
        ("30[]", packet("/", Body::Ack { id: 0, args: RawArgs::none() })),
        ("3/admin,9007199254740991[[1],{}]", {
            let args = args(Args(([1], Value::Object(Box::default()))));
            packet("/admin", Body::Ack { id: MAX_ID, args })
        }),
        (r#"4{"sid":"x"}"#, packet("/", Body::ConnectError(object()))),
    ] {
        assert_eq!(text(&packet), expected);
        assert_eq!(read(expected), packet, "{expected}");
    }
}

#[test]
fn socketio_2_is_written_and_read_too() {
    for (expected, packet) in [
        ("0/admin,", packet("/admin", Body::Connect(RawArgs::none()))),
        ("0/admin?token=1&uid=2,", packet("/admin?token=1&uid=2", Body::Connect(RawArgs::none()))),
        (r#"4"Invalid namespace""#, packet("/", Body::ConnectError(args("Invalid namespace")))),
        (r#"4/rej,{"code":1}"#, packet("/rej", Body::ConnectError(args(Value::from_iter([("code", 1)]))))),
    ] {
        assert_eq!(text(&packet), expected);
        assert_eq!(read(expected), packet, "{expected}");
    }
    assert_eq!(read("0/admin?token=1").query(), Some("token=1"));
}

#[test]
fn attachments_follow_their_text_in_order_and_are_put_back() {
    let sent = args(Args((Binary::from(&b"one"[..]), [Binary::from(&b"two"[..])])));
    for (head, packet) in [
        ("52-", packet("/", event("a", sent.clone(), None))),
        ("52-/b,7", packet("/b", event("a", sent.clone(), Some(7)))),
        ("62-/b,7", packet("/b", Body::Ack { id: 7, args: sent.clone() })),
    ] {
        let encoded = DefaultParser.encode(&packet).unwrap();
        let messages: Vec<Message> = encoded.messages().cloned().collect();
        assert!(messages[0].as_text().is_some_and(|text| text.starts_with(head)), "{messages:?}");
        assert_eq!(messages[1..], [Message::binary(&b"one"[..]), Message::binary(&b"two"[..])]);
        assert_eq!(encoded.len(), 3);
        assert_eq!(encoded.byte_len(), messages.iter().map(Message::len).sum::<usize>());
        assert_eq!(decode(encoded.into_messages()).unwrap(), Some(packet));
    }
}

#[test]
fn a_long_head_is_written_as_a_short_one() {
    let name = "n".repeat(1000);
    let packet = Packet::event("/", name.clone(), args(1));
    assert_eq!(text(&packet), format!(r#"2["{name}",1]"#));
}

#[test]
fn what_receivers_refuse_is_not_sent() {
    let encode = |packet: &Packet| DefaultParser.encode(packet).unwrap_err();
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        let error = encode(&packet("/", event(name, RawArgs::none(), None)));
        assert_eq!(error, EncodeError::ReservedName { name: name.into() });
        assert_eq!(error.to_string(), format!("{name:?} is a reserved event name"));
    }
    for namespace in ["", "admin", "/a,b", "/a\n"] {
        let error = encode(&packet(namespace, Body::Disconnect));
        assert_eq!(error, EncodeError::InvalidNamespace { namespace: namespace.into() });
    }
    let kind = |body| match encode(&packet("/", body)) {
        EncodeError::Packet(error) => error.kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(event("a", RawArgs::none(), Some(MAX_ID + 1))), PacketErrorKind::IdTooLarge);
    assert_eq!(kind(Body::Connect(args("text"))), PacketErrorKind::WrongData(Expected::Object));
    assert_eq!(kind(Body::ConnectError(args(5))), PacketErrorKind::WrongData(Expected::ObjectOrString));
    let image = || Value::from_iter([("image", Binary::from(&b"x"[..]))]);
    assert_eq!(kind(Body::Connect(args(image()))), PacketErrorKind::InvalidAttachments);
    // It would refer to an attachment that there is not.
    let own = Value::from_iter([("_placeholder", Value::from(true)), ("num", Value::from(1))]);
    assert_eq!(kind(event("a", args((own, image())), None)), PacketErrorKind::InvalidPlaceholder);

    let many = |count| event("a", args(vec![Binary::default(); count]), None);
    assert!(DefaultParser.encode(&packet("/", many(10))).is_ok());
    assert_eq!(encode(&packet("/", many(11))), EncodeError::TooManyAttachments { count: 11 });
    let deep = (0..64).fold(Value::Null, |inner, _| vec![inner].into());
    let deep = event("a", RawArgs::from_values([deep]), None);
    assert_eq!(encode(&packet("/", deep)), EncodeError::TooDeep);
}

#[test]
fn names_are_what_javascript_would_call_them() {
    for (text, expected) in [
        (r#"2["plain"]"#, "plain"),
        (r#"2[ "plain" , 1]"#, "plain"),
        (r#"2[""]"#, ""),
        (r#"2["caf\u00e9 \ud83d\ude00"]"#, "café 😀"),
        (r#"2/a[b"],["\u0061"]"#, "a"),
        (r#"2/,7["\"[\""]"#, "\"[\""),
        (r#"2["half \ud83d"]"#, "half \u{fffd}\u{fffd}\u{fffd}"),
        ("2[1]", "1"),
        ("2/a,3[1.50,2]", "1.5"),
        (r#"2["1.50"]"#, "1.50"),
        (r#"2["__proto__"]"#, "__proto__"),
        (r#"2["connection"]"#, "connection"),
    ] {
        let Body::Event { name, .. } = read(text).body else { panic!("{text}") };
        assert_eq!(name, expected, "{text}");
    }
    // However they are written, reserved ones are refused.
    assert_eq!(refused(r#"2["\u0063onnect"]"#), PacketErrorKind::ReservedName);
}

#[test]
fn what_arrives_is_shared_not_copied() {
    let text = ByteString::from(r#"2/chat,7["message","hello",{"a":1}]"#);
    let within = |part: &str| text.as_bytes().as_ptr_range().contains(&part.as_ptr());
    let packet = decode([Message::Text(text.clone())]).unwrap().unwrap();
    let Body::Event { name, args, id: Some(7) } = &packet.body else { panic!("{packet:?}") };
    assert!(within(name) && within(&packet.namespace) && within(&args.to_json().unwrap().0));
    assert_eq!(args.all(), Ok(("hello".to_owned(), Value::from_iter([("a", 1)]))));
}

#[test]
fn an_answer_to_nothing_has_the_number_of_no_event() {
    let Body::Ack { id, .. } = read("3[]").body else { panic!() };
    assert_eq!(id, u64::MAX);
}

#[test]
fn messages_out_of_their_order_are_errors() {
    let head = Message::text(r#"52-["a",{"_placeholder":true,"num":0}]"#);
    for (messages, expected) in [
        (vec![Message::binary(&b"x"[..])], PacketErrorKind::UnexpectedBinary),
        (vec![head.clone(), Message::text("2[\"a\"]")], PacketErrorKind::AttachmentMissing),
        (
            vec![head.clone(), Message::binary(&b"x"[..]), Message::text("1")],
            PacketErrorKind::AttachmentMissing,
        ),
    ] {
        let Err(ParseError::Packet(error)) = decode(messages) else { panic!("{expected:?}") };
        assert_eq!(error.kind, expected);
    }
    let mut decoder = DefaultParser.decoder();
    assert!(matches!(decoder.decode(head.clone()), Ok(None)));
    assert!(decoder.decode(Message::binary(vec![0; 1000])).is_ok_and(|packet| packet.is_none()));
    assert!(decoder.decode(Message::binary(vec![0; 1000])).is_ok_and(|packet| packet.is_some()));
    assert!(decoder.decode(Message::binary(&b"x"[..])).is_err());
}

#[test]
fn an_attack_by_depth_is_an_error_and_no_overflow_of_the_stack() {
    let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
    for depth in [64, 1_000_000] {
        assert_eq!(refused(format!(r#"2["a",{}]"#, deep(depth))), PacketErrorKind::TooDeep);
        assert_eq!(refused(format!(r#"51-["a",{}]"#, deep(depth))), PacketErrorKind::TooDeep);
        assert_eq!(refused(format!("30[{}]", deep(depth))), PacketErrorKind::TooDeep);
        assert_eq!(refused(format!(r#"0{{"a":{}}}"#, deep(depth))), PacketErrorKind::TooDeep);
    }
    let Body::Event { args, .. } = read(&format!(r#"2["a",{}]"#, deep(63))).body else { panic!() };
    assert!(args.values().is_ok());
    assert!(args.first::<Value>().is_ok());
}

#[test]
fn whatever_arrives_can_be_passed_on_as_the_arguments_of_an_event() {
    let deep = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(refused(format!(r#"0{{"a":{}}}"#, deep(63))), PacketErrorKind::TooDeep);
    let Body::Connect(auth) = read(&format!(r#"0{{"a":{}}}"#, deep(62))).body else { panic!() };
    let event = text(&packet("/", event("auth", auth, None)));
    assert_eq!(text(&read(&event)), event);
}

/// Any value that has a depth of at most 4 and few attachments.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1.0e9..1.0e9_f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let inner = leaf.prop_recursive(4, 32, 6, |inner| {
        let key = any::<String>().prop_filter("not a placeholder", |key| key != "_placeholder");
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..6).prop_map(Value::from_iter),
        ]
    });
    (inner, prop::option::of(prop::collection::vec(any::<u8>(), 0..20))).prop_map(|(value, bytes)| {
        bytes.map_or(value.clone(), |bytes| {
            Value::from_iter([("x", value), ("y", Binary::from(bytes).into())])
        })
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        namespace in "/[^,\\p{Cc}]{0,8}",
        name in any::<String>(),
        values in prop::collection::vec(any_value(), 0..6),
        id in prop::option::of(0..=MAX_ID),
    ) {
        prop_assume!(socketio::Packet::event(&name, "").is_ok());
        let body = Body::Event { name: name.into(), args: RawArgs::from_values(values.clone()), id };
        let packet = Packet { namespace: namespace.into(), body };
        let encoded = DefaultParser.encode(&packet).unwrap();
        let read = decode(encoded.into_messages()).unwrap().unwrap();
        prop_assert_eq!(&read.namespace, &packet.namespace);
        let (Body::Event { name, args, id }, Body::Event { name: read_name, args: read_args, id: read_id }) =
            (&packet.body, &read.body)
        else {
            panic!("{read:?}");
        };
        prop_assert_eq!((name, id), (read_name, read_id));
        prop_assert_eq!(args.values(), read_args.values());
        prop_assert_eq!(read_args.values(), Ok(values));
        // It is written again as it was read.
        prop_assert!(decode(DefaultParser.encode(&read).unwrap().into_messages()).unwrap() == Some(read));
    }
}

#[test]
fn an_error_about_a_part_of_a_packet_has_its_place_in_the_whole_text() {
    for (text, byte) in [
        ("0/a\u{6}m,".to_owned(), '\u{6}'),
        (format!(r#"0/a,{{"a":{}0{}}}"#, "[".repeat(63), "]".repeat(63)), '['),
    ] {
        let Err(ParseError::Packet(error)) = decode([Message::text(text.clone())]) else { panic!("{text}") };
        assert!(text[error.at..].starts_with(byte), "{error:?}");
    }
}
