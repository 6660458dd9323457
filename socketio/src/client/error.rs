//! The errors of a client.

use std::sync::Arc;

use bytestring::ByteString;

use crate::args::EncodeError;
use crate::client::disconnect::Disconnect;
use crate::client::refused::Refused;

/// The reason why a namespace is not joined.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The server refused the client: a middleware did, or the namespace does not exist.
    #[error("the server refused the client: {0}")]
    Refused(Refused),
    /// The server did not answer within the [connect timeout](crate::client::ClientBuilder::connect_timeout).
    #[error("timed out: the server did not answer the request to join")]
    Timeout,
    /// The connection did not open, and another attempt would not help, or no more attempts are
    /// [allowed](crate::client::ClientBuilder::max_attempts).
    #[error("the connection did not open: {0}")]
    Connect(#[source] eio_tokio::ConnectError),
    /// The connection ended before the server answered, and the client does not
    /// [reconnect](crate::client::ClientBuilder::reconnection), or it was closed.
    #[error("disconnected before the server answered: {0}")]
    Disconnected(Disconnect),
    /// This client has a [`Socket`](crate::client::Socket) or an [`Emitter`](crate::client::Emitter) of the namespace, which
    /// may be disconnected: one of each namespace at a time. [`Socket::rejoin`](crate::client::Socket::rejoin) joins again.
    #[error("this client has a socket of {0:?} already: join with that one, or drop it and its emitters")]
    AlreadyJoined(ByteString),
    /// The name cannot be that of a namespace.
    #[error(
        "{0:?} cannot be a namespace: expected a name of at most 1024 bytes without commas and control characters, and a query only for servers of Socket.IO 2"
    )]
    InvalidNamespace(ByteString),
    /// The credentials are not a JSON object, which is what servers accept.
    #[error("the credentials cannot be sent: {0}")]
    InvalidCredentials(Arc<str>),
    /// The function that returns the [credentials](crate::client::Credentials::asked) failed or panicked.
    #[error("no credentials: {0}")]
    NoCredentials(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The server answered as those of Socket.IO 2 do.
    #[error("the server speaks Socket.IO 2: expected an answer with an id, or a client with `eio3`")]
    OldServer,
}

impl From<EncodeError> for JoinError {
    fn from(error: EncodeError) -> Self {
        Self::InvalidCredentials(error.to_string().into())
    }
}

/// The error of [`Socket::recv`](crate::client::Socket::recv): nothing will arrive, because the namespace is not joined
/// and the client does not join it by itself. [`Socket::rejoin`](crate::client::Socket::rejoin) does.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The last disconnect was final.
    #[error("the namespace is not joined any more: {0}")]
    Disconnected(Disconnect),
    /// Joining again failed.
    #[error("the namespace could not be joined again: {0}")]
    NotJoined(JoinError),
}
