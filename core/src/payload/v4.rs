//! Revision 4: packets separated by 0x1E.
//!
//! Binary messages travel as base64. The separator is not escaped: a text that contains it cannot be told from two
//! packets, in any implementation. So it is not encoded: [`find_separator`] knows it before, and [`Encoder::push`]
//! refuses it. As a binary message, or on a WebSocket, it travels well.

use core::iter::FusedIterator;

use crate::BufferTooSmall;
use crate::packet::{Data, DecodeError, DecodeErrorKind, Frame, Packet, Writer, v4};

/// Separates packets in a payload.
///
/// Source: the Engine.IO protocol, revision 4, "Packet encoding / HTTP long-polling".
pub const RECORD_SEPARATOR: u8 = 0x1e;

/// The packets in `body`, at most `max_packets` of them (see [`DEFAULT_MAX_PACKETS`](super::DEFAULT_MAX_PACKETS)).
///
/// An empty body, and an empty place before, between or behind separators, is an error.
///
/// ```
/// use eio_core::packet::{Frame, Packet};
/// use eio_core::payload::{v4, DEFAULT_MAX_PACKETS};
///
/// let mut packets = v4::decode(b"4hi\x1e2\x1e7", DEFAULT_MAX_PACKETS);
/// assert_eq!(packets.next(), Some(Ok(Packet::message(Frame::Text("hi")))));
/// assert_eq!(packets.next(), Some(Ok(Packet::PING)));
/// assert_eq!(packets.next().unwrap().unwrap_err().at, 6);
/// assert_eq!(packets.next(), None);
/// ```
pub const fn decode(body: &[u8], max_packets: usize) -> Decoder<'_> {
    Decoder { rest: Some(body), at: 0, left: max_packets }
}

/// Yields the packets of one payload; see [`decode`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Decoder<'a> {
    /// What is still to be decoded; none when the payload, or the trust in it, is at its end.
    rest: Option<&'a [u8]>,
    /// Where `rest` begins in the payload.
    at: usize,
    /// How many more packets are allowed.
    left: usize,
}

impl<'a> Iterator for Decoder<'a> {
    type Item = Result<Packet<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        let at = self.at;
        if self.left == 0 {
            return Some(Err(DecodeError::new(DecodeErrorKind::TooManyPackets, at)));
        }
        self.left = self.left.saturating_sub(1);
        let end = rest.iter().position(|byte| *byte == RECORD_SEPARATOR);
        let record = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let packet = decode_record(record).map_err(|error| error.after(at));
        if let (Ok(_), Some(end)) = (packet, end) {
            let past = end.saturating_add(1);
            self.at = at.saturating_add(past);
            self.rest = rest.get(past..);
        }
        Some(packet)
    }
}

impl FusedIterator for Decoder<'_> {}

fn decode_record(record: &[u8]) -> Result<Packet<'_>, DecodeError> {
    match core::str::from_utf8(record) {
        Ok(text) => v4::decode(Frame::Text(text)),
        Err(error) => Err(DecodeError::new(DecodeErrorKind::InvalidUtf8, error.valid_up_to())),
    }
}

/// Where the packet's text contains a [`RECORD_SEPARATOR`], if it does: no payload of this revision can carry it.
///
/// ```
/// use eio_core::packet::{Frame, Packet};
/// use eio_core::payload::v4::find_separator;
///
/// assert_eq!(find_separator(&Packet::message(Frame::Text("hi\u{1e}4there"))), Some(2));
/// assert_eq!(find_separator(&Packet::message(Frame::Text("hi"))), None);
/// assert_eq!(find_separator(&Packet::message(Frame::Binary(b"hi\x1e4there"))), None); // base64 there
/// ```
#[must_use]
pub fn find_separator(packet: &Packet<'_>) -> Option<usize> {
    let Data::Text(text) = packet.data else { return None };
    let text = text.as_bytes();
    // There hardly ever is one, so that the quick look is mostly all.
    if has_separator(text) { position(text) } else { None }
}

#[cold]
fn position(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| *byte == RECORD_SEPARATOR)
}

/// Looks at eight bytes at a time; the last eight overlap those before.
fn has_separator(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk() else { return text.contains(&RECORD_SEPARATOR) };
    let (chunks, _) = text.as_chunks();
    let found = chunks.iter().fold(separators(*last), |found, chunk| found | separators(*chunk));
    found & HIGHEST_BITS != 0
}

