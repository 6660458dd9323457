//! Encoding and decoding are inverses, and no input, however hostile, makes the codecs panic, loop or lose their place.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use core::fmt::Debug;

use eio_core::BufferTooSmall;
use eio_core::packet::{
    self, Base64, Data, DecodeError, DecodeErrorKind, Packet, PacketType, WebSocketMessage,
};
use eio_core::payload::v4::EncodeError;
use eio_core::payload::{self, DEFAULT_MAX_PACKETS, jsonp, v3::Framing};
use eio_tests::vectors::from_base64;
use proptest::prelude::*;

/// Data that owns its bytes.
#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Text(String),
    Binary(Vec<u8>),
}

type OwnedPacket = (PacketType, Owned);

fn borrow((packet_type, data): &OwnedPacket) -> Packet<'_> {
    let data = match data {
        Owned::Text(text) => Data::Text(text),
        Owned::Binary(bytes) => Data::Binary(bytes),
    };
    Packet { packet_type: *packet_type, data }
}

fn own(packet: &Packet<'_>) -> OwnedPacket {
    let data = match packet.data {
        Data::Text(text) => Owned::Text(text.to_owned()),
        Data::Binary(bytes) => Owned::Binary(bytes.to_vec()),
        Data::Base64(text) => {
            let mut bytes = vec![0; text.decoded_len()];
            assert_eq!(text.decode(&mut bytes).unwrap().len(), text.decoded_len());
            Owned::Binary(bytes)
        }
    };
    (packet.packet_type, data)
}

fn any_type() -> impl Strategy<Value = PacketType> {
    (0..7_u8).prop_map(|digit| PacketType::from_digit(digit).unwrap())
}

/// Text rich in what the wire forms are sensitive to: every UTF-8 length, digits, colons, backslashes, line ends.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9:b=é€😀\u{10ffff}\u{ffff}\u{2028}\u{2029}\"\\\\\n\r]{0,40}", ".{0,40}"]
}

fn any_data() -> impl Strategy<Value = Owned> {
    prop_oneof![
        any_text().prop_map(Owned::Text),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Owned::Binary)
    ]
}

fn any_packet() -> impl Strategy<Value = OwnedPacket> {
    (any_type(), any_data())
}

/// A packet that revision 4 can carry in a payload: binary data makes a message, and text has no separator.
fn any_packet_of_v4() -> impl Strategy<Value = OwnedPacket> {
    any_packet().prop_map(|(packet_type, data)| match data {
        Owned::Text(text) => (packet_type, Owned::Text(text.replace('\x1e', "\x1f"))),
        Owned::Binary(_) => (PacketType::Message, data),
    })
}

/// Bodies that are almost payloads: fragments that mean something, in any order.
fn almost_a_payload() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        Just(b"4".to_vec()),
        Just(b"2".to_vec()),
        Just(b":".to_vec()),
        Just(b"1:4".to_vec()),
        Just(b"0:".to_vec()),
        Just(b"3:4ab".to_vec()),
        Just("3:4😀".as_bytes().to_vec()),
        Just("😀".as_bytes().to_vec()),
        Just("€".as_bytes().to_vec()),
        Just(b"\x1e".to_vec()),
        Just(b"bAQID".to_vec()),
        Just(b"6:b4AQID".to_vec()),
        Just(b"7".to_vec()),
        Just(vec![0, 1, 0xff, b'2']),
        Just(vec![1, 0, 2, 0xff, 4, 9]),
        Just(vec![0, 1]),
        Just(vec![0xff]),
        prop::collection::vec(any::<u8>(), 1..3),
    ];
    prop::collection::vec(fragment, 0..8).prop_map(|fragments| fragments.concat())
}

