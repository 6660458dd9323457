//! Dates, as `JSON.stringify` writes them.

use crate::value::Value;

/// The latest date of JavaScript, in milliseconds after 1970: ECMA-262, "Time Values and Time Range".
const MAX_MILLIS: u64 = 8_640_000_000_000_000;
const MILLIS_PER_DAY: i64 = 86_400_000;

/// Returns the text of the date that is `millis` after the beginning of 1970, or null if JavaScript has no such date.
pub(super) fn json(millis: i64) -> Value {
    if millis.unsigned_abs() > MAX_MILLIS {
        return Value::Null;
    }
    let (year, month, day) = civil(millis.div_euclid(MILLIS_PER_DAY));
    let of_day = millis.rem_euclid(MILLIS_PER_DAY);
    let (hours, minutes) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (seconds, millis) = (of_day / 1000 % 60, of_day % 1000);
    let year = if (0..10_000).contains(&year) { format!("{year:04}") } else { format!("{year:+07}") };
    format!("{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z").into()
}

/// Returns the year, the month and the day of a day that is counted from 1970, in the Gregorian calendar.
const fn civil(days: i64) -> (i64, i64, i64) {
    // The year begins in March here, so that a leap day is its last. 400 years have 146097 days.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let next_year = month >= 10;
    let (month, year) =
        if next_year { (month - 9, era * 400 + years + 1) } else { (month + 3, era * 400 + years) };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_the_text_that_javascript_makes_of_them() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(json(millis), Value::from(text), "{millis}");
        }
    }

    #[test]
    fn what_is_no_date_in_javascript_is_null() {
        for millis in [8_640_000_000_000_001, -8_640_000_000_000_001, i64::MAX, i64::MIN] {
            assert_eq!(json(millis), Value::Null, "{millis}");
        }
    }
}
