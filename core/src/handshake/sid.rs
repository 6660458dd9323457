//! The session's identifier. Anyone who knows it can act for the session.

use core::fmt;

/// The identifier of a session: 1 to 64 visible ASCII characters, none of them a quote or a backslash.
///
/// The server chooses it. The reference server uses 20 characters of base64url. Polling requests and upgrades carry it
/// in their query. Some clients percent-encode it there (those in JavaScript, Java and Swift), and others send it as it is
/// (python-engineio). So a server may use only letters, digits, `-`, `_` and `.`, which no client changes, and
/// [`new`](Self::new) refuses everything else. The identifier in a handshake that a client has
/// [parsed](super::Handshake::parse) may contain more.
///
/// Anyone who knows it can take over the session, so it is a secret as long as the session lives. `Debug` and defmt
/// therefore show only its first characters: at most four, and at most a quarter of it.
///
/// ```
/// use eio_core::handshake::{Sid, SidError};
///
/// let sid = Sid::new("lv_VI97HAXpY6yYWAAAC")?;
/// assert_eq!(sid.as_str(), "lv_VI97HAXpY6yYWAAAC");
/// assert_eq!(format!("{sid:?}"), "Sid(lv_V…)");
/// assert_eq!(Sid::new(""), Err(SidError::Empty));
/// assert_eq!(Sid::new("q1KV+w=="), Err(SidError::NotUrlSafe { at: 4 })); // base64, and not base64url
/// # Ok::<(), SidError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid<'a>(&'a str);

impl<'a> Sid<'a> {
    /// The length of the longest identifier, in characters: more than three times the length that the reference server
    /// uses.
    pub const MAX_LEN: usize = 64;

    /// Creates the identifier of a server's session from `text`, after checking it.
    ///
    /// # Errors
    /// Returns a [`SidError`] if `text` is empty or too long, or if it contains a character that some clients
    /// percent-encode.
    pub fn new(text: &'a str) -> Result<Self, SidError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        Self::check(text, is_allowed, |at| SidError::NotUrlSafe { at })
    }

    /// Reads the identifier that a server has chosen.
    pub(super) fn received(text: &'a str) -> Result<Self, SidError> {
        // Without quotes and backslashes, the open packet can contain it unescaped.
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        Self::check(text, is_allowed, |at| SidError::Character { at })
    }

    fn check(
        text: &'a str,
        is_allowed: impl Fn(u8) -> bool,
        error: impl Fn(u8) -> SidError,
    ) -> Result<Self, SidError> {
        if text.is_empty() {
            return Err(SidError::Empty);
        }
        if text.len() > Self::MAX_LEN {
            return Err(SidError::TooLong);
        }
        match text.bytes().position(|byte| !is_allowed(byte)) {
            // Below MAX_LEN, so the fallback is never taken.
            Some(at) => Err(error(u8::try_from(at).unwrap_or(u8::MAX))),
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
    #[error("the sid is empty: expected 1 to 64 characters")]
    Empty,
    /// It has more than [`Sid::MAX_LEN`] characters.
    #[error("the sid is too long: expected 1 to 64 characters")]
    TooLong,
    /// A server has sent a character that is not visible ASCII, or a quote, or a backslash (and so any JSON escape).
    #[error(
        "byte {at} of the sid is not allowed: expected visible ASCII characters other than quote and backslash"
    )]
    Character {
        /// The offset of the character in the identifier, in bytes.
        at: u8,
    },
    /// [`Sid::new`] was given a character that clients percent-encode in a query, or that has a meaning there.
    #[error(
        "byte {at} of the sid is not safe in a URL, where clients send it: expected letters, digits, `-`, `_` and `.`, as in \
         base64url"
    )]
    NotUrlSafe {
        /// The offset of the character in the identifier, in bytes.
        at: u8,
    },
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::format;
    use std::string::{String, ToString};

    #[test]
    fn logs_never_show_more_than_a_quarter_of_a_sid() {
        for len in 1..=Sid::MAX_LEN {
            let text: String = ('!'..='~').filter(|c| *c != '"' && *c != '\\').take(len).collect();
            let shown = format!("{:?}", Sid::received(&text).unwrap());
            let inside = shown.strip_prefix("Sid(").unwrap().strip_suffix("…)").unwrap();
            assert!(inside.len() <= 4 && inside.len() * 4 <= len, "{shown}");
            assert!(text.starts_with(inside));
        }
    }

    #[test]
    fn a_server_may_send_visible_ascii_without_quote_and_backslash() {
        for byte in 0..=0x7f_u8 {
            let text = String::from(char::from(byte));
            let allowed = (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\';
            assert_eq!(Sid::received(&text).is_ok(), allowed, "{byte:#04x}");
        }
        assert_eq!(Sid::received("aé"), Err(SidError::Character { at: 1 }));
        let longer = "x".repeat(65);
        for sid in [Sid::new, Sid::received] {
            assert_eq!(sid(""), Err(SidError::Empty));
            assert_eq!(sid(&longer), Err(SidError::TooLong));
        }
    }

    /// Neither `encodeURIComponent` nor the encoder of HTML forms changes these characters, and neither do clients that send
    /// the identifier as it is. `~` is encoded by forms, and the others by all encoders.
    #[test]
    fn a_sid_is_the_same_in_the_query_of_every_client() {
        const SAME: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
        for byte in 0..=0x7f_u8 {
            let text = String::from(char::from(byte));
            let refused = Err(SidError::NotUrlSafe { at: 0 });
            assert_eq!(
                Sid::new(&text),
                if SAME.contains(&text) { Ok(Sid(&text)) } else { refused },
                "{text}"
            );
        }
        let error = Sid::new("q1KV+5kR/Z8b==").unwrap_err();
        assert_eq!(error, SidError::NotUrlSafe { at: 4 });
        assert_eq!(
            error.to_string(),
            "byte 4 of the sid is not safe in a URL, where clients send it: expected letters, digits, `-`, `_` and `.`, \
             as in base64url"
        );
        assert_eq!(Sid::new("aé"), Err(SidError::NotUrlSafe { at: 1 }));
    }
}