/// `encode` needs exactly the bytes it asks for, and touches none when it has fewer. Returns its output.
fn with_exact_buffer<T: Debug>(encode: impl Fn(&mut [u8]) -> Result<T, BufferTooSmall>) -> T {
    let needed = encode(&mut []).map_or_else(|error| error.needed, |_| 0);
    for size in 0..needed {
        let mut buffer = vec![0xaa; size];
        assert_eq!(encode(&mut buffer).unwrap_err().needed, needed);
        assert!(buffer.iter().all(|byte| *byte == 0xaa), "wrote into a buffer that is too small");
    }
    encode(&mut vec![0xaa; needed]).unwrap()
}

fn too_small(error: EncodeError) -> BufferTooSmall {
    match error {
        EncodeError::BufferTooSmall(error) => error,
        error => panic!("{error}"),
    }
}

fn payload_v4(packets: &[OwnedPacket], out: &mut [u8]) -> Result<Vec<u8>, BufferTooSmall> {
    let mut encoder = payload::v4::Encoder::new(out);
    packets.iter().try_for_each(|packet| encoder.push(&borrow(packet))).map_err(too_small)?;
    Ok(encoder.finish().to_vec())
}

fn payload_v3(framing: Framing, packets: &[OwnedPacket], out: &mut [u8]) -> Result<Vec<u8>, BufferTooSmall> {
    let mut encoder = payload::v3::Encoder::new(framing, out);
    packets.iter().try_for_each(|packet| encoder.push(&borrow(packet)))?;
    Ok(encoder.finish().to_vec())
}

