//! How long a client waits before it connects again.
//!
//! When a server restarts, all its clients lose their sessions in the same second. If each comes back after the same
//! delay, they come back together, and the server falls over again. So the delay is drawn at random from a window that
//! doubles with every failure, up to a cap. A server that accepts sessions only to drop them at once is not healthy. So
//! the window shrinks again only after a session that lasted.
//!
//! Before attempt n (0 is the first), the delay is uniform over the whole milliseconds of this window:
//!
//! ```text
//! [ min, min(max, min × 2^(n+1)) ]
//! ```
//!
//! It is never below `min` and never above `max`. Once the cap is reached, it is spread over all of `min` to `max`.
//! A network that was away comes back for all its clients in the same second, too. They have not failed, so there is no
//! delay to draw. [`Backoff::spread_delay`] spreads them over the first `min`.
//!
//! (The reference client varies its delay by half while the delay grows, and does not vary it once it is capped. So its
//! clients come back in step, every five seconds.)
//!
//! The caller supplies the random numbers: boards have a hardware source, tests have a seed. They need not be secret,
//! but they must differ between clients. A counter, or a seed that a whole fleet shares, undoes the spreading.

use core::fmt;
use core::time::Duration;

use crate::Instant;
use crate::settings::{Unfit, whole_millis};

/// Computes the delays between attempts to connect: exponential, capped, jittered, and reset only by a session that
/// lasted.
///
/// It never gives up. A client that wants to give up can check [`attempts`](Self::attempts).
///
/// ```
/// use core::time::Duration;
/// use eio_core::{Instant, backoff::Backoff};
///
/// let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30))?;
/// assert_eq!(backoff.next_delay(0), Duration::from_secs(1)); // the shortest: between 1 s and 2 s
/// assert_eq!(backoff.next_delay(u32::MAX), Duration::from_secs(4)); // the longest: between 1 s and 4 s
/// assert_eq!(backoff.next_delay(1 << 31), Duration::from_millis(4_500)); // the middle: between 1 s and 8 s
///
/// // A session that ends after 5 s changes nothing; one that lasts 30 s starts over.
/// backoff.handle_connected(Instant::from_micros(10_000_000));
/// assert!(!backoff.handle_disconnected(Instant::from_micros(15_000_000)));
/// assert_eq!(backoff.attempts(), 3);
/// backoff.handle_connected(Instant::from_micros(20_000_000));
/// assert!(backoff.handle_disconnected(Instant::from_micros(50_000_000)));
/// assert_eq!(backoff.attempts(), 0);
/// # Ok::<(), eio_core::backoff::BackoffError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Backoff {
    min_millis: u32,
    max_millis: u32,
    stable_millis: u32,
    attempts: u32,
    connected_at: Option<Instant>,
}

impl Backoff {
    /// Delays from 1 s up to 30 s. A session is stable after 30 s.
    ///
    /// The reference client waits between half a second and five seconds. With a cap of 30 s, 10,000 clients of a
    /// server that is down are spread over half a minute, and still find it soon after it is back.
    pub const DEFAULT: Self = Self {
        min_millis: 1_000,
        max_millis: 30_000,
        stable_millis: 30_000,
        attempts: 0,
        connected_at: None,
    };

    /// Creates a backoff with delays from `min` to `max`. A session is stable after the same time as in
    /// [`DEFAULT`](Self::DEFAULT).
    ///
    /// `min` is also the width of the first window: 10,000 clients that a restarting server drops come back within one
    /// `min`. If `min` equals `max`, every delay is the same, and nothing is spread but by
    /// [`spread_delay`](Self::spread_delay).
    ///
    /// # Errors
    /// Returns an error unless both are whole milliseconds, above zero and at most `u32::MAX` of them (49 days), and
    /// `min` is at most `max`.
    pub const fn new(min: Duration, max: Duration) -> Result<Self, BackoffError> {
        let min_millis = match whole_millis(min) {
            Ok(0) => return Err(BackoffError::Zero { setting: BackoffSetting::Min }),
            Ok(millis) => millis,
            Err(unfit) => return Err(BackoffError::unfit(unfit, BackoffSetting::Min)),
        };
        let max_millis = match whole_millis(max) {
            Ok(millis) => millis,
            Err(unfit) => return Err(BackoffError::unfit(unfit, BackoffSetting::Max)),
        };
        if min_millis > max_millis {
            return Err(BackoffError::MinAboveMax);
        }
        Ok(Self { min_millis, max_millis, ..Self::DEFAULT })
    }

    /// Returns this backoff, but with sessions that count as stable once they have lasted for `stable_after`.
    ///
    /// Zero makes every session stable. A value below the time that a broken server takes to drop a session keeps the
    /// delays from growing.
    ///
    /// # Errors
    /// Returns an error unless it is whole milliseconds, at most `u32::MAX` of them.
    pub const fn with_stable_after(mut self, stable_after: Duration) -> Result<Self, BackoffError> {
        match whole_millis(stable_after) {
            Ok(millis) => self.stable_millis = millis,
            Err(unfit) => return Err(BackoffError::unfit(unfit, BackoffSetting::StableAfter)),
        }
        Ok(self)
    }

