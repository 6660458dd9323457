//! What goes out: messages of the application, and what the session owes.

use eio_core::packet::Frame;
use eio_core::session::Control;
use eio_core::ws::{Key, MessageKind, OpCode, Piece};
use eio_core::{BufferTooSmall, Instant};

use super::{Farewell, Link, Phase, Probe, State};
use crate::SendError;
use crate::drive::Failed;
use crate::outbox::{Outbox, fill};

impl Link<'_> {
    /// What is left to send of a message, of which an earlier call may have sent the beginning.
    pub(crate) fn resume<'m>(&self, message: Piece<'m>) -> Result<Piece<'m>, SendError> {
        let Some(open) = self.outbox.open_message() else {
            self.state
                .check_len(message.bytes.len().saturating_add(self.state.prefix(message.kind).len()))?;
            return Ok(message);
        };
        if (open, self.state.total) != (message.kind, Some(message.bytes.len())) {
            return Err(SendError::Unfinished);
        }
        let begun = self.state.sent.saturating_sub(self.state.prefix(open).len());
        Ok(Piece { bytes: message.bytes.get(begun..).unwrap_or_default(), first: false, ..message })
    }

    /// Puts a message, or as much of it as the buffer holds, and returns how many of its bytes that is. There is
    /// room. `total` is the length of the whole message, if it is known.
    pub(crate) fn put(&mut self, piece: Piece<'_>, total: Option<usize>) -> Result<usize, SendError> {
        let taken = self.state.put(piece, &mut self.outbox)?;
        self.state.total = total;
        Ok(taken)
    }

    /// Puts a text message that `write` writes in place, and returns what `write` returns. There is room.
    pub(crate) fn put_text_with(
        &mut self,
        write: &dyn Fn(&mut [u8]) -> Result<usize, BufferTooSmall>,
    ) -> Result<(), SendError> {
        if self.outbox.open_message().is_some() {
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
        let key = self.state.key();
        self.outbox.put_message(MessageKind::Text, true, len, key);
        Ok(())
    }
}

impl State<'_> {
    /// What a write gave: how many bytes the stream took. Returns whether it can go on.
    pub(crate) fn handle_written(&mut self, written: Result<usize, Failed>, outbox: &mut Outbox<'_>) -> bool {
        match written {
            Err(Failed) | Ok(0) => {
                self.write_failed = true;
                outbox.clear();
            }
            Ok(len) => outbox.written(len),
        }
        !self.write_failed
    }

    /// Puts the next frame that the session itself wants sent, if there is room and one is due.
    pub(crate) fn fill(&mut self, now: Instant, outbox: &mut Outbox<'_>) {
        let last = self.farewell == Farewell::Sent;
        if matches!(self.phase, Phase::Frames) && outbox.is_idle() && !self.write_failed && !last {
            self.put_control(now, outbox);
        }
    }

    /// Puts a message, or as much of it as the buffer holds, and returns how many of its bytes that is. There is
    /// room.
    pub(crate) fn put(&mut self, piece: Piece<'_>, outbox: &mut Outbox<'_>) -> Result<usize, SendError> {
        let Piece { kind, bytes, first, last } = piece;
        match outbox.open_message() {
            Some(_) if first => return Err(SendError::Unfinished),
            Some(open) if open != kind => return Err(SendError::NotBegun),
            None if !first => return Err(SendError::NotBegun),
            _ => {}
        }
        let prefix: &[u8] = if first { self.prefix(kind) } else { &[] };
        let before = if first { prefix.len() } else { self.sent };
        self.check_len(before.saturating_add(bytes.len()))?;
        let room = outbox.capacity().saturating_sub(prefix.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        let mut slots = outbox.payload().iter_mut();
        fill(&mut slots, prefix);
        fill(&mut slots, taken);
        let last = last && taken.len() == bytes.len();
        let key = self.key();
        outbox.put_message(kind, last, prefix.len().saturating_add(taken.len()), key);
        self.sent = before.saturating_add(taken.len());
        Ok(taken.len())
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

    /// What stands before a message's own bytes.
    pub(super) fn prefix(&self, kind: MessageKind) -> &'static [u8] {
        match kind {
            MessageKind::Text => b"4",
            MessageKind::Binary => self.settings.revision.binary_prefix,
        }
    }

    /// Whether the server takes a message of `len` bytes.
    pub(crate) fn check_len(&self, len: usize) -> Result<(), SendError> {
        match self.max_payload {
            Some(max) if u32::try_from(len).is_ok_and(|len| len <= max) => Ok(()),
            Some(max) => Err(SendError::TooLarge { max }),
            None => Ok(()),
        }
    }

    fn put_control(&mut self, now: Instant, outbox: &mut Outbox<'_>) {
        // Between the fragments of a message only control frames may stand, and a heartbeat is none. A session that
        // ends sends none anyway.
        if outbox.open_message().is_none() || !self.session.is_open() {
            while let Some(control) = self.session.poll_transmit() {
                if control == Control::Close {
                    self.owe_close();
                } else if self.session.is_open() {
                    self.put_frame(outbox, OpCode::Text, control.as_str().as_bytes());
                    return;
                }
            }
        }
        if self.farewell == Farewell::Owed {
            // A close frame is the last: what else was owed no longer matters.
            self.farewell = Farewell::Sent;
            let code = self.close_code.filter(|code| code.is_sendable());
            match code {
                Some(code) => self.put_frame(outbox, OpCode::Close, &code.as_u16().to_be_bytes()),
                None => self.put_frame(outbox, OpCode::Close, &[]),
            }
        } else if !self.has_ended() {
            if let Some(payload) = self.ping.take() {
                fill(&mut outbox.payload().iter_mut(), payload);
                let key = (self.rng)().to_ne_bytes();
                outbox.put(OpCode::Pong, true, payload.len(), key);
            } else if matches!(self.probe, Probe::Wanted) {
                self.probe = Probe::Sent(now);
                self.put_frame(outbox, OpCode::Ping, &now.as_micros().to_be_bytes());
            }
        }
    }

    fn put_frame(&mut self, outbox: &mut Outbox<'_>, opcode: OpCode, payload: &[u8]) {
        fill(&mut outbox.payload().iter_mut(), payload);
        let key = self.key();
        outbox.put(opcode, true, payload.len(), key);
    }

    /// A close frame is to be sent, unless one was.
    pub(super) fn owe_close(&mut self) {
        if self.farewell == Farewell::NotDue {
            self.farewell = Farewell::Owed;
        }
    }

    /// A WebSocket ping is to be sent, unless one is on its way.
    pub(crate) fn want_probe(&mut self) {
        if matches!(self.probe, Probe::None) {
            self.probe = Probe::Wanted;
        }
    }
}

/// A whole message as the piece that it is.
pub(crate) fn whole(message: Frame<'_>) -> Piece<'_> {
    let (kind, bytes) = match message {
        Frame::Text(text) => (MessageKind::Text, text.as_bytes()),
        Frame::Binary(bytes) => (MessageKind::Binary, bytes),
    };
    Piece { kind, bytes, first: true, last: true }
}
