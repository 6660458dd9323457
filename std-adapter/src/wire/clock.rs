//! The clock of this crate. Only this file reads the time.

use core::time::Duration;

use eio_core::Instant;

/// A wake-up that is later than this shows that the runtime was stalled.
pub(crate) const LATE: Duration = Duration::from_millis(10);

/// The tick of tokio's timer.
const TICK_MICROS: u64 = 1_000;

/// tokio's clock as microseconds since a start, rounded down. It follows tokio's paused time in tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }

    pub(crate) fn now(self) -> Instant {
        let elapsed = self.start.elapsed();
        let micros =
            elapsed.as_secs().saturating_mul(1_000_000).saturating_add(elapsed.subsec_micros().into());
        Instant::from_micros(micros)
    }

    /// Returns when to wake first in order not to be late for `at`: a tick earlier. The caller then waits again until
    /// `at`. Use it where one more wake-up costs little. tokio's timer rounds up to its tick, and so does the wait for it,
    /// which together adds up to 2 ms, or half of that if the wait is short.
    pub(crate) fn ahead_of(at: Instant, now: Instant) -> Instant {
        let ahead = Instant::from_micros(at.as_micros().saturating_sub(TICK_MICROS));
        if now < ahead { ahead } else { at }
    }

    /// Returns the runtime's instant for `at`. tokio's timer rounds it up to its tick of 1 ms.
    pub(crate) fn deadline(self, at: Instant) -> tokio::time::Instant {
        let since_start = Duration::from_micros(at.as_micros());
        self.start.checked_add(since_start).unwrap_or_else(|| {
            // `at` is beyond the range of the platform's clock: wake up in a day and check again.
            self.start + self.start.elapsed() + Duration::from_hours(24)
        })
    }
}
