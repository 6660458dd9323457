//! The world's true time: microseconds since it began.

use core::fmt;
use core::time::Duration;

/// Microseconds since the world began.
pub(crate) type Micros = u64;

/// A time that does not come.
pub(crate) const NEVER: Micros = u64::MAX;

/// The longest time that a world knows, so that sums of a few of them do not overflow: 36,000 years.
pub(crate) const LONGEST: Micros = u64::MAX / 16;

/// Whole microseconds, rounded down, at most [`LONGEST`].
pub(crate) const fn micros(duration: Duration) -> Micros {
    let micros = duration.as_micros();
    #[expect(clippy::cast_possible_truncation, reason = "compared with the maximum in the same expression")]
    if micros > LONGEST as u128 { LONGEST } else { micros as u64 }
}

/// Microseconds, shown as seconds: `12.345 s`, or `12.345678 s` where the milliseconds are not whole.
pub(crate) struct Seconds(pub(crate) Micros);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let text = if micros % 1_000 == 0 {
            format!("{seconds}.{:03} s", micros / 1_000)
        } else {
            format!("{seconds}.{micros:06} s")
        };
        f.pad(&text)
    }
}
