//! Base64: binary data as text (RFC 4648 section 4).
//!
//! The core does not use a library for this, because it guarantees that no input can make it panic, down to the release
//! image. This code cuts slices only into arrays of known length, so no check remains that could fail.

use super::{DecodeError, DecodeErrorKind, writer::Writer};
use crate::BufferTooSmall;

/// Base64 text that was checked. [`decode`](Self::decode) writes the bytes into the caller's buffer.
///
/// Peers write base64 in different ways. So this type reads both alphabets of RFC 4648 (sections 4 and 5), even mixed.
/// Padding may be missing or have the wrong length (at most two `=`), and bits after the last byte are ignored. The
/// reference implementations do the same. Anything else is an error: unlike them, this type never skips invalid
/// characters.
///
/// Two values are equal if their symbols are equal. Padding does not matter.
///
/// ```
/// use eio_core::packet::Base64;
///
/// let text = Base64::new("AQIDBA==")?;
/// let mut buffer = [0; 16];
/// assert_eq!(text.decoded_len(), 4);
/// assert_eq!(text.decode(&mut buffer)?, [1, 2, 3, 4]);
/// assert_eq!(text, Base64::new("AQIDBA")?);
/// assert_eq!(Base64::new("AQ!D").unwrap_err().at, 2);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Base64<'a>(
    /// Symbols of either alphabet, without padding; never 4n + 1 of them.
    &'a str,
);

impl<'a> Base64<'a> {
    /// Creates a value from `text`, after checking it in one pass.
    ///
    /// # Errors
    /// Returns [`DecodeErrorKind::InvalidBase64`] at the first byte that is not allowed at its place, or at the end of
    /// `text` if a symbol is missing there.
    pub fn new(text: &'a str) -> Result<Self, DecodeError> {
        let count = text.bytes().position(|byte| value(byte).is_none()).unwrap_or(text.len());
        let (symbols, rest) = text.split_at_checked(count).unwrap_or_default();
        // Four symbols encode three bytes, three encode two, two encode one, and one encodes nothing.
        let complete = count % 4 != 1;
        let padding = rest.bytes().take(2).take_while(|byte| complete && *byte == b'=').count();
        if complete && padding == rest.len() {
            return Ok(Self(symbols));
        }
        Err(DecodeError::new(DecodeErrorKind::InvalidBase64, count.saturating_add(padding)))
    }

    /// Returns the number of bytes that the text encodes.
    #[must_use]
    pub const fn decoded_len(&self) -> usize {
        let count = self.0.len();
        (count / 4).saturating_mul(3).saturating_add((count % 4).saturating_sub(1))
    }

    /// Writes the bytes into `out` and returns them.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `out` is shorter than [`decoded_len`](Self::decoded_len). Nothing was written
    /// then.
    pub fn decode<'o>(&self, out: &'o mut [u8]) -> Result<&'o [u8], BufferTooSmall> {
        let mut writer = Writer::new(out);
        writer.reserve(self.decoded_len())?;
        self.decode_into(writer.advance(self.decoded_len()));
        Ok(writer.finish())
    }

    /// Fills `out`, whose length is `decoded_len()`.
    pub(super) fn decode_into(self, out: &mut [u8]) {
        let (quads, rest) = self.0.as_bytes().as_chunks::<4>();
        let (triples, last) = out.as_chunks_mut::<3>();
        for (triple, quad) in triples.iter_mut().zip(quads) {
            *triple = decode_quad(*quad);
        }
        let mut quad = [b'A'; 4];
        quad.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        last.iter_mut().zip(decode_quad(quad)).for_each(|(to, from)| *to = from);
    }

    /// Writes the text in its canonical form, standard alphabet and full padding, into `out`, whose length is
    /// `encoded_len(decoded_len())`.
    pub(super) fn rewrite_into(self, out: &mut [u8]) {
        let Some((last, others)) = self.0.as_bytes().split_last() else { return };
        let bits = |symbol: &u8| value(*symbol).unwrap_or(0);
        out.fill(b'=');
        for (to, from) in out.iter_mut().zip(others) {
            *to = symbol(bits(from));
        }
        // The bits of the last symbol after the last byte.
        let ignored = match self.0.len() % 4 {
            2 => 0x0f,
            3 => 0x03,
            _ => 0,
        };
        if let Some(to) = out.get_mut(others.len()) {
            *to = symbol(bits(last) & !ignored);
        }
    }
}

