//! Packets of both revisions, as WebSocket messages.

use eio_core::Revision;
use eio_core::packet::{Data, DecodeError, DecodeErrorKind, Packet, PacketType, WebSocketMessage};

use crate::recordings;

/// Decodes the bytes as a message of each kind. What is a packet survives being encoded and decoded again.
pub(crate) fn run(data: &[u8]) {
    let text = str::from_utf8(data).ok().map(WebSocketMessage::Text);
    for message in [Some(WebSocketMessage::Binary(data)), text].into_iter().flatten() {
        for revision in Revision::ALL {
            match revision.decode(message) {
                Ok(packet) => assert_survives(revision, &packet),
                Err(error) => assert_points_into(data, error),
            }
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let recorded = recordings::frames().into_iter().map(|frame| frame.data.to_wire());
    recordings::vectors(&["eio3.json", "eio4.json"]).chain(recorded).collect()
}

fn assert_survives(revision: Revision, packet: &Packet<'_>) {
    for supports_binary in [false, true] {
        let len = revision.encoded_len(packet, supports_binary);
        // Bytes that need no more than themselves are not copied.
        let needed =
            revision.encode(packet, supports_binary, &mut []).map_or_else(|error| error.needed, |_| 0);
        assert!(needed == len || needed == 0, "{needed} of {len}");
        let mut out = vec![0xaa; needed];
        if let Some(short) = needed.checked_sub(1) {
            let error = revision.encode(packet, supports_binary, &mut out[..short]).expect_err("too small");
            assert_eq!(error.needed, needed);
            assert!(out.iter().all(|byte| *byte == 0xaa), "wrote into a buffer that is too small");
        }
        let message = revision.encode(packet, supports_binary, &mut out).expect("room");
        let encoded = match message {
            WebSocketMessage::Text(text) => text.as_bytes(),
            WebSocketMessage::Binary(bytes) => bytes,
        };
        assert_eq!(encoded.len(), len);
        let again = revision.decode(message).expect("a packet that was encoded");
        assert_eq!(owned(&again), owned(packet), "{message:?}");
    }
}

/// The parts of a packet, whatever form its data has on the wire.
pub(crate) fn owned(packet: &Packet<'_>) -> (PacketType, bool, Vec<u8>) {
    let bytes = match packet.data {
        Data::Text(text) => text.as_bytes().to_vec(),
        Data::Binary(bytes) => bytes.to_vec(),
        Data::Base64(text) => {
            let mut bytes = vec![0; text.decoded_len()];
            assert_eq!(text.decode(&mut bytes).expect("room").len(), text.decoded_len());
            bytes
        }
    };
    (packet.packet_type, packet.data.is_binary(), bytes)
}

/// An error names a place in the input, and the byte that is there.
pub(crate) fn assert_points_into(data: &[u8], error: DecodeError) {
    assert!(error.at <= data.len(), "{error:?}");
    match error.kind {
        DecodeErrorKind::UnknownType(byte) | DecodeErrorKind::InvalidMarker(byte) => {
            assert_eq!(data.get(error.at), Some(&byte), "{error:?}");
        }
        DecodeErrorKind::InvalidUtf8 => assert!(data.get(error.at).is_some_and(|byte| *byte >= 0x80)),
        _ => {}
    }
}
