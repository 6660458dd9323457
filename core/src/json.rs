//! JSON as far as a protocol needs it: is this text one value, where does it end, and what does it consist of.
//!
//! [`Reader`] walks a value token by token, without recursion and without memory beyond one bit per open container,
//! in linear time. The grammar is RFC 8259, as strict as JavaScript's `JSON.parse`. Values stay the caller's text.

mod number;
mod string;

pub(crate) use number::{NotU32, number_to_u32};
pub(crate) use string::{escape, raw_eq};

/// How many arrays and objects may enclose each other: one bit each in a `u64`.
pub(crate) const MAX_DEPTH: u8 = 64;

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
    /// Nothing: the value has ended.
    End,
}

/// What may come next. Inside an object an item is a key, with its value behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// A value: the outermost, or one behind a key.
    Value,
    /// An item: behind a comma.
    Item,
    /// An item, or the end of the container that has just begun.
    ItemOrEnd,
    /// A comma, or the end of the container.
    CommaOrEnd,
    Nothing,
}

/// Reads one value, token by token.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    /// The offset of the next byte.
    at: usize,
    /// The next byte; at the end zero, which JSON allows nowhere.
    byte: u8,
    expect: Expect,
    depth: u8,
    max_depth: u8,
    /// One bit per open container, the innermost lowest: set for an object.
    objects: u64,
    /// Where the last token starts; after a failure, where that is.
    token_at: usize,
    /// The last token's text, as in [`Token`].
    raw: &'a str,
}

impl<'a> Reader<'a> {
    /// Reads the value that starts at `at`, after whitespace. `outer` containers already enclose it and count
    /// towards [`MAX_DEPTH`].
    pub(crate) fn new(text: &'a str, at: usize, outer: u8) -> Self {
        Self {
            text,
            at,
            byte: byte_at(text, at),
            expect: Expect::Value,
            depth: 0,
            max_depth: MAX_DEPTH.saturating_sub(outer),
            objects: 0,
            token_at: at,
            raw: "",
        }
    }

    /// The offset of the first byte that was not read.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// Where the last token stands, or the failure.
    pub(crate) const fn token_at(&self) -> usize {
        self.token_at
    }

