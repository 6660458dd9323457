//! A message that arrives in pieces, and the room into which its rest is read.

use bytes::{Buf as _, Bytes};
use eio_core::ws::{self, FrameHeader, MessageKind};

use super::limits::{AT_ONCE, LARGE};
use crate::wire::message::Message;
use crate::wire::text;

/// The smallest room that is worth a read.
const LITTLE: usize = 4 * 1024;

/// The room behind a message for the header of the next frame. So one read brings the end of a message, shows what
/// follows, and usually tells the runtime that nothing more has arrived.
const NEXT_HEADER: usize = FrameHeader::MAX_LEN;

/// Unused bytes before a message. Many allocators place a large block 16 bytes behind the start of a page, and the
/// received bytes are often at the start of one. AMD's processors copy to such a place ten times slower than to others:
/// their `rep movsb` is slow if the target's offset within its page is up to 31 bytes behind the source's.
const PAD: usize = 64;

/// The pieces so far of an incomplete message.
///
/// While its connection waits, it owns at most twice the memory of the bytes that have arrived, whatever length was
/// announced, besides a small constant.
#[derive(Debug, Default)]
pub(super) struct Partial {
    /// [`PAD`] unused bytes, and the pieces. Nothing at all before the first piece or read.
    bytes: Vec<u8>,
    /// How many bytes of the pieces are known to be UTF-8, if the message is text.
    checked: usize,
}

impl Partial {
    /// Returns the bytes that have arrived.
    fn arrived(&self) -> &[u8] {
        self.bytes.get(PAD..).unwrap_or_default()
    }

