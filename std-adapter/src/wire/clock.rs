//! The one place where time is read.

use core::time::Duration;

use eio_core::Instant;

/// A wake-up this late means that the runtime was stalled.
pub(crate) const LATE: Duration = Duration::from_millis(10);

/// The tick of tokio's timer.
const TICK_MICROS: u64 = 1_000;

/// tokio's clock since some start: microseconds, rounded down. Follows tokio's paused time in tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }

    pub(crate) fn now(self) -> Instant {
        let micros = self.start.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// When to be woken first so as not to be late for `at`, where one wake-up more costs little: a tick before, and then
    /// again at `at`. tokio's timer rounds up to its tick, and so does the wait for it: together up to 2 ms, and half of
    /// that when the wait is short.
    pub(crate) fn ahead_of(at: Instant, now: Instant) -> Instant {
        let ahead = Instant::from_micros(at.as_micros().saturating_sub(TICK_MICROS));
        if now < ahead { ahead } else { at }
    }

    /// The runtime's instant for `at`. tokio's timer rounds it up to its tick of 1 ms.
    pub(crate) fn deadline(self, at: Instant) -> tokio::time::Instant {
        let since_start = Duration::from_micros(at.as_micros());
        self.start.checked_add(since_start).unwrap_or_else(|| {
            // Farther than the platform's clock reaches: wake up in a day and look again.
            self.start + self.start.elapsed() + Duration::from_hours(24)
        })
    }
}
