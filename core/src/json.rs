//! JSON as far as a protocol needs it: is this text one value, where does it end, and what does it consist of.
//!
//! [`Reader`] walks a value token by token, without recursion and without memory beyond one bit per open container,
//! in linear time. The grammar is RFC 8259, as strict as JavaScript's `JSON.parse`. Values stay the caller's text.

/// How many arrays and objects may enclose each other: one bit each in a `u64`.
pub(crate) const MAX_DEPTH: u32 = u64::BITS;

/// Why text is not JSON, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) at: usize,
    pub(crate) kind: ErrorKind,
}

/// What is wrong with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// Not JSON's grammar, or the text ends too early.
    Invalid,
    /// More than [`MAX_DEPTH`] containers inside each other.
    TooDeep,
}

/// One step of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// As it stands in the text; keys and strings without their quotes, escapes not decoded.
    pub(crate) raw: &'a str,
    /// The offset of its first byte (the quote, for keys and strings).
    pub(crate) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    ObjectEnd,
    Array,
    ArrayEnd,
    /// A member's name; its colon is read with it.
    Key,
    String,
    Number,
    True,
    False,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
    Nothing,
}

/// Reads one value, token by token.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    outer: u32,
    depth: u32,
    /// One bit per open container, the innermost lowest: set for an object.
    objects: u64,
    expect: Expect,
}

impl<'a> Reader<'a> {
    /// Reads the value that starts at `at`, after whitespace. `outer` containers already enclose it and count
    /// towards [`MAX_DEPTH`].
    pub(crate) const fn new(text: &'a str, at: usize, outer: u32) -> Self {
        Self { text, at, outer, depth: outer, objects: 0, expect: Expect::Value }
    }

