//! The timers of a client.

use core::time::Duration;

use eio_core::Instant;
use eio_core::internal::{Clock, add_millis};

use super::periods::period;
use super::{PeriodError, TimerEvent};

/// The client side.
///
/// ```
/// use eio_core::Instant;
/// use eio_legacy::timers::{ClientTimers, TimerEvent, ServerPeriods};
///
/// let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
/// let timeout = ServerPeriods::DEFAULT.heartbeat_timeout();
/// let mut client = ClientTimers::new(Some(timeout), ServerPeriods::DEFAULT.close_timeout(), at(0))?;
/// client.handle_packet(at(25)); // any packet; a heartbeat is answered with `2::`
/// assert_eq!(client.handle_timeout(at(84)), None);
/// assert_eq!(client.handle_timeout(at(85)), Some(TimerEvent::HeartbeatTimeout));
/// # Ok::<(), eio_legacy::timers::PeriodError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientTimers {
    clock: Clock,
    /// Zero without heartbeats.
    heartbeat_timeout: u32,
    close_timeout: u32,
    heartbeat_by: Option<Instant>,
    close_by: Option<Instant>,
}

impl ClientTimers {
    /// Creates the client side with the timeouts of the handshake. `heartbeat_timeout` is `None` if its field was
    /// empty, and on xhr-polling, where only the close timeout counts. `now` is the time at which the handshake
    /// arrived.
    ///
    /// # Errors
    /// Returns a [`PeriodError`] if a timeout is zero, not whole milliseconds, or above 2^32 − 1 ms.
    pub const fn new(
        heartbeat_timeout: Option<Duration>,
        close_timeout: Duration,
        now: Instant,
    ) -> Result<Self, PeriodError> {
        let close_timeout = match period(close_timeout, "close timeout") {
            Ok(millis) => millis,
            Err(error) => return Err(error),
        };
        let (heartbeat_timeout, heartbeat_by, close_by) = match heartbeat_timeout {
            None => (0, None, Some(add_millis(now, close_timeout))),
            Some(timeout) => match period(timeout, "heartbeat timeout") {
                Ok(millis) => (millis, Some(add_millis(now, millis)), None),
                Err(error) => return Err(error),
            },
        };
        Ok(Self { clock: Clock::new(now), heartbeat_timeout, close_timeout, heartbeat_by, close_by })
    }

    /// Handles a packet from the server. If it is a heartbeat, the caller must also write `2::`.
    pub fn handle_packet(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if self.poll_timeout().is_some() {
            self.heartbeat_by = self.heartbeat_by.map(|_| add_millis(now, self.heartbeat_timeout));
            self.close_by = Some(add_millis(now, self.close_timeout));
        }
    }

    /// Reports that the clock has moved, and returns what is due. Early and repeated calls do nothing.
    #[must_use = "the session may have ended"]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<TimerEvent> {
        let now = self.clock.advance(now);
        if self.poll_timeout()? > now {
            return None;
        }
        let due = if self.heartbeat_by == self.poll_timeout() {
            TimerEvent::HeartbeatTimeout
        } else {
            TimerEvent::CloseTimeout
        };
        self.end();
        Some(due)
    }

    /// Stops the timers, because the connection ended or this side ends it.
    pub fn end(&mut self) {
        self.heartbeat_by = None;
        self.close_by = None;
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only after the
    /// session has ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.heartbeat_by, self.close_by) {
            (Some(heartbeat), Some(close)) => Some(heartbeat.min(close)),
            (deadline, None) | (None, deadline) => deadline,
        }
    }
}
