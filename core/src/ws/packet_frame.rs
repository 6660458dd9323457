//! One packet as one frame.

use super::{FrameHeader, OpCode, mask};
use crate::packet::{Data, Packet, Writer};
use crate::{BufferTooSmall, Revision};

/// One packet as one frame: a short head, and a payload that stays where it is.
///
/// There are two ways to write it. [`encode`](Self::encode) writes the whole frame into one buffer. A server with large
/// payloads writes [`head`](Self::head) and [`payload`](Self::payload) one after the other, and copies nothing. A client
/// that does so masks a copy of the payload, piece by piece, with [`mask_payload`](Self::mask_payload).
///
/// ```
/// use eio_core::Revision;
/// use eio_core::packet::{WebSocketMessage, Packet};
/// use eio_core::ws::PacketFrame;
///
/// let packet = Packet::message(WebSocketMessage::Text("hello"));
/// let frame = PacketFrame::new(Revision::V4, &packet, true, None);
/// assert_eq!((frame.head(), frame.payload()), (&b"\x81\x064"[..], Some(&b"hello"[..])));
/// assert_eq!(frame.encode(&mut [0; 8])?, b"\x81\x064hello");
///
/// // A client's frame is masked.
/// let frame = PacketFrame::new(Revision::V4, &packet, true, Some([0x37, 0xfa, 0x21, 0x3d]));
/// let mut payload = *b"hello";
/// frame.mask_payload(&mut payload, 0);
/// let mut out = [0; 12];
/// assert_eq!(frame.encode(&mut out)?, [frame.head(), &payload].concat());
///
/// // Bytes for a peer that asked for base64 have to be written.
/// let packet = Packet::message(WebSocketMessage::Binary(&[1, 2, 3, 4]));
/// let frame = PacketFrame::new(Revision::V4, &packet, false, None);
/// assert_eq!(frame.payload(), None);
/// assert_eq!(frame.encode(&mut out)?, b"\x81\x09bAQIDBA==");
/// # Ok::<(), eio_core::BufferTooSmall>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PacketFrame<'p> {
    head: [u8; MAX_HEAD],
    head_len: usize,
    /// The bytes of the packet's type, which are in the head.
    prefix_len: usize,
    key: Option<[u8; 4]>,
    data: Data<'p>,
    body: Body,
}

/// The form of the payload behind the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Body {
    /// The data's own bytes, decoded if it came as base64.
    Raw,
    /// The data as base64.
    Base64,
}

impl Body {
    /// Returns the length of the payload, in bytes.
    const fn len(self, data: &Data<'_>) -> usize {
        match self {
            Self::Raw => data.raw_len(),
            Self::Base64 => data.text_len(),
        }
    }
}

impl<'p> PacketFrame<'p> {
    /// The length of the longest head: a header, and the two characters before the base64 of revision 3.
    pub const MAX_HEAD: usize = MAX_HEAD;

    /// Creates the frame of a packet. `supports_binary` is false for a peer that asked for base64 (`b64` in its query).
    /// `key` masks a client's frame, and must be fresh and unpredictable; a server passes `None`.
    #[must_use]
    pub fn new(revision: Revision, packet: &Packet<'p>, supports_binary: bool, key: Option<[u8; 4]>) -> Self {
        let data = packet.data;
        let digit = packet.packet_type.digit();
        let character = digit.wrapping_add(b'0');
        let binary = data.is_binary();
        let (opcode, prefix, prefix_len, body) = match revision {
            _ if !binary => (OpCode::Text, [character, 0], 1, Body::Raw),
            Revision::V4 if supports_binary => (OpCode::Binary, [0, 0], 0, Body::Raw),
            Revision::V3 if supports_binary => (OpCode::Binary, [digit, 0], 1, Body::Raw),
            Revision::V4 => (OpCode::Text, [b'b', 0], 1, Body::Base64),
            Revision::V3 => (OpCode::Text, [b'b', character], 2, Body::Base64),
        };
        let header =
            FrameHeader { mask: key, ..FrameHeader::new(opcode, body.len(&data).saturating_add(prefix_len)) };
        let mut head = [0; MAX_HEAD];
        // The longest header and prefix fit.
        let header_len = header.encode(&mut head).unwrap_or_default();
        let place = head.get_mut(header_len..).unwrap_or_default();
        for (place, &byte) in place.iter_mut().zip(prefix.iter().take(prefix_len)) {
            *place = byte;
        }
        if let Some(key) = key {
            mask::mask(place.get_mut(..prefix_len).unwrap_or_default(), key, 0);
        }
        Self { head, head_len: header_len.saturating_add(prefix_len), prefix_len, key, data, body }
    }

