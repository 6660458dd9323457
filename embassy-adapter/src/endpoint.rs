//! The endpoint of the server, and the HTTP request for a WebSocket.

use eio_core::Revision;
use eio_core::ws::Key;

use crate::ConnectError;
use crate::outbox::fill;

/// The parts of the HTTP request: host, path, query and further headers.
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
    /// The rest of the query, after `EIO=4&transport=websocket`: percent-encoded, without a leading `&`, often empty.
    pub query: &'a str,
    /// Further headers, as pairs of name and value.
    pub headers: &'a [(&'a str, &'a str)],
}

impl<'a> Endpoint<'a> {
    /// Returns the endpoint of an Engine.IO server at the usual path, `/engine.io/`.
    #[must_use]
    pub const fn engineio(host: &'a str) -> Self {
        Self { host, path: "/engine.io/", query: "", headers: &[] }
    }

    /// Returns the endpoint of a Socket.IO server at the usual path, `/socket.io/`.
    #[must_use]
    pub const fn socketio(host: &'a str) -> Self {
        Self { host, path: "/socket.io/", query: "", headers: &[] }
    }

    /// Writes the request (RFC 6455 section 4.1) and returns its length.
    pub(crate) fn write(&self, revision: Revision, key: &Key, out: &mut [u8]) -> Result<usize, ConnectError> {
        let mut writer = Writer { out, len: 0, valid: true };
        writer.own("GET ");
        writer.valid &= self.path.starts_with('/') && !self.host.is_empty();
        writer.callers(self.path, " ?");
        writer.own("?EIO=");
        writer.own(revision.as_str());
        writer.own("&transport=websocket");
        if !self.query.is_empty() {
            writer.own("&");
        }
        writer.callers(self.query, " #");
        writer.own(" HTTP/1.1\r\nHost: ");
        writer.callers(self.host, " ");
        writer.own("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
        writer.own(key.as_str());
        for (name, value) in self.headers {
            writer.valid &= !name.is_empty();
            writer.own("\r\n");
            writer.callers(name, " :");
            writer.own(": ");
            writer.callers(value, "");
        }
        writer.own("\r\n\r\n");
        if !writer.valid {
            Err(ConnectError::InvalidEndpoint)
        } else if writer.len > writer.out.len() {
            Err(ConnectError::TxTooSmall { needed: writer.len })
        } else {
            Ok(writer.len)
        }
    }
}

/// Writes as much as fits, and counts all bytes.
struct Writer<'o> {
    out: &'o mut [u8],
    len: usize,
    valid: bool,
}

impl Writer<'_> {
    fn own(&mut self, text: &str) {
        fill(&mut self.out.get_mut(self.len..).unwrap_or_default().iter_mut(), text.as_bytes());
        self.len = self.len.saturating_add(text.len());
    }

    /// Writes text from the caller. Accepts visible ASCII and spaces without the characters in `forbidden`, so that a
    /// line break cannot smuggle anything into the request.
    fn callers(&mut self, text: &str, forbidden: &str) {
        let allowed = |byte: u8| matches!(byte, b' '..=b'~') && !forbidden.as_bytes().contains(&byte);
        self.valid &= text.bytes().all(allowed);
        self.own(text);
    }
}
