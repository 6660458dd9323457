//! JSONP: payloads for browsers too old for cross-origin requests, in revisions 3 and 4.
//!
//! The answer to a poll is a script that calls a function with the payload. A post is a form with the payload in its
//! field `d`. Both carry only text payloads.

use crate::BufferTooSmall;
use crate::packet::Writer;

/// Writes the script that answers a poll: `___eio[<j>](<payload as a JSON string>);`.
///
/// `j` is the value of the query parameter `j`. Everything except its digits is dropped, as the reference server does.
/// `payload` is a finished text payload from an encoder. U+2028 and U+2029 are escaped, because they end a line in old
/// JavaScript.
///
/// # Errors
/// Returns [`BufferTooSmall`] if the script does not fit into `out`. Nothing was written then.
///
/// ```
/// use eio_core::payload::jsonp;
///
/// let mut buffer = [0; 64];
/// let script = jsonp::encode("3", b"4a\nb\x1e4c", &mut buffer)?;
/// assert_eq!(script, br#"___eio[3]("4a\nb\u001e4c");"#);
/// # Ok::<(), eio_core::BufferTooSmall>(())
/// ```
pub fn encode<'o>(j: &str, payload: &[u8], out: &'o mut [u8]) -> Result<&'o [u8], BufferTooSmall> {
    let digits = || j.bytes().filter(u8::is_ascii_digit);
    let mut needed = HEAD.len().saturating_add(MIDDLE.len()).saturating_add(END.len());
    needed = needed.saturating_add(digits().count());
    escape(payload, |piece| needed = needed.saturating_add(piece.len()));

    let mut writer = Writer::new(out);
    writer.reserve(needed)?;
    writer.bytes(HEAD);
    digits().for_each(|digit| writer.byte(digit));
    writer.bytes(MIDDLE);
    escape(payload, |piece| writer.bytes(piece));
    writer.bytes(END);
    Ok(writer.finish())
}

const HEAD: &[u8] = b"___eio[";
const MIDDLE: &[u8] = b"](\"";
const END: &[u8] = b"\");";

/// Passes `payload` to `put` in pieces, escaped for a JSON string.
fn escape(payload: &[u8], mut put: impl FnMut(&[u8])) {
    let mut rest = payload;
    while let Some((&byte, next)) = rest.split_first() {
        rest = next;
        match (byte, next) {
            (0xe2, [0x80, 0xa8, next @ ..]) => {
                put(b"\\u2028");
                rest = next;
            }
            (0xe2, [0x80, 0xa9, next @ ..]) => {
                put(b"\\u2029");
                rest = next;
            }
            (b'"', _) => put(b"\\\""),
            (b'\\', _) => put(b"\\\\"),
            (b'\n', _) => put(b"\\n"),
            (b'\r', _) => put(b"\\r"),
            (b'\t', _) => put(b"\\t"),
            (0x08, _) => put(b"\\b"),
            (0x0c, _) => put(b"\\f"),
            (0..=0x1f, _) => put(&[b'\\', b'u', b'0', b'0', b'0' | byte >> 4, hex_digit(byte)]),
            _ => put(&[byte]),
        }
    }
}

const fn hex_digit(byte: u8) -> u8 {
    match byte & 0x0f {
        low @ 0..=9 => low.wrapping_add(b'0'),
        low => low.wrapping_sub(10).wrapping_add(b'a'),
    }
}

/// Decodes the payload in the body of a post, in place, and returns it. Returns `None` if the form has no field `d`.
///
/// It decodes three layers in one pass. The first is `+` and percent signs, as in every form; a malformed `%` is kept
/// as it is. The others are the escapes with which clients protect line ends: `\n` in two characters becomes a line
/// feed, and of several backslashes before an `n` one is dropped.
///
/// The result need not be UTF-8. The payload's decoder checks that.
///
/// ```
/// use eio_core::payload::jsonp;
///
/// let mut body = *b"d=4a%5Cnb%1E4c%5C%5Cnd";
/// assert_eq!(jsonp::decode(&mut body), Some(&b"4a\nb\x1e4c\\nd"[..]));
/// assert_eq!(jsonp::decode(&mut [b'e', b'=', b'4']), None);
/// ```
pub fn decode(body: &mut [u8]) -> Option<&[u8]> {
    let field = body.split_mut(|byte| *byte == b'&').find(|field| field.starts_with(b"d="))?;
    let (_, value) = field.split_at_mut_checked(2)?;
    let (mut read, mut written) = (0_usize, 0_usize);
    // The number of consecutive backslashes that were written last.
    let mut backslashes = 0_usize;
    while let Some((byte, consumed)) = form_byte(value.get(read..).unwrap_or_default()) {
        read = read.saturating_add(consumed);
        if byte == b'n' && backslashes > 0 {
            // The byte replaces a backslash.
            written = written.saturating_sub(1);
        }
        let byte = if byte == b'n' && backslashes == 1 { b'\n' } else { byte };
        backslashes = if byte == b'\\' { backslashes.saturating_add(1) } else { 0 };
        if let Some(place) = value.get_mut(written) {
            *place = byte;
        }
        written = written.saturating_add(1);
    }
    value.get(..written)
}

