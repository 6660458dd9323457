//! The timers of a server on WebSocket.

use eio_core::Instant;
use eio_core::internal::{Clock, add_millis};

use super::{ServerPeriods, TimerEvent};

/// The event that a server on WebSocket waits for.
#[derive(Clone, Copy, Debug)]
enum Wait {
    NextHeartbeat,
    Echo,
    Ended,
}

/// The server side on WebSocket.
///
/// ```
/// use eio_core::Instant;
/// use eio_legacy::timers::{TimerEvent, ServerTimers, ServerPeriods};
///
/// let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
/// let mut server = ServerTimers::new(ServerPeriods::DEFAULT, at(0));
/// assert_eq!(server.handle_timeout(at(25)), Some(TimerEvent::Heartbeat));
/// server.handle_heartbeat(at(26));
/// assert_eq!(server.handle_timeout(at(51)), Some(TimerEvent::Heartbeat));
/// assert_eq!(server.handle_timeout(at(110)), None);
/// assert_eq!(server.handle_timeout(at(111)), Some(TimerEvent::HeartbeatTimeout));
/// ```
#[derive(Clone, Debug)]
pub struct ServerTimers {
    clock: Clock,
    periods: ServerPeriods,
    wait: Wait,
    deadline: Instant,
}

impl ServerTimers {
    /// Creates the server side. `now` is the time at which the WebSocket connected.
    #[must_use]
    pub const fn new(periods: ServerPeriods, now: Instant) -> Self {
        let deadline = add_millis(now, periods.heartbeat_interval);
        Self { clock: Clock::new(now), periods, wait: Wait::NextHeartbeat, deadline }
    }

    /// Handles a `2::` from the client. Other packets need not be reported: they change nothing.
    pub fn handle_heartbeat(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if let Wait::Echo = self.wait {
            self.wait = Wait::NextHeartbeat;
            self.deadline = add_millis(now, self.periods.heartbeat_interval);
        }
    }

    /// Reports that the clock has moved, and returns what is due. Early and repeated calls do nothing.
    #[must_use = "a heartbeat may be due"]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<TimerEvent> {
        let now = self.clock.advance(now);
        match self.wait {
            Wait::NextHeartbeat if self.deadline <= now => {
                self.wait = Wait::Echo;
                self.deadline = add_millis(now, self.periods.heartbeat_timeout);
                Some(TimerEvent::Heartbeat)
            }
            Wait::Echo if self.deadline <= now => {
                self.wait = Wait::Ended;
                Some(TimerEvent::HeartbeatTimeout)
            }
            Wait::NextHeartbeat | Wait::Echo | Wait::Ended => None,
        }
    }

    /// Stops the timers, because the connection ended or this side ends it.
    pub fn end(&mut self) {
        self.wait = Wait::Ended;
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only after the
    /// session has ended.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.wait {
            Wait::NextHeartbeat | Wait::Echo => Some(self.deadline),
            Wait::Ended => None,
        }
    }
}
