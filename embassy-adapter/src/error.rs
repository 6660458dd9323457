//! Errors of connecting and sending.

use eio_core::session::{DisconnectReason, SessionEnd};
use eio_core::ws::opening::{RequestError, ResponseError};

/// Errors from [`Client::new`](crate::Client::new) and [`Client::connect`](crate::Client::connect).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConnectError {
    /// The receive buffer is too short for any message, or for the server's handshake.
    #[error("the receive buffer is too small: {needed} bytes are needed")]
    RxTooSmall {
        /// A length that works.
        needed: usize,
    },
    /// The send buffer is too short for the request or for a control frame.
    #[error("the send buffer is too small: {needed} bytes are needed")]
    TxTooSmall {
        /// The smallest length that works.
        needed: usize,
    },
    /// A part of the endpoint is invalid: the host is empty, the path does not start with a slash, a header has no name, or
    /// the part contains a character that is not allowed there, such as a line break. The error names the part.
    #[error("invalid endpoint: {0}")]
    InvalidEndpoint(RequestError),
    /// The subprotocol is empty, or contains a character that is not allowed there.
    #[cfg(feature = "subprotocol")]
    #[error("invalid subprotocol: expected letters, digits and !#$%&'*+-.^_`|~")]
    InvalidSubprotocol,
    /// The server accepted the WebSocket, but chose no subprotocol.
    #[cfg(feature = "subprotocol")]
    #[error("the server chose no subprotocol")]
    SubprotocolRefused,
    /// The endpoint asks for TLS ([`Endpoint::secure`](crate::Endpoint::secure)), which this connector does not speak.
    #[error("the endpoint asks for TLS (https or wss), and this connector has none")]
    NeedsTls,
    /// The server's response does not switch to a WebSocket. An Engine.IO server answers a wrong query with
    /// [`ResponseError::Status`] 400; 404 mostly means a wrong path.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// The head of the response is longer than the receive buffer.
    #[error("the head of the response does not fit into the receive buffer")]
    HeadTooLong,
    /// The session ended before it was open: the open timeout passed, the connection ended, or the handshake was
    /// invalid.
    #[error(transparent)]
    Ended(SessionEnd),
}

impl ConnectError {
    /// Returns the reason for the session's end, or `None` if the error came before the session.
    #[must_use]
    pub const fn reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Ended(end) => Some(end.reason),
            _ => None,
        }
    }
}

impl From<SessionEnd> for ConnectError {
    fn from(end: SessionEnd) -> Self {
        Self::Ended(end)
    }
}

/// Errors from sending a message. The caller still has the message. No byte of it has been taken, except of a message that is
/// longer than the send buffer, or was begun by an earlier call: the stream may have failed between its fragments. What
/// [`Client::unsent`](crate::Client::unsent) counts then is of that message, and otherwise of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SendError {
    /// The session is closing, has ended or was never opened, or the connection has failed.
    /// [`Client::recv`](crate::Client::recv) returns how it ended, after the messages that arrived before.
    #[error("the session is closed")]
    Closed,
    /// The server has been silent past its deadline. The end is about to be reported. While a message waits to be received,
    /// this is not returned: the server's ping may be behind it.
    #[error("the server has been silent past its deadline")]
    Expired,
    /// The message is longer than the server accepts (`maxPayload` of its handshake).
    #[error("the message is too long: the server accepts at most {max} bytes")]
    TooLarge {
        /// The server's limit, including the packet's type.
        max: u32,
    },
    /// The packet must fit into the send buffer as a whole, and does not.
    #[error("the send buffer is too small: {needed} bytes are needed")]
    BufferTooSmall {
        /// The length of a buffer in which it fits.
        needed: usize,
    },
    /// Another message has been sent only in part: `send` was dropped in the middle of a message longer than the buffer,
    /// or the last piece of a message has not been sent. Send the rest of that message first.
    #[error("another message has been sent only in part")]
    Unfinished,
    /// The piece is not marked as the first one, and no message of its kind has been begun.
    #[error("the piece continues a message that has not been begun")]
    NotBegun,
}
