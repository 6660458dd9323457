//! Packets in `MessagePack`, as socket.io-msgpack-parser 3.0.2 writes them.

use bytes::Bytes;
use eio_core::socketio::PacketErrorKind;
use proptest::prelude::*;

use super::*;
use crate::args::Args;
use crate::parser::default;
use crate::value::Binary;

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn decode(message: impl Into<Bytes>) -> Result<Packet, MsgPackError> {
    match MsgPackParser.decoder().decode(Message::Binary(message.into())) {
        Ok(packet) => Ok(packet.expect("whole")),
        Err(ParseError::MsgPack(error)) => Err(error),
        Err(other) => panic!("{other:?}"),
    }
}

fn encode(packet: &Packet) -> Result<Vec<u8>, EncodeError> {
    let messages: Vec<Message> = MsgPackParser.encode(packet)?.into_messages().collect();
    match &messages[..] {
        [Message::Binary(bytes)] => Ok(bytes.to_vec()),
        other => panic!("{other:?}"),
    }
}

fn event(packet: Packet) -> (String, Vec<Value>, Option<u64>) {
    match packet.body {
        Body::Event { name, args, id } => (name.to_string(), args.values().unwrap(), id),
        other => panic!("{other:?}"),
    }
}

#[test]
fn packets_of_the_reference_are_read() {
    let object = |key: &str, text: &str| RawArgs::from_values([Value::from_iter([(key, text)])]);
    for (hex, namespace, body) in [
        ("82 a474797065 00 a36e7370 a12f", "/", Body::Connect(RawArgs::none())),
        // `data: undefined`
        ("83 a474797065 00 a36e7370 a12f a464617461 d40000", "/", Body::Connect(RawArgs::none())),
        (
            "83 a474797065 00 a36e7370 a62f61646d696e a464617461 81 a5746f6b656e a174",
            "/admin",
            Body::Connect(object("token", "t")),
        ),
        ("82 a474797065 01 a36e7370 a22f61", "/a", Body::Disconnect),
        (
            "83 a474797065 04 a36e7370 a22f78 a464617461 81 a76d657373616765 a26e6f",
            "/x",
            Body::ConnectError(object("message", "no")),
        ),
        (
            "83 a474797065 04 a36e7370 a22f78 a464617461 a26e6f",
            "/x",
            Body::ConnectError(RawArgs::from_values(["no".into()])),
        ),
        (
            "84 a474797065 03 a26964 03 a464617461 91 a26f6b a36e7370 a22f78",
            "/x",
            Body::Ack { id: 3, args: RawArgs::from_values(["ok".into()]) },
        ),
    ] {
        assert_eq!(decode(bytes(hex)), Ok(Packet { namespace: namespace.into(), body }), "{hex}");
    }
}

/// python-socketio writes `"data": None` in every packet that has none.
#[test]
fn what_python_leaves_out_is_nil() {
    for (members, body) in [
        (vec![("type", 0.into()), ("data", Value::Null)], Body::Connect(RawArgs::none())),
        (vec![("type", 1.into()), ("data", Value::Null)], Body::Disconnect),
        (
            vec![("type", 2.into()), ("data", vec!["a"].into()), ("id", Value::Null)],
            Body::Event { name: "a".into(), args: RawArgs::from_values([]), id: None },
        ),
    ] {
        let members = [members, vec![("nsp", "/a".into())]].concat();
        let packet = Packet { namespace: "/a".into(), body };
        assert_eq!(decode(packet_of(&members)), Ok(packet), "{members:?}");
    }
}

#[test]
fn every_value_of_the_reference_is_read() {
    let packet = decode(bytes(
        "85 a474797065 02 a464617461 dc0010 a26869 01 ff ccc8 d1ff38 ce00011170 d2fffeee90 cf0000010000000000 \
         d3ffffff0000000000 cb3ff8000000000000 a6c3a9f09f9880 c3 c2 c0 d40000 82 a161 81 a162 91 01 a175 d40000 \
         a76f7074696f6e73 81 a8636f6d7072657373 c3 a26964 07 a36e7370 a12f",
    ));
    let (name, values, id) = event(packet.unwrap());
    assert_eq!((name.as_str(), id), ("hi", Some(7)));
    let two_to_40 = 1_i64 << 40;
    let expected = serde_json::json!([
        1, -1, 200, -200, 70000, -70000, two_to_40, -two_to_40, 1.5, "é😀", true, false, null,
        // Undefined is null in a list, and no member of an object.
        null, {"a": {"b": [1]}}
    ]);
    assert_eq!(Value::Array(values), expected.into());
}

