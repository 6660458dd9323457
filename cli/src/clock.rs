//! The one place where time is read.

use core::fmt;
use core::time::Duration;

/// The monotonic clock, counted from the start of the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }

    /// Returns how long this clock has run.
    pub(crate) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    /// Returns the runtime's instant that is `from_now` away.
    pub(crate) fn deadline_in(self, from_now: Duration) -> tokio::time::Instant {
        self.start + self.elapsed() + from_now
    }
}

/// A time of the wall clock. It displays in UTC as RFC 3339 has it, so that events can be compared with other logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WallTime(Duration);

impl WallTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "printed, and compared to notice that the machine slept; no session depends on it"
    )]
    pub(crate) fn now() -> Self {
        let now = std::time::SystemTime::now();
        Self(now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default())
    }

    /// Returns the time since the beginning of 1970.
    pub(crate) fn since_1970(self) -> Duration {
        self.0
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        let millis = self.0.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Returns the date of a day, counted from 1970. Years begin in March here, so that the leap day is the last of its year.
fn civil(day: u64) -> (u64, u64, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    const FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    let day = day + FROM_MARCH_OF_YEAR_0;
    let (era, day) = (day / DAYS_IN_400_YEARS, day % DAYS_IN_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(WallTime(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