    /// Returns the first bytes of the frame: its header and the packet's type.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.head.get(..self.head_len).unwrap_or_default()
    }

    /// Returns the bytes behind the head, not masked. Returns `None` if they do not exist yet, because base64 has to be
    /// written or decoded: use [`encode`](Self::encode).
    #[must_use]
    pub const fn payload(&self) -> Option<&'p [u8]> {
        match (self.data, self.body) {
            (Data::Text(text), Body::Raw) => Some(text.as_bytes()),
            (Data::Binary(bytes), Body::Raw) => Some(bytes),
            _ => None,
        }
    }

    /// Masks a copy of a part of the payload, in place. `offset` is the number of bytes of the payload before that part.
    /// Does nothing for a server's frame.
    pub fn mask_payload(&self, part: &mut [u8], offset: usize) {
        if let Some(key) = self.key {
            mask::mask(part, key, self.prefix_len.wrapping_add(offset));
        }
    }

    /// Returns the length of the frame, in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.head_len.saturating_add(self.body.len(&self.data))
    }

    /// Returns false: a frame has at least its header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes the whole frame and returns it.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `out` is shorter than [`len`](Self::len). Nothing was written then.
    pub fn encode<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], BufferTooSmall> {
        let needed = self.len();
        let out = out.get_mut(..needed).ok_or(BufferTooSmall { needed })?;
        let mut writer = Writer::new(out);
        writer.bytes(self.head());
        match (self.data, self.body) {
            (data, Body::Raw) => data.write_raw(&mut writer),
            (Data::Text(_), Body::Base64) => {}
            (Data::Binary(bytes), Body::Base64) => writer.base64(bytes),
            (Data::Base64(text), Body::Base64) => writer.base64_again(text),
        }
        self.mask_payload(out.get_mut(self.head_len..).unwrap_or_default(), 0);
        Ok(out)
    }
}

const MAX_HEAD: usize = FrameHeader::MAX_LEN + 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Base64, PacketType, WebSocketMessage};
    use crate::ws::encode_message;

    #[test]
    fn a_packets_frame_is_the_frame_of_the_encoded_packet() {
        let base64 = Base64::new("AQID").expect("base64");
        let packets = [
            Packet::PING_PROBE,
            Packet::message(WebSocketMessage::Text("")),
            Packet::message(WebSocketMessage::Text("4€😀")),
            Packet::message(WebSocketMessage::Binary(&[])),
            Packet::message(WebSocketMessage::Binary(&[4, 200, 9, 0])),
            Packet::message(WebSocketMessage::Binary(&[7; 300])),
            Packet { packet_type: PacketType::Message, data: Data::Base64(base64) },
        ];
        for revision in Revision::ALL {
            for packet in packets {
                for (supports_binary, key) in
                    [(true, None), (false, None), (true, Some([1, 2, 3, 4])), (false, Some([0xff, 0, 9, 5]))]
                {
                    let (mut packed, mut expected, mut out) = ([0; 512], [0; 512], [0; 512]);
                    let message = revision.encode(&packet, supports_binary, &mut packed).expect("512 bytes");
                    let len = encode_message(message, key, &mut expected).expect("512 bytes");
                    let frame = PacketFrame::new(revision, &packet, supports_binary, key);
                    assert_eq!(frame.encode(&mut out), Ok(&expected[..len]), "{revision} {packet:?}");
                    assert_eq!(frame.len(), len);
                    assert_eq!(frame.encode(&mut out[..len - 1]), Err(BufferTooSmall { needed: len }));
                    let Some(payload) = frame.payload() else { continue };
                    let mut pieces = [0; 512];
                    for (place, byte) in pieces.iter_mut().zip(frame.head().iter().chain(payload)) {
                        *place = *byte;
                    }
                    let (first, second) = pieces[frame.head().len()..len].split_at_mut(payload.len() / 3);
                    frame.mask_payload(first, 0);
                    frame.mask_payload(second, first.len());
                    assert_eq!(pieces[..len], expected[..len], "{revision} {packet:?} in pieces");
                }
            }
        }
    }

    #[test]
    fn the_payload_stays_where_it_is_unless_base64_has_to_be_written_or_decoded() {
        let (text, bytes) = ("hello", &[1, 2, 3][..]);
        let frame = |packet: Packet<'static>, supports_binary| {
            PacketFrame::new(Revision::V4, &packet, supports_binary, None)
        };
        let text = frame(Packet::message(WebSocketMessage::Text(text)), false);
        assert_eq!(
            (text.head(), text.payload(), text.is_empty()),
            (&b"\x81\x064"[..], Some(&b"hello"[..]), false)
        );
        let binary = Packet::message(WebSocketMessage::Binary(bytes));
        assert_eq!(frame(binary, true).payload(), Some(bytes));
        assert_eq!(frame(binary, false).payload(), None);
    }

    #[test]
    fn the_longest_head_has_room() {
        extern crate std;
        // Eight bytes of length, a key, and the two characters before base64.
        let bytes = std::vec![0; 0x1_0000];
        let packet = Packet::message(WebSocketMessage::Binary(&bytes));
        let frame = PacketFrame::new(Revision::V3, &packet, false, Some([0; 4]));
        assert_eq!(frame.head(), b"\x81\xff\0\0\0\0\0\x01\x55\x5a\0\0\0\0b4");
    }
}
