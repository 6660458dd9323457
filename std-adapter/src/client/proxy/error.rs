//! Why no tunnel opens through a proxy.

use std::io;
use std::sync::Arc;

use http::StatusCode;

use crate::carrier::dialed::SpeaksTls;

/// Errors from opening a tunnel through a proxy.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy's name was not found, or the connection was not accepted.
    #[error("cannot connect to the proxy: {0}")]
    Io(#[source] Arc<io::Error>),
    /// The proxy answered with status 407, and the client had sent no credentials.
    #[error("the proxy requires a user name and a password")]
    CredentialsMissing,
    /// The proxy answered with status 407, although the client had sent credentials.
    #[error("the proxy does not accept this user name and password")]
    CredentialsRefused,
    /// The proxy answered with any other status: it does not allow tunnels to the server's port, or does not reach the
    /// server.
    #[error("the proxy refused the tunnel: status {0}")]
    Refused(StatusCode),
    /// The connection ended, or the answer was not HTTP.
    #[error("the proxy did not answer: {0}")]
    Http(#[source] Arc<hyper::Error>),
    /// The proxy speaks TLS on this port, which is not supported.
    #[error("the proxy speaks TLS on this port: expected a port with plain HTTP")]
    SpeaksTls,
    /// Bytes came through the tunnel before the client had sent anything, which no server does.
    #[error("the proxy sent data after its response")]
    TooMuch,
}

impl ProxyError {
    pub(crate) fn io(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }

    pub(super) fn http(error: hyper::Error) -> Self {
        if SpeaksTls::is_behind(&error) { Self::SpeaksTls } else { Self::Http(Arc::new(error)) }
    }
}
