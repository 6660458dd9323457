//! The only clock type. It has no `now()`: the caller passes its time to every call.

use core::time::Duration;

/// A point on the caller's monotonic clock, in microseconds. Only differences between two instants have a meaning.
///
/// The caller chooses the epoch: boot, the start of the process, or zero in a test. Round the clock *down* when you
/// read it, and round a deadline *up* to the runtime's tick, so that a session is never woken before its time.
///
/// All arithmetic saturates: an `Instant` never wraps and never panics.
///
/// ```
/// use core::time::Duration;
/// use eio_core::Instant;
///
/// let start = Instant::from_micros(7_000_000);
/// let later = start.saturating_add(Duration::from_millis(25_000));
/// assert_eq!(later.as_micros(), 32_000_000);
/// assert_eq!(later.saturating_duration_since(start), Duration::from_secs(25));
/// assert_eq!(start.saturating_duration_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// Creates the instant `micros` microseconds after the clock's epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since the clock's epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns this instant plus `by`, or the last possible instant.
    ///
    /// Fractions of a microsecond are dropped. A duration from the last second below 2^64 microseconds on, half a million
    /// years, counts as endless.
    #[must_use]
    // Rarely called, and 64-bit arithmetic is long on a microcontroller: its image holds it once.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn saturating_add(self, by: Duration) -> Self {
        // 64 bits, because 128 would cost a microcontroller a kilobyte of arithmetic. From this number of seconds on, which
        // is half a million years, the sum may not fit, and is not computed: that takes less code than a product that
        // saturates.
        let seconds = by.as_secs();
        if seconds >= u64::MAX / 1_000_000 {
            return Self(u64::MAX);
        }
        self.add_micros(seconds.wrapping_mul(1_000_000).wrapping_add(by.subsec_micros() as u64))
    }

    /// Returns the time from `earlier` to this instant, or zero if `earlier` is in fact later.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Returns this instant plus `micros` microseconds, or the last possible instant.
    pub(crate) const fn add_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Returns this instant plus `millis` milliseconds. The periods of a session fit a u32.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) const fn add_millis(self, millis: u32) -> Self {
        // A u32 of milliseconds is at most 4.3e12 microseconds, so the product cannot saturate.
        self.add_micros((millis as u64).saturating_mul(1_000))
    }

    /// Returns the microseconds from `earlier` to this instant, or zero if `earlier` is in fact later.
    pub(crate) const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The largest `now` that a machine was given. If the caller's time goes backwards, this clock stops.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Creates a clock that shows `now`.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self(now)
    }

    /// Takes the caller's clock and returns the time that counts.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn advance(&mut self, now: Instant) -> Instant {
        // Rule 4: time does not go back.
        self.0 = self.0.max(now);
        self.0
    }

    /// Returns the time that counts at `now`, without storing it.
    pub(crate) fn latest(self, now: Instant) -> Instant {
        self.0.max(now)
    }

    pub(crate) const fn latest_seen(self) -> Instant {
        self.0
    }
}
