//! The sending side of one connection: which frames may be sent, and in which form.

use super::{Close, CloseCode, ControlFrame, ControlFrameError, FrameHeader, MessageKind, OpCode};

/// The sending side of one connection, of either role. It knows whether frames are masked, which message is unfinished,
/// and how far closing has come. It takes at most 8 bytes and holds no payload.
///
/// A [`Connection`](super::Connection) contains one beside its decoder. A caller that reads with a
/// [`Reader`](super::Reader) keeps one beside it, and reports the peer's close frame with
/// [`handle_close`](Self::handle_close).
///
/// # The closing handshake
///
/// ```text
///            close(code)               close_frame()             the peer's close frame
///   ┌──────┐             ┌───────────┐               ┌─────────┐                         ┌────────┐
///   │ open ├────────────▶│ close due ├──────────────▶│  sent   ├────────────────────────▶│ closed │
///   └──┬───┘             └───────────┘               └─────────┘                         └────────┘
///      │ the peer's close frame:                                   close_frame()              ▲
///      └────────────── close due, with the same code ─────────────────────────────────────────┘
/// ```
///
/// A side sends one close frame, and nothing after it (RFC 6455 section 5.5.1). The first reason for it wins.
///
/// ```
/// use eio_core::ws::{Close, CloseCode, FrameWriter, MessageKind, FrameOrderError};
///
/// let mut writer = FrameWriter::server();
/// let header = writer.message(MessageKind::Text, true, 5, [0; 4])?;
/// assert_eq!(header.mask, None); // a server masks nothing
///
/// let mut out = [0; 64];
/// writer.close(Some(CloseCode::GOING_AWAY));
/// let len = writer.close_frame("restart", [0; 4], &mut out).expect("a close frame is due")?;
/// assert_eq!(&out[..len], b"\x88\x09\x03\xe9restart");
/// assert_eq!(writer.message(MessageKind::Text, true, 5, [0; 4]), Err(FrameOrderError::Closed));
/// writer.handle_close(Some(Close::new(CloseCode::GOING_AWAY, "")?));
/// assert!(writer.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrameWriter {
    masks: bool,
    /// The message whose last fragment has not been sent.
    unfinished: Option<MessageKind>,
    closing: Closing,
    peer_closed: bool,
}

/// How far this side's close frame has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Closing {
    No,
    Due {
        /// A code that must not be sent, such as [`CloseCode::NO_STATUS`], is left out.
        code: CloseCode,
        /// Whether [`FrameWriter::close`] requested the frame. Only then does it carry the caller's reason.
        ours: bool,
    },
    Sent,
}

/// The reason why a frame must not be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FrameOrderError {
    /// A close frame was sent. Nothing may follow it.
    #[error("a close frame was sent, and nothing may follow it")]
    Closed,
    /// A message of the other kind has been sent only in part.
    #[error("another message has been sent only in part")]
    Unfinished,
}

impl FrameWriter {
    /// Creates the sending side of a server. Its frames are not masked.
    #[must_use]
    pub const fn server() -> Self {
        Self { masks: false, unfinished: None, closing: Closing::No, peer_closed: false }
    }

    /// Creates the sending side of a client. Its frames are masked: every call gets a fresh and unpredictable key.
    #[must_use]
    pub const fn client() -> Self {
        Self { masks: true, ..Self::server() }
    }

    /// Returns whether this side masks its frames. If it does not, the key is not used.
    #[must_use]
    pub const fn masks(&self) -> bool {
        self.masks
    }

    /// Returns the mask for a frame: the key for a client, nothing for a server.
    #[must_use]
    pub const fn mask(&self, key: [u8; 4]) -> Option<[u8; 4]> {
        if self.masks { Some(key) } else { None }
    }

    /// Returns the header of the next `len` bytes of a message. `last` is true if they are its end, which is the case
    /// for a message in one frame. Until then only the rest of this message and control frames may be sent.
    ///
    /// # Errors
    /// Returns a [`FrameOrderError`] if the frame must not be sent now. Nothing has changed then.
    pub fn message(
        &mut self,
        kind: MessageKind,
        last: bool,
        len: usize,
        key: [u8; 4],
    ) -> Result<FrameHeader, FrameOrderError> {
        self.check_open()?;
        let opcode = match (self.unfinished, kind) {
            (Some(unfinished), kind) if unfinished != kind => return Err(FrameOrderError::Unfinished),
            (Some(_), _) => OpCode::Continuation,
            (None, MessageKind::Text) => OpCode::Text,
            (None, MessageKind::Binary) => OpCode::Binary,
        };
        self.unfinished = if last { None } else { Some(kind) };
        Ok(FrameHeader { fin: last, mask: self.mask(key), ..FrameHeader::new(opcode, len) })
    }

    /// Returns the kind of the message whose last fragment has not been sent.
    #[must_use]
    pub const fn unfinished(&self) -> Option<MessageKind> {
        self.unfinished
    }

    /// Checks that data or a control frame may be sent.
    ///
    /// # Errors
    /// Returns [`FrameOrderError::Closed`] if a close frame was sent.
    pub const fn check_open(&self) -> Result<(), FrameOrderError> {
        match self.closing {
            Closing::Sent => Err(FrameOrderError::Closed),
            _ => Ok(()),
        }
    }

    /// Asks for a close frame with this code, or without one, unless a close frame is due or was sent already. Data may
    /// still be sent before it.
    pub const fn close(&mut self, code: Option<CloseCode>) {
        self.request(code, true);
    }

