//! Polling bodies: one packet by itself, or several, each after its length.

use eio_core::BufferTooSmall;
use eio_core::internal::text::{self, Decimal, read_decimal};

/// The mark before and after each length.
const MARK: &str = "\u{fffd}";

/// Splits a polling body into packets, in time linear in its length.
///
/// A body that does not begin with U+FFFD is one packet. Otherwise each packet follows U+FFFD, its length in UTF-16
/// code units, and another U+FFFD. An empty body holds no packet. The iterator returns at most `max_packets`.
///
/// ```
/// use eio_legacy::payload;
///
/// let body = "\u{fffd}5\u{fffd}3:::a\u{fffd}6\u{fffd}3:::😀";
/// let mut packets = payload::decode(body, 16);
/// assert_eq!(packets.next(), Some(Ok("3:::a")));
/// assert_eq!(packets.next(), Some(Ok("3:::😀")));
/// assert_eq!(packets.next(), None);
/// ```
#[must_use]
pub const fn decode(body: &str, max_packets: usize) -> PacketTexts<'_> {
    PacketTexts { body, at: 0, remaining: max_packets }
}

/// An iterator over the texts of the packets in a polling body. Pass each to [`LegacyPacket::decode`](crate::packet::LegacyPacket::decode).
/// After an error it returns no more packets.
#[derive(Clone, Debug)]
pub struct PacketTexts<'a> {
    body: &'a str,
    at: usize,
    remaining: usize,
}

impl<'a> Iterator for PacketTexts<'a> {
    type Item = Result<&'a str, LegacyPayloadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.body.len() {
            return None;
        }
        let packet = self.take_packet();
        if packet.is_err() {
            self.at = self.body.len();
        }
        Some(packet)
    }
}

impl core::iter::FusedIterator for PacketTexts<'_> {}

impl<'a> PacketTexts<'a> {
    fn take_packet(&mut self) -> Result<&'a str, LegacyPayloadError> {
        let error = |at, kind| LegacyPayloadError { at, kind };
        self.remaining =
            self.remaining.checked_sub(1).ok_or(error(self.at, LegacyPayloadErrorKind::TooManyPackets))?;
        if self.at == 0 && !self.body.starts_with(MARK) {
            self.at = self.body.len();
            return Ok(self.body);
        }
        let number = self.skip_mark(self.at)?;
        let digits = self.body.get(number..).unwrap_or_default();
        // A length above a u32 is longer than any body.
        let (length, width) = read_decimal(digits, u64::from(u32::MAX))
            .ok_or(error(number, LegacyPayloadErrorKind::InvalidLength))?;
        let start = self.skip_mark(number.saturating_add(width))?;
        let rest = self.body.get(start..).unwrap_or_default();
        let packet = take_utf16(rest, length).ok_or(error(number, LegacyPayloadErrorKind::InvalidLength))?;
        self.at = start.saturating_add(packet.len());
        Ok(packet)
    }

    /// Returns the offset after the U+FFFD at `at`.
    fn skip_mark(&self, at: usize) -> Result<usize, LegacyPayloadError> {
        if self.body.get(at..).is_some_and(|rest| rest.starts_with(MARK)) {
            return Ok(at.saturating_add(MARK.len()));
        }
        Err(LegacyPayloadError { at, kind: LegacyPayloadErrorKind::MissingMark })
    }
}

/// Returns the first `units` UTF-16 code units of `text`. Returns `None` if there are fewer, or if a surrogate pair
/// would be split.
fn take_utf16(text: &str, units: u64) -> Option<&str> {
    let mut remaining = units;
    let mut end = 0_usize;
    for character in text.chars() {
        if remaining == 0 {
            break;
        }
        remaining = remaining.checked_sub(if u32::from(character) > 0xffff { 2 } else { 1 })?;
        end = end.saturating_add(character.len_utf8());
    }
    if remaining == 0 { text.get(..end) } else { None }
}

