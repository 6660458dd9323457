//! Errors from building a client and from opening a session.

use std::io;
use std::sync::Arc;

use eio_core::Revision;
use eio_core::handshake::Transport;
use eio_core::payload::v4::EncodeError;

use crate::carrier::dialed::SpeaksTls;
use crate::client::proxy::error::ProxyError;
use crate::client::refusal::Refused;
#[cfg(feature = "tls")]
use crate::client::tls::error::TlsError;
use crate::session::end::Disconnect;

/// Errors from [`ClientBuilder::build`](crate::ClientBuilder::build).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientBuildError {
    /// The URL cannot be used.
    #[error("the URL {url:?} cannot be used: {why}")]
    Url {
        /// The URL, [redacted](crate::redact_url).
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The proxy's URL cannot be used.
    #[error("the proxy {url:?} cannot be used: {why}")]
    Proxy {
        /// The URL, [redacted](crate::redact_url).
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The URL's scheme is not supported.
    #[error("the scheme {0:?} is not supported: expected http, https, ws or wss")]
    Scheme(String),
    /// The URL says `https` or `wss`, and the build does not have the feature `tls`.
    #[error("TLS is not built in: enable the feature `tls`")]
    NoTls,
    /// A root certificate cannot be read, and therefore not trusted.
    #[error("a root certificate cannot be used: {0}")]
    RootCertificate(String),
    /// There is no root certificate, so the client could trust no server.
    #[error("no root certificates: add one, or keep the public ones")]
    NoRoots,
    /// Root certificates were added in addition to a [TLS configuration](crate::ClientBuilder::tls_config), which has
    /// its own.
    #[error("root certificates cannot be combined with a TLS configuration, which has its own")]
    RootsBesideTlsConfig,
    /// The path does not begin with a slash, or contains text that a path must not contain.
    #[error("the path {0:?} cannot be used: expected a leading slash and no query")]
    Path(String),
    /// HTTP cannot carry a header.
    #[error("the header {0:?} cannot be sent")]
    Header(String),
    /// The protocol itself sets this parameter of the query.
    #[error("the query parameter {0:?} is set by the protocol")]
    ReservedParameter(String),
    /// A WebSocket cannot ask for this subprotocol, or the list has it twice.
    #[error(
        "the subprotocol {0:?} cannot be offered: expected a token (RFC 6455 section 4.1) that is offered only once"
    )]
    Protocol(String),
    /// The client itself sets this header.
    #[error("the header {0:?} is set by the client itself")]
    ReservedHeader(String),
    /// No transport is enabled.
    #[error("no transport is enabled: expected polling, websocket or both")]
    NoTransport,
    /// The client does not support this transport.
    #[error("the transport {0} is not supported: expected polling or websocket")]
    Transport(Transport),
    /// A limit or a time is zero, which would refuse everything.
    #[error("{0} is zero: expected at least 1")]
    Zero(&'static str),
}

/// Errors from opening a session.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The settings are invalid. Connecting again will not help.
    #[error(transparent)]
    Build(#[from] ClientBuildError),
    /// The host's name was not found, or the connection was not accepted.
    #[error("cannot connect: {0}")]
    Io(#[source] Arc<io::Error>),
    /// The proxy did not open a tunnel to the server.
    #[error("cannot connect through the proxy: {0}")]
    Proxy(#[from] ProxyError),
    /// The server could not prove its identity, or does not speak TLS.
    #[cfg(feature = "tls")]
    #[error("TLS failed: {0}")]
    Tls(#[from] TlsError),
    /// The URL says `http` or `ws`, and the server speaks TLS on this port.
    #[error("the server speaks TLS on this port: expected https or wss in the URL")]
    SpeaksTls,
    /// The connection ended, or the answer was not HTTP.
    #[error("the request failed: {0}")]
    Http(#[source] Arc<hyper::Error>),
    /// The server answered with an error.
    #[error("refused by the server: {0}")]
    Refused(Refused),
    /// The answer to the WebSocket handshake is invalid (RFC 6455 section 4.1).
    #[error("the WebSocket did not open: {0}")]
    NotWebSocket(&'static str),
    /// The answer has a content coding that this client did not ask for and cannot read: it asks for `identity`.
    #[error("the response has the content coding {0}, which the client does not accept")]
    Coding(String),
    /// The answer to a request is a web page, for example from a proxy, from a login, or from a server that does not
    /// speak Engine.IO.
    #[error("the response is a web page, not an Engine.IO payload: {0:?}")]
    WebPage(String),
    /// The server speaks the other revision of the protocol.
    #[error("the server speaks revision {theirs} of the protocol, but this client speaks {ours}")]
    OtherRevision {
        /// The client's revision.
        ours: Revision,
        /// The server's revision.
        theirs: Revision,
    },
    /// The server's payload is larger than this client accepts.
    #[error("the response is larger than the limit of {max_payload} bytes")]
    TooLarge {
        /// The client's own limit.
        max_payload: u32,
    },
    /// The server sent no handshake within the open timeout.
    #[error("timed out: the server sent no handshake")]
    Timeout,
    /// The server did not answer a POST for twice the time in which silence ends a session.
    #[error("timed out: the server did not answer a POST")]
    RequestTimeout,
    /// The messages of a POST cannot be encoded as a payload.
    #[error("a payload cannot be encoded: {0}")]
    Unencodable(#[source] EncodeError),
    /// The system has no random bytes for keys.
    #[error("cannot get random bytes: {0}")]
    Random(#[source] Arc<io::Error>),
    /// The server answered, but did not open the session as the protocol requires.
    #[error("the session did not open: {0}")]
    Session(Disconnect),
}

impl ConnectError {
    pub(crate) fn io(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }

    /// Returns the error for a failed request, by its cause if that has a variant.
    pub(crate) fn http(error: hyper::Error) -> Self {
        if SpeaksTls::is_behind(&error) {
            return Self::SpeaksTls;
        }
        #[cfg(feature = "tls")]
        if let Some(error) = TlsError::behind(&error) {
            return Self::Tls(error);
        }
        Self::Http(Arc::new(error))
    }

    pub(crate) fn random(error: io::Error) -> Self {
        Self::Random(Arc::new(error))
    }

    /// Returns the error for a request that cannot be built, which should be impossible: the builder of the client has
    /// checked all its parts.
    pub(crate) fn unsendable(error: http::Error) -> Self {
        Self::io(io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}