    /// Returns how long to wait before the next attempt, and counts that attempt.
    ///
    /// `random` must be uniform over all of `u32`. The delay is the same for the same `random` and number of attempts.
    /// Zero gives the shortest delay of the window, and `u32::MAX` the longest.
    #[must_use]
    pub const fn next_delay(&mut self, random: u32) -> Duration {
        let min = self.min_millis as u64;
        let width = self.longest_millis().saturating_sub(min);
        self.attempts = self.attempts.saturating_add(1);
        Duration::from_millis(min.saturating_add(draw(width, random)))
    }

    /// Returns how long to wait before an attempt that follows no failure, where many clients may begin at the same time,
    /// for example when their network is back: uniform over the whole milliseconds from 0 to `min`. Counts no attempt.
    ///
    /// `random` is as for [`next_delay`](Self::next_delay).
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_core::backoff::Backoff;
    ///
    /// assert_eq!(Backoff::DEFAULT.spread_delay(0), Duration::ZERO);
    /// assert_eq!(Backoff::DEFAULT.spread_delay(u32::MAX), Duration::from_secs(1));
    /// ```
    #[must_use]
    pub const fn spread_delay(&self, random: u32) -> Duration {
        Duration::from_millis(draw(self.min_millis as u64, random))
    }

    /// Reports that a session has opened. Call it when the handshake has arrived, not when the TCP connection is made.
    pub const fn handle_connected(&mut self, now: Instant) {
        self.connected_at = Some(now);
    }

    /// Reports that the session has ended. If it lasted long enough, the delays start over. Returns whether they do.
    ///
    /// Does nothing if no session was open, or if it is called again.
    pub const fn handle_disconnected(&mut self, now: Instant) -> bool {
        if let Some(connected_at) = self.connected_at.take()
            && now.saturating_duration_since(connected_at).as_millis() >= self.stable_millis as u128
        {
            self.attempts = 0;
            return true;
        }
        false
    }

    /// Returns the number of attempts since the last stable session (or since the beginning): how often
    /// [`next_delay`](Self::next_delay) has been called.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the longest delay that the next attempt can draw.
    const fn longest_millis(&self) -> u64 {
        let doublings = self.attempts.saturating_add(1);
        // A u32 doubled 32 times fits a u64, and is above any cap.
        let doublings = if doublings < 32 { doublings } else { 32 };
        let grown = (self.min_millis as u64).wrapping_shl(doublings);
        let max = self.max_millis as u64;
        if grown < max { grown } else { max }
    }
}

/// Returns a number from 0 to `longest`, which is at most `u32::MAX`: uniform if `random` is.
const fn draw(longest: u64, random: u32) -> u64 {
    // At most 2^32 × (2^32 - 1): the product fits.
    longest.saturating_add(1).saturating_mul(random as u64).wrapping_shr(32)
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The setting that a [`BackoffError`] refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BackoffSetting {
    /// The shortest delay.
    Min,
    /// The longest delay.
    Max,
    /// How long a session lasts before it counts as stable.
    StableAfter,
}

impl BackoffSetting {
    /// Returns a name for messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Min => "the shortest delay",
            Self::Max => "the longest delay",
            Self::StableAfter => "the time after which a session is stable",
        }
    }
}

/// Displays the name of the setting.
impl fmt::Display for BackoffSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The reason why durations are not valid for a [`Backoff`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BackoffError {
    /// A delay is zero: the client would try in a tight loop.
    #[error("{} is zero: expected at least 1 ms", .setting.as_str())]
    Zero {
        /// The invalid setting.
        setting: BackoffSetting,
    },
    /// A duration is finer than a millisecond, the unit of delays.
    #[error("{} is not a whole number of milliseconds", .setting.as_str())]
    Fraction {
        /// The invalid setting.
        setting: BackoffSetting,
    },
    /// A duration is longer than `u32::MAX` milliseconds.
    #[error("{} is too long: expected at most 4294967295 ms", .setting.as_str())]
    TooLong {
        /// The invalid setting.
        setting: BackoffSetting,
    },
    /// The shortest delay is longer than the longest.
    #[error("the shortest delay is longer than the longest")]
    MinAboveMax,
}

impl BackoffError {
    const fn unfit(unfit: Unfit, setting: BackoffSetting) -> Self {
        match unfit {
            Unfit::Fraction => Self::Fraction { setting },
            Unfit::TooLong => Self::TooLong { setting },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_four_billion_attempts_the_count_stays_and_the_delay_is_the_cap() {
        let mut backoff = Backoff { attempts: u32::MAX, ..Backoff::DEFAULT };
        assert_eq!(backoff.next_delay(u32::MAX), Duration::from_secs(30));
        assert_eq!(backoff.next_delay(0), Duration::from_secs(1));
        assert_eq!(backoff.attempts(), u32::MAX);
    }
}