#[test]
fn binary_data_and_dates_of_the_reference_are_read() {
    let message = bytes(
        "83 a474797065 02 a464617461 93 a362696e c403010203 83 a178 c702000405 a164 d7000000018bcfe5687b \
         a36f6c64 d700ffffffffffffffff a36e7370 a12f",
    );
    let (name, values, _) = event(decode(message.clone()).unwrap());
    assert_eq!(name, "bin");
    let dates = Value::from_iter([
        ("x", Value::from(Bytes::from_static(&[4, 5]))),
        ("d", "2023-11-14T22:13:20.123Z".into()),
        ("old", "1969-12-31T23:59:59.999Z".into()),
    ]);
    assert_eq!(values, [Value::from(Bytes::from_static(&[1, 2, 3])), dates]);
    let Some(data) = values[0].as_binary() else { panic!() };
    assert!(message.as_ptr_range().contains(&data.as_ptr()), "not copied");
}

#[test]
fn names_that_are_numbers_are_text_as_in_javascript() {
    let (name, values, _) =
        event(decode(bytes("83 a474797065 02 a464617461 92 05 a178 a36e7370 a12f")).unwrap());
    assert_eq!((name.as_str(), values), ("5", vec!["x".into()]));
}

#[test]
fn packets_are_written_as_the_reference_does() {
    let none = RawArgs::none;
    for (hex, packet) in [
        ("82 a474797065 00 a36e7370 a12f", Packet { namespace: "/".into(), body: Body::Connect(none()) }),
        ("82 a474797065 01 a36e7370 a22f61", Packet { namespace: "/a".into(), body: Body::Disconnect }),
        ("83 a474797065 02 a464617461 91 a161 a36e7370 a12f", Packet::event("/", "a", none())),
        ("84 a474797065 03 a464617461 90 a36e7370 a22f78 a26964 03", {
            Packet { namespace: "/x".into(), body: Body::Ack { id: 3, args: none() } }
        }),
        ("83 a474797065 04 a464617461 a26e6f a36e7370 a12f", {
            Packet { namespace: "/".into(), body: Body::ConnectError(RawArgs::new("no").unwrap()) }
        }),
        (
            "83 a474797065 02 a464617461 95 a161 c403010203 d1ff38 cb3ff8000000000000 81 a178 c0 a36e7370 a12f",
            {
                let args =
                    Args((Binary::from(&[1, 2, 3][..]), -200, 1.5, Value::from_iter([("x", Value::Null)])));
                Packet::event("/", "a", RawArgs::new(args).unwrap())
            },
        ),
    ] {
        assert_eq!(encode(&packet).unwrap(), bytes(hex), "{packet:?}");
    }
}

#[test]
fn there_is_no_limit_to_binary_data_in_its_places() {
    let args = RawArgs::new(vec![Binary::from(&b"x"[..]); 100]).unwrap();
    let packet = decode(encode(&Packet::event("/", "a", args)).unwrap()).unwrap();
    assert_eq!(event(packet).1, [Value::from(vec![Bytes::from_static(b"x"); 100])]);
}

#[test]
fn what_receivers_refuse_is_not_sent() {
    let reserved = Packet::event("/", "connect", RawArgs::none());
    assert_eq!(encode(&reserved), Err(EncodeError::ReservedName { name: "connect".into() }));
    let namespace = Packet::event("admin", "a", RawArgs::none());
    assert_eq!(encode(&namespace), Err(EncodeError::InvalidNamespace { namespace: "admin".into() }));
    for data in [RawArgs::new(5), RawArgs::new(Args((Value::Null, 5)))] {
        let packet = Packet { namespace: "/".into(), body: Body::Connect(data.unwrap()) };
        let Err(EncodeError::Packet(error)) = encode(&packet) else { panic!("{packet:?}") };
        assert_eq!(error.kind, PacketErrorKind::WrongData(Expected::Object));
    }
    let deep = |depth| (0..depth).fold(Value::Null, |inner, _| vec![inner].into());
    assert!(encode(&Packet::event("/", "a", RawArgs::from_values([deep(63)]))).is_ok());
    assert_eq!(encode(&Packet::event("/", "a", RawArgs::from_values([deep(64)]))), Err(EncodeError::TooDeep));
}

