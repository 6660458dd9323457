//! Session identifiers: 120 random bits, written as the reference server writes them.

use core::fmt;
use core::str::FromStr;
use std::io;

use crate::wire::random;

/// The identifier of a session. Anybody who knows it can act as the client, so keep it out of logs: use
/// [`short`](Self::short) there. `Debug` writes the same short form. `Display` writes the whole identifier, as the
/// protocol carries it and as [`Server::get`](crate::Server::get) expects it.
///
/// ```
/// # use eio_tokio::Socket;
/// async fn application(mut socket: Socket) {
///     println!("{} opened", socket.id().short()); // Xm3k… opened
///     while socket.recv().await.is_ok() {}
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; Self::LEN]);

impl SessionId {
    /// The length of an identifier: 20 characters of the URL alphabet of base64, as in engine.io.
    pub(crate) const LEN: usize = 20;

    pub(crate) fn random() -> io::Result<Self> {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bytes: [u8; Self::LEN] = random::bytes()?;
        // Uses six bits of each random byte, so every character is equally likely.
        Ok(Self(bytes.map(|byte| ALPHABET[usize::from(byte & 63)])))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    /// Returns the whole identifier, as the protocol carries it. Keep it out of logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the first four characters and an ellipsis: enough to follow a session through a log, too little to take
    /// the session over.
    #[must_use]
    pub fn short(&self) -> impl fmt::Display + use<> {
        Short(self.0[..Short::LEN].try_into().unwrap_or_default())
    }
}

/// The error for a text that is not a session's identifier. It does not contain the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the identifier of a session: expected 20 characters of the URL alphabet of base64")]
#[non_exhaustive]
pub struct InvalidSessionId;

/// Reads what `Display` has written. The session need not exist.
impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let is_fit = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        Self::parse(text).filter(|_| is_fit).ok_or(InvalidSessionId)
    }
}

/// Displays the beginning of an identifier.
struct Short([u8; Self::LEN]);

impl Short {
    const LEN: usize = 4;
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", core::str::from_utf8(&self.0).unwrap_or_default())
    }
}

/// Writes the [`short`](SessionId::short) form, because debugging output ends up in logs.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.short())
    }
}

/// Writes the whole identifier. Use [`short`](SessionId::short) for logs.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_printed_for_machines_is_whole() {
        let id = SessionId::random().unwrap();
        assert_eq!(id.to_string(), id.as_str());
        assert_eq!(SessionId::parse(&id.to_string()), Some(id));
        let short = id.short().to_string();
        assert_eq!(short, format!("{}…", &id.as_str()[..4]));
        assert_eq!(format!("{id:?}"), short);
    }
    #[test]
    fn another_node_reads_what_was_written_and_nothing_else() {
        let id = SessionId::random().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "short",
            "twenty characters !!",
            "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
        ] {
            assert_eq!(wrong.parse::<SessionId>(), Err(InvalidSessionId), "{wrong}");
        }
        assert!(!InvalidSessionId.to_string().contains("short"));
    }
}
