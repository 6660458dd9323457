//! The clock of this crate: tokio's, so that tests can pause it.

use std::time::Duration;

use eio_core::Instant;

/// tokio's clock as microseconds since a start, rounded down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros().try_into().unwrap_or(u64::MAX))
    }

    /// Returns the runtime's instant for `at`. tokio's timer rounds it up to its tick of 1 ms.
    pub(crate) fn deadline(self, at: Instant) -> tokio::time::Instant {
        deadline_after(self.start, Duration::from_micros(at.as_micros()))
    }
}

/// Returns the instant so long after `start`, or a day after it if that is beyond the range of the platform's clock.
pub(crate) fn deadline_after(start: tokio::time::Instant, period: Duration) -> tokio::time::Instant {
    start.checked_add(period).unwrap_or_else(|| start + Duration::from_hours(24))
}
