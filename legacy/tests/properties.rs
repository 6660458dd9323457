//! What holds for every Socket.IO 0.9 packet, polling body and handshake, and for every text, however hostile.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the input is the test's own, and a test may panic"
)]

use core::time::Duration;

use eio_core::BufferTooSmall;
use eio_legacy::handshake::LegacyHandshake;
use eio_legacy::packet::{AckRequest, Advice, ErrorReason, LegacyPacket, PacketBody};
use eio_legacy::payload;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const PIECES: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    ":",
    "::",
    ":::",
    "+",
    "12",
    "/a",
    "{\"name\":\"x\"}",
    "{\"name\":",
    "\"x\"",
    "}",
    ",\"args\":[1]",
    "[",
    "]",
    "[1,2]",
    "null",
    "{bad",
    "\u{fffd}",
    "\u{fffd}3\u{fffd}",
    "2::",
    "é",
    "😀",
];

/// Text that is often close to a packet or to a polling body.
fn nearly_a_packet() -> impl Strategy<Value = String> {
    let built = vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![any::<String>(), built]
}

proptest! {
    #[test]
    fn no_text_panics_and_positions_are_inside(text in nearly_a_packet(), cap in 0_usize..4) {
        match LegacyPacket::decode(&text) {
            Ok(packet) => assert_survives(&packet)?,
            Err(error) => prop_assert!(error.at <= text.len(), "{error:?}"),
        }
        let mut good = 0;
        for packet in payload::decode(&text, cap) {
            match packet {
                Ok(_) => good += 1,
                Err(error) => prop_assert!(error.at <= text.len(), "{error:?}"),
            }
        }
        prop_assert!(good <= cap);
        if let Ok(handshake) = LegacyHandshake::decode(&text) {
            let mut out = vec![0; text.len()];
            prop_assert_eq!(LegacyHandshake::decode(handshake.encode(&mut out).unwrap()), Ok(handshake));
        }
    }

    #[test]
    fn what_is_sent_is_what_arrives(
        name in any::<String>(),
        args in vec(select(&["1", "\"a\"", "{\"b\":[ ]}", "null"][..]), 0..4),
        endpoint in "[^:]*",
        request in option::of((any::<u64>(), any::<bool>())),
        id in any::<u64>(),
    ) {
        let list = args.join(" , ");
        let event = LegacyPacket::event(&name, &list).unwrap();
        let bodies = [
            event,
            LegacyPacket::connect(&name),
            LegacyPacket::message(&name),
            LegacyPacket::json("[ 1 ]").unwrap(),
            LegacyPacket::ack(id, &list).unwrap(),
            LegacyPacket::error(Some(ErrorReason::Unauthorized), None),
            LegacyPacket::error(None, Some(Advice::Reconnect)),
            LegacyPacket::HEARTBEAT,
            LegacyPacket::NOOP,
            LegacyPacket::DISCONNECT,
        ];
        for packet in bodies {
            let mut packet = packet.in_endpoint(&endpoint).unwrap();
            if let Some((id, with_data)) = request {
                packet = packet.with_ack_request(AckRequest { id, with_data });
            }
            let mut out = vec![0; 128 + endpoint.len() + 6 * name.len() + list.len()];
            let read = LegacyPacket::decode(packet.encode(&mut out).unwrap()).unwrap();
            prop_assert_eq!(read.endpoint(), &endpoint);
            prop_assert_eq!(read.ack_request(), packet.ack_request());
            if let PacketBody::Event(event) = read.body() {
                prop_assert!(event.is(&name));
                prop_assert!(event.args().iter().eq(args.iter().copied()));
            } else {
                prop_assert_eq!(read.body(), packet.body());
            }
            assert_survives(&read)?;
        }
    }

    #[test]
    fn bodies_of_several_packets_come_apart_as_they_were_put_together(packets in vec(any::<String>(), 2..6)) {
        let texts = packets.iter().map(String::as_str);
        let Err(BufferTooSmall { needed, .. }) = payload::encode(texts.clone(), &mut []) else { panic!("not empty") };
        let mut out = vec![b'.'; needed];
        prop_assert!(payload::encode(texts.clone(), &mut out[..needed - 1]).is_err());
        prop_assert!(out.iter().all(|byte| *byte == b'.'), "nothing is written in part");
        let body = payload::encode(texts.clone(), &mut out).unwrap();
        prop_assert!(payload::decode(body, packets.len()).eq(texts.map(Ok)));
    }

    #[test]
    fn handshakes_carry_whole_milliseconds(
        heartbeat in option::of(1_u32..0x7fff_ffff),
        close in 1_u32..0x7fff_ffff,
    ) {
        let millis = |millis: u32| Duration::from_millis(millis.into());
        let handshake = LegacyHandshake::new("sid", heartbeat.map(millis), millis(close), "websocket").unwrap();
        let mut out = [0; 64];
        let read = LegacyHandshake::decode(handshake.encode(&mut out).unwrap()).unwrap();
        prop_assert_eq!(read, handshake);
        prop_assert_eq!(read.heartbeat_timeout(), heartbeat.map(millis));
        prop_assert_eq!(read.close_timeout(), millis(close));
    }
}

/// What is encoded decodes to the same, and the size of the buffer is asked for exactly.
fn assert_survives(packet: &LegacyPacket<'_>) -> Result<(), TestCaseError> {
    let Err(BufferTooSmall { needed, .. }) = packet.encode(&mut []) else { panic!("no packet is empty") };
    let mut out = vec![b'.'; needed];
    prop_assert!(packet.encode(&mut out[..needed - 1]).is_err());
    prop_assert!(out.iter().all(|byte| *byte == b'.'), "nothing is written in part");
    prop_assert_eq!(&LegacyPacket::decode(packet.encode(&mut out).unwrap()).unwrap(), packet);
    Ok(())
}

#[test]
fn errors_point_at_the_offending_byte() {
    for (text, at) in [
        ("", 0),
        ("9::", 0),
        ("10::", 1),
        ("2", 1),
        ("2:", 2),
        ("3:x::y", 2),
        ("3:05::y", 2),
        ("3:5+x", 4),
        ("4:::{bad", 5),
        ("4:::1 2", 6),
        ("5:::[]", 4),
        ("5:::{\"name\":1}", 4),
        ("6:::", 4),
        ("6:::1+{}", 6),
        ("6:::1+[] x", 9),
    ] {
        assert_eq!(LegacyPacket::decode(text).unwrap_err().at, at, "{text}");
    }
}

/// A quadratic decoder would need hours for these, and the reference's own never returns from the last.
#[test]
#[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
fn a_megabyte_of_malice_is_read_in_linear_time() {
    const MEGABYTE: usize = 1 << 20;
    let of = |piece: &str| piece.repeat(MEGABYTE / piece.len());
    for text in [
        of(":"),
        of("3"),
        format!("3:{}::", of("9")),
        format!("4:::{}", of("[")),
        format!("5:::{{{}\"name\":\"x\"}}", of("\"args\":[[]],")),
        format!("6:::1+[{}1]", of("1,")),
        format!("7:::{}", of("+")),
        of("\u{fffd}"),
        of("\u{fffd}0\u{fffd}"),
        of("\u{fffd}3\u{fffd}2::"),
        format!("\u{fffd}{}", of("9")),
        of("\u{fffd}-3\u{fffd}"),
    ] {
        let _ = LegacyPacket::decode(&text);
        for packet in payload::decode(&text, usize::MAX).flatten() {
            let _ = LegacyPacket::decode(packet);
        }
        let _ = LegacyHandshake::decode(&text);
    }
}
