//! Sending: messages of the application, heartbeats, pongs and the close frame.

use eio_core::packet::WebSocketMessage;
use eio_core::session::Control;
use eio_core::ws::{Key, MessageKind, OpCode, Piece};
use eio_core::{BufferTooSmall, Instant};

use super::{Link, Phase, Probe, State};
use crate::SendError;
use crate::drive::Failed;
use crate::outbox::{Outbox, fill};

impl Link<'_> {
    /// Returns the part of a message that is still to be sent. An earlier call may have sent the beginning.
    pub(crate) fn resume<'m>(&self, message: Piece<'m>) -> Result<Piece<'m>, SendError> {
        let Some(open) = self.state.writer.unfinished() else {
            self.state.check_message(message)?;
            return Ok(message);
        };
        if (open, self.state.total) != (message.kind, Some(message.bytes.len())) {
            return Err(SendError::Unfinished);
        }
        let begun = self.state.sent.saturating_sub(self.state.prefix(open).len());
        Ok(Piece { bytes: message.bytes.get(begun..).unwrap_or_default(), first: false, ..message })
    }

    /// Puts as much of a message as fits into the send buffer, and returns how many of its bytes that is. The send
    /// buffer must be idle. `total` is the length of the whole message, if it is known.
    pub(crate) fn put(&mut self, piece: Piece<'_>, total: Option<usize>) -> usize {
        self.state.total = total;
        self.state.put(piece, &mut self.outbox)
    }

    /// Checks that a piece may come next and that the message stays within the server's limit.
    pub(crate) fn check_piece(&self, piece: Piece<'_>) -> Result<(), SendError> {
        let before = match self.state.writer.unfinished() {
            Some(_) if piece.first => return Err(SendError::Unfinished),
            None if piece.first => self.state.prefix(piece.kind).len(),
            Some(open) if open == piece.kind => self.state.sent,
            _ => return Err(SendError::NotBegun),
        };
        self.state.check_len(before.saturating_add(piece.bytes.len()))
    }

    /// Puts a text message, which `write` writes in place. The send buffer must be idle.
    pub(crate) fn put_text_with(
        &mut self,
        write: &dyn Fn(&mut [u8]) -> Result<usize, BufferTooSmall>,
    ) -> Result<(), SendError> {
        if self.state.writer.unfinished().is_some() {
            return Err(SendError::Unfinished);
        }
        let prefix = self.state.prefix(MessageKind::Text);
        let room = self.outbox.payload();
        fill(&mut room.iter_mut(), prefix);
        let len = write(room.get_mut(prefix.len()..).unwrap_or_default()).map_err(|error| {
            let needed = error.needed.saturating_add(prefix.len()).saturating_add(Outbox::OVERHEAD);
            SendError::BufferTooSmall { needed }
        })?;
        let len = len.saturating_add(prefix.len());
        self.state.check_len(len)?;
        self.state.put_message(MessageKind::Text, true, len, &mut self.outbox);
        Ok(())
    }
}

