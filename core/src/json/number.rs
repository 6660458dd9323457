//! JSON numbers that ought to be whole, read without floating point.

/// Why a number is not a `u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotU32 {
    Negative,
    Fraction,
    TooLarge,
}

/// What the JSON number `raw` is, times `10^shift`: exact, in every spelling of the number.
pub(crate) fn number_to_u32(raw: &str, shift: i32) -> Result<u32, NotU32> {
    let (mantissa, power) = mantissa_and_power(raw.as_bytes());
    // How many of the digits stand before the point, once it has moved.
    let before_point =
        mantissa.iter().take_while(|byte| **byte != b'.').filter(|byte| **byte != b'-').count();
    let mut left =
        i32::try_from(before_point).unwrap_or(i32::MAX).saturating_add(power).saturating_add(shift);
    let mut number = Some(0_u32);
    for byte in mantissa {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            continue;
        }
        if digit > 0 && mantissa.first() == Some(&b'-') {
            return Err(NotU32::Negative);
        }
        if left > 0 {
            number = number.and_then(|number| number.checked_mul(10)?.checked_add(digit));
            left = left.saturating_sub(1);
        } else if digit > 0 {
            return Err(NotU32::Fraction);
        }
    }
    // The zeros that the power stands for: at most ten, unless the number is zero.
    while left > 0 && number.is_some_and(|number| number > 0) {
        number = number.and_then(|number| number.checked_mul(10));
        left = left.saturating_sub(1);
    }
    number.ok_or(NotU32::TooLarge)
}

/// What stands before the `e`, and the number behind it.
fn mantissa_and_power(raw: &[u8]) -> (&[u8], i32) {
    let end = raw.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(raw.len());
    let (mantissa, power) = raw.split_at_checked(end).unwrap_or_default();
    let magnitude = power.iter().filter(|byte| byte.is_ascii_digit()).fold(0_i32, |power, digit| {
        power.saturating_mul(10).saturating_add(i32::from(digit.wrapping_sub(b'0')))
    });
    (mantissa, if power.contains(&b'-') { magnitude.saturating_neg() } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(text: &str, shift: i32) -> Result<u32, NotU32> {
        number_to_u32(text, shift)
    }

    #[test]
    fn whole_numbers_are_read_in_every_spelling() {
        for text in
            ["300", "300.0", "3e2", "3E+2", "30.00e1", "0.3e3", "300000e-3", "0.00000000000000000003e22"]
        {
            assert_eq!(scaled(text, 0), Ok(300), "{text}");
        }
        assert_eq!(scaled("10E7", 0), Ok(100_000_000));
        assert_eq!(scaled("4294967295", 0), Ok(u32::MAX));
        for text in ["0", "-0", "0.0", "0e999999999999", "-0.0e-5"] {
            assert_eq!(scaled(text, 0), Ok(0), "{text}");
        }
    }

    #[test]
    fn seconds_become_milliseconds_exactly() {
        for (text, millis) in
            [("25", 25_000), ("0.3", 300), ("1.001", 1_001), ("2147483.647", 0x7fff_ffff), ("1e-3", 1)]
        {
            assert_eq!(scaled(text, 3), Ok(millis), "{text}");
        }
        assert_eq!(scaled("0.0005", 3), Err(NotU32::Fraction));
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
            assert_eq!(scaled(text, 0), Err(NotU32::Fraction), "{text}");
        }
        for text in ["4294967296", "42949672950", "1e10", "1e99999999999", "100000000000000000000"] {
            assert_eq!(scaled(text, 0), Err(NotU32::TooLarge), "{text}");
        }
        for text in ["-1", "-0.5", "-1e99"] {
            assert_eq!(scaled(text, 0), Err(NotU32::Negative), "{text}");
        }
    }
}
