//! Why text is not a packet.

use super::{MAX_ATTACHMENTS, MAX_ID};
use crate::json;

/// Why text is not a packet, or why arguments do not make one, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct PacketError {
    /// The offset of the offending byte: in the text given to `decode`, or in the argument given to a constructor
    /// (0 for an argument that is a number).
    pub at: usize,
    /// What is wrong there.
    pub kind: PacketErrorKind,
}

/// What is wrong with text that should have been a packet, or with what should have become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketErrorKind {
    /// Nothing at all where a packet was expected.
    #[error("empty packet: expected a type")]
    Empty,
    /// The first character is no packet type.
    #[error("unknown packet type {0:?}: expected a digit from 0 to 6")]
    UnknownType(char),
    /// A binary packet without a number of attachments, above zero and with a hyphen behind it; or attachments for a
    /// packet that can have none.
    #[error(
        "invalid attachments: expected a number above 0 and a hyphen, in a binary event or acknowledgement"
    )]
    InvalidAttachments,
    /// More than [`MAX_ATTACHMENTS`], the reference's limit.
    #[error("too many attachments: expected at most {MAX_ATTACHMENTS}")]
    TooManyAttachments,
    /// A namespace to send in that the wire cannot carry.
    #[error("invalid namespace: expected a slash first, no comma and no control character")]
    InvalidNamespace,
    /// An acknowledgement's number above [`MAX_ID`].
    #[error("acknowledgement number too large: expected at most {MAX_ID}")]
    IdTooLarge,
    /// Not JSON where JSON was expected.
    #[error("invalid JSON")]
    InvalidJson,
    /// JSON whose arrays and objects nest deeper than 64.
    #[error("JSON nested too deep: expected at most 64 levels")]
    TooDeep,
    /// Data that a packet of this type does not have.
    #[error("data of the wrong kind: expected {0}")]
    WrongData(Expected),
    /// An event under a name that belongs to Socket.IO itself.
    #[error("reserved event name")]
    ReservedName,
    /// A placeholder that names no attachment of its packet.
    #[error("invalid placeholder: expected the number of one of the packet's attachments")]
    InvalidPlaceholder,
    /// A text message while attachments of a binary packet were due.
    #[error("text between a packet and its attachments")]
    AttachmentMissing,
    /// A binary message that belongs to no packet.
    #[error("binary data that belongs to no packet")]
    UnexpectedBinary,
}

/// The data that a type of packet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Expected {
    /// Disconnect.
    Nothing,
    /// Connect.
    Object,
    /// Connect error.
    ObjectOrString,
    /// Event: the event's name comes first.
    NamedArray,
    /// Acknowledgement.
    Array,
}

impl core::fmt::Display for Expected {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "none",
            Self::Object => "an object",
            Self::ObjectOrString => "an object or a string",
            Self::NamedArray => "an array that begins with the event's name",
            Self::Array => "an array",
        })
    }
}

impl From<json::Error> for PacketError {
    fn from(error: json::Error) -> Self {
        let kind = match error.kind {
            json::ErrorKind::Invalid => PacketErrorKind::InvalidJson,
            json::ErrorKind::TooDeep => PacketErrorKind::TooDeep,
        };
        Self { at: error.at, kind }
    }
}
