//! Where to connect, and the request that asks for it.

use eio_core::ws::Key;

use crate::ConnectError;
use crate::outbox::fill;

/// What the HTTP request says: host, path, query and further headers.
///
/// ```
/// use eio_embassy::Endpoint;
///
/// // A stock Socket.IO or NestJS server.
/// let endpoint = Endpoint::socketio("10.0.2.2:3000");
/// assert_eq!(endpoint.path, "/socket.io/");
///
/// let guarded = Endpoint {
///     query: "device=7",
///     headers: &[("Authorization", "Bearer t0k3n")],
///     ..Endpoint::engineio("example.com")
/// };
/// # let _ = guarded;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "built by functional update from a constructor")]
pub struct Endpoint<'a> {
    /// The `Host` header: the server's name or address, with the port unless it is the scheme's own.
    pub host: &'a str,
    /// The path with its slashes, such as `/engine.io/`.
    pub path: &'a str,
    /// What follows `EIO=4&transport=websocket` in the query, percent-encoded, without `&` before it; often empty.
    pub query: &'a str,
    /// Further headers: name and value.
    pub headers: &'a [(&'a str, &'a str)],
}

impl<'a> Endpoint<'a> {
    /// An Engine.IO server at its usual path.
    #[must_use]
    pub const fn engineio(host: &'a str) -> Self {
        Self { host, path: "/engine.io/", query: "", headers: &[] }
    }

    /// A Socket.IO server at its usual path.
    #[must_use]
    pub const fn socketio(host: &'a str) -> Self {
        Self { host, path: "/socket.io/", query: "", headers: &[] }
    }

    /// Writes the request (RFC 6455 section 4.1), and returns its length.
    pub(crate) fn write(&self, revision: &str, key: &Key, out: &mut [u8]) -> Result<usize, ConnectError> {
        self.check()?;
        let mut needed: usize = 0;
        self.pieces(revision, key, &mut |piece| needed = needed.saturating_add(piece.len()));
        let out = out.get_mut(..needed).ok_or(ConnectError::TxTooSmall { needed })?;
        let mut slots = out.iter_mut();
        self.pieces(revision, key, &mut |piece| fill(&mut slots, piece.as_bytes()));
        Ok(needed)
    }

    /// No line break or space can smuggle anything into the request.
    fn check(&self) -> Result<(), ConnectError> {
        let mut valid = self.path.starts_with('/') && !self.host.is_empty();
        for (text, forbidden) in [(self.host, b' '), (self.path, b'?'), (self.query, b'#')] {
            valid &= is_visible(text, b' ', forbidden);
        }
        for (name, value) in self.headers {
            valid &= !name.is_empty() && is_visible(name, b' ', b':') && is_visible(value, 0, 0);
        }
        if valid { Ok(()) } else { Err(ConnectError::InvalidEndpoint) }
    }

    fn pieces(&self, revision: &str, key: &Key, put: &mut dyn FnMut(&str)) {
        let separator = if self.query.is_empty() { "" } else { "&" };
        for piece in [
            "GET ",
            self.path,
            "?EIO=",
            revision,
            "&transport=websocket",
            separator,
            self.query,
            " HTTP/1.1\r\nHost: ",
            self.host,
            "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ",
            key.as_str(),
        ] {
            put(piece);
        }
        for (name, value) in self.headers {
            for piece in ["\r\n", name, ": ", value] {
                put(piece);
            }
        }
        put("\r\n\r\n");
    }
}

/// Whether `text` is ASCII that can be seen, or a space, and neither of two bytes is in it.
fn is_visible(text: &str, forbidden: u8, other: u8) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != forbidden && byte != other)
}