/// A packet with these members.
fn packet_of(members: &[(&str, Value)]) -> Vec<u8> {
    let mut out = vec![0x80 | u8::try_from(members.len()).unwrap()];
    for (key, value) in members {
        out.push(0xa0 | u8::try_from(key.len()).unwrap());
        out.extend(key.as_bytes());
        match value {
            Value::Null => out.push(0xc0),
            Value::Number(number) => out.push(u8::try_from(number.as_u64().unwrap()).unwrap()),
            Value::String(text) => {
                out.push(0xa0 | u8::try_from(text.len()).unwrap());
                out.extend(text.as_bytes());
            }
            Value::Array(values) if values.is_empty() => out.push(0x90),
            Value::Array(values) => {
                out.push(0x91);
                out.push(0xa0 | u8::try_from(values[0].as_str().unwrap().len()).unwrap());
                out.extend(values[0].as_str().unwrap().as_bytes());
            }
            other => panic!("{other:?}"),
        }
    }
    out
}

#[test]
fn what_is_not_a_packet_is_refused_with_the_reason() {
    let empty = || Value::Array(Vec::new());
    for (members, kind) in [
        (vec![], MsgPackErrorKind::InvalidNamespace),
        (vec![("nsp", "/".into())], MsgPackErrorKind::InvalidType),
        (vec![("nsp", "/".into()), ("type", 5.into())], MsgPackErrorKind::InvalidType),
        (vec![("nsp", "/".into()), ("type", "0".into())], MsgPackErrorKind::InvalidType),
        (vec![("nsp", "a".into()), ("type", 0.into())], MsgPackErrorKind::InvalidNamespace),
        (vec![("nsp", 1.into()), ("type", 0.into())], MsgPackErrorKind::InvalidNamespace),
        (
            vec![("nsp", "/".into()), ("type", 0.into()), ("data", empty())],
            MsgPackErrorKind::WrongData(Expected::Object),
        ),
        (
            vec![("nsp", "/".into()), ("type", 1.into()), ("data", 1.into())],
            MsgPackErrorKind::WrongData(Expected::Nothing),
        ),
        (vec![("nsp", "/".into()), ("type", 2.into())], MsgPackErrorKind::WrongData(Expected::NamedArray)),
        (
            vec![("nsp", "/".into()), ("type", 2.into()), ("data", empty())],
            MsgPackErrorKind::WrongData(Expected::NamedArray),
        ),
        (
            vec![("nsp", "/".into()), ("type", 2.into()), ("data", vec!["disconnect"].into())],
            MsgPackErrorKind::ReservedName,
        ),
        (vec![("nsp", "/".into()), ("type", 3.into())], MsgPackErrorKind::WrongData(Expected::Array)),
        (
            vec![("nsp", "/".into()), ("type", 4.into())],
            MsgPackErrorKind::WrongData(Expected::ObjectOrString),
        ),
        (
            vec![("nsp", "/".into()), ("type", 3.into()), ("data", empty()), ("id", "1".into())],
            MsgPackErrorKind::InvalidId,
        ),
        (
            vec![("nsp", "/".into()), ("type", 2.into()), ("data", Value::Null)],
            MsgPackErrorKind::WrongData(Expected::NamedArray),
        ),
        (
            vec![("nsp", "/".into()), ("type", 3.into()), ("data", Value::Null)],
            MsgPackErrorKind::WrongData(Expected::Array),
        ),
        (
            vec![("nsp", "/".into()), ("type", 4.into()), ("data", Value::Null)],
            MsgPackErrorKind::WrongData(Expected::ObjectOrString),
        ),
    ] {
        assert_eq!(decode(packet_of(&members)), Err(MsgPackError { at: 0, kind }), "{members:?}");
    }
    assert_eq!(decode(bytes("90")).unwrap_err().kind, MsgPackErrorKind::NotAPacket);
    let error = MsgPackParser.decoder().decode(Message::text("2[\"a\"]")).unwrap_err();
    assert_eq!(error.to_string(), "text message: expected a binary one, in MessagePack, at byte 0");
}

