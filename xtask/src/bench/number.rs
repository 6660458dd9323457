//! How numbers are written for people.

/// Three significant digits below a thousand, and whole numbers with grouped digits above.
pub(crate) fn spoken(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        "–".to_owned()
    } else if magnitude >= 999.5 {
        grouped(value)
    } else if magnitude >= 99.95 || is_whole(value) {
        format!("{value:.0}")
    } else if magnitude >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// A ratio: two decimals around one, and as many as make a difference where it is small.
pub(crate) fn digits(ratio: f64) -> String {
    if ratio < 0.0995 {
        format!("{ratio:.3}")
    } else if ratio < 9.995 {
        format!("{ratio:.2}")
    } else {
        spoken(ratio)
    }
}

fn is_whole(value: f64) -> bool {
    value.fract().abs() < f64::EPSILON
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value < 0.0 { "-" } else { "" });
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_ratios_keep_two_significant_digits() {
        for (ratio, text) in [(0.0512, "0.051"), (0.1, "0.10"), (1.0, "1.00"), (9.99, "9.99"), (12.0, "12")] {
            assert_eq!(digits(ratio), text);
        }
    }

    #[test]
    fn numbers_have_as_many_digits_as_a_reader_needs() {
        for (value, text) in [
            (0.0, "0"),
            (0.524, "0.52"),
            (1.0, "1"),
            (9.999, "10.0"),
            (12.34, "12.3"),
            (123.4, "123"),
            (999.6, "1,000"),
            (12_345.6, "12,346"),
            (1_234_567.0, "1,234,567"),
            (-12_345.0, "-12,345"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(spoken(value), text);
        }
    }
}
