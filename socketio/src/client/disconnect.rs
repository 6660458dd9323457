//! How a namespace was disconnected.

use core::fmt;
use std::sync::Arc;

use crate::parser::ParseError;

/// The reason why a namespace was disconnected.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The server disconnected the client from the namespace, and the connection stays open.
    ServerDisconnect,
    /// This side left the namespace or closed the client.
    ClientDisconnect,
    /// The server sent a packet that cannot be read, so the client closed the connection.
    ParseError(Arc<ParseError>),
    /// The connection ended. [`Disconnect::engine`] says how.
    ConnectionEnded,
}

/// Describes how a namespace was disconnected.
///
/// | [`as_str`](Self::as_str) | what happened | joins again by itself |
/// |---|---|---|
/// | `io server disconnect` | the server disconnected the client from the namespace | no |
/// | `io client disconnect` | this side left or closed | no |
/// | `ping timeout` | the server was silent for its ping interval and timeout | yes |
/// | `transport close` | the connection was closed or reset | yes |
/// | `transport error` | the connection failed | yes |
/// | `parse error` | the server sent a packet that cannot be read | yes |
/// | `application stalled` | this application did not receive: see [`ClientBuilder::inbox`](crate::client::ClientBuilder::inbox) | yes |
/// | `unexpected packet` | the server sent a second handshake | yes |
/// | `forced close` | a function of [`on_event`](eio_tokio::ClientBuilder::on_event) panicked | yes |
///
/// The first six strings are those of the reference client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Disconnect {
    /// The reason.
    pub reason: DisconnectReason,
    /// How the connection ended, if it did: how long the server was silent, which transport carried the session, what
    /// was unsent, the close frame.
    pub engine: Option<eio_tokio::Disconnect>,
    /// Whether the client will connect and join the namespace again by itself.
    pub reconnects: bool,
    /// The number of events on this namespace that were dropped unsent: the transport had not taken them, and the
    /// [buffer](crate::client::ClientBuilder::buffer_while_away) has no room for them, or the application has closed the client.
    pub dropped: usize,
}

impl Disconnect {
    pub(super) fn new(reason: DisconnectReason) -> Self {
        Self { reason, engine: None, reconnects: false, dropped: 0 }
    }

    /// Describes the end of the connection. `error` is what could not be read, if that was the reason.
    pub(super) fn connection(engine: Option<eio_tokio::Disconnect>, error: Option<ParseError>) -> Self {
        let reason = error
            .map_or(DisconnectReason::ConnectionEnded, |error| DisconnectReason::ParseError(Arc::new(error)));
        Self { engine, ..Self::new(reason) }
    }

    /// Returns the string that the reference client uses for the reason, or one of this library's own where it has none.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match (&self.reason, &self.engine) {
            (DisconnectReason::ServerDisconnect, _) => "io server disconnect",
            (DisconnectReason::ClientDisconnect, _) => "io client disconnect",
            (DisconnectReason::ParseError(_), _) => "parse error",
            (DisconnectReason::ConnectionEnded, Some(engine)) => engine.reason.as_str(),
            (DisconnectReason::ConnectionEnded, None) => "transport error",
        }
    }
}

/// Displays the reason, and what is known beyond it.
impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason, &self.engine) {
            (DisconnectReason::ConnectionEnded, Some(engine)) => engine.fmt(f),
            (DisconnectReason::ParseError(error), _) => write!(f, "parse error: {error}"),
            _ => f.write_str(self.as_str()),
        }
    }
}

impl std::error::Error for Disconnect {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_the_words_of_the_reference() {
        let words = |reason| Disconnect::new(reason).as_str();
        assert_eq!(words(DisconnectReason::ServerDisconnect), "io server disconnect");
        assert_eq!(words(DisconnectReason::ClientDisconnect), "io client disconnect");
        assert_eq!(words(DisconnectReason::ConnectionEnded), "transport error");
    }
}