    /// The offset of the first byte that was not read.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The next token, or `None` once the value has ended. What follows the value is not looked at.
    pub(crate) fn next(&mut self) -> Result<Option<Token<'a>>, Error> {
        if self.expect == Expect::Nothing {
            return Ok(None);
        }
        self.skip_whitespace();
        if self.expect == Expect::CommaOrEnd && self.peek() == Some(b',') {
            self.at = self.at.wrapping_add(1);
            self.expect = if self.in_object() { Expect::Key } else { Expect::Value };
            self.skip_whitespace();
        }
        let at = self.at;
        let (kind, end) = match (self.expect, self.peek()) {
            (Expect::KeyOrEnd | Expect::CommaOrEnd, Some(b'}')) if self.in_object() => {
                self.close(Kind::ObjectEnd)
            }
            (Expect::ValueOrEnd | Expect::CommaOrEnd, Some(b']')) if !self.in_object() => {
                self.close(Kind::ArrayEnd)
            }
            (Expect::Key | Expect::KeyOrEnd, Some(b'"')) => return self.key().map(Some),
            (Expect::Value | Expect::ValueOrEnd, Some(byte)) => self.value(byte)?,
            _ => return Err(self.invalid(at)),
        };
        self.at = end;
        if !matches!(kind, Kind::Object | Kind::Array) {
            self.expect = if self.depth == self.outer { Expect::Nothing } else { Expect::CommaOrEnd };
        }
        Ok(Some(self.token(kind, at, end)))
    }

    /// Reads one whole value or key of the open container.
    pub(crate) fn skip_value(&mut self) -> Result<(), Error> {
        let depth = self.depth;
        while self.next()?.is_some() && self.depth > depth {}
        Ok(())
    }

    /// Reads the rest of the value and returns the offset behind it.
    pub(crate) fn finish(mut self) -> Result<usize, Error> {
        while self.next()?.is_some() {}
        Ok(self.at)
    }

    fn token(&self, kind: Kind, at: usize, end: usize) -> Token<'a> {
        let range = match kind {
            Kind::Key | Kind::String => at.wrapping_add(1)..end.saturating_sub(1),
            _ => at..end,
        };
        Token { kind, raw: self.text.get(range).unwrap_or_default(), at }
    }

    fn key(&mut self) -> Result<Token<'a>, Error> {
        let at = self.at;
        let end = self.string_end(at)?;
        self.at = end;
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return Err(self.invalid(self.at));
        }
        self.at = self.at.wrapping_add(1);
        self.expect = Expect::Value;
        Ok(self.token(Kind::Key, at, end))
    }

    fn value(&mut self, first: u8) -> Result<(Kind, usize), Error> {
        let at = self.at;
        Ok(match first {
            b'{' => (Kind::Object, self.open(true)?),
            b'[' => (Kind::Array, self.open(false)?),
            b'"' => (Kind::String, self.string_end(at)?),
            b'-' | b'0'..=b'9' => (Kind::Number, self.number_end(at)?),
            b't' => (Kind::True, self.literal_end(at, "true")?),
            b'f' => (Kind::False, self.literal_end(at, "false")?),
            b'n' => (Kind::Null, self.literal_end(at, "null")?),
            _ => return Err(self.invalid(at)),
        })
    }

    fn open(&mut self, object: bool) -> Result<usize, Error> {
        if self.depth >= MAX_DEPTH {
            return Err(Error { at: self.at, kind: ErrorKind::TooDeep });
        }
        self.depth = self.depth.saturating_add(1);
        self.objects = (self.objects << 1) | u64::from(object);
        self.expect = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        Ok(self.at.wrapping_add(1))
    }

    fn close(&mut self, kind: Kind) -> (Kind, usize) {
        self.depth = self.depth.saturating_sub(1);
        self.objects >>= 1;
        (kind, self.at.wrapping_add(1))
    }

    const fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn string_end(&self, quote: usize) -> Result<usize, Error> {
        let mut at = quote.wrapping_add(1);
        loop {
            match self.byte(at) {
                Some(b'"') => return Ok(at.wrapping_add(1)),
                Some(b'\\') => at = self.escape_end(at.wrapping_add(1))?,
                // RFC 8259 section 7: control characters are written as escapes.
                None | Some(0..=0x1f) => return Err(self.invalid(at)),
                Some(_) => at = at.wrapping_add(1),
            }
        }
    }

    fn escape_end(&self, at: usize) -> Result<usize, Error> {
        match self.byte(at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at.wrapping_add(1)),
            Some(b'u') => {
                let mut end = at.wrapping_add(1);
                for _ in 0..4 {
                    match self.byte(end) {
                        Some(byte) if byte.is_ascii_hexdigit() => end = end.wrapping_add(1),
                        _ => return Err(self.invalid(end)),
                    }
                }
                Ok(end)
            }
            _ => Err(self.invalid(at)),
        }
    }

    fn number_end(&self, at: usize) -> Result<usize, Error> {
        let start = if self.byte(at) == Some(b'-') { at.wrapping_add(1) } else { at };
        let mut end = self.digits_end(start)?;
        if self.byte(start) == Some(b'0') && end > start.wrapping_add(1) {
            return Err(self.invalid(start.wrapping_add(1)));
        }
        if self.byte(end) == Some(b'.') {
            end = self.digits_end(end.wrapping_add(1))?;
        }
        if matches!(self.byte(end), Some(b'e' | b'E')) {
            end = end.wrapping_add(1);
            if matches!(self.byte(end), Some(b'+' | b'-')) {
                end = end.wrapping_add(1);
            }
            end = self.digits_end(end)?;
        }
        Ok(end)
    }

    /// At least one digit.
    fn digits_end(&self, start: usize) -> Result<usize, Error> {
        let mut end = start;
        while matches!(self.byte(end), Some(b'0'..=b'9')) {
            end = end.wrapping_add(1);
        }
        if end == start { Err(self.invalid(end)) } else { Ok(end) }
    }

    fn literal_end(&self, at: usize, word: &str) -> Result<usize, Error> {
        let mut end = at;
        for expected in word.bytes() {
            if self.byte(end) != Some(expected) {
                return Err(self.invalid(end));
            }
            end = end.wrapping_add(1);
        }
        Ok(end)
    }

    fn skip_whitespace(&mut self) {
        self.at = skip_whitespace(self.text, self.at);
    }

    fn peek(&self) -> Option<u8> {
        self.byte(self.at)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn invalid(&self, at: usize) -> Error {
        // A text that ends too early is wrong at its end, which no offset of ours exceeds.
        Error { at: at.min(self.text.len()), kind: ErrorKind::Invalid }
    }
}

