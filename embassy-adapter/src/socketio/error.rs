//! The errors of Socket.IO on a board.

use eio_core::session::SessionEnd;
use eio_core::socketio::PacketError;

use crate::SendError;

/// Errors from a [`Socket`](super::Socket) and from [`Namespaces`](super::Namespaces).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SocketError {
    /// The session ended.
    #[error(transparent)]
    Session(SessionEnd),
    /// The server refused the namespace. [`refusal`](super::refusal) returns the server's explanation.
    #[error("the server refused the namespace")]
    Refused,
    /// The server did not answer the request to join in time, or its answer is longer than the receive buffer and came in
    /// pieces.
    #[error("the server did not answer the request to join the namespace in time")]
    Timeout,
    /// The server did not answer an event in time.
    #[error("the server did not answer the event in time")]
    AckTimeout,
    /// The server disconnected the client from the namespace. The reference client then does not reconnect by itself,
    /// because the server removed it on purpose.
    #[error("the server disconnected the client from the namespace")]
    Disconnected,
    /// The client has not joined the namespace: it did not ask, the server has not answered yet or has refused, or one
    /// of the two has ended the membership.
    #[error("the namespace is not joined")]
    NotJoined,
    /// The client has joined the namespace, or has asked to. A second request would make the server end the session.
    #[error("the namespace is joined already")]
    AlreadyJoined,
    /// Every place of the [`Namespaces`](super::Namespaces) is taken.
    #[error("too many namespaces: at most {max} can be joined at a time")]
    TooManyNamespaces {
        /// The number of places.
        max: usize,
    },
    /// A packet is invalid: one from the server, or the one to be sent. One from the server also closes the session.
    #[error("parse error: {0}")]
    Packet(#[from] PacketError),
    /// The number of attachments that were passed is not the number that the packet announces.
    #[error("the packet announces another number of attachments: {announced}")]
    WrongAttachments {
        /// The number that the packet announces.
        announced: u32,
    },
    /// A packet longer than the receive buffer arrived in pieces
    /// ([`ClientSettings::long_messages`](crate::ClientSettings::long_messages)), so it cannot be decoded.
    #[error("the packet is longer than the receive buffer")]
    TooLong,
    /// Sending failed. [`SendError::Unfinished`] also means that a binary event has been sent only in part.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl From<SessionEnd> for SocketError {
    fn from(end: SessionEnd) -> Self {
        Self::Session(end)
    }
}