impl State<'_> {
    /// Handles the result of a write: the number of bytes that the stream took.
    pub(crate) fn handle_written(&mut self, written: Result<usize, Failed>, outbox: &mut Outbox<'_>) {
        match written {
            // What is pending stays: it was not sent.
            Ok(0) => self.write_failed = Some(Failed::Otherwise),
            Err(failed) => self.write_failed = Some(failed),
            Ok(len) => outbox.written(len),
        }
    }

    /// Puts the next frame that does not come from the application, if there is room and one is due.
    pub(crate) fn fill(&mut self, now: Instant, outbox: &mut Outbox<'_>) {
        let last = self.writer.close_sent();
        if matches!(self.phase, Phase::Frames) && outbox.is_idle() && self.write_failed.is_none() && !last {
            self.put_control(now, outbox);
        }
    }

    /// Puts as much of a message as fits into the send buffer, and returns how many of its bytes that is. The send
    /// buffer must be idle.
    pub(crate) fn put(&mut self, piece: Piece<'_>, outbox: &mut Outbox<'_>) -> usize {
        let Piece { kind, bytes, first, last } = piece;
        let prefix: &[u8] = if first { self.prefix(kind) } else { &[] };
        let before = if first { prefix.len() } else { self.sent };
        let room = outbox.capacity().saturating_sub(prefix.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        let mut slots = outbox.payload().iter_mut();
        fill(&mut slots, prefix);
        fill(&mut slots, taken);
        let last = last && taken.len() == bytes.len();
        self.put_message(kind, last, prefix.len().saturating_add(taken.len()), outbox);
        self.sent = before.saturating_add(taken.len());
        taken.len()
    }

    /// Makes a frame of the payload in the send buffer, as a whole message or its next fragment.
    fn put_message(&mut self, kind: MessageKind, last: bool, len: usize, outbox: &mut Outbox<'_>) {
        let opcode = self.writer.next_opcode(kind, last);
        outbox.put(opcode, last, len, self.key());
    }

    pub(crate) fn random_key(&mut self) -> Key {
        let mut bytes = [0; 16];
        let (words, _) = bytes.as_chunks_mut::<4>();
        for word in words {
            *word = self.key();
        }
        Key::from_random(bytes)
    }

    pub(crate) fn key(&mut self) -> [u8; 4] {
        (self.rng)().to_ne_bytes()
    }

    /// Returns the bytes before the content of a message: its packet type, where the encoding has one.
    pub(super) fn prefix(&self, kind: MessageKind) -> &'static [u8] {
        match kind {
            MessageKind::Text => b"4",
            MessageKind::Binary => self.settings.protocol.binary_prefix,
        }
    }

    /// Returns whether a message has been given only in part.
    pub(crate) const fn has_unfinished_message(&self) -> bool {
        self.writer.unfinished().is_some()
    }

    /// Checks that a whole message is within the server's limit.
    pub(crate) fn check_message(&self, whole: Piece<'_>) -> Result<(), SendError> {
        self.check_len(whole.bytes.len().saturating_add(self.prefix(whole.kind).len()))
    }

    /// Checks that a message of `len` bytes, including the packet's type, is within the server's limit.
    pub(crate) fn check_len(&self, len: usize) -> Result<(), SendError> {
        match self.max_payload {
            Some(max) if u32::try_from(len).is_ok_and(|len| len <= max) => Ok(()),
            Some(max) => Err(SendError::TooLarge { max }),
            None => Ok(()),
        }
    }

    /// Puts the first of the frames that are due, if there is one.
    fn put_control(&mut self, now: Instant, outbox: &mut Outbox<'_>) {
        let (opcode, payload): (_, &[u8]) = if let Some(heartbeat) = self.heartbeat() {
            (self.settings.protocol.leaves)(&mut self.session, heartbeat, now);
            (OpCode::Text, heartbeat.encoded().as_bytes())
        } else if self.writer.close_is_due() {
            // A close frame is the last frame: pongs and pings no longer matter.
            let key = self.key();
            if let Some(body) = outbox.payload().first_chunk_mut()
                && let Some(header) = self.writer.close_body(self.close, key, body)
            {
                outbox.put(OpCode::Close, true, header.payload_len, key);
            }
            return;
        } else if self.has_ended() {
            return;
        } else if let Some(payload) = self.ping.take() {
            (OpCode::Pong, payload)
        } else {
            if let Probe::Wanted(put) = self.probe {
                put(self, now, outbox);
            }
            return;
        };
        fill(&mut outbox.payload().iter_mut(), payload);
        outbox.put(opcode, true, payload.len(), (self.rng)().to_ne_bytes());
    }

    /// Returns the heartbeat that is due. Between the fragments of a message, WebSocket allows only control frames, so a
    /// heartbeat waits there. A session that closes or has ended sends no heartbeat.
    fn heartbeat(&mut self) -> Option<Control> {
        if self.writer.unfinished().is_some() && self.session.is_open() {
            return None;
        }
        loop {
            match self.session.poll_transmit()? {
                Control::Close => self.writer.close(),
                heartbeat if self.session.is_open() => return Some(heartbeat),
                _ => {}
            }
        }
    }
}

/// Returns a whole message as a single piece.
pub(crate) fn whole(message: WebSocketMessage<'_>) -> Piece<'_> {
    let (kind, bytes) = match message {
        WebSocketMessage::Text(text) => (MessageKind::Text, text.as_bytes()),
        WebSocketMessage::Binary(bytes) => (MessageKind::Binary, bytes),
    };
    Piece { kind, bytes, first: true, last: true }
}
