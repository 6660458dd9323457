//! Filling the caller's buffer: all of it or nothing.

use super::{Base64, base64};
use crate::BufferTooSmall;

/// The caller's buffer and how much of it is filled.
///
/// Encoders [`reserve`](Self::reserve) the exact length of what they are about to write, then write it. So the
/// question whether it fits is asked once, and nothing is written when it does not.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    out: &'o mut [u8],
    len: usize,
}

impl<'o> Writer<'o> {
    pub(crate) const fn new(out: &'o mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// How many bytes are written.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// How many more bytes there is room for.
    pub(crate) const fn remaining(&self) -> usize {
        self.out.len().saturating_sub(self.len)
    }

    /// Whether there is room for `additional` bytes; the error says how long the whole buffer would have to be.
    pub(crate) const fn reserve(&self, additional: usize) -> Result<(), BufferTooSmall> {
        if additional <= self.remaining() {
            Ok(())
        } else {
            Err(BufferTooSmall { needed: self.len.saturating_add(additional) })
        }
    }

    /// The next `count` bytes of the buffer, to be filled. They have been reserved, so they are there.
    pub(crate) fn advance(&mut self, count: usize) -> &mut [u8] {
        let end = self.len.saturating_add(count);
        let Some(space) = self.out.get_mut(self.len..end) else { return &mut [] };
        self.len = end;
        space
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // Becomes a memcpy; `copy_from_slice` would leave its length check, and with it a panic, in small images.
        self.advance(bytes.len()).iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }

    /// Writes `data` as base64.
    pub(crate) fn base64(&mut self, data: &[u8]) {
        base64::encode_into(data, self.advance(base64::encoded_len(data.len())));
    }

    /// Writes `text` again, in its canonical form.
    pub(crate) fn base64_again(&mut self, text: Base64<'_>) {
        text.rewrite_into(self.advance(base64::encoded_len(text.decoded_len())));
    }

    /// Writes the bytes that `text` stands for.
    pub(crate) fn decoded(&mut self, text: Base64<'_>) {
        text.decode_into(self.advance(text.decoded_len()));
    }

    /// What was written.
    pub(crate) fn finish(self) -> &'o [u8] {
        self.out.get(..self.len).unwrap_or_default()
    }

    /// What was written, when all of it was text.
    pub(crate) fn finish_text(self) -> &'o str {
        // Whole strings and ASCII were written, so this never falls back; without `unsafe` it has to be asked.
        core::str::from_utf8(self.finish()).unwrap_or_default()
    }
}