    /// The last token's text, as in [`Token`].
    pub(crate) const fn raw(&self) -> &'a str {
        self.raw
    }

    /// The next token; [`Kind::End`] once the value has ended. What follows the value is not looked at.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, Error> {
        let kind = self.step().map_err(|kind| self.error(kind))?;
        Ok(Token { kind, raw: self.raw, at: self.token_at })
    }

    /// The kind of the next token. [`raw`](Self::raw) and [`token_at`](Self::token_at) know the rest, so that the
    /// answer fits a register.
    pub(crate) fn step(&mut self) -> Result<Kind, ErrorKind> {
        if self.expect == Expect::Nothing {
            self.token_at = self.at;
            return Ok(Kind::End);
        }
        let Some(kind) = self.token() else {
            self.token_at = self.at;
            return Err(ErrorKind::Invalid);
        };
        self.expect = match kind {
            Kind::Key => Expect::Value,
            Kind::Object | Kind::Array if self.depth == self.max_depth => return Err(ErrorKind::TooDeep),
            Kind::Object | Kind::Array => {
                self.depth = self.depth.wrapping_add(1);
                self.objects = (self.objects << 1) | u64::from(kind == Kind::Object);
                Expect::ItemOrEnd
            }
            _ if self.depth == 0 => Expect::Nothing,
            _ => Expect::CommaOrEnd,
        };
        Ok(kind)
    }

    /// Reads one whole value or key of the open container.
    pub(crate) fn skip_value(&mut self) -> Result<(), ErrorKind> {
        let depth = self.depth;
        while self.step()? != Kind::End && self.depth > depth {}
        Ok(())
    }

    /// Reads the rest of the value and returns the offset behind it.
    pub(crate) fn finish(mut self) -> Result<usize, Error> {
        while self.next()?.kind != Kind::End {}
        Ok(self.at)
    }

    /// Checks that nothing but whitespace follows what was read.
    pub(crate) fn expect_end(&mut self) -> Result<(), ErrorKind> {
        self.skip_whitespace();
        if self.at < self.text.len() {
            self.token_at = self.at;
            return Err(ErrorKind::Invalid);
        }
        Ok(())
    }

    /// What has just failed, and where.
    pub(crate) const fn error(&self, kind: ErrorKind) -> Error {
        Error { at: self.token_at, kind }
    }

    /// Reads the next token. `None` if the next byte does not belong where it stands.
    fn token(&mut self) -> Option<Kind> {
        self.skip_whitespace();
        if self.expect == Expect::CommaOrEnd && self.byte == b',' {
            self.advance();
            self.skip_whitespace();
            self.expect = Expect::Item;
        }
        self.token_at = self.at;
        let in_object = self.objects & 1 == 1;
        let end = if in_object { b'}' } else { b']' };
        let quotes = usize::from(self.byte == b'"');
        let kind = if self.byte == end && matches!(self.expect, Expect::ItemOrEnd | Expect::CommaOrEnd) {
            self.advance();
            self.depth = self.depth.wrapping_sub(1);
            self.objects >>= 1;
            if in_object { Kind::ObjectEnd } else { Kind::ArrayEnd }
        } else if self.expect == Expect::CommaOrEnd {
            return None;
        } else if in_object && self.expect != Expect::Value {
            self.string()?;
            Kind::Key
        } else {
            self.value()?
        };
        let inside = self.token_at.wrapping_add(quotes)..self.at.wrapping_sub(quotes);
        self.raw = self.text.get(inside).unwrap_or_default();
        if kind == Kind::Key {
            self.skip_whitespace();
            self.eat(b':')?;
        }
        Some(kind)
    }

    /// Reads a number, a string, a word, or the bracket that begins a container.
    fn value(&mut self) -> Option<Kind> {
        let (kind, word) = match self.byte {
            b'"' => {
                self.string()?;
                return Some(Kind::String);
            }
            b'{' => (Kind::Object, "{"),
            b'[' => (Kind::Array, "["),
            b't' => (Kind::True, "true"),
            b'f' => (Kind::False, "false"),
            b'n' => (Kind::Null, "null"),
            _ => {
                self.number()?;
                return Some(Kind::Number);
            }
        };
        for letter in word.bytes() {
            self.eat(letter)?;
        }
        Some(kind)
    }

    fn string(&mut self) -> Option<()> {
        self.eat(b'"')?;
        while self.byte != b'"' {
            match self.byte {
                b'\\' => self.escape()?,
                // RFC 8259 section 7: control characters are written as escapes.
                0..=0x1f => return None,
                _ => self.advance(),
            }
        }
        self.advance();
        Some(())
    }

    fn escape(&mut self) -> Option<()> {
        self.advance();
        match self.byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.advance(),
            _ => {
                self.eat(b'u')?;
                for _ in 0..4 {
                    if !self.byte.is_ascii_hexdigit() {
                        return None;
                    }
                    self.advance();
                }
            }
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.byte == b'-' {
            self.advance();
        }
        // Nothing may follow a leading zero: `012` ends here, and whoever reads on stumbles over the `1`.
        if self.byte == b'0' {
            self.advance();
        } else {
            self.digits()?;
        }
        if self.byte == b'.' {
            self.advance();
            self.digits()?;
        }
        if matches!(self.byte, b'e' | b'E') {
            self.advance();
            if matches!(self.byte, b'+' | b'-') {
                self.advance();
            }
            self.digits()?;
        }
        Some(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Option<()> {
        if !self.byte.is_ascii_digit() {
            return None;
        }
        while self.byte.is_ascii_digit() {
            self.advance();
        }
        Some(())
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        if self.byte != byte {
            return None;
        }
        self.advance();
        Some(())
    }

    fn skip_whitespace(&mut self) {
        while is_whitespace(self.byte) {
            self.advance();
        }
    }

    /// Goes on to the next byte. There is one: the zero behind the last is never gone over.
    fn advance(&mut self) {
        self.at = self.at.wrapping_add(1);
        self.byte = byte_at(self.text, self.at);
    }
}

const fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn byte_at(text: &str, at: usize) -> u8 {
    text.as_bytes().get(at).copied().unwrap_or_default()
}

/// The offset of the first byte at or behind `at` that is not JSON's whitespace.
pub(crate) fn skip_whitespace(text: &str, at: usize) -> usize {
    let mut reader = Reader::new(text, at, 0);
    reader.skip_whitespace();
    reader.at
}

/// `text` without JSON's whitespace around it.
pub(crate) fn trim(text: &str) -> &str {
    let start = skip_whitespace(text, 0);
    let end = text.bytes().rposition(|byte| !is_whitespace(byte)).map_or(start, |last| last.wrapping_add(1));
    text.get(start..end).unwrap_or_default()
}

/// Checks the value that starts at `at` and returns the offset behind it.
pub(crate) fn skip_value(text: &str, at: usize, outer: u8) -> Result<usize, Error> {
    Reader::new(text, at, outer).finish()
}

/// Checks that nothing but whitespace follows `at`.
pub(crate) fn expect_end(text: &str, at: usize) -> Result<(), Error> {
    let mut reader = Reader::new(text, at, 0);
    reader.expect_end().map_err(|kind| reader.error(kind))
}

/// Checks that `text` is a list of values with commas between them, or nothing: an array without its brackets,
/// inside `outer` containers, its own included.
pub(crate) fn check_list(text: &str, outer: u8) -> Result<(), Error> {
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
    if reader.next().ok()?.kind != Kind::Object {
        return None;
    }
    let mut found = None;
    loop {
        let token = reader.next().ok()?;
        if token.kind != Kind::Key {
            break;
        }
        let start = skip_whitespace(text, reader.at());
        reader.skip_value().ok()?;
        if raw_eq(token.raw, key) {
            found = text.get(start..reader.at());
        }
    }
    expect_end(text, reader.at()).ok()?;
    found
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
}
