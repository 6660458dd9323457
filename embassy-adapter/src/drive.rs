//! How a call of the client gets on: what to do with the stream next, until its goal is reached.
//!
//! Nothing here waits, and nothing depends on the kind of the stream, so that an image holds it once.

use eio_core::Instant;
use eio_core::session::{Disconnect, SendError as Refusal};

use crate::inbox::Inbox;
use crate::link::{Link, Phase};
use crate::outbox::Outbox;
use crate::{ConnectError, Endpoint, SendError};

/// What a call waits for. The end of the session ends every wait.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// The handshake.
    Open,
    /// A message for the application.
    Message,
    /// Room for a frame of the application.
    Room,
    /// What the stream takes at once has been written.
    Written,
    /// The end, and until this time for what is still to be written.
    Closed(Instant),
}

/// A call under way.
pub(crate) struct Pass {
    goal: Goal,
    /// What the last turn did.
    pub(crate) read: bool,
    pub(crate) written: bool,
    /// The goal is reached, and only what the stream does at once is still done.
    leaving: bool,
}

impl Pass {
    pub(crate) const fn to(goal: Goal) -> Self {
        // As if something had been read: what is there already is looked at before anything is judged.
        Self { goal, read: true, written: true, leaving: false }
    }
}

impl Link<'_> {
    /// Puts the request for a WebSocket into the send buffer, unless that was done before.
    pub(crate) fn request(&mut self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        if let Phase::New = self.state.phase {
            if self.inbox.capacity() < Inbox::MIN_LEN {
                return Err(ConnectError::RxTooSmall { needed: Inbox::MIN_LEN });
            }
            if self.outbox.raw().len() < Outbox::MIN_LEN {
                return Err(ConnectError::TxTooSmall { needed: Outbox::MIN_LEN });
            }
            let key = self.state.random_key();
            let len = endpoint.write(self.state.settings.revision.digit, &key, self.outbox.raw())?;
            self.outbox.begin(len);
            self.state.phase = Phase::Requested { key, scanned: 0 };
        }
        Ok(())
    }

    /// Why the session is not open.
    pub(crate) fn why_not_open(&self, end: Disconnect) -> ConnectError {
        if let Phase::Refused(error) = self.state.phase { error } else { end.into() }
    }

    /// Decodes, answers, judges: until when to read and write next, or `None` if the call is to return. A time that has
    /// come means once, without waiting.
    pub(crate) fn step(&mut self, now: Instant, pass: &mut Pass) -> Option<Instant> {
        if !pass.read && !pass.leaving {
            self.settle(now);
        }
        self.switch_protocols(now);
        self.state.process(now, &mut self.inbox);
        self.state.fill(now, &mut self.outbox);
        let reached = match pass.goal {
            Goal::Open => self.state.session.is_open(),
            Goal::Message => self.state.holds_message(),
            Goal::Room => self.state.write_failed || self.outbox.is_idle() && self.state.session.is_open(),
            Goal::Written => true,
            Goal::Closed(limit) => {
                if self.try_finish(now, limit) {
                    return None;
                }
                return Some(self.state.wake_at(now).map_or(limit, |deadline| deadline.min(limit)));
            }
        };
        let leaving = core::mem::replace(&mut pass.leaving, reached);
        if reached {
            // An application that always finds a message would never get to write; and a server that seems silent may
            // have given a sign of life that nobody has read.
            let look = if leaving {
                pass.written && !self.outbox.is_idle()
            } else {
                !self.outbox.is_idle() || self.check_send(now) == Err(SendError::Expired)
            };
            return look.then_some(now);
        }
        self.state.judge_application(now);
        self.state.handle_read_end(now);
        // After a failed write, only what is there already can still say why.
        self.state.wake_at(now).map(|until| if self.state.write_failed { now } else { until })
    }

    /// How a call ends.
    pub(crate) fn outcome(&self, goal: Goal) -> Result<(), Disconnect> {
        match self.state.session.disconnect() {
            Some(end) if goal != Goal::Message || !self.state.holds_message() => Err(end),
            _ => Ok(()),
        }
    }

    /// Whether the application may send now.
    pub(crate) fn check_send(&self, now: Instant) -> Result<(), SendError> {
        match self.state.session.check_send(now) {
            Ok(()) if !self.state.write_failed => Ok(()),
            Err(Refusal::Expired) => Err(SendError::Expired),
            _ => Err(SendError::Closed),
        }
    }

    /// This side closes. What the application has not taken is dropped.
    pub(crate) fn begin_close(&mut self, now: Instant) -> Goal {
        let timeout = self.state.settings.close_timeout;
        self.state.drop_message();
        self.state.session.close(now, timeout);
        Goal::Closed(now.saturating_add(timeout))
    }
}
