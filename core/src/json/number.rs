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
    let mut left = digits_before_point(raw).saturating_add(shift);
    let negative = raw.starts_with('-');
    let mut number = 0_u64;
    for byte in raw.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            continue;
        }
        if digit > 0 && negative {
            return Err(NotU32::Negative);
        }
        if left > 0 {
            number = times_ten(number).wrapping_add(digit.into());
            left = left.saturating_sub(1);
        } else if digit > 0 {
            return Err(NotU32::Fraction);
        }
    }
    // The zeros that are not written out: ten of them are too many, unless the number is zero.
    while left > 0 && (1..TOO_LARGE).contains(&number) {
        number = times_ten(number);
        left = left.saturating_sub(1);
    }
    u32::try_from(number).map_err(|_| NotU32::TooLarge)
}

/// Stands for every number above `u32::MAX`, so that no product overflows.
const TOO_LARGE: u64 = 1 << 32;

fn times_ten(number: u64) -> u64 {
    number.min(TOO_LARGE).wrapping_mul(10)
}

/// How many digits the number has before its point once the power of ten has moved it; negative when zeros are missing
/// behind the point.
fn digits_before_point(raw: &str) -> i32 {
    // Far beyond the length of any text, and no sum of two overflows.
    const MAX: i32 = 1 << 27;
    let (mut digits, mut power, mut power_sign) = (0_i32, 0_i32, 1);
    let mut part = Part::Whole;
    for byte in raw.bytes() {
        match (byte, part) {
            (b'.', _) => part = Part::Fraction,
            (b'e' | b'E', _) => part = Part::Power,
            (b'-', Part::Power) => power_sign = -1,
            (b'0'..=b'9', Part::Whole) => digits = digits.saturating_add(1),
            (b'0'..=b'9', Part::Power) => {
                power = power.min(MAX).wrapping_mul(10).wrapping_add((byte & 0x0f).into());
            }
            _ => {}
        }
    }
    digits.min(MAX).wrapping_add(power.min(MAX).wrapping_mul(power_sign))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Fraction,
    Power,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_spelling() {
        for text in
            ["300", "300.0", "3e2", "3E+2", "30.00e1", "0.3e3", "300000e-3", "0.00000000000000000003e22"]
        {
            assert_eq!(number_to_u32(text, 0), Ok(300), "{text}");
        }
        assert_eq!(number_to_u32("10E7", 0), Ok(100_000_000));
        assert_eq!(number_to_u32("4294967295", 0), Ok(u32::MAX));
        for text in ["0", "-0", "0.0", "0e999999999999", "-0.0e-5"] {
            assert_eq!(number_to_u32(text, 0), Ok(0), "{text}");
        }
    }

    #[test]
    fn seconds_become_milliseconds_exactly() {
        for (text, millis) in
            [("25", 25_000), ("0.3", 300), ("1.001", 1_001), ("2147483.647", 0x7fff_ffff), ("1e-3", 1)]
        {
            assert_eq!(number_to_u32(text, 3), Ok(millis), "{text}");
        }
        assert_eq!(number_to_u32("0.0005", 3), Err(NotU32::Fraction));
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
            assert_eq!(number_to_u32(text, 0), Err(NotU32::Fraction), "{text}");
        }
        for text in ["4294967296", "42949672950", "1e10", "1e99999999999", "100000000000000000000"] {
            assert_eq!(number_to_u32(text, 0), Err(NotU32::TooLarge), "{text}");
        }
        for text in ["-1", "-0.5", "-1e99"] {
            assert_eq!(number_to_u32(text, 0), Err(NotU32::Negative), "{text}");
        }
    }
}
