//! Durations as people write and read them.

use core::time::Duration;

/// A text that cannot be read as a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DurationError {
    #[error("the unit is missing: expected ms, s, m or h, as in {number}s or {number}ms")]
    NoUnit { number: String },
    #[error("unknown unit {0:?}: expected ms, s, m or h")]
    UnknownUnit(String),
    #[error("expected a number and a unit, such as 25s, 1.5s, 300ms, 2m or 1h")]
    NoNumber,
    #[error("out of range: expected at least a microsecond and at most a thousand years")]
    OutOfRange,
}

/// Reads a duration such as `25s`, `1.5s`, `300ms`, `2m` or `1h 30m`. A number needs a unit, because some tools count in
/// seconds and others in milliseconds.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() || (SHORTEST..=LONGEST).contains(&duration) => Ok(duration),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err(DurationError::OutOfRange),
        Err(humantime::DurationError::UnknownUnit { unit, value, .. }) if unit.is_empty() => {
            Err(DurationError::NoUnit { number: value.to_string() })
        }
        Err(humantime::DurationError::UnknownUnit { unit, .. }) => Err(DurationError::UnknownUnit(unit)),
        Err(_) => Err(DurationError::NoNumber),
    }
}

/// The resolution of the simulation's clock.
const SHORTEST: Duration = Duration::from_micros(1);

/// A thousand years. A sum of a few such durations does not overflow.
const LONGEST: Duration = Duration::from_hours(1_000 * 366 * 24);

/// Writes a measured duration for people: `45.0 s`, `300 ms`, `0.7 ms`, `2 min 5 s`, `3 h 10 min`.
pub(crate) fn spoken(duration: Duration) -> String {
    let millis = duration.as_secs_f64() * 1_000.0;
    let seconds = duration.as_secs();
    if millis < 9.95 {
        format!("{millis:.1} ms")
    } else if millis < 999.5 {
        format!("{millis:.0} ms")
    } else if duration.as_millis() < 120_000 {
        format!("{:.1} s", duration.as_secs_f64())
    } else if seconds < 7_200 {
        format!("{} min {} s", seconds / 60, seconds % 60)
    } else if seconds < 172_800 {
        format!("{} h {} min", seconds / 3_600, seconds / 60 % 60)
    } else {
        format!("{} days {} h", seconds / 86_400, seconds / 3_600 % 24)
    }
}

/// Writes a duration to the millisecond: `25.080 s`.
pub(crate) fn exact(duration: Duration) -> String {
    let millis = duration.as_millis();
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}

/// Writes a duration from the settings, which are round numbers: `25 s`, `2.5 s`, `300 ms`.
pub(crate) fn setting(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis < 1_000 { format!("{millis} ms") } else { format!("{} s", duration.as_secs_f64()) }
}

/// Writes a duration that somebody chose as briefly as it was typed: `5 min`, `1.5 h`, `90 s`, `80 ms`.
pub(crate) fn round(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let whole = |unit: u64| duration.subsec_nanos() == 0 && seconds.is_multiple_of(unit);
    match seconds {
        172_800.. if whole(86_400) => format!("{} days", seconds / 86_400),
        3_600.. if whole(1_800) => format!("{} h", duration.as_secs_f64() / 3_600.0),
        120.. if whole(60) => format!("{} min", seconds / 60),
        0 if !duration.is_zero() => format!("{} ms", duration.as_secs_f64() * 1_000.0),
        _ => format!("{} s", duration.as_secs_f64()),
    }
}

/// Returns whole milliseconds, rounded down, for JSON.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns milliseconds with microseconds as decimals, for JSON.
#[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
pub(crate) fn precise_millis(duration: Duration) -> f64 {
    // One division: a product would add digits that were not measured.
    duration.as_micros() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_unit_is_a_duration() {
        for (text, micros) in [
            ("25s", 25_000_000),
            ("300ms", 300_000),
            ("1.5s", 1_500_000),
            ("0.5s", 500_000),
            ("2m", 120_000_000),
            ("2 min", 120_000_000),
            ("1h", 3_600_000_000),
            ("1h 30m", 5_400_000_000),
            ("0s", 0),
            ("0.0001s", 100),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_refused() {
        assert_eq!(parse("25"), Err(DurationError::NoUnit { number: "25".to_owned() }));
        assert_eq!(parse("1h30"), Err(DurationError::NoUnit { number: "30".to_owned() }));
    }

    #[test]
    fn a_text_that_is_not_a_duration_is_refused_with_the_reason() {
        assert_eq!(parse("25x"), Err(DurationError::UnknownUnit("x".to_owned())));
        for text in ["", "s", "-5s", ".s", ".5s", "1.2.3s", "soon"] {
            assert_eq!(parse(text), Err(DurationError::NoNumber), "{text}");
        }
        for text in ["99999999999999999999999999999999999999999999s", "10000000h", "0.0000001s"] {
            assert_eq!(parse(text), Err(DurationError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn durations_are_written_with_the_digits_that_matter() {
        for (micros, text) in [
            (0, "0.0 ms"),
            (740, "0.7 ms"),
            (9_949, "9.9 ms"),
            (9_960, "10 ms"),
            (300_400, "300 ms"),
            (999_600, "1.0 s"),
            (45_000_000, "45.0 s"),
            (125_000_000, "2 min 5 s"),
            (11_400_000_000, "3 h 10 min"),
            (180_000_000_000, "2 days 2 h"),
        ] {
            assert_eq!(spoken(Duration::from_micros(micros)), text);
        }
        assert_eq!(precise_millis(Duration::from_nanos(676_900)).to_string(), "0.676");
        assert_eq!(setting(Duration::from_secs(25)), "25 s");
        assert_eq!(setting(Duration::from_millis(2_500)), "2.5 s");
        assert_eq!(setting(Duration::from_millis(300)), "300 ms");
        for (millis, text) in [
            (0, "0 s"),
            (80, "80 ms"),
            (1_500, "1.5 s"),
            (90_000, "90 s"),
            (300_000, "5 min"),
            (5_400_000, "1.5 h"),
            (86_400_000, "24 h"),
            (259_200_000, "3 days"),
        ] {
            assert_eq!(round(Duration::from_millis(millis)), text);
        }
    }
}
