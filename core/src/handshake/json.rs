//! The part of JSON (RFC 8259) that an open packet needs: one pass, no recursion, no copy.

use super::{HandshakeErrorKind, Syntax};
use crate::settings::Decimal;

/// How deep a value that is skipped may be nested: arrays and objects open at once, the open packet's own excluded.
pub(super) const MAX_DEPTH: u32 = 32;

/// Walks through a text from token to token. White space before a token is skipped with it.
///
/// After a failure it stands where that is, so that errors need not carry their position.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The byte that the next token begins with, which stays; zero, which no token begins with, at the end.
    pub(super) fn peek(&mut self) -> u8 {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.advance(1);
        }
        self.byte()
    }

    /// Whether nothing but white space is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.peek();
        self.at >= self.text.len()
    }

    /// Where the next token begins.
    pub(super) fn position(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// Where the scanner stands: after a failure, where that is.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Goes back to where a token began, to fail there.
    pub(super) const fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Takes the one-byte token `byte`, if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == byte;
        if eaten {
            self.advance(1);
        }
        eaten
    }

    /// Takes the one-byte token `byte`, or fails.
    pub(super) fn expect(&mut self, byte: u8, otherwise: Syntax) -> Result<(), HandshakeErrorKind> {
        if self.eat(byte) { Ok(()) } else { Err(otherwise.into()) }
    }

    /// Takes `null`, if it is next.
    pub(super) fn eat_null(&mut self) -> bool {
        self.eat_literal("null")
    }

    /// Takes a key and its colon; the key's escapes are checked and left as they are (see [`spells`]).
    pub(super) fn key(&mut self) -> Result<&'a str, HandshakeErrorKind> {
        if self.peek() != b'"' {
            return Err(Syntax::Key.into());
        }
        let key = self.string()?;
        self.expect(b':', Syntax::Colon)?;
        Ok(key)
    }

    /// Takes a string whose opening quote has been peeked at; its escapes are checked and left as they are.
    pub(super) fn string(&mut self) -> Result<&'a str, HandshakeErrorKind> {
        let start = self.at.saturating_add(1);
        loop {
            self.advance(1);
            match self.byte() {
                b'"' => {
                    // Both ends touch a quote, so they are character borders.
                    let inside = self.text.get(start..self.at).unwrap_or_default();
                    self.advance(1);
                    return Ok(inside);
                }
                b'\\' => self.escape()?,
                ..0x20 if self.at < self.text.len() => return Err(Syntax::ControlCharacter.into()),
                ..0x20 => return Err(Syntax::Quote.into()),
                _ => {}
            }
        }
    }

    /// Goes from the backslash of an escape to the last byte of it.
    fn escape(&mut self) -> Result<(), HandshakeErrorKind> {
        let backslash = self.at;
        self.advance(1);
        let known = match self.byte() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => true,
            b'u' => (0..4).all(|_| {
                self.advance(1);
                self.byte().is_ascii_hexdigit()
            }),
            _ => false,
        };
        if known {
            return Ok(());
        }
        self.back_to(backslash);
        Err(Syntax::Escape.into())
    }

    /// Takes a number.
    pub(super) fn number(&mut self) -> Result<Decimal, HandshakeErrorKind> {
        match Decimal::read(self.rest()) {
            Ok((number, length)) => {
                self.advance(length);
                Ok(number)
            }
            Err(offset) => {
                self.advance(offset);
                Err(Syntax::Digit.into())
            }
        }
    }

    /// Takes any one value, checking its grammar.
    pub(super) fn skip_value(&mut self) -> Result<(), HandshakeErrorKind> {
        // What is open: its depth, and for each level whether it is an object, the innermost in the lowest bit.
        let mut depth = 0_u32;
        let mut objects = 0_u32;
        loop {
            match self.peek() {
                open @ (b'{' | b'[') => {
                    if depth >= MAX_DEPTH {
                        return Err(HandshakeErrorKind::TooDeep);
                    }
                    self.advance(1);
                    depth = depth.saturating_add(1);
                    objects = objects.wrapping_shl(1) | u32::from(open == b'{');
                    if !matches!(self.peek(), b'}' | b']') {
                        if open == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b'-' | b'0'..=b'9' => {
                    self.number()?;
                }
                _ if self.eat_null() || self.eat_literal("true") || self.eat_literal("false") => {}
                _ => return Err(Syntax::Value.into()),
            }
            // A value has ended, and perhaps with it what it stands in.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let in_object = objects & 1 == 1;
                if self.eat(b',') {
                    if in_object {
                        self.key()?;
                    }
                    break;
                }
                self.expect(if in_object { b'}' } else { b']' }, Syntax::Comma)?;
                depth = depth.saturating_sub(1);
                objects = objects.wrapping_shr(1);
            }
        }
    }

    fn eat_literal(&mut self, literal: &str) -> bool {
        self.peek();
        let eaten = self.rest().starts_with(literal.as_bytes());
        if eaten {
            self.advance(literal.len());
        }
        eaten
    }

    /// The byte where the scanner stands, or zero at the end.
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, by: usize) {
        self.at = self.at.saturating_add(by);
    }
}

/// Whether the inside of a JSON string, its escapes not undone, means `name`, which consists of ASCII letters.
///
/// Of all escapes only `\u` can stand for a letter.
pub(super) fn spells(inside: &str, name: &str) -> bool {
    let mut inside = inside.bytes();
    let mut same = name.bytes().all(|letter| match inside.next() {
        Some(b'\\') => {
            inside.next() == Some(b'u')
                && inside.by_ref().take(4).fold(0, |unit: u32, digit| {
                    (unit.wrapping_shl(4)) | char::from(digit).to_digit(16).unwrap_or_default()
                }) == u32::from(letter)
        }
        byte => byte == Some(letter),
    });
    same &= inside.next().is_none();
    same
}
