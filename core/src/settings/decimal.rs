//! Exact decimal numbers: what JSON and old settings write, without floating point.

/// A number as it was written: `digits × 10^exponent`, or more digits than that when `long`.
#[derive(Clone, Copy)]
pub(crate) struct Decimal {
    negative: bool,
    /// The significant digits; its last digit is never a zero, so that any fraction shows in `exponent`.
    digits: u32,
    exponent: i32,
    /// There are more significant digits than a u32 holds.
    long: bool,
}

/// Why a number is not a `u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotU32 {
    Negative,
    Fraction,
    TooLarge,
}

impl Decimal {
    /// Reads the JSON number (RFC 8259 section 6) that `text` begins with, and how many bytes it takes.
    ///
    /// Fails with the offset at which a digit was expected.
    pub(crate) fn read(text: &[u8]) -> Result<(Self, usize), usize> {
        let negative = text.first() == Some(&b'-');
        let start = usize::from(negative);
        let leading_zero = text.get(start) == Some(&b'0');
        let mut number = Self { negative, digits: 0, exponent: 0, long: false };
        // Zeros after the last other digit: part of `digits` only if another digit follows.
        let mut zeros = 0_u32;
        let mut power = 0_i32;
        let mut power_negative = false;
        let mut part = Part::Whole;
        let mut digit_due = true;
        let mut at = start;
        loop {
            let byte = text.get(at).copied().unwrap_or_default();
            match (byte, part) {
                // Nothing may follow a leading zero: `012` ends here, and its reader stumbles over the `1`.
                (b'0'..=b'9', Part::Whole) if leading_zero && !digit_due => break,
                (b'0'..=b'9', Part::Power) => {
                    power = power.saturating_mul(10).saturating_add(i32::from(byte & 0x0f));
                    digit_due = false;
                }
                (b'0'..=b'9', _) => {
                    if part == Part::Fraction {
                        number.exponent = number.exponent.saturating_sub(1);
                    }
                    if byte != b'0' {
                        let longer = times_ten(number.digits, zeros.saturating_add(1))
                            .and_then(|digits| digits.checked_add(u32::from(byte & 0x0f)));
                        match longer {
                            Some(digits) => number.digits = digits,
                            None => number.long = true,
                        }
                        zeros = 0;
                    } else if number.digits != 0 {
                        zeros = zeros.saturating_add(1);
                    }
                    digit_due = false;
                }
                _ if digit_due => return Err(at),
                (b'.', Part::Whole) => {
                    part = Part::Fraction;
                    digit_due = true;
                }
                (b'e' | b'E', Part::Whole | Part::Fraction) => {
                    part = Part::Power;
                    digit_due = true;
                    let sign = text.get(at.saturating_add(1));
                    power_negative = sign == Some(&b'-');
                    at = at.saturating_add(usize::from(power_negative || sign == Some(&b'+')));
                }
                _ => break,
            }
            at = at.saturating_add(1);
        }
        if power_negative {
            power = power.saturating_neg();
        }
        number.exponent = number.exponent.saturating_add_unsigned(zeros).saturating_add(power);
        Ok((number, at))
    }

    /// This number times `10^shift`, which must be whole.
    pub(crate) fn to_u32(self, shift: i32) -> Result<u32, NotU32> {
        if self.digits == 0 {
            return Ok(0);
        }
        if self.negative {
            return Err(NotU32::Negative);
        }
        let Ok(exponent) = u32::try_from(self.exponent.saturating_add(shift)) else {
            return Err(NotU32::Fraction);
        };
        if self.long {
            return Err(NotU32::TooLarge);
        }
        times_ten(self.digits, exponent).ok_or(NotU32::TooLarge)
    }
}

/// Where in a number a digit stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Fraction,
    Power,
}

/// `value × 10^power`, in at most ten steps unless `value` is zero.
fn times_ten(value: u32, power: u32) -> Option<u32> {
    (0..power).try_fold(value, |value, _| value.checked_mul(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(text: &str, shift: i32) -> Result<u32, NotU32> {
        let (number, length) = Decimal::read(text.as_bytes()).unwrap();
        assert_eq!(length, text.len(), "{text}");
        number.to_u32(shift)
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

    #[test]
    fn what_is_no_number_says_where() {
        for (text, at) in
            [("", 0), ("-", 1), ("x", 0), (".5", 0), ("5.", 2), ("5.e1", 2), ("5e", 2), ("5e+", 3), ("+5", 0)]
        {
            assert_eq!(Decimal::read(text.as_bytes()).map(|(_, length)| length), Err(at), "{text:?}");
        }
        assert_eq!(Decimal::read(b"012").map(|(_, length)| length), Ok(1));
    }
}