/// What a payload's decoder yields until its first error, and that error. Nothing may follow an error.
fn drain<'a>(
    mut packets: impl Iterator<Item = Result<Packet<'a>, DecodeError>>,
) -> (Vec<OwnedPacket>, Option<DecodeError>) {
    let mut decoded = Vec::new();
    let error = loop {
        match packets.next() {
            Some(Ok(packet)) => decoded.push(own(&packet)),
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    assert!(packets.next().is_none() && packets.next().is_none(), "not fused");
    (decoded, error)
}

proptest! {
    #[test]
    fn a_frame_of_revision_4_decodes_to_the_packet_it_was_made_of(
        (packet_type, data) in any_packet(), supports_binary: bool,
    ) {
        let binary = matches!(data, Owned::Binary(_));
        let packet = (if binary { PacketType::Message } else { packet_type }, data);
        let borrowed = borrow(&packet);
        with_exact_buffer(|out| {
            let frame = packet::v4::encode(&borrowed, supports_binary, out)?;
            assert_eq!(matches!(frame, WebSocketMessage::Binary(_)), binary && supports_binary);
            let len = match frame { WebSocketMessage::Text(text) => text.len(), WebSocketMessage::Binary(bytes) => bytes.len() };
            assert_eq!(len, packet::v4::encoded_len(&borrowed, supports_binary));
            let decoded = packet::v4::decode(frame).unwrap();
            assert_eq!(own(&decoded), packet);
            // What came as base64 can go on as anything.
            let mut again = [0; 256];
            for supports_binary in [false, true] {
                let frame = packet::v4::encode(&decoded, supports_binary, &mut again).unwrap();
                assert_eq!(own(&packet::v4::decode(frame).unwrap()), packet);
            }
            Ok(())
        });
    }

    #[test]
    fn a_frame_of_revision_3_decodes_to_the_packet_it_was_made_of(
        packet in any_packet(), supports_binary: bool,
    ) {
        let borrowed = borrow(&packet);
        with_exact_buffer(|out| {
            let frame = packet::v3::encode(&borrowed, supports_binary, out)?;
            let binary = borrowed.data.is_binary() && supports_binary;
            assert_eq!(matches!(frame, WebSocketMessage::Binary(_)), binary);
            let len = match frame { WebSocketMessage::Text(text) => text.len(), WebSocketMessage::Binary(bytes) => bytes.len() };
            assert_eq!(len, packet::v3::encoded_len(&borrowed, supports_binary));
            let decoded = packet::v3::decode(frame).unwrap();
            assert_eq!(own(&decoded), packet);
            let mut again = [0; 256];
            for supports_binary in [false, true] {
                let frame = packet::v3::encode(&decoded, supports_binary, &mut again).unwrap();
                assert_eq!(own(&packet::v3::decode(frame).unwrap()), packet);
            }
            Ok(())
        });
    }

    #[test]
    fn a_payload_of_revision_4_decodes_to_the_packets_it_was_made_of(
        packets in prop::collection::vec(any_packet_of_v4(), 1..6),
    ) {
        let mut buffer = [0; 2048];
        let body = payload_v4(&packets, &mut buffer).unwrap();
        prop_assert_eq!(drain(payload::v4::decode(&body, packets.len())), (packets, None));
    }

    #[test]
    fn a_payload_of_revision_3_decodes_to_the_packets_it_was_made_of(
        packets in prop::collection::vec(any_packet(), 0..6),
    ) {
        let mut buffer = [0; 2048];
        for framing in [Framing::Text, Framing::Binary] {
            let body = payload_v3(framing, &packets, &mut buffer).unwrap();
            let decoded = drain(payload::v3::decode(framing, &body, packets.len()));
            prop_assert_eq!(decoded, (packets.clone(), None));
        }
    }

    #[test]
    fn a_packet_that_does_not_fit_leaves_the_payload_as_it_was(
        first in any_packet_of_v4(), second in any_packet_of_v4(),
    ) {
        let both = [first.clone(), second.clone()];
        let (first, second) = (borrow(&first), borrow(&second));
        let mut buffer = [0; 1024];
        let whole = payload_v4(&both, &mut buffer).unwrap();
        let alone = payload_v4(&both[..1], &mut buffer).unwrap();
        for size in alone.len()..whole.len() {
            let mut buffer = vec![0xaa; size];
            let mut encoder = payload::v4::Encoder::new(&mut buffer);
            encoder.push(&first).unwrap();
            prop_assert_eq!(encoder.push(&second).map_err(too_small).unwrap_err().needed, whole.len());
            prop_assert_eq!((encoder.len(), encoder.remaining()), (alone.len(), size - alone.len()));
            prop_assert_eq!(encoder.finish(), &alone[..]);
            prop_assert!(buffer[alone.len()..].iter().all(|byte| *byte == 0xaa));
        }
        for framing in [Framing::Text, Framing::Binary] {
            let whole = payload_v3(framing, &both, &mut buffer).unwrap();
            let alone = payload_v3(framing, &both[..1], &mut buffer).unwrap();
            for size in alone.len()..whole.len() {
                let mut buffer = vec![0xaa; size];
                let mut encoder = payload::v3::Encoder::new(framing, &mut buffer);
                encoder.push(&first).unwrap();
                prop_assert_eq!(encoder.push(&second).unwrap_err().needed, whole.len());
                prop_assert_eq!((encoder.len(), encoder.remaining()), (alone.len(), size - alone.len()));
                prop_assert_eq!(encoder.finish(), &alone[..]);
                prop_assert!(buffer[alone.len()..].iter().all(|byte| *byte == 0xaa));
            }
        }
    }

    #[test]
    fn base64_is_what_it_says_in_exactly_the_bytes_it_says(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut buffer = [0; 128];
        let packet = Packet::message(WebSocketMessage::Binary(&bytes));
        let WebSocketMessage::Text(text) = packet::v4::encode(&packet, false, &mut buffer).unwrap() else { panic!() };
        prop_assert_eq!(&from_base64(&text[1..]), &bytes);
        let unusual = text[1..].replace('+', "-").replace('/', "_");
        for text in [&text[1..], &unusual, unusual.trim_end_matches('=')] {
            let base64 = Base64::new(text).unwrap();
            prop_assert_eq!(base64.decoded_len(), bytes.len());
            prop_assert_eq!(&with_exact_buffer(|out| base64.decode(out).map(<[u8]>::to_vec)), &bytes);
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic_or_point_outside_them(
        body in prop_oneof![almost_a_payload(), prop::collection::vec(any::<u8>(), 0..64)], limit in 0..4_usize,
    ) {
        let positions = [
            drain(payload::v4::decode(&body, usize::MAX)).1,
            drain(payload::v4::decode(&body, limit)).1,
            drain(payload::v3::decode(Framing::Text, &body, usize::MAX)).1,
            drain(payload::v3::decode(Framing::Text, &body, limit)).1,
            drain(payload::v3::decode(Framing::Binary, &body, usize::MAX)).1,
            drain(payload::v3::decode(Framing::Binary, &body, limit)).1,
            packet::v3::decode(WebSocketMessage::Binary(&body)).err(),
            str::from_utf8(&body).ok().and_then(|text| packet::v4::decode(WebSocketMessage::Text(text)).err()),
            str::from_utf8(&body).ok().and_then(|text| packet::v3::decode(WebSocketMessage::Text(text)).err()),
        ];
        for error in positions.into_iter().flatten() {
            prop_assert!(error.at <= body.len(), "{error:?}");
            match error.kind {
                DecodeErrorKind::UnknownType(byte) | DecodeErrorKind::InvalidMarker(byte) => {
                    prop_assert_eq!(body[error.at], byte);
                }
                DecodeErrorKind::InvalidUtf8 => prop_assert!(body[error.at] >= 0x80),
                _ => {}
            }
        }
        let decoded = jsonp::decode(&mut body.clone()).map(<[u8]>::len);
        prop_assert!(decoded.is_none_or(|len| len <= body.len()));
    }

    #[test]
    fn the_limit_cuts_a_payload_where_the_first_packet_too_many_begins(
        packets in prop::collection::vec(any_packet_of_v4(), 2..6), limit in 0..2_usize,
    ) {
        let mut buffer = [0; 2048];
        let body = payload_v4(&packets, &mut buffer).unwrap();
        let before = if limit == 0 { 0 } else { payload_v4(&packets[..limit], &mut buffer).unwrap().len() + 1 };
        let (decoded, error) = drain(payload::v4::decode(&body, limit));
        prop_assert_eq!(&decoded, &packets[..limit]);
        let error = error.unwrap();
        prop_assert_eq!((error.kind, error.at), (DecodeErrorKind::TooManyPackets, before));
        for framing in [Framing::Text, Framing::Binary] {
            let body = payload_v3(framing, &packets, &mut buffer).unwrap();
            let before = if limit == 0 { 0 } else { payload_v3(framing, &packets[..limit], &mut buffer).unwrap().len() };
            let (decoded, error) = drain(payload::v3::decode(framing, &body, limit));
            prop_assert_eq!(&decoded, &packets[..limit]);
            let error = error.unwrap();
            prop_assert_eq!((error.kind, error.at), (DecodeErrorKind::TooManyPackets, before));
        }
    }

    #[test]
    fn a_byte_corrupted_at_a_known_place_is_found_at_that_place(
        before in prop::collection::vec(any_packet_of_v4(), 0..3),
        after in prop::collection::vec(any_packet_of_v4(), 0..3),
        head in "[a-z€😀]{0,5}",
        tail in "[a-z€😀]{0,5}",
        bytes in prop::collection::vec(any::<u8>(), 4..20),
        place in 0..4_usize,
    ) {
        let text = (PacketType::Message, Owned::Text(format!("{head}?{tail}")));
        let binary = (PacketType::Message, Owned::Binary(bytes));
        // The victim, the corrupted byte's distance from the victim's start in text, the byte, the error.
        let corruptions = [
            (&text, 0, b'7', DecodeErrorKind::UnknownType(b'7')),
            (&text, 1 + head.len(), 0xff, DecodeErrorKind::InvalidUtf8),
            (&text, 1 + head.len(), 0x80, DecodeErrorKind::InvalidUtf8),
            (&binary, 1 + place, b'!', DecodeErrorKind::InvalidBase64),
        ];
        let mut buffer = [0; 2048];
        for (victim, distance, byte, kind) in corruptions {
            let packets = [&before[..], core::slice::from_ref(victim), &after].concat();

            let mut body = payload_v4(&packets, &mut buffer).unwrap();
            let end = payload_v4(&packets[..=before.len()], &mut buffer).unwrap().len();
            let at = end - packet::v4::encoded_len(&borrow(victim), false) + distance;
            body[at] = byte;
            let (decoded, error) = drain(payload::v4::decode(&body, usize::MAX));
            prop_assert_eq!((&decoded, error.map(|error| (error.kind, error.at))), (&before, Some((kind, at))));

            for framing in [Framing::Text, Framing::Binary] {
                let is_binary = borrow(victim).data.is_binary();
                if framing == Framing::Binary && is_binary {
                    continue;
                }
                let mut body = payload_v3(framing, &packets, &mut buffer).unwrap();
                let end = payload_v3(framing, &packets[..=before.len()], &mut buffer).unwrap().len();
                let at = end - packet::v3::encoded_len(&borrow(victim), false) + distance + usize::from(is_binary);
                body[at] = byte;
                let (decoded, error) = drain(payload::v3::decode(framing, &body, usize::MAX));
                prop_assert_eq!((&decoded, error.map(|error| (error.kind, error.at))), (&before, Some((kind, at))));
            }
        }
    }

    #[test]
    fn revision_4_agrees_with_a_slow_model(body in almost_a_payload()) {
        let (mut model, mut fails) = (Vec::new(), false);
        for record in body.split(|byte| *byte == 0x1e) {
            let packet = str::from_utf8(record).map(|text| packet::v4::decode(WebSocketMessage::Text(text)));
            fails = !matches!(packet, Ok(Ok(_)));
            if fails {
                break;
            }
            model.push(own(&packet.unwrap().unwrap()));
        }
        let (decoded, error) = drain(payload::v4::decode(&body, usize::MAX));
        prop_assert_eq!((decoded, error.is_some()), (model, fails));
    }

    #[test]
    fn text_of_revision_3_agrees_with_a_slow_model(body in almost_a_payload()) {
        // The model needs the whole body as UTF-16; what is not UTF-8 is covered elsewhere.
        let body = String::from_utf8_lossy(&body).into_owned();
        let (decoded, error) = drain(payload::v3::decode(Framing::Text, body.as_bytes(), usize::MAX));
        prop_assert_eq!((decoded, error.is_some()), model_of_v3(&body));
    }

    #[test]
    fn a_script_holds_the_payload_as_json(payload in any_text(), j in any_text()) {
        let script = with_exact_buffer(|out| jsonp::encode(&j, payload.as_bytes(), out).map(<[u8]>::to_vec));
        let script = String::from_utf8(script).unwrap();
        let (j_digits, json) = script.strip_prefix("___eio[").unwrap().split_once("](").unwrap();
        prop_assert!(j_digits.bytes().all(|byte| byte.is_ascii_digit()));
        let json = json.strip_suffix(");").unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(json).unwrap(), payload);
        let one_line = !json.contains(['\u{2028}', '\u{2029}', '\n', '\r']);
        prop_assert!(one_line);
    }

    #[test]
    fn a_posted_form_agrees_with_a_slow_model(value in "(\\\\|n|%5C|%6e|%|%zz|\\+|=|[a-z€]|%E2%82%AC|%0A){0,20}") {
        let unescaped = percent_decode(&value);
        let mut body = format!("d={value}").into_bytes();
        let decoded = jsonp::decode(&mut body).unwrap();
        prop_assert_eq!(decoded, unescape_lines(&unescaped));
    }
}

/// The reference's decoder of text payloads, restricted to plain decimal digits and whole characters.
fn model_of_v3(body: &str) -> (Vec<OwnedPacket>, bool) {
    let units: Vec<u16> = body.encode_utf16().collect();
    let mut packets = Vec::new();
    let mut rest = &units[..];
    if rest.is_empty() {
        return (packets, true);
    }
    while !rest.is_empty() {
        let Some(colon) = rest.iter().position(|unit| *unit == u16::from(b':')) else {
            return (packets, true);
        };
        let digits = String::from_utf16_lossy(&rest[..colon]);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return (packets, true);
        }
        let length = digits.parse().unwrap_or(usize::MAX);
        let Some((text, after)) = rest[colon + 1..].split_at_checked(length) else { return (packets, true) };
        rest = after;
        let Ok(text) = String::from_utf16(text) else { return (packets, true) };
        if !text.is_empty() {
            match packet::v3::decode(WebSocketMessage::Text(&text)) {
                Ok(packet) => packets.push(own(&packet)),
                Err(_) => return (packets, true),
            }
        }
    }
    (packets, false)
}

fn percent_decode(value: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = after.get(..2).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        match (first, hex) {
            (b'+', _) => decoded.push(b' '),
            (b'%', Some(hex)) => {
                decoded.push(u8::from_str_radix(str::from_utf8(hex).unwrap(), 16).unwrap());
                rest = &after[2..];
            }
            _ => decoded.push(*first),
        }
    }
    decoded
}

/// The reference's two replacements, one after the other: `\n` that no backslash precedes becomes a line feed, then
/// `\\n` becomes `\n`.
fn unescape_lines(text: &[u8]) -> Vec<u8> {
    let mut once = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        if let Some(after) = rest.strip_prefix(br"\\n") {
            once.extend(br"\\n");
            rest = after;
        } else if let Some(after) = rest.strip_prefix(br"\n") {
            once.push(b'\n');
            rest = after;
        } else {
            once.push(*first);
            rest = after;
        }
    }
    let mut twice = Vec::new();
    let mut rest = &once[..];
    while let [first, after @ ..] = rest {
        if let Some(after) = rest.strip_prefix(br"\\n") {
            twice.extend(br"\n");
            rest = after;
        } else {
            twice.push(*first);
            rest = after;
        }
    }
    twice
}

