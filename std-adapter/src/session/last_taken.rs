//! When an application last took a message, while its session does not read.

use core::sync::atomic::Ordering;
use core::time::Duration;

use eio_core::Instant;

use crate::wire::sync::AtomicU32;

/// The time of a pause of reading, or of the last message that the application has taken since, in milliseconds that wrap
/// around. Zero while the session reads: then a message costs no more than a look at it.
#[derive(Default)]
pub(crate) struct LastTaken(AtomicU32);

impl LastTaken {
    /// Notes that the session pauses reading.
    pub(crate) fn begin(&self, now: Instant) {
        self.0.store(stamp(now), Ordering::Relaxed);
    }

    /// Notes that the session reads again.
    pub(crate) fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Notes that the application takes a message.
    #[inline]
    pub(crate) fn note(&self, now: impl FnOnce() -> Instant) {
        let last = self.0.load(Ordering::Relaxed);
        if last != 0 {
            // It stays zero if the session reads again meanwhile.
            let _ = self.0.compare_exchange(last, stamp(now()), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Returns how long ago that was, while the session does not read.
    pub(crate) fn elapsed(&self, now: Instant) -> Duration {
        let millis = stamp(now).wrapping_sub(self.0.load(Ordering::Relaxed));
        // The application may have taken a message since `now`.
        if millis > u32::MAX / 2 { Duration::ZERO } else { Duration::from_millis(millis.into()) }
    }
}

/// Returns the milliseconds of a time, counted from one. It is never zero.
fn stamp(at: Instant) -> u32 {
    let millis = at.as_micros() / 1_000;
    u32::try_from(millis & u64::from(u32::MAX)).unwrap_or_default().wrapping_add(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    #[test]
    fn the_time_counts_from_the_pause_and_from_each_message_after_it_also_where_the_milliseconds_wrap_around()
    {
        let wraps = u64::from(u32::MAX) + 1;
        for start in [0, 10, wraps - 100, wraps, 3 * wraps - 2] {
            let last = LastTaken::default();
            last.note(|| unreachable!("the session reads"));
            last.begin(at(start));
            assert_eq!(last.elapsed(at(start + 700)), Duration::from_millis(700));
            last.note(|| at(start + 300));
            assert_eq!(last.elapsed(at(start + 700)), Duration::from_millis(400));
            assert_eq!(last.elapsed(at(start + 299)), Duration::ZERO, "taken since");
            last.end();
            last.note(|| unreachable!("the session reads again"));
        }
    }
}
