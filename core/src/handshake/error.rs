//! Why a client cannot live with an open packet, in sentences.

use super::{Field, SidError};
use crate::settings::HeartbeatError;

/// Why a text is not the data of an `open` packet, and where.
///
/// A client cannot hold a session with such a server: it ends the session and says this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("{kind}, at byte {at}")]
#[non_exhaustive]
pub struct HandshakeError {
    /// The offset of the offending byte in the text that was given to
    /// [`Handshake::parse`](super::Handshake::parse); its length when the text ends too early. What is missing is
    /// missed at the closing brace.
    pub at: usize,
    /// What is wrong there.
    pub kind: HandshakeErrorKind,
}

/// What is wrong with an `open` packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum HandshakeErrorKind {
    /// It is not JSON, or not one JSON object.
    #[error("the open packet is not a JSON object")]
    Json,
    /// Arrays and objects inside each other, deeper than anybody needs.
    #[error("the open packet is nested too deep: expected at most 64 arrays and objects in each other")]
    TooDeep,
    /// A key without which there is no session.
    #[error("the open packet has no {}: expected it before the closing brace", .0.as_str())]
    Missing(Field),
    /// A key that occurs twice: whichever value was meant, some reader would take the other.
    #[error("the open packet has {} twice: expected it once", .0.as_str())]
    Duplicate(Field),
    /// A value of the wrong kind.
    #[error("{} is not {}", .0.as_str(), .0.expected())]
    WrongType(Field),
    /// A number below zero.
    #[error("{} is negative: expected a whole number above zero", .0.as_str())]
    Negative(Field),
    /// A number that is not whole.
    #[error("{} is not whole: expected a number without a fraction", .0.as_str())]
    Fraction(Field),
    /// A string that cannot name a session.
    #[error("{0}")]
    Sid(#[from] SidError),
    /// Periods that are zero or, together, too long.
    #[error("{0}")]
    Heartbeat(#[from] HeartbeatError),
}
