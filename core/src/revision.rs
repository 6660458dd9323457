//! The revisions of the protocol that a session can speak.

use core::fmt;
use core::str::FromStr;

use crate::BufferTooSmall;
use crate::packet::{DecodeError, Frame, Packet, v3, v4};

/// The revision of the protocol that a session speaks. A client names it in its requests, as `EIO`.
///
/// Its methods choose between [`packet::v3`](crate::packet::v3) and [`packet::v4`](crate::packet::v4) at run time, and
/// link both. An image that needs only one revision calls those modules directly.
///
/// ```
/// use eio_core::Revision;
/// use eio_core::packet::{Frame, Packet};
///
/// let revision: Revision = "4".parse()?;
/// assert_eq!((revision, revision.number()), (Revision::V4, 4));
/// assert_eq!(revision.decode(Frame::Binary(&[4, 1])), Ok(Packet::message(Frame::Binary(&[4, 1]))));
/// assert_eq!(Revision::V3.decode(Frame::Binary(&[4, 1])), Ok(Packet::message(Frame::Binary(&[1]))));
/// # Ok::<(), eio_core::UnknownRevision>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "callers must handle each revision")]
pub enum Revision {
    /// Revision 3, which Socket.IO 1 and 2 use. The client pings.
    V3,
    /// Revision 4, which Socket.IO 3 and 4 use. The server pings.
    V4,
}

impl Revision {
    /// Returns the number of the revision: 3 or 4.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }

    /// Returns the number as text, as in the query parameter `EIO`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V3 => "3",
            Self::V4 => "4",
        }
    }

    /// Decodes the packet in `frame`.
    ///
    /// # Errors
    /// Returns a [`DecodeError`] if the frame is not a packet of this revision. See [`v3::decode`](v3::decode) and
    /// [`v4::decode`](v4::decode).
    pub fn decode(self, frame: Frame<'_>) -> Result<Packet<'_>, DecodeError> {
        match self {
            Self::V3 => v3::decode(frame),
            Self::V4 => v4::decode(frame),
        }
    }

    /// Writes `packet` as one frame. `supports_binary` is false for a peer that asked for base64 (`b64` in its query).
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if the frame does not fit into `out`. A buffer of [`encoded_len`](Self::encoded_len)
    /// bytes is always enough.
    pub fn encode<'o>(
        self,
        packet: &Packet<'o>,
        supports_binary: bool,
        out: &'o mut [u8],
    ) -> Result<Frame<'o>, BufferTooSmall> {
        match self {
            Self::V3 => v3::encode(packet, supports_binary, out),
            Self::V4 => v4::encode(packet, supports_binary, out),
        }
    }

    /// Returns the length, in bytes, of the frame that [`encode`](Self::encode) writes for `packet`.
    #[must_use]
    pub const fn encoded_len(self, packet: &Packet<'_>, supports_binary: bool) -> usize {
        match self {
            Self::V3 => v3::encoded_len(packet, supports_binary),
            Self::V4 => v4::encoded_len(packet, supports_binary),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Revision {
    type Err = UnknownRevision;

    /// Reads the value of the query parameter `EIO`: exactly `3` or `4`.
    fn from_str(text: &str) -> Result<Self, UnknownRevision> {
        match text {
            "3" => Ok(Self::V3),
            "4" => Ok(Self::V4),
            _ => Err(UnknownRevision),
        }
    }
}

/// The error for text that does not name a [`Revision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("unknown protocol revision: expected 3 or 4")]
#[non_exhaustive]
pub struct UnknownRevision;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_read_as_it_is_written() {
        for revision in [Revision::V3, Revision::V4] {
            assert_eq!(revision.as_str().parse(), Ok(revision));
            assert_eq!(revision.as_str().bytes().next(), Some(b'0' + revision.number()));
        }
        for unknown in ["", "5", "04", " 4", "4 ", "33"] {
            assert_eq!(unknown.parse::<Revision>(), Err(UnknownRevision), "{unknown:?}");
        }
    }
}