// What comes out of the bodies of attacks. What they cost is counted by `cargo xtask test linear`.

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn cve_2020_36048_a_million_bytes_of_tiny_packets_are_linear_work() {
    let body = b"4\x1e".repeat(500_000);
    let body = &body[..body.len() - 1];
    assert_eq!(payload::v4::decode(body, usize::MAX).flatten().count(), 500_000);
    let text = b"1:4".repeat(333_333);
    assert_eq!(payload::v3::decode(Framing::Text, &text, usize::MAX).flatten().count(), 333_333);
    let binary = [0, 1, 0xff, b'4'].repeat(250_000);
    let packets = payload::v3::decode(Framing::Binary, &binary, usize::MAX);
    assert_eq!(packets.flatten().count(), 250_000);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn cve_2020_36048_the_default_limit_ends_such_a_payload_early() {
    let cases = [
        (2, drain(payload::v4::decode(&b"4\x1e".repeat(500_000), DEFAULT_MAX_PACKETS))),
        (3, drain(payload::v3::decode(Framing::Text, &b"1:4".repeat(333_333), DEFAULT_MAX_PACKETS))),
    ];
    for (length, (packets, error)) in cases {
        assert_eq!(packets.len(), DEFAULT_MAX_PACKETS);
        let error = error.unwrap();
        assert_eq!((error.kind, error.at), (DecodeErrorKind::TooManyPackets, length * DEFAULT_MAX_PACKETS));
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn a_million_bytes_without_a_packet_are_linear_work() {
    let nothing = b"0:".repeat(500_000);
    assert_eq!(drain(payload::v3::decode(Framing::Text, &nothing, 0)), (Vec::new(), None));

    let digits = [b"9".repeat(1_000_000), b":4".to_vec()].concat();
    let (packets, error) = drain(payload::v3::decode(Framing::Text, &digits, usize::MAX));
    assert_eq!((packets.len(), error.unwrap().at), (0, 0));

    // One packet that covers nearly everything, then a length that covers more than is left.
    let nested = b"900000:4".repeat(125_000);
    let (packets, error) = drain(payload::v3::decode(Framing::Text, &nested, usize::MAX));
    assert_eq!((packets.len(), error.unwrap().kind), (1, DecodeErrorKind::InvalidLength));

    let mut slashes = [b"d=".to_vec(), b"%5Cn\\\\".repeat(200_000)].concat();
    assert!(jsonp::decode(&mut slashes).is_some_and(|payload| payload.len() < 1_000_000));
    let mut fields = b"&".repeat(1_000_000);
    assert_eq!(jsonp::decode(&mut fields), None);
}

#[test]
fn engineioxide_29dc67c1_a_bad_length_ends_the_payload_instead_of_looping() {
    for (body, kind, at) in [
        ("", DecodeErrorKind::Empty, 0),
        (":", DecodeErrorKind::InvalidLength, 0),
        ("4", DecodeErrorKind::InvalidLength, 1),
        ("4hello", DecodeErrorKind::InvalidLength, 1),
        ("a:4", DecodeErrorKind::InvalidLength, 0),
        ("-1:4", DecodeErrorKind::InvalidLength, 0),
        ("1:", DecodeErrorKind::InvalidLength, 0),
        ("12:4hello", DecodeErrorKind::InvalidLength, 0),
        ("0:12:4hello", DecodeErrorKind::InvalidLength, 2),
        ("99999999999999999999999999:4", DecodeErrorKind::InvalidLength, 0),
        ("18446744073709551615:4", DecodeErrorKind::InvalidLength, 0),
        // Five times what fits into 64 and into 32 bits, plus the one that would be right.
        ("92233720368547758081:4", DecodeErrorKind::InvalidLength, 0),
        ("21474836481:4", DecodeErrorKind::InvalidLength, 0),
        ("2:4😀", DecodeErrorKind::InvalidLength, 0),
    ] {
        let (packets, error) = drain(payload::v3::decode(Framing::Text, body.as_bytes(), usize::MAX));
        let error = error.unwrap();
        assert_eq!((packets.len(), error.kind, error.at), (0, kind, at), "{body}");
    }
}

#[test]
fn engineioxide_b61d5220_a_bad_length_in_binary_framing_ends_the_payload_instead_of_panicking() {
    let endless = [&[0][..], &[9; 400]].concat();
    let zeros = |count| [&[0][..], &vec![0; count], &[1, 0xff, b'2']].concat();
    for (body, kind, at) in [
        (&[0][..], DecodeErrorKind::InvalidLength, 1),
        (&[1, 0xff], DecodeErrorKind::InvalidLength, 1),
        (&[0, 6], DecodeErrorKind::InvalidLength, 2),
        (&[0, 2, 0xff, b'4'], DecodeErrorKind::InvalidLength, 1),
        (&[0, 10, 0xff, b'4'], DecodeErrorKind::InvalidLength, 1),
        (&[0, 1, b'4'], DecodeErrorKind::InvalidLength, 2),
        (&[0, 0, 0xff], DecodeErrorKind::Empty, 3),
        (&[1, 0, 0xff], DecodeErrorKind::Empty, 3),
        (&[2, 1, 0xff, 4], DecodeErrorKind::InvalidMarker(2), 0),
        (&[0, 1, 0xff, b'2', 7], DecodeErrorKind::InvalidMarker(7), 4),
        (&endless, DecodeErrorKind::InvalidLength, 312),
        (&zeros(311), DecodeErrorKind::InvalidLength, 312),
    ] {
        let (packets, error) = drain(payload::v3::decode(Framing::Binary, body, usize::MAX));
        let error = error.unwrap();
        assert_eq!((packets.len(), error.kind, error.at), (0, kind, at), "{body:?}");
    }
    let (packets, error) = drain(payload::v3::decode(Framing::Binary, &zeros(310), usize::MAX));
    assert_eq!((packets.len(), error), (1, None));
}