/// The offset of the first byte at or behind `at` that is not JSON's whitespace.
pub(crate) fn skip_whitespace(text: &str, mut at: usize) -> usize {
    while matches!(text.as_bytes().get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at = at.wrapping_add(1);
    }
    at
}

/// `text` without JSON's whitespace around it.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r'])
}

/// Checks the value that starts at `at` and returns the offset behind it.
pub(crate) fn skip_value(text: &str, at: usize, outer: u32) -> Result<usize, Error> {
    Reader::new(text, at, outer).finish()
}

/// Checks that nothing but whitespace follows `at`.
pub(crate) fn expect_end(text: &str, at: usize) -> Result<(), Error> {
    let at = skip_whitespace(text, at);
    if at < text.len() { Err(Error { at, kind: ErrorKind::Invalid }) } else { Ok(()) }
}

/// Checks that `text` is a list of values with commas between them, or nothing: an array without its brackets,
/// inside `outer` containers, its own included.
pub(crate) fn check_list(text: &str, outer: u32) -> Result<(), Error> {
    let mut at = skip_whitespace(text, 0);
    if at == text.len() {
        return Ok(());
    }
    loop {
        at = skip_whitespace(text, skip_value(text, at, outer)?);
        match text.as_bytes().get(at) {
            None => return Ok(()),
            Some(b',') => at = at.wrapping_add(1),
            Some(_) => return Err(Error { at, kind: ErrorKind::Invalid }),
        }
    }
}

/// The raw text of the member `key` of the object that `text` holds, the last one if there are several, as in
/// JavaScript. `None` if there is none, or if `text` is no valid object.
pub(crate) fn member<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut reader = Reader::new(text, 0, 0);
    if reader.next().ok()??.kind != Kind::Object {
        return None;
    }
    let mut found = None;
    while let Some(token) = reader.next().ok()? {
        if token.kind == Kind::Key && reader.depth == 1 && raw_eq(token.raw, key) {
            let start = skip_whitespace(text, reader.at());
            // The value is walked twice, here and by the loop: still linear.
            found = text.get(start..skip_value(text, start, 1).ok()?);
        }
    }
    expect_end(text, reader.at()).ok()?;
    found
}

/// Whether the contents of a JSON string, escapes not decoded, stand for `text`.
pub(crate) fn raw_eq(raw: &str, text: &str) -> bool {
    let mut raw = raw.chars();
    for expected in text.chars() {
        if decode_char(&mut raw) != Some(expected) {
            return false;
        }
    }
    raw.next().is_none()
}

/// The next character of a JSON string's contents. `None` at the end, and for half of a surrogate pair, which is no
/// character.
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

/// Hands `put` the contents of the JSON string that stands for `text`, escaped as JavaScript's `JSON.stringify` does.
pub(crate) fn escape(text: &str, put: &mut dyn FnMut(&str)) {
    for piece in text.split_inclusive(needs_escape) {
        match piece.char_indices().next_back() {
            Some((at, last)) if needs_escape(last) => {
                put(piece.get(..at).unwrap_or_default());
                put_escaped(last, put);
            }
            _ => put(piece),
        }
    }
}

const fn needs_escape(character: char) -> bool {
    matches!(character, '"' | '\\' | '\0'..='\u{1f}')
}