    /// Handles the peer's close frame. The answer with the same code is due, unless a close frame is due or was sent
    /// already (RFC 6455 section 5.5.1).
    pub fn handle_close(&mut self, close: Option<Close<'_>>) {
        self.peer_closed = true;
        self.request(close.map(|close| close.code()), false);
    }

    /// Handles an error of decoding. A close frame with its code is due, unless one is due or was sent already.
    pub const fn handle_error(&mut self, error: super::Error) {
        self.request(Some(error.close_code()), false);
    }

    const fn request(&mut self, code: Option<CloseCode>, ours: bool) {
        if let Closing::No = self.closing {
            let code = match code {
                Some(code) => code,
                None => CloseCode::NO_STATUS,
            };
            self.closing = Closing::Due { code, ours };
        }
    }

    /// Returns whether a close frame is due: once everything before it is on its way, call
    /// [`close_frame`](Self::close_frame).
    #[must_use]
    pub const fn close_is_due(&self) -> bool {
        matches!(self.closing, Closing::Due { .. })
    }

    /// Writes the close frame that is due, and returns its length. Returns `None` if none is due. It is this side's last
    /// frame.
    ///
    /// `reason` is a text of at most [`Close::MAX_REASON`] bytes for the peer's log. It goes out only with a code that
    /// [`close`](Self::close) asked for.
    ///
    /// # Errors
    /// Returns a [`ControlFrameError`] if the reason is too long or `out` is too small. The frame is still due.
    /// [`ControlFrame::MAX_LEN`] bytes are always enough.
    pub fn close_frame(
        &mut self,
        reason: &str,
        key: [u8; 4],
        out: &mut [u8],
    ) -> Option<Result<usize, ControlFrameError>> {
        let Closing::Due { code, ours } = self.closing else { return None };
        let reason = if ours { reason } else { "" };
        let frame = ControlFrame::Close(code.is_sendable().then_some(Close { code, reason }));
        let written = frame.encode(self.mask(key), out);
        if written.is_ok() {
            self.closing = Closing::Sent;
        }
        Some(written)
    }

    /// Returns whether this side's close frame was sent.
    #[must_use]
    pub const fn close_sent(&self) -> bool {
        matches!(self.closing, Closing::Sent)
    }

    /// Returns whether the peer's close frame was received.
    #[must_use]
    pub const fn close_received(&self) -> bool {
        self.peer_closed
    }

    /// Returns whether both close frames have passed. A server then ends the TCP connection; a client waits for that
    /// (RFC 6455 section 7.1.1).
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.close_sent() && self.close_received()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [1, 2, 3, 4];

    fn written(writer: &mut FrameWriter, reason: &str) -> Option<(usize, [u8; 131])> {
        let mut out = [0; ControlFrame::MAX_LEN];
        let len = writer.close_frame(reason, KEY, &mut out)?.expect("131 bytes are enough");
        Some((len, out))
    }

    #[test]
    fn fragments_of_two_messages_do_not_mix() {
        let mut writer = FrameWriter::client();
        let first = writer.message(MessageKind::Text, false, 3, KEY).expect("open");
        assert_eq!((first.fin, first.opcode, first.mask), (false, OpCode::Text, Some(KEY)));
        assert_eq!(writer.message(MessageKind::Binary, true, 1, KEY), Err(FrameOrderError::Unfinished));
        assert_eq!(writer.unfinished(), Some(MessageKind::Text));
        let last = writer.message(MessageKind::Text, true, 3, KEY).expect("open");
        assert_eq!((last.fin, last.opcode), (true, OpCode::Continuation));
        assert_eq!(writer.message(MessageKind::Binary, true, 1, KEY).map(|h| h.opcode), Ok(OpCode::Binary));
    }

    #[test]
    fn one_close_frame_goes_out_and_the_first_reason_wins() {
        let bye = Close::new(CloseCode::new(4001), "bye").ok();
        let mut writer = FrameWriter::server();
        writer.handle_close(bye);
        writer.close(Some(CloseCode::NORMAL));
        let (len, out) = written(&mut writer, "words of ours").expect("due");
        assert_eq!(&out[..len], b"\x88\x02\x0f\xa1");
        assert!(writer.is_closed());
        assert_eq!(written(&mut writer, ""), None);
        writer.close(None);
        assert!(!writer.close_is_due());

        let mut writer = FrameWriter::server();
        writer.close(Some(CloseCode::NO_STATUS));
        let (len, out) = written(&mut writer, "not without a code").expect("due");
        assert_eq!(&out[..len], b"\x88\x00");
        assert!(writer.close_sent() && !writer.is_closed());
        writer.handle_close(None);
        assert!(writer.is_closed());
    }

    #[test]
    fn a_close_frame_that_does_not_fit_is_still_due() {
        let mut writer = FrameWriter::client();
        writer.close(Some(CloseCode::NORMAL));
        assert!(matches!(writer.close_frame("", KEY, &mut [0; 7]), Some(Err(_))));
        let long = core::str::from_utf8(&[b'x'; 124]).expect("text");
        assert!(matches!(writer.close_frame(long, KEY, &mut [0; 200]), Some(Err(_))));
        assert!(writer.close_is_due() && !writer.close_sent());
        assert!(written(&mut writer, &long[1..]).is_some());
    }
}
