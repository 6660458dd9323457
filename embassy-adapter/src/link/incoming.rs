//! What comes in: every byte, up to a message for the application.

use eio_core::packet::{Data, DecodeError, Frame, Packet, PacketType};
use eio_core::session::Violation;
use eio_core::ws::{self, Close, CloseCode, Control, Piece, Reader, Received};
use eio_core::{Event as SessionEvent, Instant};

use super::{Mail, Phase, Probe, ReadEnd, State};
use crate::drive::Failed;
use crate::outbox::fill;
use crate::{Buffers, ConnectError, Event, LongMessages};

/// The longest message that a handshake is.
#[expect(clippy::cast_possible_truncation, reason = "some hundred bytes")]
const HANDSHAKE_MAX: u32 = (Buffers::RX_ENOUGH - Buffers::RX_OVERHEAD) as u32;

impl State<'_> {
    /// What a read gave: no bytes are the end of the stream.
    pub(crate) fn handle_read(&mut self, now: Instant, read: Result<usize, Failed>, inbox: &mut Reader<'_>) {
        match read {
            Ok(0) => self.read_end = Some(ReadEnd::Closed),
            Err(failed) => self.read_end = Some(ReadEnd::Failed(failed)),
            Ok(len) => {
                inbox.filled(len);
                self.session.handle_activity(now);
            }
        }
    }

    /// What came in before the end of the stream has been handled: the session is told.
    pub(crate) fn handle_read_end(&mut self, now: Instant) {
        if self.holds_message() {
            return;
        }
        match self.read_end {
            Some(ReadEnd::Closed) => self.session.handle_transport_closed(now),
            Some(ReadEnd::Failed(failed)) => self.handle_failed(now, failed),
            None => {}
        }
    }

    /// The stream failed, and nothing that was read before says more.
    pub(crate) fn handle_failed(&mut self, now: Instant, failed: Failed) {
        match failed {
            Failed::Reset => self.session.handle_transport_reset(now),
            Failed::Otherwise => self.session.handle_transport_error(now),
        }
    }

    /// Decodes what was received, up to a message for the application.
    pub(crate) fn process(&mut self, now: Instant, inbox: &mut Reader<'_>) {
        while matches!(self.phase, Phase::Frames) && !self.holds_message() && !self.has_ended() {
            self.mail = Mail::None;
            match inbox.poll() {
                Ok(None) => return,
                Ok(Some(received)) => self.handle(now, received),
                Err(error) => self.handle_broken(now, error),
            }
        }
    }

    /// Whether a message waits for the application.
    pub(crate) const fn holds_message(&self) -> bool {
        matches!(self.mail, Mail::Held)
    }

    /// Nobody will see it.
    pub(crate) fn drop_message(&mut self) {
        self.mail = Mail::None;
    }

    /// The application sees the message now. It stays until the next call of [`process`](Self::process).
    pub(crate) const fn mark_seen(&mut self) {
        self.mail = Mail::Seen;
    }

    /// The last message.
    pub(crate) fn message<'i>(&self, inbox: &'i Reader<'_>) -> Option<Event<'i>> {
        match inbox.last().filter(|_| self.mail != Mail::None)? {
            // It was decoded before, and did not fail then.
            Received::Message(frame) => Some(Event::Message(self.decode(frame).ok()?.data)),
            Received::Piece(piece) => (self.settings.long_messages.0?.event)(self, piece),
            Received::Control(_) => None,
        }
    }

    fn decode<'f>(&self, frame: Frame<'f>) -> Result<Packet<'f>, DecodeError> {
        (self.settings.revision.decode)(frame)
    }

    fn handle(&mut self, now: Instant, received: Received<'_>) {
        match received {
            Received::Message(frame) => match self.session.handle_packet(now, self.decode(frame)) {
                Some(SessionEvent::Message(_)) => self.mail = Mail::Held,
                Some(SessionEvent::Opened(handshake)) => {
                    self.max_payload = handshake.max_payload;
                    let sid = handshake.sid.as_str().as_bytes();
                    fill(&mut self.sid.bytes.iter_mut(), sid);
                    self.sid.len = u8::try_from(sid.len()).unwrap_or_default();
                }
                _ => {}
            },
            Received::Piece(piece) => {
                if let LongMessages(Some(pieces)) = self.settings.long_messages {
                    (pieces.handle)(self, now, piece);
                }
            }
            Received::Control(Control::Ping(payload)) => self.ping.save(payload),
            Received::Control(Control::Pong(payload)) => {
                if let Probe::Sent(at) = self.probe
                    && payload == at.as_micros().to_be_bytes()
                {
                    self.probe = Probe::None;
                    self.rtt = Some(now.saturating_duration_since(at));
                }
            }
            Received::Control(Control::Close(close)) => {
                self.say(close.map(|close| close.code()));
                self.owe_close();
                self.session.handle_close_frame(now, close);
                // What follows a close frame is none of RFC 6455, and would take the place of its words.
                self.read_end = Some(ReadEnd::Closed);
            }
        }
    }

    /// A part of a message that is longer than the inbox came in.
    pub(crate) fn handle_piece(&mut self, now: Instant, piece: Piece<'_>) {
        if piece.first && (!self.session.is_open() || self.without_prefix(piece).is_none()) {
            // No other packet may be as long as that: a handshake, base64.
            self.dropping = !piece.last;
            if self.session.heartbeat().is_none() || self.session.is_open() {
                self.say(Some(CloseCode::MESSAGE_TOO_BIG));
                self.session.handle_violation(now, Violation::PayloadTooLarge);
            }
            return;
        }
        if piece.last {
            let whole = Packet { packet_type: PacketType::Message, data: Data::Text("") };
            let wanted = self.session.handle_packet(now, Ok(whole)).is_some();
            if core::mem::take(&mut self.dropping) || !wanted {
                return;
            }
        } else if self.dropping || !self.session.is_open() {
            self.dropping = true;
            return;
        }
        self.mail = Mail::Held;
    }

    /// A piece without what stands before a message's own bytes; `None` if it does not begin with that.
    pub(crate) fn without_prefix<'p>(&self, piece: Piece<'p>) -> Option<Piece<'p>> {
        if !piece.first {
            return Some(piece);
        }
        let bytes = piece.bytes.strip_prefix(self.prefix(piece.kind))?;
        Some(Piece { bytes, ..piece })
    }

    /// This code is what a close frame to the server says.
    fn say(&mut self, code: Option<CloseCode>) {
        self.close = code.and_then(|code| Close::new(code, "").ok());
    }

    fn handle_broken(&mut self, now: Instant, error: ws::Error) {
        self.say(Some(error.close_code()));
        let violation = match error {
            ws::Error::MessageTooLong { max } => {
                // The first message is the handshake.
                if self.session.heartbeat().is_none() && max < HANDSHAKE_MAX {
                    self.phase = Phase::Refused(ConnectError::RxTooSmall { needed: Buffers::RX_ENOUGH });
                }
                Violation::PayloadTooLarge
            }
            _ => Violation::WebSocket,
        };
        self.session.handle_violation(now, violation);
    }
}
