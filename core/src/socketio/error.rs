//! The errors of packets.

use super::{MAX_ATTACHMENTS, MAX_ID};
use crate::json;

/// The error for text that is not a packet, or for arguments that do not make a packet: what is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct PacketError {
    /// The offset of the offending byte, in the text passed to `decode` or in the argument passed to a constructor (0
    /// for an argument that is a number).
    pub at: usize,
    /// The problem at that offset.
    pub kind: PacketErrorKind,
}

/// The problem with text or arguments that do not make a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketErrorKind {
    /// The text is empty where a packet was expected.
    #[error("empty packet: expected a type")]
    Empty,
    /// The first character is not a packet type.
    #[error("unknown packet type {0:?}: expected a digit from 0 to 6")]
    UnknownType(char),
    /// A binary packet does not have a number of attachments above zero followed by a hyphen, or a packet has
    /// attachments that its type does not allow.
    #[error(
        "invalid attachments: expected a number above 0 and a hyphen, in a binary event or acknowledgement"
    )]
    InvalidAttachments,
    /// The packet has more than [`MAX_ATTACHMENTS`], the limit of the reference.
    #[error("too many attachments: expected at most {MAX_ATTACHMENTS}")]
    TooManyAttachments,
    /// The wire cannot carry the namespace that was given for sending.
    #[error("invalid namespace: expected a leading slash, and neither commas nor control characters")]
    InvalidNamespace,
    /// The acknowledgement id is above [`MAX_ID`].
    #[error("acknowledgement number too large: expected at most {MAX_ID}")]
    IdTooLarge,
    /// The text is not JSON where JSON was expected.
    #[error("invalid JSON")]
    InvalidJson,
    /// Arrays and objects are nested more than 64 deep.
    #[error("JSON nested too deeply: expected at most 64 levels")]
    TooDeep,
    /// The data is not allowed in a packet of this type.
    #[error("data of the wrong kind: expected {0}")]
    WrongData(Expected),
    /// The name of the event is reserved by Socket.IO.
    #[error("reserved event name")]
    ReservedName,
    /// A placeholder does not refer to an attachment of its packet.
    #[error("invalid placeholder: expected the number of one of the packet's attachments")]
    InvalidPlaceholder,
    /// A text message arrived while attachments of a binary packet were expected.
    #[error("text between a packet and its attachments")]
    AttachmentMissing,
    /// A binary message arrived that does not belong to a packet.
    #[error("binary data without a packet that announced it")]
    UnexpectedBinary,
}

/// The data that a packet type requires.
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
            Self::Nothing => "no data",
            Self::Object => "an object",
            Self::ObjectOrString => "an object or a string",
            Self::NamedArray => "an array that begins with the event's name",
            Self::Array => "an array",
        })
    }
}

// The reader is not part of the API.
#[doc(hidden)]
impl From<json::Error> for PacketError {
    fn from(error: json::Error) -> Self {
        let kind = match error.kind {
            json::ErrorKind::Invalid => PacketErrorKind::InvalidJson,
            json::ErrorKind::TooDeep => PacketErrorKind::TooDeep,
        };
        Self { at: error.at, kind }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn data_of_the_wrong_kind_is_refused_with_what_was_expected() {
        for (expected, text) in [
            (Expected::Nothing, "no data"),
            (Expected::Object, "an object"),
            (Expected::ObjectOrString, "an object or a string"),
            (Expected::NamedArray, "an array that begins with the event's name"),
            (Expected::Array, "an array"),
        ] {
            let kind = PacketErrorKind::WrongData(expected);
            assert_eq!(kind.to_string(), std::format!("data of the wrong kind: expected {text}"));
        }
    }
}
