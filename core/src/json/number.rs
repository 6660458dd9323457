//! Reads JSON numbers that should be whole, without floating point.

/// The reason why a number is not a `u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotU32 {
    Negative,
    Fraction,
    TooLarge,
}

/// Returns the JSON number `raw` times `10^shift`. The result is exact for every spelling of the number.
pub(crate) fn number_to_u32(raw: &[u8], shift: i32) -> Result<u32, NotU32> {
    // The number is `whole * 10^power`. Zeros at its end are counted only in `zeros` until another digit follows.
    let (mut whole, mut zeros, mut power) = (Some(0_u32), 0_i32, shift);
    let (mut negative, mut behind_point) = (false, 0);
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'-' => negative = true,
            b'.' => behind_point = 1,
            b'e' | b'E' => {
                power = power.saturating_add(exponent(bytes));
                break;
            }
            digit => {
                power = power.saturating_sub(behind_point);
                zeros = zeros.saturating_add(1);
                if digit != b'0' {
                    whole =
                        times_ten(whole, zeros).and_then(|whole| whole.checked_add((digit & 0x0f).into()));
                    zeros = 0;
                }
            }
        }
    }
    power = power.saturating_add(zeros);
    match whole {
        Some(0) => Ok(0),
        _ if negative => Err(NotU32::Negative),
        _ if power < 0 => Err(NotU32::Fraction),
        _ => times_ten(whole, power).ok_or(NotU32::TooLarge),
    }
}

/// Returns `number * 10^times`, or `None` above `u32::MAX`.
fn times_ten(number: Option<u32>, times: i32) -> Option<u32> {
    let mut number = number?;
    for _ in 0..times {
        number = number.checked_mul(10)?;
    }
    Some(number)
}

/// Returns the power of ten after the `e`.
fn exponent(digits: impl Iterator<Item = u8>) -> i32 {
    // This is far beyond the length of any text, and no sum overflows.
    const MAX: i32 = 1 << 27;
    let (mut power, mut sign) = (0_i32, 1);
    for byte in digits {
        match byte {
            b'-' => sign = -1,
            b'+' => {}
            digit => power = power.min(MAX).wrapping_mul(10).wrapping_add((digit & 0x0f).into()),
        }
    }
    power.wrapping_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_spelling() {
        for text in
            ["300", "300.0", "3e2", "3E+2", "30.00e1", "0.3e3", "300000e-3", "0.00000000000000000003e22"]
        {
            assert_eq!(number_to_u32(text.as_bytes(), 0), Ok(300), "{text}");
        }
        assert_eq!(number_to_u32(b"10E7", 0), Ok(100_000_000));
        assert_eq!(number_to_u32(b"4294967295", 0), Ok(u32::MAX));
        for text in ["0", "-0", "0.0", "0e999999999999", "-0.0e-5"] {
            assert_eq!(number_to_u32(text.as_bytes(), 0), Ok(0), "{text}");
        }
    }

    #[test]
    fn seconds_become_milliseconds_exactly() {
        for (text, millis) in
            [("25", 25_000), ("0.3", 300), ("1.001", 1_001), ("2147483.647", 0x7fff_ffff), ("1e-3", 1)]
        {
            assert_eq!(number_to_u32(text.as_bytes(), 3), Ok(millis), "{text}");
        }
        assert_eq!(number_to_u32(b"0.0005", 3), Err(NotU32::Fraction));
    }

    #[test]
    fn what_is_no_u32_says_why() {
        for text in [
            "0.5",
            "1.5",
            "1e-1",
            "1234567890.12",
            "4294967296.5",
            "0.99999999999999999999",
            "1e-99999999999",
        ] {
            assert_eq!(number_to_u32(text.as_bytes(), 0), Err(NotU32::Fraction), "{text}");
        }
        for text in ["4294967296", "42949672950", "1e10", "1e99999999999", "100000000000000000000"] {
            assert_eq!(number_to_u32(text.as_bytes(), 0), Err(NotU32::TooLarge), "{text}");
        }
        for text in ["-1", "-0.5", "-1e99"] {
            assert_eq!(number_to_u32(text.as_bytes(), 0), Err(NotU32::Negative), "{text}");
        }
    }
}