#[test]
fn broken_messagepack_is_refused_with_the_place() {
    for (hex, at, kind) in [
        ("", 0, MsgPackErrorKind::Truncated),
        ("81", 1, MsgPackErrorKind::Truncated),
        ("81 a178 c1", 4, MsgPackErrorKind::Reserved),
        ("81 01 01", 2, MsgPackErrorKind::InvalidKey),
        ("80 00", 1, MsgPackErrorKind::TrailingBytes),
        ("d9ff 61", 2, MsgPackErrorKind::Truncated),
        // What is declared is neither believed nor allocated.
        ("db ffffffff", 5, MsgPackErrorKind::Truncated),
        ("c6 ffffffff", 5, MsgPackErrorKind::Truncated),
        ("c9 ffffffff 00", 6, MsgPackErrorKind::Truncated),
        ("dd ffffffff", 5, MsgPackErrorKind::Truncated),
        ("df ffffffff", 5, MsgPackErrorKind::Truncated),
        ("cf 01", 1, MsgPackErrorKind::Truncated),
        ("d7 00 00", 2, MsgPackErrorKind::Truncated),
    ] {
        assert_eq!(decode(bytes(hex)), Err(MsgPackError { at, kind }), "{hex}");
    }
}

#[test]
fn an_attack_by_depth_is_an_error_and_no_overflow_of_the_stack() {
    let mut deep = vec![0x91; 1_000_000];
    deep.push(0xc0);
    assert_eq!(decode(deep), Err(MsgPackError { at: 66, kind: MsgPackErrorKind::TooDeep }));
    let maps: Vec<u8> = [0x81, 0xa1, b'x'].repeat(1_000_000);
    assert_eq!(decode(maps).unwrap_err().kind, MsgPackErrorKind::TooDeep);
    let keys = vec![0x81; 1_000_000];
    assert_eq!(decode(keys).unwrap_err().kind, MsgPackErrorKind::TooDeep);
}

#[test]
fn extensions_of_others_are_lists_as_in_the_reference() {
    for (hex, kind, data) in [
        ("d4 01 07", 1, &[7][..]),
        ("d5 00 0708", 0, &[7, 8]),
        ("d6 ff 01020304", -1, &[1, 2, 3, 4]),
        ("d7 05 0102030405060708", 5, &[1, 2, 3, 4, 5, 6, 7, 8]),
        ("d8 01 01010101010101010101010101010101", 1, &[1; 16]),
        ("c7 01 05 07", 5, &[7]),
        ("c8 0001 05 07", 5, &[7]),
        ("c9 00000001 05 07", 5, &[7]),
    ] {
        let message = format!("83 a474797065 02 a36e7370 a12f a464617461 92 a161 {hex}");
        let (_, values, _) = event(decode(bytes(&message)).unwrap());
        let expected = vec![Value::from(kind), Value::from(Bytes::copy_from_slice(data))];
        assert_eq!(values, [Value::Array(expected)], "{hex}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_replaced_as_in_the_reference() {
    let (_, values, _) =
        event(decode(bytes("83 a474797065 02 a36e7370 a12f a464617461 92 a161 a2ff61")).unwrap());
    assert_eq!(values, ["\u{fffd}a".into()]);
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        values in prop::collection::vec(default::tests::any_value(), 0..6),
        id in prop::option::of(0..=MAX_ID),
    ) {
        let body = Body::Event { name: "a".into(), args: RawArgs::from_values(values), id };
        let packet = Packet { namespace: "/".into(), body };
        prop_assert_eq!(decode(encode(&packet).unwrap()), Ok(packet));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode(bytes);
    }
}
