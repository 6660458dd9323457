//! Writes text into the caller's buffer: the whole text or nothing.

use crate::BufferTooSmall;
use crate::packet::Writer;

/// A function that passes strings to a callback, one after the other.
pub type Parts<'a> = dyn Fn(&mut dyn FnMut(&str)) + 'a;

/// Writes the strings that `parts` passes on, in order, and returns the text.
///
/// `parts` runs twice, first to measure and then to write. It must pass on the same strings both times. It is not a
/// generic parameter, because its code would then be in the image twice.
///
/// # Errors
/// Returns [`BufferTooSmall`], with the number of bytes needed, if the text does not fit. Nothing is written then.
pub fn write<'o>(out: &'o mut [u8], parts: &Parts<'_>) -> Result<&'o str, BufferTooSmall> {
    let mut needed = 0_usize;
    parts(&mut |part| needed = needed.saturating_add(part.len()));
    let mut writer = Writer::new(out);
    writer.reserve(needed)?;
    parts(&mut |part| writer.bytes(part.as_bytes()));
    Ok(writer.finish_text())
}

/// The decimal digits of a number.
pub struct Decimal {
    /// 2^64 − 1 has twenty digits.
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    /// Writes the digits of `number`.
    #[must_use]
    pub fn new(mut number: u64) -> Self {
        let mut digits = [b'0'; 20];
        let mut start = digits.len();
        for slot in digits.iter_mut().rev() {
            *slot = b'0'.wrapping_add((number % 10) as u8);
            start = start.saturating_sub(1);
            number /= 10;
            if number == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    /// Returns the digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.digits.get(self.start..).unwrap_or_default()).unwrap_or_default()
    }
}

/// Returns the part of `text` before the first `delimiter`, an ASCII character, and the part after it, if the delimiter
/// is there.
///
/// `str::split` and `str::find` with a `char` would do, but bring an index check that can panic into the image.
#[inline]
#[must_use]
pub fn split_once(text: &str, delimiter: u8) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == delimiter) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at.saturating_add(1)..)),
        None => (text, None),
    }
}

/// Reads decimal digits at the start of `text`. Returns the number, and the number of bytes that it takes. Returns
/// `None` without a digit, or for a number above `max`. Leading zeros are read as JavaScript's `Number` reads them.
#[must_use]
pub fn read_decimal(text: &str, max: u64) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    let mut length = 0_usize;
    for digit in text.bytes().take_while(u8::is_ascii_digit) {
        number = number.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))?;
        if number > max {
            return None;
        }
        length = length.wrapping_add(1);
    }
    (length > 0).then_some((number, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_whole_or_not_at_all() {
        let parts = &|put: &mut dyn FnMut(&str)| ["4", "", "é", "2"].into_iter().for_each(put);
        let mut out = [b'.'; 6];
        assert_eq!(write(&mut out[..3], parts), Err(BufferTooSmall { needed: 4 }));
        assert_eq!(out, [b'.'; 6]);
        assert_eq!(write(&mut out, parts), Ok("4é2"));
        assert_eq!(write(&mut out[..4], parts), Ok("4é2"));
        assert_eq!(out, *b"4\xc3\xa92..");
    }

    #[test]
    fn text_is_split_at_the_first_delimiter() {
        assert_eq!(split_once("é:b:c", b':'), ("é", Some("b:c")));
        assert_eq!(split_once(":", b':'), ("", Some("")));
        assert_eq!(split_once("ab", b':'), ("ab", None));
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for (number, text) in [(0, "0"), (9, "9"), (10, "10"), (u64::MAX, "18446744073709551615")] {
            assert_eq!(Decimal::new(number).as_str(), text);
        }
    }

    #[test]
    fn numbers_are_read_up_to_the_maximum() {
        assert_eq!(read_decimal("12x", 99), Some((12, 2)));
        assert_eq!(read_decimal("007", 99), Some((7, 3)));
        assert_eq!(read_decimal("99", 99), Some((99, 2)));
        for text in ["", "x", "-1", "100", "18446744073709551616"] {
            assert_eq!(read_decimal(text, 99), None, "{text}");
        }
        assert_eq!(read_decimal("18446744073709551615", u64::MAX), Some((u64::MAX, 20)));
        assert_eq!(read_decimal("18446744073709551616", u64::MAX), None);
    }
}
