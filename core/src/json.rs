//! JSON as far as a protocol needs it: checks whether text is one value, finds its end, and splits it into tokens.
//!
//! [`Reader`] reads a value token by token in linear time. It uses no recursion, and only one bit of memory per open
//! container. The grammar is RFC 8259, as strict as JavaScript's `JSON.parse`. Values are returned as slices of the
//! caller's text.
#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    clippy::should_implement_trait,
    reason = "public for `eio-legacy` alone, through `internal`"
)]

mod number;
mod string;

pub(crate) use number::{NotU32, number_to_u32};
pub(crate) use string::escape;
pub use string::raw_eq;

/// How deep arrays and objects may be nested: each level takes one bit of a `u64`.
pub(crate) const MAX_DEPTH: u8 = 64;

/// The error for text that is not JSON: what is wrong, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The offset of the offending byte.
    pub at: usize,
    /// The problem at that offset.
    pub kind: ErrorKind,
}

/// The problem with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text does not follow JSON's grammar, or ends too early.
    Invalid,
    /// Containers are nested more than 64 levels deep.
    TooDeep,
}

/// One token of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// The token's text. Keys and strings are without their quotes, and escapes are not decoded.
    pub raw: &'a str,
    /// The offset of its first byte (the quote, for keys and strings).
    pub at: usize,
}

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{`
    Object,
    /// `}`
    ObjectEnd,
    /// `[`
    Array,
    /// `]`
    ArrayEnd,
    /// The name of a member. Its colon is read with it.
    Key,
    /// A string that is not a key.
    String,
    /// A number.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
    /// The end: the value has ended.
    End,
}

/// What may come next: a set of these.
mod may {
    /// A value.
    pub(super) const VALUE: u8 = 1;
    /// A key of an object.
    pub(super) const KEY: u8 = 2;
    /// The end of the innermost container.
    pub(super) const END: u8 = 4;
    /// A comma, and another item of the innermost container.
    pub(super) const COMMA: u8 = 8;
    pub(super) const NOTHING: u8 = 0;
}

/// Reads one value, token by token.
// The small fields come first in memory: a small processor has shorter instructions for the beginning of a structure.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Reader<'a> {
    /// The next byte. At the end it is zero, which JSON does not allow anywhere.
    byte: u8,
    /// What may come next, of [`may`].
    next: u8,
    depth: u8,
    max_depth: u8,
    /// The offset of the next byte.
    at: usize,
    text: &'a str,
    /// The offset of the last token or, after a failure, of the failure.
    token_at: usize,
    /// One bit per open container, set for an object. The innermost is the lowest bit.
    objects: u64,
    /// Where the last token's text ends, as in [`Token`].
    raw_to: usize,
}

impl<'a> Reader<'a> {
    /// Creates a reader for the value that starts at `at`, after optional whitespace. `outer` is the number of
    /// containers that already enclose it; they count towards the 64 that are allowed.
    pub fn new(text: &'a str, at: usize, outer: u8) -> Self {
        Self {
            text,
            at,
            byte: byte_at(text, at),
            next: may::VALUE,
            depth: 0,
            max_depth: MAX_DEPTH.saturating_sub(outer),
            objects: 0,
            token_at: at,
            raw_to: at,
        }
    }

    /// Returns the offset of the first byte that was not read.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Returns the offset of the last token, or of the failure.
    pub(crate) const fn token_at(&self) -> usize {
        self.token_at
    }

    /// The last token's text, as in [`Token`].
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn raw(&self) -> &'a str {
        self.text.get(self.raw_from()..self.raw_to).unwrap_or_default()
    }

    // To find the ends of characters would be more code than to check the text once more.
    #[cfg(not(target_pointer_width = "64"))]
    pub(crate) fn raw(&self) -> &'a str {
        crate::utf8::from_utf8(self.raw_bytes()).unwrap_or_default()
    }

    /// The bytes of [`raw`](Self::raw), in less code.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn raw_bytes(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.raw_from()..self.raw_to).unwrap_or_default()
    }

    fn raw_from(&self) -> usize {
        self.token_at.wrapping_add(usize::from(byte_at(self.text, self.token_at) == b'"'))
    }

    /// Returns the next token, or [`Kind::End`] once the value has ended. It does not check the text after the value.
    pub fn next(&mut self) -> Result<Token<'a>, Error> {
        let kind = self.step().map_err(|kind| self.error(kind))?;
        Ok(Token { kind, raw: self.raw(), at: self.token_at })
    }

    /// Reads the next token and returns its kind. [`raw`](Self::raw) and [`token_at`](Self::token_at) return the rest,
    /// so that the result fits into a register.
    pub(crate) fn step(&mut self) -> Result<Kind, ErrorKind> {
        if self.next == may::NOTHING {
            self.token_at = self.at;
            return Ok(Kind::End);
        }
        let Some(kind) = self.token() else {
            self.token_at = self.at;
            return Err(ErrorKind::Invalid);
        };
        if self.depth > self.max_depth {
            return Err(ErrorKind::TooDeep);
        }
        Ok(kind)
    }

    /// Reads one whole value or key of the open container.
    pub fn skip_value(&mut self) -> Result<(), ErrorKind> {
        let depth = self.depth;
        while self.step()? != Kind::End && self.depth > depth {}
        Ok(())
    }

    /// Reads the rest of the value and returns the offset after it.
    pub fn finish(mut self) -> Result<usize, Error> {
        loop {
            match self.step() {
                Ok(Kind::End) => return Ok(self.at),
                Ok(_) => {}
                Err(kind) => return Err(self.error(kind)),
            }
        }
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

    /// Returns the error for the failure that has just occurred, with its position.
    pub const fn error(&self, kind: ErrorKind) -> Error {
        Error { at: self.token_at, kind }
    }

    /// Reads the next token. Returns `None` if the next byte is not allowed there.
    fn token(&mut self) -> Option<Kind> {
        self.skip_whitespace();
        // 0x20 in an object: what its brackets differ in from those of an array.
        let in_object = ((self.objects & 1) as u8) << 5;
        if self.next & may::COMMA != 0 && self.byte == b',' {
            self.advance();
            self.skip_whitespace();
            self.next = if in_object == 0 { may::VALUE } else { may::KEY };
        }
        self.token_at = self.at;
        let quotes = usize::from(self.byte == b'"');
        let kind = if self.next & may::END != 0 && self.byte == b']' | in_object {
            self.advance();
            self.depth = self.depth.wrapping_sub(1);
            self.objects >>= 1;
            self.value_ended();
            if in_object == 0 { Kind::ArrayEnd } else { Kind::ObjectEnd }
        } else if self.next & may::KEY != 0 {
            self.string()?;
            Kind::Key
        } else if self.next & may::VALUE != 0 {
            self.value()?
        } else {
            return None;
        };
        self.raw_to = self.at.wrapping_sub(quotes);
        if kind == Kind::Key {
            self.skip_whitespace();
            self.eat(b':')?;
            self.next = may::VALUE;
        }
        Some(kind)
    }

    /// Reads a number, a string, a word, or the bracket that begins a container.
    fn value(&mut self) -> Option<Kind> {
        let (kind, word) = match self.byte {
            bracket @ (b'{' | b'[') => {
                let is_object = bracket == b'{';
                self.advance();
                self.depth = self.depth.wrapping_add(1);
                self.objects = self.objects << 1 | u64::from(is_object);
                self.next = may::END | if is_object { may::KEY } else { may::VALUE };
                return Some(if is_object { Kind::Object } else { Kind::Array });
            }
            b'"' => {
                self.string()?;
                (Kind::String, "")
            }
            b't' => (Kind::True, "true"),
            b'f' => (Kind::False, "false"),
            b'n' => (Kind::Null, "null"),
            _ => {
                self.number()?;
                (Kind::Number, "")
            }
        };
        for letter in word.bytes() {
            self.eat(letter)?;
        }
        self.value_ended();
        Some(kind)
    }

    /// Notes what may come after a value.
    fn value_ended(&mut self) {
        self.next = if self.depth == 0 { may::NOTHING } else { may::COMMA | may::END };
    }

    // An image for a small machine has no room for more than this.
    #[cfg(not(target_pointer_width = "64"))]
    fn string(&mut self) -> Option<()> {
        self.eat(b'"')?;
        while self.byte != b'"' {
            self.in_string()?;
        }
        self.advance();
        Some(())
    }

    #[cfg(target_pointer_width = "64")]
    fn string(&mut self) -> Option<()> {
        self.eat(b'"')?;
        loop {
            // Most strings are short: they end before it is worth to look at eight bytes at once.
            for _ in 0..8 {
                if self.byte == b'"' {
                    self.advance();
                    return Some(());
                }
                self.in_string()?;
            }
            self.skip_plain();
        }
    }

    /// Reads the next character of a string, which is not the quote that ends it.
    #[inline]
    fn in_string(&mut self) -> Option<()> {
        match self.byte {
            b'\\' => self.escape()?,
            // RFC 8259 section 7: control characters are written as escapes.
            0..=0x1f => return None,
            _ => self.advance(),
        }
        Some(())
    }

    /// Skips bytes of a string that need no look of their own, eight at a time.
    #[cfg(target_pointer_width = "64")]
    fn skip_plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let (words, _) = rest.as_chunks();
        let plain = words.iter().take_while(|word| is_plain(u64::from_ne_bytes(**word))).count();
        self.at = self.at.wrapping_add(plain.wrapping_mul(8));
        self.byte = byte_at(self.text, self.at);
    }

    fn escape(&mut self) -> Option<()> {
        self.advance();
        let hex_digits = match self.byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
            b'u' => 4,
            _ => return None,
        };
        self.advance();
        for _ in 0..hex_digits {
            if !self.byte.is_ascii_hexdigit() {
                return None;
            }
            self.advance();
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.byte == b'-' {
            self.advance();
        }
        // No digit may follow a leading zero: the number in `012` ends here, and the next read fails at the `1`.
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

    /// Reads at least one digit.
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

    /// Moves to the next byte. It always exists, because the reader never moves past the zero that marks the end.
    fn advance(&mut self) {
        self.at = self.at.wrapping_add(1);
        self.byte = byte_at(self.text, self.at);
    }
}

/// Returns whether none of eight bytes is a quote, a backslash or a control character.
#[cfg(target_pointer_width = "64")]
const fn is_plain(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    // The highest bit of some byte is set if, and only if, some byte is below `limit`, an ASCII character.
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES.wrapping_mul(limit as u64)) & !word
    }
    let quote = below(word ^ ONES.wrapping_mul(b'"' as u64), 1);
    let backslash = below(word ^ ONES.wrapping_mul(b'\\' as u64), 1);
    (below(word, b' ') | quote | backslash) & ONES.wrapping_mul(0x80) == 0
}

const fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn byte_at(text: &str, at: usize) -> u8 {
    text.as_bytes().get(at).copied().unwrap_or_default()
}

/// Returns the offset of the first byte at or after `at` that is not JSON whitespace.
pub(crate) fn skip_whitespace(text: &str, at: usize) -> usize {
    let mut reader = Reader::new(text, at, 0);
    reader.skip_whitespace();
    reader.at
}

/// Returns `text` without the JSON whitespace around it.
pub fn trim(text: &str) -> &str {
    let start = skip_whitespace(text, 0);
    let end = text.bytes().rposition(|byte| !is_whitespace(byte)).map_or(start, |last| last.wrapping_add(1));
    text.get(start..end).unwrap_or_default()
}

/// Checks the value that starts at `at` and returns the offset after it.
pub fn skip_value(text: &str, at: usize, outer: u8) -> Result<usize, Error> {
    Reader::new(text, at, outer).finish()
}

/// Checks that nothing but whitespace follows `at`.
pub fn expect_end(text: &str, at: usize) -> Result<(), Error> {
    let mut reader = Reader::new(text, at, 0);
    reader.expect_end().map_err(|kind| reader.error(kind))
}

/// Checks that `text` is a list of values separated by commas, or empty: the content of an array, without its brackets.
/// `outer` is the number of enclosing containers, including that array.
pub fn check_list(text: &str, outer: u8) -> Result<(), Error> {
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

/// Returns the raw text of the member `key` of the object in `text`. If there are several, it returns the last one, as
/// in JavaScript. Returns `None` if there is no such member, or if `text` is not a valid object.
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
    fn what_ends_a_string_or_is_not_allowed_in_it_is_found_at_every_place() {
        let longest = if cfg!(miri) { 2 } else { 20 };
        for (before, after) in (0..longest).flat_map(|before| (0..longest).map(move |after| (before, after)))
        {
            for byte in 0..=0x7f_u8 {
                let found = char::from(byte);
                let (before, after) = ("a".repeat(before), "é".repeat(after));
                let text = std::format!("\"{before}{found}{after}\"");
                let place = before.len() + 1;
                let refused_at = match byte {
                    b'\\' if after.is_empty() => Some(text.len()),
                    // The string ends before what follows, or an escape has no such character.
                    b'"' | b'\\' => Some(place + 1),
                    0..=0x1f => Some(place),
                    _ => None,
                };
                assert_eq!(document(&text).err().map(|error| error.at), refused_at, "{text:?}");
            }
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
