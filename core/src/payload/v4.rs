//! Revision 4: packets separated by 0x1E.
//!
//! Binary messages are sent as base64. The separator cannot be escaped, so no implementation can tell a text that
//! contains it from two packets. [`Encoder::push`] therefore refuses such a text, and [`find_separator`] detects it in
//! advance. Send it as a binary message or on a WebSocket instead.

use core::iter::FusedIterator;

use crate::BufferTooSmall;
use crate::packet::{Data, DecodeError, DecodeErrorKind, Packet, WebSocketMessage, Writer, v4};

/// Separates packets in a payload.
///
/// Source: the Engine.IO protocol, revision 4, "Packet encoding / HTTP long-polling".
pub const RECORD_SEPARATOR: u8 = 0x1e;

/// Returns an iterator over the packets in `body`. It accepts at most `max_packets` (see
/// [`DEFAULT_MAX_PACKETS`](super::DEFAULT_MAX_PACKETS)). The call itself reads the whole body, to find where it stops
/// being text.
///
/// An empty body is an error. So is an empty packet before, between or after separators.
///
/// ```
/// use eio_core::packet::{Packet, WebSocketMessage};
/// use eio_core::payload::{DEFAULT_MAX_PACKETS, v4};
///
/// let mut packets = v4::decode(b"4hi\x1e2\x1e7", DEFAULT_MAX_PACKETS);
/// assert_eq!(packets.next(), Some(Ok(Packet::message(WebSocketMessage::Text("hi")))));
/// assert_eq!(packets.next(), Some(Ok(Packet::PING)));
/// assert_eq!(packets.next().unwrap().unwrap_err().at, 6);
/// assert_eq!(packets.next(), None);
/// ```
pub const fn decode(body: &[u8], max_packets: usize) -> Decoder<'_> {
    let (text, is_text) = text_at_start(body);
    Decoder { rest: Some(text), is_text, at: 0, left: max_packets }
}

/// Returns the text at the start of `bytes`, and whether it is all of them.
const fn text_at_start(bytes: &[u8]) -> (&str, bool) {
    let len = match core::str::from_utf8(bytes) {
        Ok(text) => return (text, true),
        Err(error) => error.valid_up_to(),
    };
    let Some((bytes, _)) = bytes.split_at_checked(len) else { return ("", false) };
    let Ok(text) = core::str::from_utf8(bytes) else { return ("", false) };
    (text, false)
}

/// An iterator over the packets of one payload; see [`decode`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Decoder<'a> {
    /// The part that is still to be decoded, as far as it is text. `None` at the end of the payload and after an error.
    rest: Option<&'a str>,
    /// Whether the payload is text to its end.
    is_text: bool,
    /// The offset of `rest` in the payload.
    at: usize,
    /// The number of packets that are still allowed.
    left: usize,
}

impl<'a> Iterator for Decoder<'a> {
    type Item = Result<Packet<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let at = self.at;
        let record = self.take_record(rest);
        let packet = record.and_then(|record| v4::decode(WebSocketMessage::Text(record)));
        if packet.is_err() {
            self.rest = None;
        }
        Some(packet.map_err(|error| error.after(at)))
    }
}

impl<'a> Decoder<'a> {
    /// Takes the text up to the next separator, or to the end. An error counts from the start of this text.
    fn take_record(&mut self, rest: &'a str) -> Result<&'a str, DecodeError> {
        if self.left == 0 {
            return Err(DecodeError::new(DecodeErrorKind::TooManyPackets, 0));
        }
        self.left = self.left.saturating_sub(1);
        let Some(end) = first_separator(rest.as_bytes()) else {
            self.rest = None;
            let invalid = DecodeError::new(DecodeErrorKind::InvalidUtf8, rest.len());
            return if self.is_text { Ok(rest) } else { Err(invalid) };
        };
        let past = end.saturating_add(1);
        self.at = self.at.saturating_add(past);
        self.rest = rest.get(past..);
        Ok(rest.get(..end).unwrap_or_default())
    }
}

impl FusedIterator for Decoder<'_> {}

/// Returns the position of the first separator in `text`. Reads eight bytes at a time. The last eight may overlap those
/// before.
fn first_separator(text: &[u8]) -> Option<usize> {
    let Some(last) = text.last_chunk() else { return text.iter().position(|byte| *byte == RECORD_SEPARATOR) };
    let (words, _) = text.as_chunks();
    for (number, word) in words.iter().enumerate() {
        if let Some(offset) = first_in_word(*word) {
            return Some(number << 3 | offset);
        }
    }
    let offset = first_in_word(*last)?;
    Some(text.len().saturating_sub(8).saturating_add(offset))
}

fn first_in_word(word: [u8; 8]) -> Option<usize> {
    let found = separators(word) & HIGHEST_BITS;
    // A byte after the first separator may be marked by mistake, but none before it.
    (found != 0).then_some(usize::try_from(found.trailing_zeros() / 8).unwrap_or(0))
}

/// Returns the position of a [`RECORD_SEPARATOR`] in the packet's text, if it contains one. No payload of this revision
/// can carry such a packet.
///
/// ```
/// use eio_core::packet::{Packet, WebSocketMessage};
/// use eio_core::payload::v4::find_separator;
///
/// assert_eq!(find_separator(&Packet::message(WebSocketMessage::Text("hi\u{1e}4there"))), Some(2));
/// assert_eq!(find_separator(&Packet::message(WebSocketMessage::Text("hi"))), None);
/// assert_eq!(find_separator(&Packet::message(WebSocketMessage::Binary(b"hi\x1e4there"))), None); // base64 there
/// ```
#[must_use]
pub fn find_separator(packet: &Packet<'_>) -> Option<usize> {
    let Data::Text(text) = packet.data else { return None };
    let text = text.as_bytes();
    // Separators are rare, so the fast check is usually enough.
    if has_separator(text) { position(text) } else { None }
}

#[cold]
fn position(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| *byte == RECORD_SEPARATOR)
}

