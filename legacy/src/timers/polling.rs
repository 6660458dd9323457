//! The timers of a server on xhr-polling.

use eio_core::Instant;
use eio_core::internal::{Clock, add_millis};

use super::{ServerPeriods, TimerEvent};

/// The event that a polling server waits for.
#[derive(Clone, Copy, Debug)]
enum Poll {
    Held,
    Away,
    Ended,
}

/// The server side on xhr-polling.
///
/// ```
/// use eio_core::Instant;
/// use eio_legacy::timers::{TimerEvent, PollingServerTimers, ServerPeriods};
///
/// let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
/// let mut server = PollingServerTimers::new(ServerPeriods::DEFAULT, at(0));
/// server.handle_poll(at(1));
/// assert_eq!(server.handle_timeout(at(21)), Some(TimerEvent::Noop)); // held for 20 s
/// assert_eq!(server.handle_timeout(at(81)), Some(TimerEvent::CloseTimeout)); // and no poll for 60 s
/// ```
#[derive(Clone, Debug)]
pub struct PollingServerTimers {
    clock: Clock,
    periods: ServerPeriods,
    poll: Poll,
    deadline: Instant,
}

impl PollingServerTimers {
    /// Creates the server side. `now` is the time at which the first poll was answered with `1::`.
    #[must_use]
    pub const fn new(periods: ServerPeriods, now: Instant) -> Self {
        let deadline = add_millis(now, periods.close_timeout);
        Self { clock: Clock::new(now), periods, poll: Poll::Away, deadline }
    }

    /// Reports that a poll arrived and is held. It replaces a poll that is already held.
    pub fn handle_poll(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if let Poll::Held | Poll::Away = self.poll {
            self.poll = Poll::Held;
            self.deadline = add_millis(now, self.periods.polling_duration);
        }
    }

    /// Reports that the held poll was answered with something other than the noop of [`TimerEvent::Noop`].
    pub fn handle_answered(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if let Poll::Held = self.poll {
            self.poll = Poll::Away;
            self.deadline = add_millis(now, self.periods.close_timeout);
        }
    }

    /// Reports that the clock has moved, and returns what is due. Early and repeated calls do nothing.
    #[must_use = "a noop may be due"]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<TimerEvent> {
        let now = self.clock.advance(now);
        match self.poll {
            Poll::Held if self.deadline <= now => {
                self.handle_answered(now);
                Some(TimerEvent::Noop)
            }
            Poll::Away if self.deadline <= now => {
                self.poll = Poll::Ended;
                Some(TimerEvent::CloseTimeout)
            }
            Poll::Held | Poll::Away | Poll::Ended => None,
        }
    }

    /// Stops the timers, because the session ended or this side ends it.
    pub fn end(&mut self) {
        self.poll = Poll::Ended;
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only after the
    /// session has ended.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.poll {
            Poll::Held | Poll::Away => Some(self.deadline),
            Poll::Ended => None,
        }
    }
}
