//! The errors of `MessagePack`.

use eio_core::socketio::{Expected, MAX_ID};

/// The error for a message that is not a packet in `MessagePack`: what is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct MsgPackError {
    /// The offset of the value that cannot be read. It is 0 if `MessagePack` is sound, and the packet is not.
    pub at: usize,
    /// The problem.
    pub kind: MsgPackErrorKind,
}

/// The problem with a message that is not a packet in `MessagePack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum MsgPackErrorKind {
    /// The message is text.
    #[error("text message: expected a binary one, in MessagePack")]
    Text,
    /// The message ends within a value, or declares a length that it does not have.
    #[error("message too short for the length that it declares")]
    Truncated,
    /// A byte that begins no value in `MessagePack`.
    #[error("reserved byte 0xc1 where a value was expected")]
    Reserved,
    /// The key of an object is not a string.
    #[error("invalid key: expected a string")]
    InvalidKey,
    /// Lists and objects nest too deep.
    #[error("values nested too deeply: expected at most 64 levels")]
    TooDeep,
    /// The values take many times the memory that the message does.
    #[error(
        "values too small and too many: expected at most 64 bytes of memory for each byte of the message"
    )]
    TooMuchMemory,
    /// Something follows the packet.
    #[error("trailing bytes: expected one value")]
    TrailingBytes,
    /// The message is a value, and not an object.
    #[error("not a packet: expected an object with type, nsp and data")]
    NotAPacket,
    /// The packet has no type, or an unknown one.
    #[error("invalid packet type: expected an integer from 0 to 4")]
    InvalidType,
    /// The packet has no namespace, or one that a packet cannot carry.
    #[error("invalid namespace: expected a leading slash, and neither commas nor control characters")]
    InvalidNamespace,
    /// The number of an event or of an answer is none.
    #[error("invalid acknowledgement number: expected an integer from 0 to {MAX_ID}")]
    InvalidId,
    /// The data is not allowed in a packet of this type.
    #[error("data of the wrong kind: expected {0}")]
    WrongData(Expected),
    /// The name of the event is reserved by Socket.IO.
    #[error("reserved event name")]
    ReservedName,
}
