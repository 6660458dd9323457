//! The errors of decoding.

use super::CloseCode;

/// The rule that a peer's bytes violate. The connection cannot continue: send a close frame with
/// [`close_code`](Error::close_code), then end the transport.
///
/// Every variant names the section of RFC 6455 that it enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// A reserved bit is set, although no extension was negotiated (section 5.2). Compressed frames from a peer that
    /// assumes an extension cause this error.
    #[error("reserved bits set in a frame header, but no extension was negotiated")]
    ReservedBits,
    /// An opcode is not defined: 3 to 7, or 11 to 15 (section 5.2).
    #[error("reserved opcode {0}: expected 0, 1, 2, 8, 9 or 10")]
    ReservedOpcode(u8),
    /// A frame from a client is not masked (section 5.1).
    #[error("unmasked frame: a client must mask its frames")]
    UnmaskedFrame,
    /// A frame from a server is masked (section 5.1).
    #[error("masked frame: a server must not mask its frames")]
    MaskedFrame,
    /// A control frame does not have the final bit set (section 5.5).
    #[error("fragmented control frame: expected the final bit")]
    FragmentedControl,
    /// A control frame has more than 125 bytes (section 5.5).
    #[error("control frame too long: expected at most 125 bytes")]
    ControlTooLong,
    /// A length is encoded in more bytes than it needs (section 5.2).
    #[error("payload length is not in its shortest form")]
    NonMinimalLength,
    /// A 64-bit length has its most significant bit set (section 5.2).
    #[error("payload length has its most significant bit set")]
    LengthTopBit,
    /// A continuation frame arrived, but no message is open (section 5.4).
    #[error("continuation frame without a message to continue")]
    UnexpectedContinuation,
    /// A new message began before the last one was finished (section 5.4).
    #[error("new message before the end of a fragmented one: expected a continuation frame")]
    ExpectedContinuation,
    /// A message is longer than the limit, summed over all its fragments. It is detected in the header that announces
    /// the length.
    #[error("message too long: expected at most {max} bytes")]
    MessageTooLong {
        /// The limit of the decoder. A [`Reader`](super::Reader) for whole messages lowers it to what its buffer can hold.
        max: u32,
    },
    /// One message has more than [`MAX_EMPTY_FRAGMENTS`](super::MAX_EMPTY_FRAGMENTS) empty fragments.
    #[error("too many empty fragments in one message")]
    EmptyFragments,
    /// A text message is not UTF-8, and further bytes cannot change that (section 8.1).
    #[error("invalid UTF-8 in a text message")]
    InvalidUtf8,
    /// A close frame has a body of one byte, which is too short for a code (section 5.5.1).
    #[error("close frame has a body of 1 byte: expected no body, or a code of 2 bytes")]
    TruncatedCloseCode,
    /// A close code must not be sent, or is not defined (section 7.4).
    #[error("invalid close code {0}: expected 1000 to 1003, 1007 to 1014, or 3000 to 4999")]
    InvalidCloseCode(u16),
    /// A close reason is not UTF-8 (section 5.5.1).
    #[error("invalid UTF-8 in a close reason")]
    InvalidCloseReason,
}

impl Error {
    /// Returns the close code that tells the peer what it did wrong (RFC 6455 section 7.4.1).
    ///
    /// ```
    /// use eio_core::ws::{CloseCode, Error};
    /// assert_eq!(Error::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
    /// ```
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidCloseReason => CloseCode::INVALID_PAYLOAD,
            Self::MessageTooLong { .. } => CloseCode::MESSAGE_TOO_BIG,
            Self::EmptyFragments => CloseCode::POLICY_VIOLATION,
            Self::ReservedBits
            | Self::ReservedOpcode(_)
            | Self::UnmaskedFrame
            | Self::MaskedFrame
            | Self::FragmentedControl
            | Self::ControlTooLong
            | Self::NonMinimalLength
            | Self::LengthTopBit
            | Self::UnexpectedContinuation
            | Self::ExpectedContinuation
            | Self::TruncatedCloseCode
            | Self::InvalidCloseCode(_) => CloseCode::PROTOCOL_ERROR,
        }
    }
}
