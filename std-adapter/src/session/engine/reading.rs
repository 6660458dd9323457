//! Whether a session reads. While its inbox is full, it does not, unless it closes.

use eio_core::Instant;

use crate::session::engine::{Engine, Reacts};
use crate::session::machine::Machine as _;
use crate::session::queue::Queue;
use crate::wire::message::Message;

impl<K: Reacts> Engine<K> {
    /// Puts received messages into the inbox, and pauses reading if it is full then. Leaves messages that nobody will read,
    /// to be dropped without the lock.
    pub(crate) fn deliver(&mut self, messages: &mut Queue<Message>, now: Instant) {
        let limits = K::limits(&self.shared.context);
        let mut inner = self.shared.lock();
        let is_full = inner.mail.deliver(messages, limits);
        self.room = inner.mail.room(limits);
        drop(inner);
        if is_full {
            self.pause(now);
        }
    }

    /// Stops reading, because the inbox is full. A session that closes reads on: none of its messages is for the inbox.
    pub(super) fn pause(&mut self, now: Instant) {
        if let Some(heartbeat) = self.session.heartbeat().filter(|_| self.session.is_open()) {
            self.is_paused = true;
            self.shared.last_taken.begin(now);
            let stall_timeout = K::stall_timeout(self.context(), heartbeat);
            // Rule 14: what is not read is no silence of the peer.
            self.session.handle_reading_paused(now, stall_timeout);
        }
    }

    /// Goes on reading, because the inbox has room again.
    pub(super) fn resume(&mut self) {
        self.is_paused = false;
        self.shared.last_taken.end();
        // The application's turn may have been long.
        self.session.handle_reading_resumed(self.now());
    }

    /// Goes on reading, because the session closes, and the peer's silence is judged again. A peer that writes before it reads
    /// would otherwise not take what is left to send.
    pub(super) fn read_on(&mut self) {
        if core::mem::take(&mut self.is_paused) {
            self.shared.last_taken.end();
            // This pass may have read already.
            self.shared.lock().mail.wake_task();
        }
    }

    /// Puts off the end of a session whose application has taken a message within the stall timeout.
    pub(crate) fn put_off_stall(&mut self, now: Instant) {
        if let Some(heartbeat) = self.session.heartbeat().filter(|_| self.is_paused) {
            let stall_timeout = K::stall_timeout(self.context(), heartbeat);
            let left = stall_timeout.saturating_sub(self.shared.last_taken.elapsed(now));
            if !left.is_zero() {
                // A pause that begins anew has a new deadline.
                self.session.handle_reading_resumed(now);
                self.session.handle_reading_paused(now, left);
            }
        }
    }

    /// Returns whether the inbox is full, so that nothing is read.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Returns whether packets are read: the inbox has room, and the session has not ended.
    pub(crate) fn is_reading(&self) -> bool {
        !self.is_paused && !self.session.has_ended()
    }
}
