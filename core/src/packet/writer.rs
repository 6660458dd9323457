//! Writes into the caller's buffer: the whole output or nothing.

use super::{Base64, base64};
use crate::BufferTooSmall;

/// The caller's buffer, and the length of its filled part.
///
/// Encoders first [`reserve`](Self::reserve) the exact length of their output, and then write it. So the length is
/// checked once, and nothing is written if the output does not fit.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    out: &'o mut [u8],
    len: usize,
}

impl<'o> Writer<'o> {
    pub(crate) const fn new(out: &'o mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Returns the number of bytes written.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the number of free bytes.
    pub(crate) const fn remaining(&self) -> usize {
        self.out.len().saturating_sub(self.len)
    }

    /// Checks that there is room for `additional` bytes. The error says how long the whole buffer would have to be.
    pub(crate) const fn reserve(&self, additional: usize) -> Result<(), BufferTooSmall> {
        if additional <= self.remaining() {
            Ok(())
        } else {
            Err(BufferTooSmall { needed: self.len.saturating_add(additional) })
        }
    }

    /// Returns the next `count` bytes of the buffer, for the caller to fill. They exist, because they have been
    /// reserved.
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
        // This compiles to a memcpy. `copy_from_slice` would keep its length check, and so a panic, in small images.
        self.advance(bytes.len()).iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    }

    /// Writes `data` as base64.
    pub(crate) fn base64(&mut self, data: &[u8]) {
        base64::encode_into(data, self.advance(base64::encoded_len(data.len())));
    }

    /// Writes `text` as base64 in its canonical form.
    pub(crate) fn base64_again(&mut self, text: Base64<'_>) {
        text.rewrite_into(self.advance(base64::encoded_len(text.decoded_len())));
    }

    /// Writes the bytes that `text` encodes.
    pub(crate) fn decoded(&mut self, text: Base64<'_>) {
        text.decode_into(self.advance(text.decoded_len()));
    }

    /// Returns the bytes that were written.
    pub(crate) fn finish(self) -> &'o [u8] {
        self.out.get(..self.len).unwrap_or_default()
    }

    /// Returns the text that was written. Only text may have been written.
    pub(crate) fn finish_text(self) -> &'o str {
        // Only whole strings and ASCII were written, so the fallback is never used. Without `unsafe`, the check is
        // necessary.
        core::str::from_utf8(self.finish()).unwrap_or_default()
    }
}
