//! The errors of packets.

use eio_core::internal::json;

/// The error for text that is not a packet, or for arguments that do not make a packet: what is wrong, and where.
/// Callers of `decode` should ignore the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct LegacyPacketError {
    /// The offset of the offending byte, in the text passed to `decode` or in the argument passed to a constructor.
    pub at: usize,
    /// The problem at that offset.
    pub kind: LegacyPacketErrorKind,
}

/// The problem with text or arguments that do not make a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum LegacyPacketErrorKind {
    /// The text is empty where a packet was expected.
    #[error("empty packet: expected a type")]
    Empty,
    /// The first character is not a packet type.
    #[error("unknown packet type {0:?}: expected a digit from 0 to 8")]
    UnknownType(char),
    /// A colon is missing. Two colons always separate the type, id and endpoint.
    #[error("missing colon")]
    MissingColon,
    /// The id is missing where one was expected, or could not be echoed unchanged.
    #[error("invalid id: expected a number below 2^64 without leading zeros")]
    InvalidId,
    /// The wire cannot carry the endpoint.
    #[error("invalid endpoint: expected no colon")]
    InvalidEndpoint,
    /// The text is not JSON where JSON was expected.
    #[error("invalid JSON")]
    InvalidJson,
    /// Arrays and objects are nested more than 64 deep.
    #[error("JSON nested too deep: expected at most 64 levels")]
    TooDeep,
    /// The data of an event is not a valid event.
    #[error("invalid event: expected an object with a name, a string, and perhaps args, an array")]
    InvalidEvent,
    /// The arguments of an acknowledgement are not an array.
    #[error("invalid arguments: expected an array")]
    InvalidArgs,
}

/// Returns the error for text that is not JSON.
pub(super) fn not_json(error: json::Error) -> LegacyPacketError {
    let kind = match error.kind {
        json::ErrorKind::Invalid => LegacyPacketErrorKind::InvalidJson,
        json::ErrorKind::TooDeep => LegacyPacketErrorKind::TooDeep,
    };
    LegacyPacketError { at: error.at, kind }
}
