//! What can go wrong, sorted by who has to act.

use eio_core::session::{Disconnect, DisconnectReason};

/// Why [`Client::connect`](crate::Client::connect) has no session to hand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConnectError {
    /// The buffer for receiving is too short for any message, or for the server's handshake.
    #[error("the receive buffer is too small: {needed} bytes are needed")]
    RxTooSmall {
        /// A length that works.
        needed: usize,
    },
    /// The buffer for sending does not hold the request, or no control frame.
    #[error("the send buffer is too small: {needed} bytes are needed")]
    TxTooSmall {
        /// The least that works.
        needed: usize,
    },
    /// There is no host, the path does not begin with a slash, or a character would end what it stands in.
    #[error(
        "the endpoint cannot be put in a request: expected a host, a path with a slash first, and visible ASCII"
    )]
    InvalidEndpoint,
    /// The server answered with this status instead of 101. 400 is what an Engine.IO server says to a wrong query;
    /// 404 mostly means a wrong path.
    #[error("the server refused with status {status}: expected 101")]
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// What came back is not the head of an HTTP/1 response.
    #[error("the answer is not HTTP/1")]
    NotHttp,
    /// The head of the response is longer than the receive buffer.
    #[error("the head of the response does not fit into the receive buffer")]
    HeadTooLong,
    /// Status 101, but the headers do not say `Upgrade: websocket` and `Connection: Upgrade`, or they choose an
    /// extension or a protocol that nobody asked for.
    #[error("the server switched to something else than plain WebSocket")]
    NotWebSocket,
    /// `Sec-WebSocket-Accept` does not answer this request's key: a cache, or no WebSocket server.
    #[error("the server's accept key is wrong")]
    WrongAcceptKey,
    /// The session ended before it was open: its open timeout, a connection that ended, a handshake that cannot be
    /// used.
    #[error(transparent)]
    Ended(Disconnect),
}

impl ConnectError {
    /// The session's reason, if it was the session that failed.
    #[must_use]
    pub const fn reason(&self) -> Option<DisconnectReason> {
        match self {
            Self::Ended(end) => Some(end.reason),
            _ => None,
        }
    }
}

impl From<Disconnect> for ConnectError {
    fn from(end: Disconnect) -> Self {
        Self::Ended(end)
    }
}

/// Why a message was not sent. The caller still owns it; no byte of it has left, unless it was begun by an earlier
/// call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SendError {
    /// The session closes or has ended, or was never opened, or the connection has failed.
    /// [`Client::recv`](crate::Client::recv) says how, after what had come in before.
    #[error("the session is closed")]
    Closed,
    /// The server has been silent past its deadline: the end is about to be reported.
    #[error("the server is silent past its deadline")]
    Expired,
    /// The message is longer than the server accepts (`maxPayload` of its handshake).
    #[error("the message is too long: the server accepts {max} bytes")]
    TooLarge {
        /// The server's limit, the packet's type included.
        max: u32,
    },
    /// It has to fit into the send buffer, and does not.
    #[error("the send buffer is too small: {needed} bytes are needed")]
    BufferTooSmall {
        /// The length of a buffer in which it fits.
        needed: usize,
    },
    /// Another message was begun and is not finished: `send` was dropped in the middle of a message that is longer
    /// than the buffer, or the last piece of one has not been sent. Send its rest first.
    #[error("another message is not finished")]
    Unfinished,
    /// A piece that continues a message, and no such message was begun.
    #[error("no message to continue")]
    NotBegun,
}
