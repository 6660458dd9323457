//! The errors of reading an open packet, and their messages.

use super::{Field, SidError};
use crate::settings::HeartbeatError;

/// The error for text that is not the data of an `open` packet: what is wrong, and where.
///
/// A client cannot keep a session with such a server. It ends the session and reports this error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct HandshakeError {
    /// The offset of the offending byte in the text that was given to [`Handshake::parse`](super::Handshake::parse), or
    /// the length of the text if it ends too early. A missing key is reported at the closing brace.
    pub at: usize,
    /// The problem at that offset.
    pub kind: HandshakeErrorKind,
}

/// The problem with an `open` packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HandshakeErrorKind {
    /// The text is not JSON, or not exactly one JSON object.
    #[error("the open packet is not a JSON object")]
    Json,
    /// Arrays and objects are nested too deeply.
    #[error("the open packet is nested too deeply: expected at most 64 levels of arrays and objects")]
    TooDeep,
    /// A required key is missing.
    #[error("the open packet lacks the key {}: expected it before the closing brace", .0.as_str())]
    Missing(Field),
    /// A key occurs twice. Different readers would take different values.
    #[error("the open packet has the key {} twice: expected it once", .0.as_str())]
    Duplicate(Field),
    /// A value has the wrong type.
    #[error("{} is not {}", .0.as_str(), .0.expected())]
    WrongType(Field),
    /// A number is below zero.
    #[error("{} is negative: expected a whole number above zero", .0.as_str())]
    Negative(Field),
    /// A number is not whole.
    #[error("{} is not whole: expected a number without a fraction", .0.as_str())]
    Fraction(Field),
    /// The sid is not a valid identifier of a session.
    #[error("{0}")]
    Sid(#[from] SidError),
    /// The periods are zero or, together, too long.
    #[error("{0}")]
    Heartbeat(#[from] HeartbeatError),
}