/// Checks eight bytes at a time. The last eight may overlap those before.
fn has_separator(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk() else { return text.contains(&RECORD_SEPARATOR) };
    let (chunks, _) = text.as_chunks();
    let found = chunks.iter().fold(separators(*last), |found, chunk| found | separators(*chunk));
    found & HIGHEST_BITS != 0
}

/// Returns a value with the highest bit of a byte set if one of the bytes is a separator: only a difference of zero
/// borrows from a highest bit that was not set.
const fn separators(bytes: [u8; 8]) -> u64 {
    let differences = u64::from_le_bytes(bytes) ^ u64::from_le_bytes([RECORD_SEPARATOR; 8]);
    differences.wrapping_sub(LOWEST_BITS) & !differences
}

const LOWEST_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGHEST_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The reason why a packet was not added to a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// The text contains the separator. The peer would read two packets, and the second could be of any type.
    #[error("the text contains U+001E at byte {at}, which separates packets in a payload of revision 4")]
    Separator {
        /// The offset of the separator from the start of the packet's data.
        at: usize,
    },
    /// The payload would be longer than the buffer.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

/// Writes a payload into the caller's buffer, packet by packet.
///
/// ```
/// use eio_core::packet::{Packet, WebSocketMessage};
/// use eio_core::payload::v4::{EncodeError, Encoder};
///
/// let mut buffer = [0; 10];
/// let mut payload = Encoder::new(&mut buffer);
/// payload.push(&Packet::NOOP)?;
/// let too_long = payload.push(&Packet::message(WebSocketMessage::Binary(&[1, 2, 3, 4])));
/// assert!(matches!(too_long, Err(EncodeError::BufferTooSmall(error)) if error.needed == 11));
/// let forged = payload.push(&Packet::message(WebSocketMessage::Text("\u{1e}1")));
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
    /// Creates an empty payload in `out`. The length of `out` limits the length of the payload.
    #[must_use]
    pub const fn new(out: &'o mut [u8]) -> Self {
        Self { writer: Writer::new(out) }
    }

    /// Adds `packet`.
    ///
    /// # Errors
    /// Returns [`EncodeError::BufferTooSmall`] if the packet does not fit. `needed` is the length of the payload with
    /// this packet; a shorter packet may still fit. Returns [`EncodeError::Separator`] for text that no payload can
    /// carry. The payload is unchanged in both cases.
    pub fn push(&mut self, packet: &Packet<'_>) -> Result<(), EncodeError> {
        if let Some(at) = find_separator(packet) {
            return Err(EncodeError::Separator { at });
        }
        // No packet is empty, so an empty payload has no packets.
        let separated = !self.is_empty();
        let len = v4::text_len(packet).saturating_add(usize::from(separated));
        self.writer.reserve(len)?;
        let space = self.writer.advance(len);
        let text = match space.split_first_mut() {
            Some((separator, text)) if separated => {
                *separator = RECORD_SEPARATOR;
                text
            }
            _ => space,
        };
        v4::fill_text(packet, text);
        Ok(())
    }

    /// Returns the current length of the payload, in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.writer.len()
    }

    /// Returns whether no packet has been added yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.writer.len() == 0
    }

    /// Returns the number of free bytes in the buffer. The next packet takes one of them for its separator, unless it
    /// is the first.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.writer.remaining()
    }

    /// Returns the payload. Without packets it is empty, which is not a valid payload: do not send it.
    #[must_use]
    pub fn finish(self) -> &'o [u8] {
        self.writer.finish()
    }
}

