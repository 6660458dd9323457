//! Why there is no client, and why there is no session.

use std::io;
use std::sync::Arc;

use eio_core::payload::v4::EncodeError;

use crate::client::dial::SpeaksTls;
use crate::client::proxy::ProxyError;
use crate::client::refusal::Refused;
#[cfg(feature = "tls")]
use crate::client::tls::TlsError;
use crate::socket::Disconnect;

/// Why settings are no client.
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
    /// A URL of another protocol.
    #[error("the scheme {0:?} is not supported: expected http, https, ws or wss")]
    Scheme(String),
    /// `https` or `wss` in a build without the feature `tls`.
    #[error("TLS is not built in: enable the feature `tls`")]
    NoTls,
    /// A certificate that cannot be trusted because it cannot be read.
    #[error("a root certificate cannot be used: {0}")]
    RootCertificate(String),
    /// No root certificate at all: no server could be trusted.
    #[error("no root certificate: add one, or keep the public ones")]
    NoRoots,
    /// Root certificates beside a [configuration of TLS](crate::ClientBuilder::tls_config), which has its own.
    #[error("root certificates have no effect beside a configuration of TLS, which has its own")]
    RootsBesideTlsConfig,
    /// The path must begin with a slash and hold only what a path may.
    #[error("the path {0:?} cannot be used: expected a slash first, and no query")]
    Path(String),
    /// A header that HTTP cannot carry.
    #[error("the header {0:?} cannot be sent")]
    Header(String),
    /// A parameter of the query that the protocol itself sets.
    #[error("the query parameter {0:?} is set by the protocol")]
    ReservedParameter(String),
    /// A subprotocol that a WebSocket cannot ask for, or that is asked for twice.
    #[error(
        "the subprotocol {0:?} cannot be offered: expected a token (RFC 6455 section 4.1), and each one once"
    )]
    Protocol(String),
    /// A header that the client itself sets.
    #[error("the header {0:?} is set by the client itself")]
    ReservedHeader(String),
    /// No transport.
    #[error("no transport is enabled: expected polling, websocket or both")]
    NoTransport,
    /// A limit of zero, which would refuse everything.
    #[error("{0} is zero: expected at least 1")]
    Zero(&'static str),
}

/// Why no session came about.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The settings are no client; connecting again will not help.
    #[error(transparent)]
    Build(#[from] ClientBuildError),
    /// The name was not found, or nobody accepted the connection.
    #[error("cannot connect: {0}")]
    Io(#[source] Arc<io::Error>),
    /// There is no way through the proxy.
    #[error("no way through the proxy: {0}")]
    Proxy(#[from] ProxyError),
    /// The server could not prove who it is, or does not speak TLS.
    #[cfg(feature = "tls")]
    #[error("TLS failed: {0}")]
    Tls(#[from] TlsError),
    /// An `http` or `ws` URL of a server that speaks TLS on this port.
    #[error("the server speaks TLS on this port: expected https or wss in the URL")]
    SpeaksTls,
    /// The connection ended, or what came was no HTTP.
    #[error("the request failed: {0}")]
    Http(#[source] Arc<hyper::Error>),
    /// The server answered with an error.
    #[error("refused by the server: {0}")]
    Refused(Refused),
    /// The answer to the WebSocket handshake is none (RFC 6455 section 4.1).
    #[error("no WebSocket: {0}")]
    NotWebSocket(&'static str),
    /// An answer in a coding that this client did not ask for, and does not read: it asks for `identity`.
    #[error("the server's answer is coded as {0}, which was not asked for")]
    Coding(String),
    /// The answer to a request is a web page: of a proxy, of a login, or of a server that is none of Engine.IO.
    #[error("the answer is a web page and no payload of Engine.IO: {0:?}")]
    WebPage(String),
    /// The server speaks the other revision of the protocol.
    #[error("the server speaks revision {theirs} of the protocol, and this client {ours}")]
    OtherRevision {
        /// The client's.
        ours: u8,
        /// The server's.
        theirs: u8,
    },
    /// A payload larger than this client takes.
    #[error("the server's answer is larger than the {max_payload} bytes that are allowed")]
    TooLarge {
        /// The client's own limit.
        max_payload: u32,
    },
    /// There was no handshake within the open timeout.
    #[error("timed out: the server sent no handshake")]
    Timeout,
    /// A request with data was not answered for twice the time in which silence ends a session.
    #[error("timed out: the server did not answer a request with data")]
    RequestTimeout,
    /// The messages of a request with data make no payload.
    #[error("a payload cannot be encoded: {0}")]
    Unencodable(#[source] EncodeError),
    /// The system has no random bytes for keys.
    #[error("no random bytes: {0}")]
    Random(#[source] Arc<io::Error>),
    /// The server spoke, but not as a session begins.
    #[error("no session: {0}")]
    Session(Disconnect),
}

impl ConnectError {
    pub(crate) fn io(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }

    /// The cause within, if that is one to name.
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

    /// A request that cannot even be written, whose parts were all checked when the client was built.
    pub(crate) fn unsendable(error: http::Error) -> Self {
        Self::io(io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}
