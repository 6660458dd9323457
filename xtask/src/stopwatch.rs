//! Real time, for the one crate whose business it is: how long a part took, and whether it hangs.

use core::fmt;
use core::time::Duration;
use std::time::Instant;

/// Time since a start.
#[derive(Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures the commands that it runs; no session reads this clock"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A duration as people say it: `0.4 s`, `48 s`, `3 min 20 s`.
pub(crate) struct Spoken(pub(crate) Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let text = if seconds < 10 {
            format!("{:.1} s", self.0.as_secs_f32())
        } else if seconds < 60 {
            format!("{seconds} s")
        } else {
            format!("{} min {:02} s", seconds / 60, seconds % 60)
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spoken_in_the_unit_that_fits() {
        for (millis, spoken) in [(430, "0.4 s"), (48_900, "48 s"), (200_000, "3 min 20 s")] {
            assert_eq!(Spoken(Duration::from_millis(millis)).to_string(), spoken);
        }
    }
}
