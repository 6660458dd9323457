//! Receiving: from bytes to a message for the application.

use eio_core::packet::{Data, DecodeError, Packet, PacketType, WebSocketMessage};
use eio_core::session::Violation;
use eio_core::ws::{self, ControlFrame, Piece, Reader, Received};
use eio_core::{Instant, SessionEvent};

use super::{Delivery, Phase, Probe, ReadEnd, State};
use crate::drive::Failed;
use crate::{Buffers, ConnectError, IncomingMessage};

/// The length of the longest handshake, including the packet's type.
#[expect(clippy::cast_possible_truncation, reason = "some hundred bytes")]
const HANDSHAKE_MAX: u32 = (Buffers::RX_ENOUGH - Buffers::RX_OVERHEAD) as u32;

impl State<'_> {
    /// Handles the result of a read. Zero bytes mean the end of the stream.
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

    /// Reports the end of the stream to the session, once everything received before has been handled.
    pub(crate) fn handle_read_end(&mut self, now: Instant) {
        if self.has_waiting_message() {
            return;
        }
        match self.read_end {
            Some(ReadEnd::Closed) => self.session.handle_transport_closed(now),
            Some(ReadEnd::Failed(failed)) => self.handle_failed(now, failed),
            None => {}
        }
    }

    /// Reports a failure of the stream to the session.
    pub(crate) fn handle_failed(&mut self, now: Instant, failed: Failed) {
        match failed {
            Failed::Reset => self.session.handle_transport_reset(now),
            Failed::Otherwise => self.session.handle_transport_error(now),
        }
    }

    /// Decodes the received bytes, up to the next message for the application.
    pub(crate) fn process(&mut self, now: Instant, inbox: &mut Reader<'_>) {
        while matches!(self.phase, Phase::Frames) && !self.has_waiting_message() && !self.has_ended() {
            self.delivery = Delivery::None;
            match inbox.poll() {
                Ok(None) => return,
                Ok(Some(received)) => self.handle(now, received),
                Err(error) => self.handle_framing_error(now, error),
            }
        }
    }

    /// Returns whether a message waits for the application.
    pub(crate) const fn has_waiting_message(&self) -> bool {
        matches!(self.delivery, Delivery::Waiting)
    }

    /// Drops the message that waits for the application.
    pub(crate) fn drop_message(&mut self) {
        self.delivery = Delivery::None;
    }

    /// Marks the waiting message as delivered. It stays in the inbox until the next call of [`process`](Self::process).
    pub(crate) const fn mark_delivered(&mut self) {
        self.delivery = Delivery::Delivered;
    }

    /// Makes the message that was delivered last wait for the application again. Nothing may have been read since.
    pub(crate) const fn put_back(&mut self) {
        self.delivery = Delivery::Waiting;
    }

    /// Returns the message or piece that arrived last.
    pub(crate) fn message<'i>(&self, inbox: &'i Reader<'_>) -> Option<IncomingMessage<'i>> {
        match inbox.last().filter(|_| self.delivery != Delivery::None)? {
            // Cannot fail: the same frame was decoded when it arrived.
            Received::Message(frame) => Some(IncomingMessage::Whole(self.decode(frame).ok()?.data)),
            Received::Piece(piece) => (self.settings.long_messages.pieces?.event)(self, piece),
            Received::Control(_) => None,
        }
    }

    fn decode<'f>(&self, frame: WebSocketMessage<'f>) -> Result<Packet<'f>, DecodeError> {
        (self.settings.protocol.decode)(frame)
    }

    fn handle(&mut self, now: Instant, received: Received<'_>) {
        match received {
            Received::Message(frame) => {
                match self.session.handle_websocket_packet(now, self.decode(frame)) {
                    Some(SessionEvent::Message(_)) => self.delivery = Delivery::Waiting,
                    Some(SessionEvent::Opened(handshake)) => {
                        self.max_payload = handshake.max_payload;
                        // It fits: a `Sid` is at most as long.
                        let _ = self.sid.push_str(handshake.sid.as_str());
                    }
                    _ => {}
                }
            }
            Received::Piece(piece) => {
                if let Some(pieces) = self.settings.long_messages.pieces {
                    (pieces.handle)(self, now, piece);
                }
            }
            Received::Control(ControlFrame::Ping(payload)) => self.ping.save(payload),
            Received::Control(ControlFrame::Pong(payload)) => {
                if let Probe::Sent(handle) = self.probe {
                    handle(self, now, payload);
                }
            }
            Received::Control(ControlFrame::Close(close)) => {
                self.writer.handle_close(close);
                self.session.handle_close_frame(now, close);
                // RFC 6455 allows nothing after a close frame, and reading on would overwrite its reason.
                self.read_end = Some(ReadEnd::Closed);
            }
        }
    }

    /// Handles a piece of a message that is longer than the inbox.
    pub(crate) fn handle_piece(&mut self, now: Instant, piece: Piece<'_>) {
        if piece.first && (!self.session.is_open() || self.without_prefix(piece).is_none()) {
            // Only a message may be that long: no handshake, and no base64.
            self.dropping = !piece.last;
            if self.session.heartbeat().is_none() || self.session.is_open() {
                self.writer.handle_error(ws::Error::MessageTooLong { max: 0 });
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
        self.delivery = Delivery::Waiting;
    }

    /// Removes the prefix of a message packet from its first piece. Returns `None` if the prefix is missing.
    pub(crate) fn without_prefix<'p>(&self, piece: Piece<'p>) -> Option<Piece<'p>> {
        if !piece.first {
            return Some(piece);
        }
        let bytes = piece.bytes.strip_prefix(self.prefix(piece.kind))?;
        Some(Piece { bytes, ..piece })
    }

    /// Handles a violation of the WebSocket framing.
    fn handle_framing_error(&mut self, now: Instant, error: ws::Error) {
        self.writer.handle_error(error);
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
