//! The endpoint of the server.

use eio_core::ws::Key;
use eio_core::ws::opening::{ClientRequest, RequestError};
use eio_core::{BufferTooSmall, Revision};

use crate::ConnectError;

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

    /// Writes the request and returns its length.
    pub(crate) fn write(&self, revision: Revision, key: &Key, out: &mut [u8]) -> Result<usize, ConnectError> {
        let Self { host, path, query, headers } = *self;
        match (ClientRequest { host, path, revision, query, headers }).write(key, out) {
            Ok(head) => Ok(head.len()),
            Err(RequestError::BufferTooSmall(BufferTooSmall { needed, .. })) => {
                Err(ConnectError::TxTooSmall { needed })
            }
            Err(_) => Err(ConnectError::InvalidEndpoint),
        }
    }
}
