//! The sending side of one connection: which frames may be sent, and in which form.

use super::{Close, CloseCode, ControlFrame, FrameHeader, MessageKind, OpCode};
use crate::BufferTooSmall;

/// The sending side of one connection, of either role. It knows whether frames are masked, which message is unfinished,
/// and how far closing has come. It takes 6 bytes and holds no payload.
///
/// A [`Connection`](super::Connection) contains one beside its decoder. A caller that reads with a
/// [`Reader`](super::Reader) keeps one beside it, and reports the peer's close frame with
/// [`handle_close`](Self::handle_close).
///
/// # The closing handshake
///
/// ```text
///              close()                 close_frame()             the peer's close frame
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
/// writer.close();
/// let restart = Some(Close::new(CloseCode::GOING_AWAY, "restart")?);
/// let len = writer.close_frame(restart, [0; 4], &mut out).expect("a close frame is due")?;
/// assert_eq!(&out[..len], b"\x88\x09\x03\xe9restart");
/// assert_eq!(writer.message(MessageKind::Text, true, 5, [0; 4]), Err(FrameOrderError::Closed));
/// writer.handle_close(Some(Close::new(CloseCode::GOING_AWAY, "")?));
/// assert!(writer.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FrameWriter {
    /// The code of the answer to the peer. [`CloseCode::NO_STATUS`] stands for a frame without a code.
    answer: CloseCode,
    closing: Closing,
    /// The message whose last fragment has not been sent.
    unfinished: Option<MessageKind>,
    masks: bool,
    peer_closed: bool,
}

