//! Times of a table in one unit.

use core::time::Duration;

/// Seconds, or milliseconds if a table has times below a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Millis,
}

impl Unit {
    pub(crate) fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        if times.into_iter().all(|time| time.subsec_nanos() == 0) { Self::Seconds } else { Self::Millis }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Millis => "milliseconds",
        }
    }

    /// Writes a time as a whole number, rounded up.
    pub(crate) fn number(self, time: Duration) -> String {
        let micros = match self {
            Self::Seconds => 1_000_000,
            Self::Millis => 1_000,
        };
        time.as_micros().div_ceil(micros).to_string()
    }

    /// Writes it with its unit.
    pub(crate) fn text(self, time: Duration) -> String {
        let unit = match self {
            Self::Seconds => "s",
            Self::Millis => "ms",
        };
        format!("{} {unit}", self.number(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_not_written_as_less_than_it_is() {
        assert_eq!(Unit::Seconds.text(Duration::from_millis(60_040)), "61 s");
        assert_eq!(Unit::Seconds.number(Duration::from_mins(1)), "60");
        assert_eq!(Unit::of([Duration::from_millis(500)]).text(Duration::from_micros(59_900)), "60 ms");
    }
}
