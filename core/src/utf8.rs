//! Checks whether bytes are text.

/// Returns `bytes` as text, or `None` if they are not UTF-8.
#[cfg(not(target_pointer_width = "32"))]
pub(crate) fn from_utf8(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok()
}

#[cfg(target_pointer_width = "32")]
pub(crate) use self::small::from_utf8;

/// The same in less code and more time, for the images of small machines.
#[cfg(any(test, target_pointer_width = "32"))]
mod small {
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn from_utf8(bytes: &[u8]) -> Option<&str> {
        // The first chunk ends at the first error.
        match bytes.utf8_chunks().next() {
            None => Some(""),
            Some(chunk) => chunk.invalid().is_empty().then_some(chunk.valid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::small;

    /// Checks that the code for small machines agrees with the standard library.
    fn assert_agreement(bytes: &[u8]) {
        assert_eq!(small::from_utf8(bytes), core::str::from_utf8(bytes).ok(), "{bytes:x?}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn the_code_for_small_machines_takes_what_the_standard_library_takes() {
        assert_agreement(b"");
        for [first, second] in (0..=u16::MAX).map(u16::to_be_bytes) {
            assert_agreement(&[first]);
            assert_agreement(&[first, second]);
            assert_agreement(&[b'x', first, second, b'y']);
            // A third byte matters behind two that may begin a character of three or four, and a fourth behind those.
            if first >= 0xe0 {
                for third in 0..=u8::MAX {
                    assert_agreement(&[first, second, third]);
                    if first >= 0xf0 && third % 16 == 0 {
                        for fourth in [0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff] {
                            assert_agreement(&[first, second, third, fourth]);
                        }
                    }
                }
            }
        }
        for character in '\0'..=char::MAX {
            assert_agreement(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}
