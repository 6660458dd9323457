//! The errors of sending events and of waiting for answers, for both roles.

use eio_tokio::{SendErrorKind, TrySendBatchError, TrySendError};

use crate::args::{DecodeError, EncodeError};

/// The reason why an event or an answer is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The data cannot be written, or the event's name is reserved.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The peer does not read as fast as this side sends, and the outbox is full. The connection is fine: try again later,
    /// or use `send`, which waits.
    #[error("too many events wait to be sent")]
    Full,
    /// The namespace is not joined: not yet, or not any more; or the session is closing.
    #[error("the namespace is not connected")]
    Disconnected,
    /// A message of the event is larger than the server accepts. Sending it would end the connection.
    #[error("the event is too large: the server accepts at most {max_payload} bytes in one message")]
    TooLarge {
        /// The limit from the server's handshake, in bytes.
        max_payload: u32,
    },
    /// The event has text with U+001E, and the session is on polling, where that character separates packets. JSON escapes
    /// it, so this is only possible with a parser of your own.
    #[error("text with U+001E cannot be sent on polling, where it separates packets")]
    Separator,
}

impl From<SendErrorKind> for EmitError {
    fn from(kind: SendErrorKind) -> Self {
        match kind {
            SendErrorKind::TooLarge { max_payload } => Self::TooLarge { max_payload },
            SendErrorKind::Separator { .. } => Self::Separator,
            _ => Self::Disconnected,
        }
    }
}

impl From<TrySendError> for EmitError {
    fn from(error: TrySendError) -> Self {
        match error {
            TrySendError::Full(_) => Self::Full,
            TrySendError::Refused(error) => error.kind.into(),
            _ => Self::Disconnected,
        }
    }
}

impl From<TrySendBatchError> for EmitError {
    fn from(error: TrySendBatchError) -> Self {
        match error {
            TrySendBatchError::Full(_) => Self::Full,
            TrySendBatchError::Refused(error) => error.kind.into(),
            _ => Self::Disconnected,
        }
    }
}

/// The reason why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// The event was not sent.
    #[error("the event was not sent: {0}")]
    Emit(#[from] EmitError),
    /// The answer did not come in time. The peer may have handled the event.
    #[error("timed out: the event was not answered in time")]
    Timeout,
    /// The connection ended, or the namespace was left, before the answer came. The peer may have handled the event.
    #[error("disconnected before the event was answered")]
    Disconnected,
    /// The node that the socket is on has not told the answer. The peer may have handled the event.
    #[cfg(feature = "cluster")]
    #[error("no answer from the node {node}: {reason}")]
    Node {
        /// The name of the node.
        node: String,
        /// Why it has not.
        reason: eio_cluster::NoAnswer,
    },
    /// The answer does not fit the type.
    #[error("the answer cannot be read: {0}")]
    Decode(#[from] DecodeError),
}