/// How far this side's close frame has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Closing {
    No,
    /// The caller asked for it, so its content is the caller's.
    Due,
    /// It answers the peer.
    AnswerDue,
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
        Self {
            answer: CloseCode::NO_STATUS,
            closing: Closing::No,
            unfinished: None,
            masks: false,
            peer_closed: false,
        }
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
        if self.unfinished.is_some_and(|unfinished| unfinished != kind) {
            return Err(FrameOrderError::Unfinished);
        }
        let opcode = self.next_opcode(kind, last);
        Ok(FrameHeader { fin: last, mask: self.mask(key), ..FrameHeader::new(opcode, len) })
    }

    /// Returns the opcode of the next part of a message, without the checks of [`message`](Self::message): for a caller
    /// that has made them itself, with [`unfinished`](Self::unfinished) and [`check_open`](Self::check_open).
    pub const fn next_opcode(&mut self, kind: MessageKind, last: bool) -> OpCode {
        let opcode = match (self.unfinished, kind) {
            (Some(_), _) => OpCode::Continuation,
            (None, MessageKind::Text) => OpCode::Text,
            (None, MessageKind::Binary) => OpCode::Binary,
        };
        self.unfinished = if last { None } else { Some(kind) };
        opcode
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

    /// Asks for a close frame, unless one is due or was sent already. Data may still be sent before it.
    pub const fn close(&mut self) {
        if let Closing::No = self.closing {
            self.closing = Closing::Due;
        }
    }

    /// Handles the peer's close frame. The answer with the same code is due, unless a close frame is due or was sent
    /// already (RFC 6455 section 5.5.1).
    pub fn handle_close(&mut self, close: Option<Close<'_>>) {
        self.peer_closed = true;
        self.answer(close.map_or(CloseCode::NO_STATUS, |close| close.code()));
    }

    /// Handles an error of decoding. A close frame with its code is due, unless one is due or was sent already.
    pub const fn handle_error(&mut self, error: super::Error) {
        self.answer(error.close_code());
    }

    const fn answer(&mut self, code: CloseCode) {
        if let Closing::No = self.closing {
            self.closing = Closing::AnswerDue;
            self.answer = code;
        }
    }

    /// Returns whether a close frame is due: once everything before it is on its way, call
    /// [`close_frame`](Self::close_frame).
    #[must_use]
    pub const fn close_is_due(&self) -> bool {
        matches!(self.closing, Closing::Due | Closing::AnswerDue)
    }

    /// Writes the close frame that is due, and returns its length. Returns `None` if none is due. It is this side's last
    /// frame.
    ///
    /// `ours` is its content if [`close`](Self::close) asked for it. An answer to the peer has the peer's code, or that of
    /// the peer's error.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `out` is too small. The frame is still due. [`ControlFrame::MAX_LEN`] bytes are
    /// always enough.
    pub fn close_frame(
        &mut self,
        ours: Option<Close<'_>>,
        key: [u8; 4],
        out: &mut [u8],
    ) -> Option<Result<usize, BufferTooSmall>> {
        let mut body = [0; ControlFrame::MAX_PAYLOAD];
        let before = self.closing;
        let header = self.close_body(ours, key, &mut body)?;
        let written = header.encode_frame(body.iter(), out);
        if written.is_err() {
            self.closing = before;
        }
        Some(written)
    }

    /// Writes the body of the close frame that is due to the start of `body`, not masked, and returns the header of the
    /// frame. Returns `None` if none is due. It is this side's last frame. `ours` is as in
    /// [`close_frame`](Self::close_frame).
    pub fn close_body(
        &mut self,
        ours: Option<Close<'_>>,
        key: [u8; 4],
        body: &mut [u8; ControlFrame::MAX_PAYLOAD],
    ) -> Option<FrameHeader> {
        let close = match self.closing {
            Closing::Due => ours,
            Closing::AnswerDue if self.answer == CloseCode::NO_STATUS => None,
            Closing::AnswerDue => Some(Close { code: self.answer, reason: "" }),
            Closing::No | Closing::Sent => return None,
        };
        self.closing = Closing::Sent;
        let mut len = 0;
        if let Some(close) = close {
            let [high, low] = close.code().as_u16().to_be_bytes();
            let [first, second, rest @ ..] = body;
            (*first, *second) = (high, low);
            for (place, byte) in rest.iter_mut().zip(close.reason().bytes()) {
                *place = byte;
            }
            len = close.reason().len().saturating_add(2);
        }
        Some(FrameHeader { mask: self.mask(key), ..FrameHeader::new(OpCode::Close, len) })
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

    fn written(writer: &mut FrameWriter, ours: Option<Close<'_>>) -> Option<(usize, [u8; 131])> {
        let mut out = [0; ControlFrame::MAX_LEN];
        let len = writer.close_frame(ours, KEY, &mut out)?.expect("131 bytes are enough");
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
        let ours = Close::new(CloseCode::NORMAL, "ours").ok();
        let mut writer = FrameWriter::server();
        writer.handle_close(bye);
        writer.close();
        let (len, out) = written(&mut writer, ours).expect("due");
        assert_eq!(&out[..len], b"\x88\x02\x0f\xa1");
        assert!(writer.is_closed());
        assert_eq!(written(&mut writer, None), None);
        writer.close();
        assert!(!writer.close_is_due());

        let mut writer = FrameWriter::server();
        writer.close();
        writer.handle_error(crate::ws::Error::InvalidUtf8);
        let (len, out) = written(&mut writer, ours).expect("due");
        assert_eq!(&out[..len], b"\x88\x06\x03\xe8ours");
        assert!(writer.close_sent() && !writer.is_closed());
        writer.handle_close(None);
        assert!(writer.is_closed());
    }

    #[test]
    fn a_close_frame_without_a_code_is_answered_without_one() {
        let mut writer = FrameWriter::client();
        writer.handle_close(None);
        let (len, out) = written(&mut writer, Close::new(CloseCode::NORMAL, "").ok()).expect("due");
        assert_eq!(out[..len], [0x88, 0x80, 1, 2, 3, 4]);
    }

    #[test]
    fn a_close_frame_is_that_of_control_frames_and_one_that_does_not_fit_is_still_due() {
        let long = core::str::from_utf8(&[b'x'; 123]).expect("text");
        let ours = Close::new(CloseCode::GOING_AWAY, long).ok();
        let mut expected = [0; ControlFrame::MAX_LEN];
        let len = ControlFrame::Close(ours).encode(Some(KEY), &mut expected).expect("131 bytes");
        let mut writer = FrameWriter::client();
        writer.close();
        let too_small = writer.close_frame(ours, KEY, &mut [0; 130]);
        assert_eq!(too_small, Some(Err(BufferTooSmall { needed: 131 })));
        assert!(writer.close_is_due() && !writer.close_sent());
        assert_eq!(written(&mut writer, ours), Some((len, expected)));
    }
}
