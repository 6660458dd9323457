//! Revision 4: packets separated by 0x1E.
//!
//! Binary messages travel as base64. The separator is not escaped: a text that contains it cannot be told from two
//! packets, in any implementation.

use core::iter::FusedIterator;

use crate::BufferTooSmall;
use crate::packet::{DecodeError, DecodeErrorKind, Frame, Packet, Writer, v4};

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

/// Writes a payload, packet by packet, into the caller's buffer.
///
/// ```
/// use eio_core::packet::{Frame, Packet};
/// use eio_core::payload::v4::Encoder;
///
/// let mut buffer = [0; 10];
/// let mut payload = Encoder::new(&mut buffer);
/// payload.push(&Packet::NOOP)?;
/// assert_eq!(payload.push(&Packet::message(Frame::Binary(&[1, 2, 3, 4]))).unwrap_err().needed, 11);
/// payload.push(&Packet::CLOSE)?;
/// assert_eq!(payload.finish(), b"6\x1e1");
/// # Ok::<(), eio_core::BufferTooSmall>(())
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
    /// [`BufferTooSmall`], where `needed` is the length of the payload with this packet. The payload is what it was
    /// before, and a shorter packet may still fit.
    pub fn push(&mut self, packet: &Packet<'_>) -> Result<(), BufferTooSmall> {
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