/// Returns the first byte that a form's `value` encodes, and the number of bytes that encode it.
fn form_byte(value: &[u8]) -> Option<(u8, usize)> {
    Some(match value {
        [] => return None,
        [b'+', ..] => (b' ', 1),
        [b'%', high, low, ..] => match (hex_value(*high), hex_value(*low)) {
            (Some(high), Some(low)) => (high << 4 | low, 3),
            _ => (b'%', 1),
        },
        [byte, ..] => (*byte, 1),
    })
}

const fn hex_value(digit: u8) -> Option<u8> {
    Some(match digit {
        b'0'..=b'9' => digit.wrapping_sub(b'0'),
        b'a'..=b'f' => digit.wrapping_sub(b'a').wrapping_add(10),
        b'A'..=b'F' => digit.wrapping_sub(b'A').wrapping_add(10),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{string::String, vec::Vec};

    use super::*;

    fn script(j: &str, payload: &str) -> String {
        let mut out = std::vec![0; 512];
        String::from_utf8(encode(j, payload.as_bytes(), &mut out).unwrap().to_vec()).unwrap()
    }

    fn posted(body: &str) -> Option<Vec<u8>> {
        decode(&mut Vec::from(body)).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_script_is_what_the_reference_server_sends() {
        assert_eq!(script("3", "4a\nb\x1e4c\\nd"), r#"___eio[3]("4a\nb\u001e4c\\nd");"#);
        assert_eq!(script("0", "4:4a\nb5:4c\\nd"), r#"___eio[0]("4:4a\nb5:4c\\nd");"#);
        assert_eq!(
            script("1", "\"\\/\u{8}\u{c}\n\r\t\0\u{1f}\u{7f}é€😀\u{2027}\u{2028}\u{2029}\u{202a}"),
            "___eio[1](\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\u{7f}é€😀\u{2027}\\u2028\\u2029\u{202a}\");"
        );
    }

    #[test]
    fn only_the_digits_of_j_reach_the_script() {
        assert_eq!(script("1];alert(2)//", ""), r#"___eio[12]("");"#);
        assert_eq!(script("", ""), r#"___eio[]("");"#);
        assert_eq!(script("٣", ""), r#"___eio[]("");"#);
    }

    #[test]
    fn a_script_needs_exactly_the_bytes_it_says() {
        let payload = "4\"\u{2028}\u{1}".as_bytes();
        let needed = encode("7", payload, &mut []).unwrap_err().needed;
        for size in 0..needed {
            let mut out = std::vec![0xaa; size];
            assert_eq!(encode("7", payload, &mut out), Err(BufferTooSmall { needed }));
            assert!(out.iter().all(|byte| *byte == 0xaa));
        }
        assert_eq!(encode("7", payload, &mut std::vec![0; needed]).unwrap().len(), needed);
    }

    #[test]
    fn one_backslash_before_n_is_a_line_feed_and_one_of_more_is_dropped() {
        assert_eq!(posted(r"d=4a\nb").unwrap(), b"4a\nb");
        assert_eq!(posted(r"d=4a\\nb").unwrap(), br"4a\nb");
        assert_eq!(posted(r"d=4a\\\nb").unwrap(), br"4a\\nb");
        assert_eq!(posted(r"d=4a\\b\").unwrap(), br"4a\\b\");
        assert_eq!(posted(r"d=\n\n").unwrap(), b"\n\n");
        assert_eq!(posted("d=%5c%6E").unwrap(), b"\n");
        assert_eq!(posted("d=n").unwrap(), b"n");
    }

    #[test]
    fn plus_and_percent_are_read_as_in_any_form() {
        assert_eq!(posted("d=4a+b%2Bc%20d").unwrap(), b"4a b+c d");
        assert_eq!(posted("d=%e2%82%ac").unwrap(), "€".as_bytes());
        assert_eq!(posted("d=%ff").unwrap(), [0xff]);
        for malformed in ["%", "%4", "%zz", "%4z", "100%"] {
            assert_eq!(posted(&std::format!("d={malformed}")).unwrap(), malformed.as_bytes());
        }
        assert_eq!(posted("d=%%34").unwrap(), b"%4");
    }

    #[test]
    fn the_field_d_is_found_wherever_it_stands() {
        assert_eq!(posted("d="), Some(Vec::new()));
        assert_eq!(posted("x=1&d=4a&d=4b").unwrap(), b"4a");
        for none in ["", "d", "dd=4", "x=d=4", "=4", "&&"] {
            assert_eq!(posted(none), None);
        }
    }
}