    fn spare(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// Makes room for exactly `more` bytes.
    fn reserve(&mut self, more: usize) {
        let pad = PAD.saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(pad + more);
        self.bytes.resize(self.bytes.len() + pad, 0);
    }

    /// Appends a piece. `left` bytes of its frame are still to come.
    pub(super) fn append(&mut self, piece: &[u8], left: usize) {
        if self.spare() < piece.len() {
            let arrived = self.arrived().len() + piece.len();
            self.reserve(piece.len() + arrived.min(left + NEXT_HEADER));
        }
        self.bytes.extend_from_slice(piece);
    }

    /// Makes room to read the `left` bytes of a frame directly, or some of them. Returns at most how many bytes to
    /// read, or `None` if there is too little room, so that the bytes must be appended.
    ///
    /// The room is as large as what has arrived. If a message of which only the header has arrived `is_expected`, the room is
    /// larger, and must be [given back](Self::give_back) when nothing more can be read.
    pub(super) fn make_room(&mut self, left: usize, is_expected: bool) -> Option<usize> {
        let arrived = self.arrived().len();
        if self.spare() < left.min(LITTLE) {
            let room = left.min(if is_expected && arrived < NEXT_HEADER { AT_ONCE } else { arrived });
            if room < left.min(LARGE) {
                return None;
            }
            self.reserve(room + NEXT_HEADER);
        }
        Some(self.spare().min(left + NEXT_HEADER))
    }

    /// Returns the place to read to, behind the pieces so far. Report what was read with [`take`](Self::take).
    pub(super) fn end_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Takes `read` bytes, of which the last `surplus` belong to the next frame. Returns the piece, to be unmasked, and
    /// moves the surplus to the start of `scratch`.
    pub(super) fn take(&mut self, read: usize, surplus: usize, scratch: &mut [u8]) -> &mut [u8] {
        let end = self.bytes.len() - surplus;
        scratch[..surplus].copy_from_slice(&self.bytes[end..]);
        self.bytes.truncate(end);
        &mut self.bytes[end + surplus - read..]
    }

    /// Frees most of the memory that nothing has arrived for.
    pub(super) fn give_back(&mut self) {
        self.bytes.shrink_to(2 * self.bytes.len() + NEXT_HEADER);
    }

    /// Checks the pieces so far of a text message, except a character that is not complete.
    ///
    /// # Errors
    /// Returns an error if no further bytes can make them UTF-8.
    pub(super) fn check(&mut self) -> Result<(), ws::Error> {
        let unchecked = self.arrived().get(self.checked..).unwrap_or_default();
        self.checked += text::valid_len(unchecked).ok_or(ws::Error::InvalidUtf8)?;
        Ok(())
    }

    /// Returns the complete message, without a copy.
    ///
    /// # Errors
    /// Returns an error if it is a text message but not UTF-8.
    pub(super) fn into_message(mut self, kind: MessageKind) -> Result<Message, ws::Error> {
        self.bytes.shrink_to(self.bytes.len() + NEXT_HEADER);
        let mut bytes = Bytes::from(self.bytes);
        bytes.advance(PAD.min(bytes.len()));
        match kind {
            MessageKind::Binary => Ok(Message::Binary(bytes)),
            MessageKind::Text => text::checked(bytes).map(Message::Text).ok_or(ws::Error::InvalidUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `bytes` directly, as far as there is room.
    fn read(partial: &mut Partial, bytes: &[u8], left: usize, is_expected: bool) -> Option<usize> {
        let room = partial.make_room(left, is_expected)?.min(bytes.len());
        partial.end_mut().extend_from_slice(&bytes[..room]);
        let piece = partial.take(room, room.saturating_sub(left), &mut [0; 64]);
        assert_eq!(*piece, bytes[..room.min(left)]);
        Some(room)
    }

    #[test]
    fn what_was_announced_but_has_not_arrived_costs_nothing_while_a_connection_waits() {
        let mut partial = Partial::default();
        assert!(partial.make_room(1_000_000, true).is_some_and(|room| room >= LARGE));
        partial.give_back();
        assert!(partial.bytes.capacity() <= 2 * PAD + NEXT_HEADER);
        for arrived in 1..100_000 {
            partial.append(b"x", 1_000_000 - arrived);
            let _ = partial.make_room(1_000_000 - arrived, false);
            assert!(partial.bytes.capacity() <= 2 * (PAD + arrived) + NEXT_HEADER, "{arrived}");
        }
    }

    #[test]
    fn a_message_that_trickles_in_is_moved_only_a_few_times() {
        let (mut partial, mut moves) = (Partial::default(), 0);
        let mut left = 1_000_000;
        while left > 0 {
            let before = partial.bytes.capacity();
            let piece = vec![7; 1_400.min(left)];
            if read(&mut partial, &piece, left, false).is_none() {
                partial.append(&piece, left - piece.len());
            }
            partial.give_back();
            left -= piece.len();
            moves += usize::from(partial.bytes.capacity() != before);
        }
        assert!(moves < 16, "{moves}");
        let message = partial.into_message(MessageKind::Binary).unwrap();
        assert_eq!(message, vec![7; 1_000_000].into());
    }

    #[test]
    fn an_expected_message_is_read_whole_and_the_bytes_behind_it_belong_to_the_next_frame() {
        let (mut partial, mut scratch) = (Partial::default(), [0; 64]);
        assert_eq!(partial.make_room(50_000, true), Some(50_000 + NEXT_HEADER));
        partial.end_mut().extend_from_slice(&vec![b'x'; 50_003]);
        assert_eq!(partial.take(50_003, 3, &mut scratch).len(), 50_000);
        assert_eq!(scratch[..4], *b"xxx\0");
        assert_eq!(partial.into_message(MessageKind::Text).unwrap(), "x".repeat(50_000).into());
    }

    #[test]
    fn text_is_checked_as_it_arrives_and_a_character_may_be_cut() {
        let mut partial = Partial::default();
        for piece in [&b"4\xf0\x9f"[..], b"\x91", b"\x8bab\xe2"] {
            partial.append(piece, 100);
            assert_eq!(partial.check(), Ok(()));
        }
        assert_eq!(partial.checked, "4👋ab".len());
        partial.append(b"\x28", 100);
        assert_eq!(partial.check(), Err(ws::Error::InvalidUtf8));

        let mut cut = Partial::default();
        cut.append(b"4\xf0\x9f", 0);
        assert_eq!(cut.check(), Ok(()));
        assert_eq!(cut.into_message(MessageKind::Text), Err(ws::Error::InvalidUtf8));
    }
}
