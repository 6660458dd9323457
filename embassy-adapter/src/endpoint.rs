//! The endpoint of the server.

mod basic_auth;
mod url;

pub use basic_auth::BasicAuth;
pub use url::{UrlError, UrlErrorKind};

use core::fmt;

use eio_core::ws::Key;
use eio_core::ws::opening::{ClientRequest, RequestError};
use eio_core::{BufferTooSmall, Revision};

use crate::ConnectError;

/// Where a server is, and what the HTTP request to it contains: host, path, query and further headers.
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
///     headers: &[("X-Api-Key", "k3y")],
///     ..Endpoint::parse("wss://example.com")?
/// };
/// assert_eq!((guarded.name(), guarded.port(), guarded.secure), ("example.com", 443, true));
/// # Ok::<(), eio_embassy::UrlError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built by functional update from a constructor")]
pub struct Endpoint<'a> {
    /// Whether the server is reached over TLS. A [`Client`](crate::Client) cannot check what its stream is, but a
    /// [`Connector`](crate::Connector) can: one without TLS refuses an endpoint that asks for it.
    pub secure: bool,
    /// The `Host` header: the server's name or address, with the port unless it is the scheme's own.
    pub host: &'a str,
    /// The path with its slashes, such as `/engine.io/`.
    pub path: &'a str,
    /// The rest of the query, after `EIO=4&transport=websocket`: percent-encoded, without a leading `&`, often empty.
    pub query: &'a str,
    /// Further headers, as pairs of name and value. [`BasicAuth`] is one.
    ///
    /// `Host`, `Upgrade`, `Connection` and those that begin with `Sec-WebSocket-` are the client's own, and must not be among
    /// them. This is not checked.
    pub headers: &'a [(&'a str, &'a str)],
}

impl<'a> Endpoint<'a> {
    /// Returns the endpoint of an Engine.IO server at the usual path, `/engine.io/`, without TLS.
    #[must_use]
    pub const fn engineio(host: &'a str) -> Self {
        Self { secure: false, host, path: "/engine.io/", query: "", headers: &[] }
    }

    /// Returns the endpoint of a Socket.IO server at the usual path, `/socket.io/`, without TLS.
    #[must_use]
    pub const fn socketio(host: &'a str) -> Self {
        Self { path: "/socket.io/", ..Self::engineio(host) }
    }

    /// Returns the endpoint of an Engine.IO server from its URL.
    ///
    /// | part | |
    /// |---|---|
    /// | scheme | `http` and `ws` mean the same, and so do `https` and `wss`, which ask for TLS |
    /// | user name, password | refused: send them in a header, by [`BasicAuth`] |
    /// | host | a name, an IPv4 address, or an IPv6 address in brackets |
    /// | port | 1 to 65535; without one, 80, or 443 with TLS |
    /// | path | the path of the HTTP request; without one, `/engine.io/` |
    /// | query | sent after the parameters of the protocol, as it is |
    /// | fragment | ignored |
    ///
    /// A constant checks the URL when the firmware is built, and then no code for it is part of the image:
    ///
    /// ```
    /// use eio_embassy::Endpoint;
    ///
    /// const SERVER: Endpoint<'static> = match Endpoint::parse("ws://10.0.2.2:3000/?device=7") {
    ///     Ok(endpoint) => endpoint,
    ///     Err(error) => panic!("{}", error.as_str()),
    /// };
    /// assert_eq!((SERVER.name(), SERVER.port()), ("10.0.2.2", 3000));
    /// assert_eq!((SERVER.path, SERVER.query), ("/engine.io/", "device=7"));
    /// ```
    ///
    /// # Errors
    /// Returns a [`UrlError`] that says what is wrong, and where.
    ///
    /// ```
    /// use eio_embassy::Endpoint;
    ///
    /// let error = Endpoint::parse("ws://10.0.2.2:99999/").unwrap_err();
    /// assert_eq!(error.to_string(), "invalid URL at byte 14: the port is not a number from 1 to 65535");
    /// ```
    pub const fn parse(url: &'a str) -> Result<Self, UrlError> {
        url::parse(url, "/engine.io/")
    }

    /// Returns the endpoint of a Socket.IO server from its URL: as [`parse`](Self::parse), but the path of a URL without one
    /// is `/socket.io/`.
    ///
    /// Unlike in the JavaScript client, the path is not the namespace: it is the server's option `path`. Name the namespace
    /// in [`Socket::join`](crate::socketio::Socket::join).
    ///
    /// ```
    /// use eio_embassy::Endpoint;
    ///
    /// let endpoint = Endpoint::parse_socketio("https://example.com")?;
    /// assert_eq!((endpoint.path, endpoint.secure), ("/socket.io/", true));
    /// # Ok::<(), eio_embassy::UrlError>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`UrlError`] that says what is wrong, and where.
    pub const fn parse_socketio(url: &'a str) -> Result<Self, UrlError> {
        url::parse(url, "/socket.io/")
    }

    /// Returns the host without port and brackets, as name servers and certificates know it.
    ///
    /// ```
    /// use eio_embassy::Endpoint;
    ///
    /// assert_eq!(Endpoint::engineio("server.example:3000").name(), "server.example");
    /// assert_eq!(Endpoint::engineio("[2001:db8::1]:3000").name(), "2001:db8::1");
    /// ```
    #[must_use]
    pub const fn name(&self) -> &'a str {
        url::name_and_port(self.host).0
    }

    /// Returns the port in the host. Without one, it is 80, or 443 with TLS. Returns 0, to which nothing can connect, if it is
    /// not a number from 1 to 65535.
    ///
    /// ```
    /// use eio_embassy::Endpoint;
    ///
    /// assert_eq!(Endpoint::engineio("server.example:3000").port(), 3000);
    /// assert_eq!(Endpoint::engineio("server.example").port(), 80);
    /// ```
    #[must_use]
    pub const fn port(&self) -> u16 {
        match url::name_and_port(self.host).1 {
            Some(port) => port,
            None if self.secure => 443,
            None => 80,
        }
    }

    /// Writes the request and returns its length.
    pub(crate) fn write(&self, revision: Revision, key: &Key, out: &mut [u8]) -> Result<usize, ConnectError> {
        let Self { host, path, query, headers, .. } = *self;
        match (ClientRequest { host, path, revision, query, headers }).write(key, out) {
            Ok(head) => Ok(head.len()),
            Err(RequestError::BufferTooSmall(BufferTooSmall { needed, .. })) => {
                Err(ConnectError::TxTooSmall { needed })
            }
            Err(error) => Err(ConnectError::InvalidEndpoint(error)),
        }
    }
}

/// Leaves out what may be secret: the query and the headers.
impl fmt::Debug for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("secure", &self.secure)
            .field("host", &self.host)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Endpoint<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        let Self { secure, host, path, .. } = *self;
        defmt::write!(f, "Endpoint {{ secure: {=bool}, host: {=str}, path: {=str} }}", secure, host, path);
    }
}
