//! The errors of sending a message, or several as one unit.

use core::fmt;

use crate::wire::message::Message;

/// The error of [`Socket::send`](crate::Socket::send), which contains the message and the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message was not sent: {kind}")]
#[non_exhaustive]
pub struct SendError {
    /// The message, unchanged.
    pub message: Message,
    /// The reason.
    pub kind: SendErrorKind,
}

/// The reason why a message cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The session is closing, has ended, or its peer has been silent past its deadline.
    #[error("{0}")]
    Session(eio_core::session::CheckSendError),
    /// The message is text with U+001E, and the session is on polling in revision 4. That character separates packets on
    /// polling, and there is no escape for it: the peer would read two packets, and the second could be any packet. Send
    /// the text as bytes, which polling carries as base64, or remove the character. A WebSocket can carry the text, so a
    /// session that is about to upgrade accepts the message after the upgrade.
    #[error(
        "text with U+001E at byte {at} cannot be sent on polling, where it separates packets: send it as bytes"
    )]
    Separator {
        /// The position of U+001E in the text, in bytes.
        at: usize,
    },
    /// A client's message is larger than the server accepts. Sending it would have ended the session.
    #[error("the message is too large: the server accepts at most {max_payload} bytes in one payload")]
    TooLarge {
        /// The limit from the server's handshake, in bytes.
        max_payload: u32,
    },
}

/// The error of [`Socket::try_send`](crate::Socket::try_send), which contains the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrySendError {
    /// The outbox is full. The session is fine: try again later, or use [`Socket::send`](crate::Socket::send).
    #[error("the outbox is full")]
    Full(Message),
    /// The session refuses the message, and will not send it.
    #[error("{0}")]
    Refused(SendError),
}

/// The error of [`Socket::send_batch`](crate::Socket::send_batch), which contains all messages and the reason. None of them
/// was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct SendBatchError {
    /// The messages, unchanged and in order.
    pub messages: Vec<Message>,
    /// The position in `messages` of the first message that the session refuses. 0 if the session refuses every message.
    pub index: usize,
    /// The reason.
    pub kind: SendErrorKind,
}

impl fmt::Display for SendBatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, kind, .. } = self;
        match kind {
            SendErrorKind::Session(_) => write!(f, "the batch was not sent: {kind}"),
            SendErrorKind::Separator { .. } | SendErrorKind::TooLarge { .. } => {
                write!(f, "the batch was not sent because of its message at index {index}: {kind}")
            }
        }
    }
}

/// The error of [`Socket::try_send_batch`](crate::Socket::try_send_batch), which contains all messages. None of them was
/// sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrySendBatchError {
    /// The outbox is full. The session is fine: try again later, or use
    /// [`Socket::send_batch`](crate::Socket::send_batch).
    #[error("the outbox is full")]
    Full(Vec<Message>),
    /// The session refuses a message of the batch, and will not send it.
    #[error("{0}")]
    Refused(SendBatchError),
}
