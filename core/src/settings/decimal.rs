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
        let mut significand = Significand { digits: 0, long: false, zeros: 0, places: 0 };
        let negative = text.first() == Some(&b'-');
        let mut at = usize::from(negative);
        if text.get(at) == Some(&b'0') {
            // Nothing may follow a leading zero, so that `012` ends here and its reader stumbles over the `1`.
            at = at.saturating_add(1);
        } else {
            at = digits(text, at, |digit| significand.push(digit))?;
        }
        if text.get(at) == Some(&b'.') {
            at = digits(text, at.saturating_add(1), |digit| {
                significand.push(digit);
                significand.places = significand.places.saturating_add(1);
            })?;
        }
        let mut power = 0_i32;
        if matches!(text.get(at), Some(b'e' | b'E')) {
            at = at.saturating_add(1);
            let sign = text.get(at).copied();
            if matches!(sign, Some(b'+' | b'-')) {
                at = at.saturating_add(1);
            }
            at = digits(text, at, |digit| power = power.saturating_mul(10).saturating_add(i32::from(digit)))?;
            if sign == Some(b'-') {
                power = power.saturating_neg();
            }
        }
        let Significand { digits, long, zeros, places } = significand;
        let exponent = power.saturating_add_unsigned(zeros).saturating_sub_unsigned(places);
        Ok((Self { negative, digits, exponent, long }, at))
    }

    /// This number times `10^shift`, which must be whole.
    pub(crate) const fn to_u32(self, shift: i32) -> Result<u32, NotU32> {
        let exponent = self.exponent.saturating_add(shift);
        if self.digits == 0 {
            return Ok(0);
        }
        if self.negative {
            return Err(NotU32::Negative);
        }
        if exponent < 0 {
            return Err(NotU32::Fraction);
        }
        if self.long {
            return Err(NotU32::TooLarge);
        }
        match 10_u32.checked_pow(exponent.unsigned_abs()) {
            Some(power) => match self.digits.checked_mul(power) {
                Some(value) => Ok(value),
                None => Err(NotU32::TooLarge),
            },
            None => Err(NotU32::TooLarge),
        }
    }
}

/// The digits before the exponent, while they are read.
struct Significand {
    digits: u32,
    long: bool,
    /// Zeros read after the last other digit: part of the number only if another digit follows.
    zeros: u32,
    /// Digits read after the point.
    places: u32,
}

impl Significand {
    fn push(&mut self, digit: u8) {
        if digit == 0 {
            if self.digits != 0 {
                self.zeros = self.zeros.saturating_add(1);
            }
            return;
        }
        let longer = 10_u32
            .checked_pow(self.zeros.saturating_add(1))
            .and_then(|power| self.digits.checked_mul(power))
            .and_then(|digits| digits.checked_add(u32::from(digit)));
        match longer {
            Some(digits) => self.digits = digits,
            None => self.long = true,
        }
        self.zeros = 0;
    }
}

/// Hands every digit from offset `from` on to `each`; the offset behind them, which is an error if there are none.
fn digits(text: &[u8], from: usize, mut each: impl FnMut(u8)) -> Result<usize, usize> {
    let mut at = from;
    while let Some(digit @ b'0'..=b'9') = text.get(at) {
        each(digit & 0x0f);
        at = at.saturating_add(1);
    }
    if at == from { Err(at) } else { Ok(at) }
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
