//! Session identifiers: 120 random bits, written as the reference server writes them.

use core::fmt;

/// Names a session. Whoever knows it can speak for the client, so it is never logged whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; Self::LEN]);

impl SessionId {
    /// 20 characters of the URL alphabet of base64, as engine.io's.
    pub(crate) const LEN: usize = 20;

    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut bytes = [0; Self::LEN];
        getrandom::fill(&mut bytes)?;
        // Six unbiased bits of each random byte.
        Ok(Self(bytes.map(|byte| ALPHABET[usize::from(byte & 63)])))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    /// The whole identifier. Keep it out of logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The first four characters: enough to follow a session through a log, too little to take it over.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.as_str().get(..4).unwrap_or_default())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
