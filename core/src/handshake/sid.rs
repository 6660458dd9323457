//! The session's identifier. Anyone who knows it can act for the session.

use core::fmt;

/// The identifier of a session: 1 to 64 visible ASCII characters, none of them a quote or a backslash.
///
/// The server chooses it. The reference server uses 20 characters of base64url. Polling requests and upgrades carry it
/// in their query. Anyone who knows it can take over the session, so it is a secret as long as the session lives.
/// `Debug` and defmt therefore show only its first characters: at most four, and at most a quarter of it.
///
/// ```
/// use eio_core::handshake::{Sid, SidError};
///
/// let sid = Sid::new("lv_VI97HAXpY6yYWAAAC")?;
/// assert_eq!(sid.as_str(), "lv_VI97HAXpY6yYWAAAC");
/// assert_eq!(format!("{sid:?}"), "Sid(lv_V…)");
/// assert_eq!(Sid::new(""), Err(SidError::Empty));
/// assert_eq!(Sid::new("a b"), Err(SidError::Character { at: 1 }));
/// # Ok::<(), SidError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid<'a>(&'a str);

impl<'a> Sid<'a> {
    /// The length of the longest identifier, in characters: more than three times the length that the reference server
    /// uses.
    pub const MAX_LEN: usize = 64;

    /// Creates an identifier from `text`, after checking it.
    ///
    /// # Errors
    /// Returns a [`SidError`] if `text` is not a valid identifier.
    pub fn new(text: &'a str) -> Result<Self, SidError> {
        if text.is_empty() {
            return Err(SidError::Empty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(SidError::TooLong);
        }
        // Without quotes and backslashes, the open packet can contain it unescaped.
        match text.bytes().position(|byte| !byte.is_ascii_graphic() || byte == b'"' || byte == b'\\') {
            // Below MAX_LEN, so the fallback is never taken.
            Some(at) => Err(SidError::Character { at: u8::try_from(at).unwrap_or(u8::MAX) }),
            None => Ok(Self(text)),
        }
    }

    /// Returns the whole identifier, as it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Returns the part that a log may show.
    fn shown(self) -> &'a str {
        let quarter = self.0.len() / 4;
        self.0.get(..quarter.min(4)).unwrap_or_default()
    }
}

impl fmt::Debug for Sid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid(")?;
        f.write_str(self.shown())?;
        f.write_str("…)")
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Sid<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Sid({=str}…)", self.shown());
    }
}

/// The reason why a text is not a valid [`Sid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SidError {
    /// It is empty.
    #[error("the sid is empty: expected 1 to 64 visible ASCII characters")]
    Empty,
    /// It has more than [`Sid::MAX_LEN`] characters.
    #[error("the sid is too long: expected 1 to 64 visible ASCII characters")]
    TooLong,
    /// It contains a character that is not visible ASCII, or a quote, or a backslash (and so any JSON escape).
    #[error(
        "byte {at} of the sid is not allowed: expected visible ASCII characters other than quote and backslash"
    )]
    Character {
        /// The offset of the character in the identifier, in bytes.
        at: u8,
    },
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::{format, string::String};

    #[test]
    fn logs_never_show_more_than_a_quarter_of_a_sid() {
        for len in 1..=Sid::MAX_LEN {
            let text: String = ('!'..='~').filter(|c| *c != '"' && *c != '\\').take(len).collect();
            let shown = format!("{:?}", Sid::new(&text).unwrap());
            let inside = shown.strip_prefix("Sid(").unwrap().strip_suffix("…)").unwrap();
            assert!(inside.len() <= 4 && inside.len() * 4 <= len, "{shown}");
            assert!(text.starts_with(inside));
        }
    }

    #[test]
    fn only_visible_ascii_without_quote_and_backslash_is_a_sid() {
        for byte in 0..=0x7f_u8 {
            let text = String::from(char::from(byte));
            let allowed = (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
            assert_eq!(Sid::new(&text).is_ok(), allowed, "{byte:#04x}");
        }
        assert_eq!(Sid::new("aé"), Err(SidError::Character { at: 1 }));
        assert_eq!(Sid::new(&"x".repeat(65)), Err(SidError::TooLong));
    }
}
