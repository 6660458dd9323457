//! Checks UTF-8 across the borders of pieces (RFC 6455 section 8.1, RFC 3629 section 4).

use super::Error;

/// The state of a text message between two pieces: the missing rest of at most one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Utf8 {
    /// The number of bytes that the character still needs, 0 to 3.
    missing: u8,
    /// The range of its next byte: not every continuation byte may follow every lead byte.
    low: u8,
    high: u8,
}

impl Utf8 {
    /// The state between two characters.
    pub(super) const START: Self = Self { missing: 0, low: CONTINUATION_LOW, high: CONTINUATION_HIGH };

    /// Takes the next bytes of the message. Fails at the first byte that makes it invalid.
    #[cfg(not(target_pointer_width = "32"))]
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        while self.missing > 0 {
            let Some((&byte, tail)) = rest.split_first() else { return Ok(()) };
            self.follow(byte)?;
            rest = tail;
        }
        // The standard library looks at many bytes at once.
        let Err(error) = core::str::from_utf8(rest) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(Error::InvalidUtf8);
        }
        self.feed_bytewise(rest.get(error.valid_up_to()..).unwrap_or_default())
    }

    /// Takes the next bytes of the message. Fails at the first byte that makes it invalid.
    #[cfg(target_pointer_width = "32")]
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.feed_bytewise(bytes)
    }

    /// Does what [`feed`](Self::feed) does, byte by byte, which is the shortest code.
    fn feed_bytewise(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for &byte in bytes {
            if self.missing > 0 {
                self.follow(byte)?;
            } else if !byte.is_ascii() {
                *self = Self::after_lead(byte)?;
            }
        }
        Ok(())
    }

    /// Returns whether the message may end here.
    pub(super) const fn is_complete(self) -> bool {
        self.missing == 0
    }

    fn follow(&mut self, byte: u8) -> Result<(), Error> {
        if !(self.low..=self.high).contains(&byte) {
            return Err(Error::InvalidUtf8);
        }
        *self = Self { missing: self.missing.saturating_sub(1), ..Self::START };
        Ok(())
    }

    /// Implements the table of RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF.
    const fn after_lead(lead: u8) -> Result<Self, Error> {
        let (missing, low, high) = match lead {
            0xc2..=0xdf => (1, CONTINUATION_LOW, CONTINUATION_HIGH),
            0xe0 => (2, 0xa0, CONTINUATION_HIGH),
            0xed => (2, CONTINUATION_LOW, 0x9f),
            0xe1..=0xef => (2, CONTINUATION_LOW, CONTINUATION_HIGH),
            0xf0 => (3, 0x90, CONTINUATION_HIGH),
            0xf1..=0xf3 => (3, CONTINUATION_LOW, CONTINUATION_HIGH),
            0xf4 => (3, CONTINUATION_LOW, 0x8f),
            _ => return Err(Error::InvalidUtf8),
        };
        Ok(Self { missing, low, high })
    }
}

const CONTINUATION_LOW: u8 = 0x80;
const CONTINUATION_HIGH: u8 = 0xbf;

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` cut at `cut`, and returns how the standard library sees them, and how we do.
    fn verdicts(bytes: &[u8], cut: usize) -> (bool, bool) {
        let mut utf8 = Utf8::START;
        let fed = utf8.feed(&bytes[..cut]).and_then(|()| utf8.feed(&bytes[cut..]));
        (core::str::from_utf8(bytes).is_ok(), fed.is_ok() && utf8.is_complete())
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn every_character_is_accepted_at_every_cut() {
        for character in '\0'..=char::MAX {
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).as_bytes();
            for cut in 0..=bytes.len() {
                assert_eq!(verdicts(bytes, cut), (true, true), "{character:?} cut at {cut}");
            }
        }
    }

    /// Returns whether the standard library takes `bytes` for the beginning of a text, and whether for a whole one.
    fn standard(bytes: &[u8]) -> (bool, bool) {
        match core::str::from_utf8(bytes) {
            Ok(_) => (true, true),
            Err(error) => (error.error_len().is_none(), false),
        }
    }

    /// Checks that both ways to feed `bytes`, cut at every place, judge as the standard library does and as early.
    fn assert_judged(bytes: &[u8]) {
        for cut in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            for feed in [Utf8::feed, Utf8::feed_bytewise] {
                let mut utf8 = Utf8::START;
                let early = feed(&mut utf8, head).and_then(|()| feed(&mut utf8, tail)).is_ok();
                assert_eq!((early, early && utf8.is_complete()), standard(bytes), "{bytes:x?} cut at {cut}");
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn all_of_up_to_three_bytes_and_what_borders_on_a_rule_in_four_is_judged_as_the_standard_library_does() {
        assert_judged(&[]);
        for [first, second] in (0..=u16::MAX).map(u16::to_be_bytes) {
            assert_judged(&[first]);
            assert_judged(&[first, second]);
            // A third byte matters behind two that may begin a character of three or four.
            if first >= 0xe0 {
                for third in 0..=u8::MAX {
                    let bytes = [first, second, third];
                    let mut utf8 = Utf8::START;
                    let early = utf8.feed_bytewise(&bytes).is_ok();
                    assert_eq!((early, early && utf8.is_complete()), standard(&bytes), "{bytes:x?}");
                }
            }
        }
        let borders = [
            0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec,
            0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
        ];
        for first in borders {
            for second in borders {
                for third in borders {
                    for fourth in borders {
                        assert_judged(&[first, second, third, fourth]);
                    }
                }
            }
        }
    }
}
