//! How a socket ended.

use core::fmt;

use eio_tokio::DisconnectReason;

use crate::parser::ParseError;

/// Describes how a socket ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Disconnect {
    /// The first cause of the end.
    pub reason: Reason,
    /// How the Engine.IO session ended: the time of silence, the transport, what was unsent and the client's close frame.
    /// `None` if the socket left its namespace, and the session goes on.
    pub session: Option<eio_tokio::Disconnect>,
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason, &self.session) {
            (Reason::Session(_), Some(session)) => session.fmt(f),
            (reason, Some(session)) => write!(
                f,
                "{reason} (after {} ms of silence, on {})",
                session.silent_for.as_millis(),
                session.transport.as_str()
            ),
            (reason, None) => reason.fmt(f),
        }
    }
}

/// The reason why a socket ended. The first cause wins and never changes.
///
/// | variant | [`as_str`](Self::as_str) | what happened |
/// |---|---|---|
/// | `ClientNamespaceDisconnect` | `client namespace disconnect` | the client left the namespace |
/// | `ServerNamespaceDisconnect` | `server namespace disconnect` | the server disconnected the socket |
/// | `ServerShuttingDown` | `server shutting down` | the server shut down |
/// | `InvalidPacket` | `forced close` | the client sent a packet that cannot be read |
/// | `UnexpectedPacket` | `forced close` | the client sent a packet that its state does not allow |
/// | `SlowClient` | `forced close` | the client did not read, and [`WhenFull::Close`](crate::WhenFull::Close) is set |
/// | `Session` | see [`DisconnectReason`] | the session ended |
///
/// The strings are those of the reference server.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The client left the namespace. Its session goes on.
    #[error("client namespace disconnect")]
    ClientNamespaceDisconnect,
    /// The server disconnected the socket, from its namespace or with the whole connection.
    #[error("server namespace disconnect")]
    ServerNamespaceDisconnect,
    /// The server shut down.
    #[error("server shutting down")]
    ServerShuttingDown,
    /// The client sent a packet that cannot be read. The server closed the connection.
    #[error("forced close: {0}")]
    InvalidPacket(ParseError),
    /// The client sent a readable packet that its state does not allow. The server closed the connection.
    #[error("forced close: {0}")]
    UnexpectedPacket(Unexpected),
    /// The client did not read, so that its outbox was full when there was something to send, and
    /// [`WhenFull::Close`](crate::WhenFull::Close) is set. The server closed the connection.
    #[error("forced close: the client did not read what it was sent")]
    SlowClient,
    /// The Engine.IO session ended.
    #[error("{0}")]
    Session(DisconnectReason),
}

/// A packet that the state of its sender does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unexpected {
    /// An event, an acknowledgement or a disconnect for a namespace that the client has not joined.
    #[error("the client sent a packet to a namespace that it has not joined")]
    NotJoined,
    /// A second request to join a namespace.
    #[error("the client asked to join a namespace twice")]
    JoinedTwice,
    /// A connect error, which only servers send.
    #[error("the client sent a connect error, which only servers send")]
    ConnectError,
}

impl Reason {
    /// Returns the string that the reference server uses for this reason.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ServerShuttingDown => "server shutting down",
            Self::InvalidPacket(_) | Self::UnexpectedPacket(_) | Self::SlowClient => "forced close",
            Self::Session(reason) => reason.as_str(),
        }
    }

    /// Returns whether a client that comes back in time gets what it missed, if the server has
    /// [recovery](crate::ServerBuilder::recovery). This is so unless one side left the namespace on purpose, the client sent
    /// what is no Engine.IO packet, as in the reference, or [`WhenFull::Close`](crate::WhenFull::Close) has closed it.
    #[must_use]
    pub fn is_recoverable(&self) -> bool {
        !matches!(
            self,
            Self::ClientNamespaceDisconnect
                | Self::ServerNamespaceDisconnect
                | Self::SlowClient
                | Self::Session(DisconnectReason::ParseError(_))
        )
    }
}
