//! Decodes and escapes the contents of JSON strings.

/// Returns whether `raw`, the contents of a JSON string with escapes not decoded, means `text`.
#[must_use]
pub fn raw_eq(raw: &str, text: &str) -> bool {
    let mut raw = raw.chars();
    for expected in text.chars() {
        if decode_char(&mut raw) != Some(expected) {
            return false;
        }
    }
    raw.next().is_none()
}

/// Returns the next character of a JSON string's contents. Returns `None` at the end, and for half of a surrogate pair,
/// which is not a character.
fn decode_char(raw: &mut core::str::Chars<'_>) -> Option<char> {
    match raw.next()? {
        '\\' => match raw.next()? {
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'u' => {
                let first = hex4(raw)?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                if raw.next()? != '\\' || raw.next()? != 'u' {
                    return None;
                }
                let second = hex4(raw)?;
                if !(0xdc00..0xe000).contains(&second) {
                    return None;
                }
                // Ten bits from each half; see RFC 8259 section 7.
                char::from_u32((((first & 0x3ff) << 10) | (second & 0x3ff)).wrapping_add(0x1_0000))
            }
            other => Some(other),
        },
        other => Some(other),
    }
}

fn hex4(raw: &mut core::str::Chars<'_>) -> Option<u32> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = (unit << 4) | raw.next()?.to_digit(16)?;
    }
    Some(unit)
}

/// Passes the contents of the JSON string for `text` to `put`, escaped as JavaScript's `JSON.stringify` does.
pub(crate) fn escape(text: &str, put: &mut dyn FnMut(&str)) {
    let mut start = 0;
    // Every escaped character is one byte long.
    for (at, byte) in text.bytes().enumerate() {
        if matches!(byte, b'"' | b'\\' | b'\0'..=b'\x1f') {
            put(text.get(start..at).unwrap_or_default());
            put_escaped(byte, put);
            start = at.wrapping_add(1);
        }
    }
    put(text.get(start..).unwrap_or_default());
}

fn put_escaped(byte: u8, put: &mut dyn FnMut(&str)) {
    const HEX: &str = "0123456789abcdef";
    match byte {
        b'"' => put("\\\""),
        b'\\' => put("\\\\"),
        b'\x08' => put("\\b"),
        b'\x0c' => put("\\f"),
        b'\n' => put("\\n"),
        b'\r' => put("\\r"),
        b'\t' => put("\\t"),
        _ => {
            let low = usize::from(byte & 0xf);
            put(if byte & 0x10 == 0 { "\\u000" } else { "\\u001" });
            put(HEX.get(low..low.wrapping_add(1)).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;

    use super::*;

    #[test]
    fn strings_compare_by_what_they_mean() {
        assert!(raw_eq(r"\u0063onnect", "connect"));
        assert!(raw_eq(r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"));
        assert!(raw_eq(r"\ud83d\uDE00é", "😀é"));
        assert!(!raw_eq(r"\ud83d", "?"));
        assert!(!raw_eq(r"\ude00", "?"));
        assert!(!raw_eq("connection", "connect"));
        assert!(!raw_eq("conn", "connect"));
    }

    #[test]
    fn strings_are_escaped_as_json_stringify_does() {
        let escaped = |text: &str| {
            let mut out = String::new();
            escape(text, &mut |part| out.push_str(part));
            out
        };
        assert_eq!(escaped("plain é😀\u{7f}\u{2028}"), "plain é😀\u{7f}\u{2028}");
        assert_eq!(escaped("\"a\\\n\u{1}\u{1f}"), r#"\"a\\\n\u0001\u001f"#);
        assert_eq!(escaped("\u{8}\u{c}\r\t"), r"\b\f\r\t");
        assert_eq!(escaped(""), "");
        for code in 0..0x80 {
            let text = String::from(char::from(code));
            assert!(raw_eq(&escaped(&text), &text), "{code:#x}");
        }
    }
}
