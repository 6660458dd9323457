//! What a WebSocket writes for its session.

use eio_core::Instant;

use crate::carrier::websocket::FrameSource;
use crate::session::engine::{Engine, Reacts};
use crate::session::machine::Machine as _;
use crate::session::progress::Written;
use crate::wire::close_frame::CloseFrame;
use crate::wire::outgoing::ToWrite;

/// Provides the packets of the session and the messages of its application. Heartbeats overtake messages.
pub(super) struct SessionSource<'a, K: Reacts> {
    pub(super) engine: &'a mut Engine<K>,
    pub(super) now: Instant,
    pub(super) written: Written,
}

impl<K: Reacts> FrameSource for SessionSource<'_, K> {
    fn next(&mut self) -> Option<ToWrite<'_>> {
        match self.engine.next_control(self.now) {
            Some(control) => Some(ToWrite::Control(control.encoded())),
            None => self.engine.next_message().map(ToWrite::Message),
        }
    }

    fn written(&mut self, messages: usize) {
        self.written.messages += messages;
        self.written.bytes += self.engine.handle_written(self.now, messages);
    }

    fn flushed(&mut self) {
        self.written.flushed = Some(self.written.messages);
    }

    fn is_drained(&self) -> bool {
        // An observer of what was written may have closed the session by its panic.
        self.engine.session.is_open()
    }

    fn is_over(&self) -> bool {
        self.engine.may_close(self.written.messages)
    }

    fn close_frame(&self) -> Option<CloseFrame> {
        self.engine.closing.own_frame()
    }
}