/// Writes the texts of packets as one polling body, and returns it. A single packet is written by itself. Without
/// packets, the body is empty.
///
/// ```
/// use eio_legacy::payload;
///
/// let mut out = [0; 32];
/// assert_eq!(payload::encode(["2::"], &mut out), Ok("2::"));
/// assert_eq!(payload::encode(["2::", "8::"], &mut out), Ok("\u{fffd}3\u{fffd}2::\u{fffd}3\u{fffd}8::"));
/// ```
///
/// # Errors
/// Returns [`BufferTooSmall`], with the number of bytes needed, if the body does not fit. Nothing is written then.
pub fn encode<'o, 'p, I>(packets: I, out: &'o mut [u8]) -> Result<&'o str, BufferTooSmall>
where
    I: IntoIterator<Item = &'p str>,
    I::IntoIter: Clone,
{
    let packets = packets.into_iter();
    let single = packets.clone().nth(1).is_none();
    text::write(out, &|put| {
        for packet in packets.clone() {
            if !single {
                put(MARK);
                put(Decimal::new(utf16_length(packet)).as_str());
                put(MARK);
            }
            put(packet);
        }
    })
}

fn utf16_length(text: &str) -> u64 {
    text.chars().fold(0, |sum: u64, character| sum.saturating_add(character.len_utf16() as u64))
}

/// The error for a polling body that cannot be split: what is wrong, and where. The packets before it are valid; the
/// rest is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct LegacyPayloadError {
    /// The offset of the offending byte in the body.
    pub at: usize,
    /// The problem at that offset.
    pub kind: LegacyPayloadErrorKind,
}

/// The problem with a polling body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LegacyPayloadErrorKind {
    /// A U+FFFD is missing where a length begins or ends.
    #[error("missing U+FFFD beside a length")]
    MissingMark,
    /// A length is not a number, exceeds the body, or splits a surrogate pair.
    #[error("invalid length: expected the packet's number of UTF-16 code units")]
    InvalidLength,
    /// The body has more packets than the caller's limit.
    #[error("too many packets in one body")]
    TooManyPackets,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn lengths_that_do_not_fit_end_the_body_where_they_stand() {
        for (body, at, kind) in [
            ("\u{fffd}", 3, LegacyPayloadErrorKind::InvalidLength),
            ("\u{fffd}3", 4, LegacyPayloadErrorKind::MissingMark),
            ("\u{fffd}x\u{fffd}3:::a", 3, LegacyPayloadErrorKind::InvalidLength),
            ("\u{fffd}9\u{fffd}3:::a", 3, LegacyPayloadErrorKind::InvalidLength),
            ("\u{fffd}5\u{fffd}3:::😀", 3, LegacyPayloadErrorKind::InvalidLength),
            ("\u{fffd}99999999999999999999\u{fffd}3:::a", 3, LegacyPayloadErrorKind::InvalidLength),
        ] {
            let items: Vec<_> = decode(body, 8).collect();
            assert_eq!(items, [Err(LegacyPayloadError { at, kind })], "{body}");
        }
        let items: Vec<_> = decode("\u{fffd}2\u{fffd}3:::a", 8).collect();
        assert_eq!(
            items,
            [Ok("3:"), Err(LegacyPayloadError { at: 9, kind: LegacyPayloadErrorKind::MissingMark })]
        );
    }

    #[test]
    fn the_cap_on_packets_is_kept() {
        let body = "\u{fffd}0\u{fffd}\u{fffd}0\u{fffd}\u{fffd}0\u{fffd}";
        assert_eq!(decode(body, 3).collect::<Vec<_>>(), [Ok(""), Ok(""), Ok("")]);
        let kind = LegacyPayloadErrorKind::TooManyPackets;
        assert_eq!(
            decode(body, 2).collect::<Vec<_>>(),
            [Ok(""), Ok(""), Err(LegacyPayloadError { at: 14, kind })]
        );
        assert_eq!(decode("2::", 0).collect::<Vec<_>>(), [Err(LegacyPayloadError { at: 0, kind })]);
        assert_eq!(decode("", 0).count(), 0);
    }
}
