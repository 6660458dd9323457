//! Control frames: ping, pong, close (RFC 6455 section 5.5).

use super::{Close, FrameHeader, OpCode};
use crate::BufferTooSmall;

/// A control frame that was received or is to be sent. Its payload has at most 125 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(
    clippy::exhaustive_enums,
    reason = "the control frames of RFC 6455; the others are reserved, and refused"
)]
pub enum ControlFrame<'a> {
    /// Asks for a pong with the same payload.
    Ping(&'a [u8]),
    /// Answers a ping. Sent without a ping, it shows that the sender is alive and needs no answer.
    Pong(&'a [u8]),
    /// The sender will send nothing more. The body gives the reason; `None` gives no reason.
    Close(Option<Close<'a>>),
}

impl<'a> ControlFrame<'a> {
    /// The length of the longest payload of a control frame.
    pub const MAX_PAYLOAD: usize = 125;

    /// The length of the longest control frame, including its header. A buffer of this length holds any control frame.
    pub const MAX_LEN: usize = 131;

    /// Returns the answer that RFC 6455 sections 5.5.1 to 5.5.3 require: for a ping, a pong with the same payload; for
    /// a close, a close with the same code (do not send it if this side closed first); for a pong, nothing.
    ///
    /// ```
    /// use eio_core::ws::{Close, CloseCode, ControlFrame};
    ///
    /// assert_eq!(ControlFrame::Ping(b"hi").reply(), Some(ControlFrame::Pong(b"hi")));
    /// assert_eq!(ControlFrame::Pong(b"hi").reply(), None);
    /// let close = ControlFrame::Close(Some(Close::new(CloseCode::NORMAL, "done")?));
    /// assert_eq!(close.reply(), Some(ControlFrame::Close(Some(Close::new(CloseCode::NORMAL, "")?))));
    /// # Ok::<(), eio_core::ws::CloseError>(())
    /// ```
    #[must_use]
    pub fn reply(&self) -> Option<Self> {
        match *self {
            Self::Ping(payload) => Some(Self::Pong(payload)),
            Self::Pong(_) => None,
            Self::Close(body) => Some(Self::Close(body.map(|close| Close { reason: "", ..close }))),
        }
    }

    /// Writes the whole frame, masked if a key is given, and returns its length.
    ///
    /// ```
    /// use eio_core::ws::{Close, CloseCode, ControlFrame};
    ///
    /// let mut out = [0; ControlFrame::MAX_LEN];
    /// let close = ControlFrame::Close(Some(Close::new(CloseCode::NORMAL, "bye")?));
    /// let len = close.encode(None, &mut out)?;
    /// assert_eq!(&out[..len], b"\x88\x05\x03\xe8bye");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns a [`ControlFrameError`] if the payload is too long or `out` is too small. Nothing was written then.
    pub fn encode(&self, key: Option<[u8; 4]>, out: &mut [u8]) -> Result<usize, ControlFrameError> {
        let (opcode, head, tail): (_, &[u8], &'a [u8]) = match *self {
            Self::Ping(payload) => (OpCode::Ping, &[], payload),
            Self::Pong(payload) => (OpCode::Pong, &[], payload),
            Self::Close(None) => (OpCode::Close, &[], &[]),
            Self::Close(Some(Close { code, reason })) => {
                (OpCode::Close, &code.as_u16().to_be_bytes(), reason.as_bytes())
            }
        };
        let payload_len = head.len().saturating_add(tail.len());
        if payload_len > Self::MAX_PAYLOAD {
            return Err(ControlFrameError::PayloadTooLong { len: payload_len });
        }
        let header = FrameHeader { mask: key, ..FrameHeader::new(opcode, payload_len) };
        Ok(header.encode_frame(head.iter().chain(tail), out)?)
    }
}

/// The reason why a control frame was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ControlFrameError {
    /// The payload has more than 125 bytes.
    #[error("control payload of {len} bytes: expected at most 125")]
    PayloadTooLong {
        /// The length of the payload.
        len: usize,
    },
    /// The frame does not fit into the buffer.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_frame_has_the_stated_length() {
        let mut out = [0; 200];
        let len = ControlFrame::Ping(&[7; ControlFrame::MAX_PAYLOAD]).encode(Some([1; 4]), &mut out).unwrap();
        assert_eq!(len, ControlFrame::MAX_LEN);
        assert_eq!(out[..6], [0x89, 0xfd, 1, 1, 1, 1]);
        assert_eq!(out[6..131], [6; 125]);
        assert_eq!(out[131..], [0; 69]);
    }

    #[test]
    fn a_frame_that_breaks_the_rules_is_not_written() {
        let mut out = [0xee; 200];
        assert_eq!(
            ControlFrame::Pong(&[0; 126]).encode(None, &mut out),
            Err(ControlFrameError::PayloadTooLong { len: 126 })
        );
        assert_eq!(
            ControlFrame::Ping(b"abc").encode(None, &mut out[..4]),
            Err(ControlFrameError::BufferTooSmall(BufferTooSmall { needed: 5 }))
        );
        assert_eq!(out, [0xee; 200]);
    }
}
