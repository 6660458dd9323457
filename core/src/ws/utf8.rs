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
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut rest = bytes;
        while self.missing > 0 {
            let Some((&byte, tail)) = rest.split_first() else { return Ok(()) };
            self.follow(byte)?;
            rest = tail;
        }
        let Err(error) = core::str::from_utf8(rest) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(Error::InvalidUtf8);
        }
        let unfinished = rest.get(error.valid_up_to()..).unwrap_or_default();
        let Some((&lead, tail)) = unfinished.split_first() else { return Ok(()) };
        *self = Self::after_lead(lead)?;
        tail.iter().try_for_each(|&byte| self.follow(byte))
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

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes under Miri, and has no unsafe code to look at")]
    fn every_pair_of_bytes_is_judged_as_the_standard_library_does_and_as_early() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let bytes = [first, second];
                let early = match core::str::from_utf8(&bytes) {
                    Ok(_) => true,
                    Err(error) => error.error_len().is_none(),
                };
                for cut in 0..=2 {
                    let mut utf8 = Utf8::START;
                    let fed = utf8.feed(&bytes[..cut]).and_then(|()| utf8.feed(&bytes[cut..]));
                    assert_eq!(fed.is_ok(), early, "{bytes:x?} cut at {cut}");
                    let (std, ours) = verdicts(&bytes, cut);
                    assert_eq!(std, ours, "{bytes:x?} cut at {cut}");
                }
            }
        }
    }
}