/// Returns the length of the text that encodes `len` bytes of data, including padding.
pub(super) const fn encoded_len(len: usize) -> usize {
    len.div_ceil(3).saturating_mul(4)
}

/// Writes `data` as text into `out`, whose length is `encoded_len(data.len())`.
pub(crate) fn encode_into(data: &[u8], out: &mut [u8]) {
    for (at, to) in out.iter_mut().enumerate() {
        // The byte in which the six bits begin, and the one behind it.
        let bit = at.wrapping_mul(6);
        let byte = |at: usize| data.get(at).copied();
        *to = match byte(bit / 8) {
            Some(first) => {
                let pair = u16::from_be_bytes([first, byte((bit / 8).wrapping_add(1)).unwrap_or(0)]);
                // The six bits, in the high end of their byte.
                let [six, _] = (pair << (bit % 8)).to_be_bytes();
                symbol(six >> 2)
            }
            None => b'=',
        };
    }
}

fn decode_quad(quad: [u8; 4]) -> [u8; 3] {
    let [a, b, c, d] = quad.map(|symbol| value(symbol).unwrap_or(0));
    [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]
}

/// Returns the symbol that encodes six bits.
const fn symbol(bits: u8) -> u8 {
    match bits {
        0..=25 => b'A'.wrapping_add(bits),
        26..=51 => b'a'.wrapping_add(bits.wrapping_sub(26)),
        52..=61 => b'0'.wrapping_add(bits.wrapping_sub(52)),
        62 => b'+',
        _ => b'/',
    }
}

/// Returns the six bits that `symbol` encodes in either alphabet.
const fn value(symbol: u8) -> Option<u8> {
    Some(match symbol {
        b'A'..=b'Z' => symbol.wrapping_sub(b'A'),
        b'a'..=b'z' => symbol.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => symbol.wrapping_sub(b'0').wrapping_add(52),
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: [(&[u8], &str); 7] = [
        (b"", ""),
        (b"f", "Zg=="),
        (b"fo", "Zm8="),
        (b"foo", "Zm9v"),
        (b"foob", "Zm9vYg=="),
        (b"fooba", "Zm9vYmE="),
        (b"foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn the_test_vectors_of_rfc_4648_hold_in_both_directions() {
        for (data, text) in VECTORS {
            let mut out = [0; 8];
            let out = &mut out[..encoded_len(data.len())];
            encode_into(data, out);
            assert_eq!(out, text.as_bytes());
            let mut out = [0; 6];
            assert_eq!(Base64::new(text).unwrap().decode(&mut out).unwrap(), data);
        }
    }

    #[test]
    fn every_symbol_stands_for_its_own_number() {
        for bits in 0..64 {
            assert_eq!(value(symbol(bits)), Some(bits));
        }
        assert_eq!((0..=255).filter(|byte| value(*byte).is_some()).count(), 66);
    }

    #[test]
    fn padding_may_be_missing_partial_or_superfluous() {
        for text in ["AQIDBA", "AQIDBA=", "AQIDBA=="] {
            assert_eq!(Base64::new(text).unwrap().decode(&mut [0; 4]).unwrap(), [1, 2, 3, 4]);
        }
        for text in ["", "=", "=="] {
            assert_eq!(Base64::new(text).unwrap().decoded_len(), 0);
        }
        assert_eq!(Base64::new("AAAA=").unwrap().decoded_len(), 3);
    }

    #[test]
    fn junk_is_refused_where_it_stands() {
        for (text, at) in [
            ("A", 1),
            ("A=", 1),
            ("AAAAA", 5),
            ("AQ ID", 2),
            ("!", 0),
            ("€", 0),
            ("AQ€", 2),
            ("AQ===", 4),
            ("AQ==AQ==", 4),
            ("AQ=D", 3),
            ("AQID\n", 4),
        ] {
            let error = Base64::new(text).unwrap_err();
            assert_eq!((error.kind, error.at), (DecodeErrorKind::InvalidBase64, at), "{text:?}");
        }
    }

    #[test]
    fn rewriting_makes_any_accepted_text_canonical() {
        for (text, canonical) in [
            ("-_-_", "+/+/"),
            ("AQIDBB==", "AQIDBA=="),
            ("AQI", "AQI="),
            ("AQJ", "AQI="),
            ("AAAA==", "AAAA"),
            ("==", ""),
        ] {
            let text = Base64::new(text).unwrap();
            let mut out = [0; 8];
            let out = &mut out[..encoded_len(text.decoded_len())];
            text.rewrite_into(out);
            assert_eq!(out, canonical.as_bytes());
        }
    }
}
