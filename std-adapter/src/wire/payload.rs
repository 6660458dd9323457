//! Payloads: the packets in one request or answer on polling.

use eio_core::Revision;
use eio_core::packet::Packet;
use eio_core::payload;
use eio_core::payload::v3::Framing;
use eio_core::payload::v4::{EncodeError, find_separator};

use crate::wire::message::Message;

/// Encodes these packets as a payload. Also returns its form.
///
/// # Errors
/// Returns an error if a message contains the separator of packets, or a packet is longer than its bound. Both should be
/// impossible: `send` refuses such a message.
pub(crate) fn encode(
    revision: Revision,
    base64_only: bool,
    packets: &[Packet<'_>],
) -> Result<(Framing, Vec<u8>), EncodeError> {
    let framing = match revision {
        Revision::V4 => Framing::Text,
        Revision::V3 => Framing::of(packets, !base64_only),
    };
    let mut out = vec![0; packets.iter().map(|packet| packet_bound(revision, packet)).sum()];
    let len = match revision {
        Revision::V4 => {
            let mut encoder = payload::v4::Encoder::new(&mut out);
            packets.iter().try_for_each(|packet| encoder.push(packet))?;
            encoder.finish().len()
        }
        Revision::V3 => {
            let mut encoder = payload::v3::Encoder::new(framing, &mut out);
            packets.iter().try_for_each(|packet| encoder.push(packet))?;
            encoder.finish().len()
        }
    };
    out.truncate(len);
    Ok((framing, out))
}

/// Returns the position of U+001E in a text message for revision 4. It separates packets on polling, so the text cannot be
/// sent there.
pub(crate) fn separator(revision: Revision, message: &Message) -> Option<usize> {
    match revision {
        Revision::V4 => find_separator(&Packet::message(message.as_websocket_message())),
        Revision::V3 => None,
    }
}

/// Returns an upper bound for the length of a packet in a payload: its longest form, and a separator or a length prefix.
pub(crate) fn packet_bound(revision: Revision, packet: &Packet<'_>) -> usize {
    let overhead = match revision {
        Revision::V4 => 1,
        Revision::V3 => 24,
    };
    revision.encoded_len(packet, false).max(revision.encoded_len(packet, true)) + overhead
}

#[cfg(test)]
mod tests {
    use eio_core::packet::WebSocketMessage;

    use super::*;

    #[test]
    fn a_text_that_would_forge_packets_is_in_no_payload_of_revision_4() {
        let packets = [
            Packet::PING,
            Packet::message(WebSocketMessage::Text("hi\u{1e}1")),
            Packet::message(WebSocketMessage::Text("ho")),
        ];
        assert_eq!(encode(Revision::V4, false, &packets), Err(EncodeError::Separator { at: 2 }));
        let (framing, payload) = encode(Revision::V3, false, &packets).unwrap();
        assert_eq!((framing, &*payload), (Framing::Text, &b"1:25:4hi\x1e13:4ho"[..]));
        let bytes = [Packet::message(WebSocketMessage::Binary(b"hi\x1e1"))];
        assert_eq!(encode(Revision::V4, false, &bytes).unwrap().1, b"baGkeMQ==");
    }
}
