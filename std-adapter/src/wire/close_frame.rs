//! The contents of a close frame, owned.

use core::fmt;

use eio_core::ws::{Close, CloseCode, CloseError};

/// The code and the reason of a WebSocket's close frame (RFC 6455 section 5.5.1).
///
/// [`Disconnect::close_frame`](crate::Disconnect::close_frame) holds the peer's. Use [`new`](Self::new) to make one for
/// [`Socket::close_with`](crate::Socket::close_with) and similar methods. It has the size of a pointer.
///
/// ```
/// use eio_tokio::{CloseCode, CloseError, CloseFrame};
///
/// let moved = CloseFrame::new(CloseCode::new(4001), "moved to another room")?;
/// assert_eq!(moved.code().as_u16(), 4001);
/// assert_eq!(moved.to_string(), "4001 \"moved to another room\"");
/// assert!(matches!(CloseFrame::new(CloseCode::NO_STATUS, ""), Err(CloseError::Code(_))));
/// # Ok::<(), CloseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame(Box<Body>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Body {
    code: CloseCode,
    reason: Box<str>,
}

impl CloseFrame {
    /// Returns a close frame to send.
    ///
    /// # Errors
    /// Returns a [`CloseError`] for a code that may not be sent, which is any except 1000 to 1003, 1007 to 1014 and
    /// 3000 to 4999, and for a reason of more than [`Close::MAX_REASON`] bytes of UTF-8, which is 123.
    pub fn new(code: CloseCode, reason: &str) -> Result<Self, CloseError> {
        Close::new(code, reason).map(|close| Self::received(Some(close)))
    }

    /// Copies the content of the peer's close frame.
    pub(crate) fn received(close: Option<Close<'_>>) -> Self {
        let code = close.map_or(CloseCode::NO_STATUS, |close| close.code());
        let reason = close.map_or("", |close| close.reason()).into();
        Self(Box::new(Body { code, reason }))
    }

    /// Returns the sender's code: [`CloseCode::NO_STATUS`] if the peer's close frame gave none.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        self.0.code
    }

    /// Returns the sender's reason, which is meant for a log: at most 123 bytes, and often empty. The peer wrote it:
    /// escape it before you show it.
    #[must_use]
    pub const fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Returns the frame's body, or `None` for a frame without a code.
    pub(crate) fn body(&self) -> Option<Close<'_>> {
        Close::new(self.code(), self.reason()).ok()
    }
}

/// Writes the code, then the reason in quotes and escaped, so that a peer's text cannot control a terminal.
impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())?;
        if self.reason().is_empty() { Ok(()) } else { write!(f, " {:?}", self.reason()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_of_a_peer_is_told_escaped() {
        assert_eq!(CloseFrame::received(None).to_string(), "1005 (no status received)");
        let close = Close::new(CloseCode::GOING_AWAY, "\u{1b}[31mred").ok();
        assert_eq!(CloseFrame::received(close).to_string(), "1001 (going away) \"\\u{1b}[31mred\"");
    }

    #[test]
    fn only_what_may_be_sent_is_a_body() {
        assert_eq!(CloseFrame::received(None).body(), None);
        let bye = CloseFrame::new(CloseCode::NORMAL, "bye").unwrap();
        assert_eq!(bye.body(), Close::new(CloseCode::NORMAL, "bye").ok());
        assert_eq!(
            CloseFrame::new(CloseCode::NORMAL, &"é".repeat(62)),
            Err(CloseError::ReasonTooLong { len: 124 })
        );
        assert_eq!(size_of::<Option<CloseFrame>>(), size_of::<usize>());
    }
}
