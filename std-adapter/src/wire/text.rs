//! Text from bytes, checked with SIMD where the processor has it.

use bytes::Bytes;
use bytestring::ByteString;

/// The length from which SIMD is worth its start.
const SHORT: usize = 64;

/// Returns `bytes` as text, without a copy, or `None` if they are not UTF-8.
#[expect(unsafe_code, reason = "the checked constructor is 20 times slower, except for ASCII")]
pub(crate) fn checked(bytes: Bytes) -> Option<ByteString> {
    simdutf8::basic::from_utf8(&bytes).ok()?;
    // SAFETY: all of the bytes have just been found to be UTF-8, and `Bytes` never change.
    Some(unsafe { ByteString::from_bytes_unchecked(bytes) })
}

/// Returns `bytes` as text, or `None` if they are not UTF-8.
#[expect(unsafe_code, reason = "the checked constructor takes four times as long for a short text of ASCII")]
pub(crate) fn from_utf8(bytes: &[u8]) -> Option<&str> {
    if bytes.len() < SHORT && bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { core::str::from_utf8_unchecked(bytes) });
    }
    simdutf8::basic::from_utf8(bytes).ok()
}

/// Returns how many of the first `bytes` are UTF-8 if the last character may be incomplete, or `None` if no further bytes
/// can make them UTF-8.
pub(crate) fn valid_len(bytes: &[u8]) -> Option<usize> {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => Some(text.len()),
        Err(error) if error.error_len().is_none() => Some(error.valid_up_to()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts `bytes` at each place of a text that is long enough for SIMD, and behind texts of each shorter length.
    fn texts(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        let long = (0..=200).map(move |at| [&[b'x'; 200][..at], bytes, &[b'y'; 200][at..]].concat());
        let short = (0..SHORT + 8).map(move |len| [&[b'x'; SHORT + 8][..len], bytes].concat());
        long.chain(short)
    }

    #[test]
    fn text_is_what_the_standard_library_says_it_is() {
        for bytes in [
            &b""[..],
            b"\xf0\x9f\x91\x8b",
            b"\xf0\x9f\x91",
            b"\xe0\x80\x80",
            b"\xed\xa0\x80",
            b"\xff",
            b"\x80",
        ] {
            for text in texts(bytes) {
                let expected = core::str::from_utf8(&text);
                assert_eq!(from_utf8(&text), expected.ok());
                assert_eq!(checked(Bytes::from(text.clone())).as_deref(), expected.ok());
                let valid_len = match expected {
                    Ok(text) => Some(text.len()),
                    Err(error) => error.error_len().is_none().then(|| error.valid_up_to()),
                };
                assert_eq!(valid_len, super::valid_len(&text), "{text:x?}");
            }
        }
    }
}
