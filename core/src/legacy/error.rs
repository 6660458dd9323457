//! Why text is not a packet.

use crate::json;

/// Why text is not a packet, or why arguments do not make one, and where. Callers of `decode` ignore the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct PacketError {
    /// The offset of the offending byte: in the text given to `decode`, or in the argument given to a constructor.
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
    #[error("unknown packet type {0:?}: expected a digit from 0 to 8")]
    UnknownType(char),
    /// Type, id and endpoint are separated by colons; two are always there.
    #[error("missing colon")]
    MissingColon,
    /// No id where one was expected, or one that could not be echoed as it is.
    #[error("invalid id: expected a number below 2^64 without leading zeros")]
    InvalidId,
    /// An endpoint that the wire cannot carry.
    #[error("invalid endpoint: expected no colon")]
    InvalidEndpoint,
    /// Not JSON where JSON was expected.
    #[error("invalid JSON")]
    InvalidJson,
    /// JSON whose arrays and objects nest deeper than 64.
    #[error("JSON nested too deep: expected at most 64 levels")]
    TooDeep,
    /// An event's data is something else.
    #[error("invalid event: expected an object with a name, a string, and perhaps args, an array")]
    InvalidEvent,
    /// An acknowledgement's arguments are something else.
    #[error("invalid arguments: expected an array")]
    InvalidArgs,
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