/// Has a highest bit set if one of the bytes is a separator: only a difference of zero borrows from a highest bit that
/// was not set.
const fn separators(bytes: [u8; 8]) -> u64 {
    let differences = u64::from_ne_bytes(bytes) ^ u64::from_ne_bytes([RECORD_SEPARATOR; 8]);
    differences.wrapping_sub(LOWEST_BITS) & !differences
}

const LOWEST_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHEST_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// Why a packet was not added to a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// Text with the separator in it: the peer would read two packets, and the second one could be any.
    #[error(
        "text with U+001E at byte {at}: expected none, which separates packets in a payload of revision 4"
    )]
    Separator {
        /// Where, from the start of the packet's data.
        at: usize,
    },
    /// The payload would be longer than the buffer.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

/// Writes a payload, packet by packet, into the caller's buffer.
///
/// ```
/// use eio_core::packet::{Frame, Packet};
/// use eio_core::payload::v4::{EncodeError, Encoder};
///
/// let mut buffer = [0; 10];
/// let mut payload = Encoder::new(&mut buffer);
/// payload.push(&Packet::NOOP)?;
/// let too_long = payload.push(&Packet::message(Frame::Binary(&[1, 2, 3, 4])));
/// assert!(matches!(too_long, Err(EncodeError::BufferTooSmall(error)) if error.needed == 11));
/// let forged = payload.push(&Packet::message(Frame::Text("\u{1e}1")));
/// assert_eq!(forged, Err(EncodeError::Separator { at: 0 }));
/// payload.push(&Packet::CLOSE)?;
/// assert_eq!(payload.finish(), b"6\x1e1");
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Debug)]
pub struct Encoder<'o> {
    writer: Writer<'o>,
}

impl<'o> Encoder<'o> {
    /// An empty payload in `out`, whose length is the limit on the payload's.
    #[must_use]
    pub const fn new(out: &'o mut [u8]) -> Self {
        Self { writer: Writer::new(out) }
    }

    /// Adds `packet`.
    ///
    /// # Errors
    /// [`EncodeError::BufferTooSmall`], where `needed` is the length of the payload with this packet; a shorter packet
    /// may still fit. [`EncodeError::Separator`] for text that no payload can carry. The payload is what it was before.
    pub fn push(&mut self, packet: &Packet<'_>) -> Result<(), EncodeError> {
        if let Some(at) = find_separator(packet) {
            return Err(EncodeError::Separator { at });
        }
        // No packet is empty, so a payload that is has none.
        let separated = !self.is_empty();
        self.writer.reserve(v4::text_len(packet).saturating_add(usize::from(separated)))?;
        if separated {
            self.writer.byte(RECORD_SEPARATOR);
        }
        v4::write_text(packet, &mut self.writer);
        Ok(())
    }

    /// The length in bytes of the payload so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.writer.len()
    }

    /// Whether no packet was added yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.writer.len() == 0
    }

    /// How many bytes of the buffer are free. The next packet takes one of them for its separator, unless it is the first.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.writer.remaining()
    }

    /// The payload. Without packets it is empty, which is no payload: send none then.
    #[must_use]
    pub fn finish(self) -> &'o [u8] {
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::DEFAULT_MAX_PACKETS;

    #[test]
    fn text_that_would_forge_a_packet_is_not_encoded_wherever_the_separator_stands() {
        let mut text = [b'x'; 70];
        for at in 0..text.len() {
            text[at] = RECORD_SEPARATOR;
            let packet = Packet::message(Frame::Text(core::str::from_utf8(&text).unwrap()));
            let mut buffer = [0; 100];
            let mut payload = Encoder::new(&mut buffer);
            payload.push(&Packet::PING).unwrap();
            assert_eq!(payload.push(&packet), Err(EncodeError::Separator { at }));
            payload.push(&Packet::PONG).unwrap();
            assert!(decode(payload.finish(), DEFAULT_MAX_PACKETS).eq([Ok(Packet::PING), Ok(Packet::PONG)]));
            text[at] = b'x';
        }
    }

    #[test]
    fn bytes_with_a_separator_travel_as_base64() {
        let packet = Packet::message(Frame::Binary(b"\x1e1"));
        let mut buffer = [0; 10];
        let mut payload = Encoder::new(&mut buffer);
        payload.push(&packet).unwrap();
        let mut packets = decode(payload.finish(), DEFAULT_MAX_PACKETS);
        let Some(Ok(Packet { data: Data::Base64(base64), .. })) = packets.next() else { panic!("a message") };
        assert_eq!(base64.decode(&mut [0; 2]).map(<[u8]>::len), Ok(2));
        assert_eq!(packets.next(), None);
    }
}
