//! Socket.IO packets: the core's codec, and both parsers of `eio-socketio`.

mod plain;

use arbitrary::Unstructured;
use bytes::Bytes;
use eio_core::BufferTooSmall;
use eio_core::packet::WebSocketMessage;
use eio_core::socketio::{self, PacketErrorKind, Received};
use eio_socketio::{Body, DefaultParser, MsgPackParser, Packet, ParseError, Parser};
use eio_tokio::Message;

use crate::recordings;

/// A few messages, text or binary, each behind its kind and its length. The codec, the default parser
/// and a reader of its own see the same, and agree. The other parser sees those of bytes.
pub(crate) fn run(data: &[u8]) {
    let mut codec = socketio::Decoder::new();
    let mut default = DefaultParser.decoder();
    let mut msgpack = MsgPackParser.decoder();
    for message in messages(data) {
        if let Message::Binary(bytes) = &message
            && let Ok(Some(packet)) = msgpack.decode(Message::Binary(bytes.clone()))
        {
            assert_survives(&MsgPackParser, &packet);
        }
        let raw = match &message {
            Message::Text(text) => WebSocketMessage::Text(text),
            Message::Binary(bytes) => WebSocketMessage::Binary(bytes),
        };
        let begins = codec.missing() == 0;
        let verdict = codec.decode(raw);
        let plain = match raw {
            WebSocketMessage::Text(text) if begins => {
                let packet = verdict.as_ref().map(|received| match received {
                    Received::Packet(packet) => packet,
                    Received::Attachment { .. } => unreachable!("a text"),
                });
                plain::judge(text, packet)
            }
            _ => None,
        };
        let complete = match &verdict {
            Ok(Received::Packet(packet)) => {
                assert_codec(packet);
                Some(packet.attachments() == 0)
            }
            Ok(Received::Attachment { last, .. }) => Some(*last),
            Err(error) => {
                assert!(error.at <= message.len(), "{error:?}");
                None
            }
        };
        match (default.decode(message.clone()), complete) {
            (Ok(packet), Some(complete)) => {
                assert_eq!(packet.is_some(), complete, "{message:?}");
                if let Some(packet) = packet {
                    if let Some(plain) = plain {
                        plain.compare_parsed(&packet);
                    }
                    assert_survives(&DefaultParser, &packet);
                }
            }
            // The connection ends.
            (Err(_), None) => return,
            // What could not be passed on, or answered.
            (Err(ParseError::Packet(error)), Some(_))
                if matches!(error.kind, PacketErrorKind::InvalidNamespace | PacketErrorKind::TooDeep) =>
            {
                let byte = message.as_bytes().get(error.at);
                assert!(
                    byte.is_some_and(|byte| byte.is_ascii_control() || b"[{".contains(byte)),
                    "{error:?}"
                );
                return;
            }
            (ours, _) => panic!("{message:?}: the parser {ours:?}, the codec {verdict:?}"),
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let packets = recordings::vectors(&["sio5.json"]).chain(
        recordings::frames()
            .into_iter()
            .filter_map(|frame| frame.data.to_wire().strip_prefix(b"4").map(<[u8]>::to_vec)),
    );
    let message = |kind: u8, bytes: &[u8]| {
        let len = u8::try_from(bytes.len()).ok()?;
        Some([&[kind, len][..], bytes].concat())
    };
    let mut seeds: Vec<_> = packets.filter_map(|packet| message(0, &packet)).collect();
    let with_attachment = br#"51-/admin,7["a",{"_placeholder":true,"num":0}]"#;
    let attached = [message(0, with_attachment), message(1, b"\x01\x02")].into_iter().flatten();
    seeds.push(attached.collect::<Vec<_>>().concat());
    // What the default parser reads, the other one writes.
    let written = |seed: &Vec<u8>| {
        let packet = DefaultParser.decoder().decode(messages(seed).next()?).ok()??;
        let encoded = MsgPackParser.encode(&packet).ok()?;
        message(1, encoded.messages().next()?.as_bytes())
    };
    let written: Vec<_> = seeds.iter().filter_map(written).collect();
    seeds.extend(written);
    seeds
}

fn messages(data: &[u8]) -> impl Iterator<Item = Message> {
    let mut bytes = Unstructured::new(data);
    core::iter::from_fn(move || {
        let is_binary = bytes.arbitrary::<u8>().ok().filter(|_| !bytes.is_empty())? & 1 == 1;
        let len = usize::from(bytes.arbitrary::<u8>().ok()?).min(bytes.len());
        let payload = bytes.bytes(len).ok()?;
        Some(match str::from_utf8(payload) {
            Ok(text) if !is_binary => Message::text(text),
            _ => Message::binary(Bytes::copy_from_slice(payload)),
        })
    })
}

/// What is encoded decodes to the same, in exactly the bytes that it asks for.
fn assert_codec(packet: &socketio::Packet<'_>) {
    let Err(BufferTooSmall { needed, .. }) = packet.encode(&mut []) else { panic!("no packet is empty") };
    let mut out = vec![0xaa; needed];
    assert!(packet.encode(&mut out[..needed - 1]).is_err());
    assert!(out.iter().all(|byte| *byte == 0xaa), "wrote into a buffer that is too small");
    let text = packet.encode(&mut out).expect("room");
    assert_eq!(&socketio::Packet::decode(text).expect("a packet that was encoded"), packet);
}

/// A packet that was received can be sent on, and arrives as it was.
fn assert_survives(parser: &impl Parser, packet: &Packet) {
    let encoded = match parser.encode(packet) {
        Ok(encoded) => encoded,
        // What may arrive and is never sent: an answer to no question, and a refusal without a reason.
        Err(_) if matches!(packet.body, Body::Ack { id: u64::MAX, .. }) => return,
        Err(_) if matches!(&packet.body, Body::ConnectError(args) if args.is_empty()) => return,
        Err(error) => panic!("{error}: {packet:?}"),
    };
    let mut decoder = parser.decoder();
    let mut arrived = None;
    for message in encoded.into_messages() {
        assert!(arrived.is_none(), "nothing follows the last message");
        arrived = decoder.decode(message).expect("a packet that was encoded");
    }
    assert_eq!(&arrived.expect("a whole packet"), packet);
}