/// Returns the bytes that `packet` takes in a payload, without a separator.
pub(super) const fn packet_len(packet: &Packet<'_>) -> usize {
    v4::text_len(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::DEFAULT_MAX_PACKETS;

    #[test]
    fn text_that_would_forge_a_packet_is_not_encoded_wherever_the_separator_stands() {
        // The last eight bytes were looked at before: all of them in texts of 8 and 16 bytes, and some in one of 70.
        for (len, at) in [7, 8, 16, 70].into_iter().flat_map(|len| (0..len).map(move |at| (len, at))) {
            let mut text = [b'x'; 70];
            text[at] = RECORD_SEPARATOR;
            let text = core::str::from_utf8(&text[..len]).unwrap();
            let mut buffer = [0; 100];
            let mut payload = Encoder::new(&mut buffer);
            payload.push(&Packet::PING).unwrap();
            let forged = payload.push(&Packet::message(WebSocketMessage::Text(text)));
            assert_eq!(forged, Err(EncodeError::Separator { at }));
            payload.push(&Packet::PONG).unwrap();
            assert!(decode(payload.finish(), DEFAULT_MAX_PACKETS).eq([Ok(Packet::PING), Ok(Packet::PONG)]));
        }
    }

    /// What [`decode`] returns, by checking one record after the other.
    fn slowly(body: &[u8], mut check: impl FnMut(Result<Packet<'_>, DecodeError>)) {
        let mut at = 0;
        for record in body.split(|byte| *byte == RECORD_SEPARATOR) {
            let packet = match core::str::from_utf8(record) {
                Ok(text) => v4::decode(WebSocketMessage::Text(text)),
                Err(error) => Err(DecodeError::new(DecodeErrorKind::InvalidUtf8, error.valid_up_to())),
            };
            check(packet.map_err(|error| error.after(at)));
            if packet.is_err() {
                return;
            }
            at = at.saturating_add(record.len()).saturating_add(1);
        }
    }

    fn assert_decoded_as_slowly(body: &[u8]) {
        let mut packets = decode(body, DEFAULT_MAX_PACKETS);
        slowly(body, |packet| assert_eq!(packets.next(), Some(packet), "{body:x?}"));
        assert_eq!(packets.next(), None, "{body:x?}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn a_separator_is_found_at_every_place_of_every_length_and_nothing_else_is_taken_for_one() {
        // Neighbours of the separator, and what differs from it in the highest bit.
        for filler in ["4", "\x1d", "\x1f", "\x1e", "\u{9e}", "\0"] {
            for (len, start) in (0..=40).flat_map(|len| (0..8).map(move |start| (len, start))) {
                let mut buffer = [b'4'; 8 + 2 * 40];
                let body = &mut buffer[start..start + len];
                for piece in body.chunks_exact_mut(2 * filler.len()) {
                    piece[..filler.len()].copy_from_slice(filler.as_bytes());
                }
                assert_decoded_as_slowly(body);
                for at in 0..len {
                    for bytes in [&[RECORD_SEPARATOR][..], &[RECORD_SEPARATOR; 2], &[0x1f, RECORD_SEPARATOR]]
                    {
                        let mut body = [0; 2 * 40 + 8];
                        let body = &mut body[start..start + len];
                        body.copy_from_slice(&buffer[start..start + len]);
                        body.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
                        assert_decoded_as_slowly(body);
                    }
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn what_is_not_text_ends_the_payload_in_its_own_record_wherever_it_stands() {
        for len in 1..=40 {
            for at in 0..len {
                // A byte of no character, a character that is cut off, and one that a separator cuts off.
                for bytes in [&[0xff][..], &[0xe2, 0x82], &[0xe2, 0x82, RECORD_SEPARATOR]] {
                    let mut body = [b'4'; 40];
                    let body = &mut body[..len];
                    body.iter_mut().skip(7).step_by(9).for_each(|byte| *byte = RECORD_SEPARATOR);
                    body.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
                    assert_decoded_as_slowly(body);
                }
            }
        }
    }

    #[test]
    fn bytes_with_a_separator_travel_as_base64() {
        let packet = Packet::message(WebSocketMessage::Binary(b"\x1e1"));
        let mut buffer = [0; 10];
        let mut payload = Encoder::new(&mut buffer);
        payload.push(&packet).unwrap();
        let mut packets = decode(payload.finish(), DEFAULT_MAX_PACKETS);
        let Some(Ok(Packet { data: Data::Base64(base64), .. })) = packets.next() else { panic!("a message") };
        assert_eq!(base64.decode(&mut [0; 2]).map(<[u8]>::len), Ok(2));
        assert_eq!(packets.next(), None);
    }
}