fn put_escaped(character: char, put: &mut dyn FnMut(&str)) {
    const HEX: &str = "0123456789abcdef";
    match character {
        '"' => put("\\\""),
        '\\' => put("\\\\"),
        '\u{8}' => put("\\b"),
        '\u{c}' => put("\\f"),
        '\n' => put("\\n"),
        '\r' => put("\\r"),
        '\t' => put("\\t"),
        _ => {
            let low = (u32::from(character) & 0xf) as usize;
            put(if u32::from(character) & 0x10 == 0 { "\\u000" } else { "\\u001" });
            put(HEX.get(low..low.wrapping_add(1)).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;

    use super::*;

    fn document(text: &str) -> Result<(), Error> {
        expect_end(text, skip_value(text, 0, 0)?)
    }

    #[test]
    fn valid_documents_are_accepted() {
        for text in [
            "0",
            "-0",
            "1.5e+10",
            "1E-2",
            "\"\"",
            "\"a\\u00e9\\\"\\/\"",
            "true",
            "false",
            "null",
            "[]",
            "{}",
            " [ ] ",
            "[1,[2,{}]]",
            "{\"a\":1,\"b\":[{}],\"a\":{\"c\":\"\"}}",
            "\t{ \"a\" : null } \r\n",
        ] {
            assert!(document(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn invalid_documents_are_refused_at_the_offending_byte() {
        for (text, at) in [
            ("", 0),
            (" ", 1),
            ("01", 1),
            ("-", 1),
            ("1.", 2),
            ("1e", 2),
            (".5", 0),
            ("+1", 0),
            ("tru", 3),
            ("nulL", 3),
            ("[1,]", 3),
            ("[,1]", 1),
            ("[1 2]", 3),
            ("[1}", 2),
            ("{\"a\"}", 4),
            ("{\"a\":}", 5),
            ("{\"a\":1,}", 7),
            ("{a:1}", 1),
            ("{1:1}", 1),
            ("\"\n\"", 1),
            ("\"\\x\"", 2),
            ("\"\\u12g4\"", 5),
            ("\"", 1),
            ("[", 1),
            ("1 2", 2),
            ("\u{a0}1", 0),
            ("[1]]", 3),
        ] {
            assert_eq!(document(text), Err(Error { at, kind: ErrorKind::Invalid }), "{text:?}");
        }
    }

    #[test]
    fn containers_nest_sixty_four_deep_and_no_deeper() {
        let nested = |depth: usize| [String::from("[").repeat(depth), "]".repeat(depth)].concat();
        assert_eq!(document(&nested(64)), Ok(()));
        assert_eq!(document(&nested(65)), Err(Error { at: 64, kind: ErrorKind::TooDeep }));
        assert_eq!(document(&nested(1_000_000)), Err(Error { at: 64, kind: ErrorKind::TooDeep }));
        assert_eq!(check_list(&nested(63), 1), Ok(()));
        assert_eq!(check_list(&nested(64), 1), Err(Error { at: 63, kind: ErrorKind::TooDeep }));
    }

    #[test]
    fn a_mixed_nest_closes_with_the_right_brackets() {
        assert!(document("[{\"a\":[{\"b\":[]}]}]").is_ok());
        assert!(document("[{\"a\":[{\"b\":[]}}]]").is_err());
    }

    #[test]
    fn lists_are_arrays_without_brackets() {
        for text in ["", "  ", "1", "1,2", " \"a\" , [1,2] , {} "] {
            assert_eq!(check_list(text, 1), Ok(()), "{text}");
        }
        for text in [",", "1,", ",1", "1]", "1 2", "]", "1],[2"] {
            assert!(check_list(text, 1).is_err(), "{text}");
        }
    }

    #[test]
    fn members_are_found_at_the_top_only_and_the_last_wins() {
        let text = r#" {"x":{"sid":1},"s\u0069d": "a" ,"sid":"b","y":["sid",2]} "#;
        assert_eq!(member(text, "sid"), Some("\"b\""));
        assert_eq!(member(text, "x"), Some("{\"sid\":1}"));
        assert_eq!(member(text, "z"), None);
        assert_eq!(member("[\"sid\",1]", "sid"), None);
        assert_eq!(member("{\"sid\":1", "sid"), None);
        assert_eq!(member("{\"sid\":1} 2", "sid"), None);
    }

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
        assert_eq!(escaped(""), "");
        for code in 0..0x80 {
            let text = String::from(char::from(code));
            assert!(raw_eq(&escaped(&text), &text), "{code:#x}");
        }
    }
}
