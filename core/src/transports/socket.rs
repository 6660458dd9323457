//! The session's WebSocket: what comes from it, and what goes out on it.

use super::ServerTransports;
use crate::packet::{Packet, WebSocketMessage};
use crate::session::{Control, SessionEvent, Violation};
use crate::upgrade::{UpgradeControl, UpgradeOutcome};
use crate::ws::{
    self, Close, ControlFrame, ControlFrameError, Decoded, FrameOrderError, Item, PacketFrame, Piece,
};
use crate::{BufferTooSmall, Instant, ServerSession};

/// What [`ServerTransports::receive`] found at the start of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_structs, reason = "an answer has these two parts")]
pub struct Received<'b> {
    /// The number of bytes that were consumed.
    pub consumed: usize,
    /// What the caller has to do with them.
    pub event: Option<SocketEvent<'b>>,
}

/// Something that came from a WebSocket and that is for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SocketEvent<'b> {
    /// For the application.
    Session(SessionEvent<'b>),
    /// Bytes of a message that is not completely in the input. Collect them, and pass the whole message to
    /// [`handle_message`](ServerTransports::handle_message) behind its last piece.
    Piece(Piece<'b>),
    /// Write this control frame with [`control`](ServerTransports::control). Of several, only the latest is needed.
    Reply(ControlFrame<'b>),
}

/// How the connection of a WebSocket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "a connection ends, is reset, or fails")]
pub enum SocketEnd {
    /// The client closed it.
    Closed,
    /// The client reset it.
    Reset,
    /// Reading or writing failed.
    Failed,
}

impl ServerTransports {
    /// Decodes the next item at the start of `input`, which holds bytes from the WebSocket, and handles it. Returns
    /// `None` if more bytes are needed. Keep the bytes that were not consumed.
    ///
    /// A broken frame, or a message that is too long, ends the session; a close frame with the error's code is due
    /// then. What arrives after the end, or on a WebSocket that closes, is consumed and ignored.
    pub fn receive<'b>(&mut self, now: Instant, input: &'b mut [u8]) -> Option<Received<'b>> {
        let all = Received { consumed: input.len(), event: None };
        let Some(socket) = &mut self.socket else { return (all.consumed > 0).then_some(all) };
        let Decoded { consumed, item } = match socket.receive(input) {
            Ok(decoded) => decoded,
            Err(error) => {
                self.handle_broken_frame(now, error);
                return (all.consumed > 0).then_some(all);
            }
        };
        let is_ignored = self.upgrade.is_none() && (!self.is_on_websocket() || self.session.has_ended());
        let event = match item {
            None if consumed == 0 => return None,
            None => None,
            Some(_) if is_ignored => None,
            Some(Item::Message(message)) => self.handle_message(now, message).map(SocketEvent::Session),
            Some(Item::Piece(piece)) => {
                if let Some(session) = self.session_on_websocket() {
                    session.handle_activity(now);
                }
                Some(SocketEvent::Piece(piece))
            }
            Some(Item::Control(ControlFrame::Close(close))) => {
                match self.session_on_websocket() {
                    Some(session) => session.handle_close_frame(now, close),
                    None => self.fail_upgrade(),
                }
                None
            }
            Some(Item::Control(control)) => control.reply().map(SocketEvent::Reply),
        };
        Some(Received { consumed, event })
    }

    /// Handles a message of the WebSocket that arrived in pieces.
    pub fn handle_message<'b>(
        &mut self,
        now: Instant,
        message: WebSocketMessage<'b>,
    ) -> Option<SessionEvent<'b>> {
        let packet = self.polling.revision().decode(message);
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.handle_packet(now, packet);
            if upgrade.outcome() == Some(UpgradeOutcome::Upgraded) {
                self.move_there(now);
            }
            self.settle();
            return None;
        }
        self.session_on_websocket()?.handle_packet(now, packet)
    }

    fn handle_broken_frame(&mut self, now: Instant, error: ws::Error) {
        let violation = match error {
            ws::Error::MessageTooLong { .. } => Violation::PayloadTooLarge,
            _ => Violation::WebSocket,
        };
        match self.session_on_websocket() {
            Some(session) => session.handle_violation(now, violation),
            None => self.fail_upgrade(),
        }
    }

    /// Reports that the connection of the WebSocket ended. If it carried the session, the session ends.
    pub fn handle_websocket_end(&mut self, now: Instant, end: SocketEnd) {
        match (self.session_on_websocket(), end) {
            (None, _) => self.fail_upgrade(),
            (Some(session), SocketEnd::Closed) => session.handle_transport_closed(now),
            (Some(session), SocketEnd::Reset) => session.handle_transport_reset(now),
            (Some(session), SocketEnd::Failed) => session.handle_transport_error(now),
        }
        self.socket = None;
        // The next candidate has not asked for it.
        self.owes_probe = false;
    }

    /// Returns the next packet that goes out on the WebSocket ahead of messages, as its frame. Each is returned once.
    ///
    /// A frame that is returned leaves now: call this method only when all that was written before has left. The client may
    /// take the whole ping timeout from now to answer a ping, even if the ping had to wait.
    #[must_use = "a packet that is not written is lost"]
    pub fn poll_frame(&mut self, now: Instant) -> Option<PacketFrame<'static>> {
        self.settle();
        if core::mem::take(&mut self.owes_probe)
            && let Ok(frame) = self.frame(&UpgradeControl::PongProbe.packet())
        {
            return Some(frame);
        }
        if !self.is_on_websocket() {
            return None;
        }
        // A session has at most one of each to send.
        for _ in 0..3 {
            match self.session.poll_transmit()? {
                Control::Close => self.close_websocket(),
                heartbeat => {
                    if heartbeat == Control::Ping {
                        self.session.handle_ping_sent(now);
                    }
                    return self.frame(&heartbeat.packet()).ok();
                }
            }
        }
        None
    }

    /// Returns the frame of a packet on the WebSocket.
    ///
    /// # Errors
    /// Returns a [`FrameOrderError`] if there is no WebSocket, or if its close frame has been written.
    pub fn frame<'p>(&self, packet: &Packet<'p>) -> Result<PacketFrame<'p>, FrameOrderError> {
        let socket = self.socket.as_ref().ok_or(FrameOrderError::Closed)?;
        socket.packet(self.polling.revision(), packet, !self.polling.base64_only(), [0; 4])
    }

    /// Writes a control frame and returns its length. Returns `None` if there is no WebSocket, or if its close frame
    /// has been written.
    ///
    /// # Errors
    /// Returns a [`ControlFrameError`] if the payload is too long or `out` is too small. Nothing was written then.
    /// [`ControlFrame::MAX_LEN`] bytes are always enough.
    pub fn control(
        &self,
        control: &ControlFrame<'_>,
        out: &mut [u8],
    ) -> Option<Result<usize, ControlFrameError>> {
        self.socket.as_ref()?.control(control, [0; 4], out)
    }

    /// Writes the close frame that is due behind the last message, and returns its length. Returns `None` if none is
    /// due. Nothing may follow it: shut down the writing side of the connection, and read until the client has closed
    /// its own. `ours` is the content if the session closes here; an answer repeats the client's code.
    ///
    /// # Errors
    /// Returns [`BufferTooSmall`] if `out` is too small. The frame is still due. [`ControlFrame::MAX_LEN`] bytes are
    /// always enough.
    pub fn close_frame(
        &mut self,
        now: Instant,
        ours: Option<Close<'_>>,
        out: &mut [u8],
    ) -> Option<Result<usize, BufferTooSmall>> {
        let written = self.socket.as_mut()?.close_frame(ours, [0; 4], out)?;
        if let Some(session) = self.session_on_websocket().filter(|_| written.is_ok()) {
            session.handle_closed(now);
        }
        Some(written)
    }

    fn session_on_websocket(&mut self) -> Option<&mut ServerSession> {
        self.is_on_websocket().then_some(&mut self.session)
    }

    fn fail_upgrade(&mut self) {
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.handle_transport_closed();
        }
        self.settle();
    }
}
