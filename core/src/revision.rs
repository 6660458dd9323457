//! The protocol revisions that sessions speak.

use core::fmt;
use core::str::FromStr;

use crate::BufferTooSmall;
use crate::packet::{DecodeError, Packet, WebSocketMessage, v3, v4};

/// A revision of the Engine.IO protocol. Requests name it as `EIO` in their query.
///
/// Use it where the revision is known at run time only. A program that calls the functions of one revision, such as
/// [`v4::decode`], does not carry the other revision in its image; the methods of this type carry both.
///
/// ```
/// use eio_core::Revision;
/// use eio_core::packet::{Packet, WebSocketMessage};
///
/// let revision: Revision = "3".parse()?;
/// assert_eq!(revision, Revision::V3);
/// assert_eq!(format!("EIO={revision}"), "EIO=3");
/// assert_eq!(revision.decode(WebSocketMessage::Binary(&[4, 9])), Ok(Packet::message(WebSocketMessage::Binary(&[9]))));
/// assert_eq!(Revision::V4.decode(WebSocketMessage::Binary(&[4, 9])), Ok(Packet::message(WebSocketMessage::Binary(&[4, 9]))));
/// # Ok::<(), eio_core::ParseRevisionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "code that speaks the protocol needs a case for each revision")]
pub enum Revision {
    /// Revision 3, which Socket.IO 1 and 2 use: the client pings.
    V3,
    /// Revision 4, which Socket.IO 3 and 4 use: the server pings.
    V4,
}

impl Revision {
    /// Both revisions, the older one first.
    pub const ALL: [Self; 2] = [Self::V3, Self::V4];

    /// Returns the revision with this number, or `None` for a number other than 3 and 4.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            3 => Some(Self::V3),
            4 => Some(Self::V4),
            _ => None,
        }
    }

    /// Returns the number of the revision: 3 or 4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }

    /// Returns the value of `EIO` in a query: `3` or `4`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "3",
            Self::V4 => "4",
        }
    }

    /// Decodes the packet in one WebSocket message, with [`v3::decode`] or [`v4::decode`].
    ///
    /// # Errors
    /// Returns a [`DecodeError`] if the message is not a packet of this revision.
    pub fn decode(self, message: WebSocketMessage<'_>) -> Result<Packet<'_>, DecodeError> {
        match self {
            Self::V3 => v3::decode(message),
            Self::V4 => v4::decode(message),
        }
    }

    /// Writes `packet` as one WebSocket message, with [`v3::encode`] or [`v4::encode`].
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if the message does not fit into `out`. A buffer of
    /// [`encoded_len`](Self::encoded_len) bytes is always enough.
    pub fn encode<'o>(
        self,
        packet: &Packet<'o>,
        supports_binary: bool,
        out: &'o mut [u8],
    ) -> Result<WebSocketMessage<'o>, BufferTooSmall> {
        match self {
            Self::V3 => v3::encode(packet, supports_binary, out),
            Self::V4 => v4::encode(packet, supports_binary, out),
        }
    }

    /// Returns the length, in bytes, of the WebSocket message that [`encode`](Self::encode) writes for `packet`.
    #[must_use]
    pub const fn encoded_len(self, packet: &Packet<'_>, supports_binary: bool) -> usize {
        match self {
            Self::V3 => v3::encoded_len(packet, supports_binary),
            Self::V4 => v4::encoded_len(packet, supports_binary),
        }
    }
}

/// Displays the number: `3` or `4`.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Reads the value of `EIO` in a query.
impl FromStr for Revision {
    type Err = ParseRevisionError;

    fn from_str(text: &str) -> Result<Self, ParseRevisionError> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == text).ok_or(ParseRevisionError)
    }
}

/// The error for text that does not name a [`Revision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("unknown protocol revision: expected 3 or 4")]
#[non_exhaustive]
pub struct ParseRevisionError;

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_revision_is_read_as_it_is_written_and_nothing_else_is() {
        for revision in Revision::ALL {
            assert_eq!(revision.to_string().parse(), Ok(revision));
            assert_eq!(Revision::from_number(revision.number()), Some(revision));
            assert_eq!(revision.to_string(), revision.number().to_string());
        }
        for text in ["", "2", "5", "04", "4 ", "four"] {
            assert_eq!(text.parse::<Revision>(), Err(ParseRevisionError), "{text:?}");
        }
        assert_eq!(Revision::from_number(5), None);
    }

    #[test]
    fn what_a_revision_encodes_it_decodes() {
        let packets = [Packet::PING_PROBE, Packet::message(WebSocketMessage::Binary(&[1, 2, 3]))];
        for (revision, packet) in
            Revision::ALL.into_iter().flat_map(|one| packets.map(|packet| (one, packet)))
        {
            let mut out = [0; 16];
            let message = revision.encode(&packet, true, &mut out).expect("16 bytes are enough");
            let len = match message {
                WebSocketMessage::Text(text) => text.len(),
                WebSocketMessage::Binary(bytes) => bytes.len(),
            };
            assert_eq!(len, revision.encoded_len(&packet, true));
            assert_eq!(revision.decode(message), Ok(packet));
        }
    }
}
