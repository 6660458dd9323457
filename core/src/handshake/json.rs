//! The part of JSON (RFC 8259) that an open packet needs: one pass, no recursion, no copy.

use super::{HandshakeError, HandshakeErrorKind, Syntax};
use crate::settings::Decimal;

/// How deep a value that is skipped may be nested: arrays and objects open at once, the open packet's own excluded.
pub(super) const MAX_DEPTH: u32 = 32;

/// Walks through a text from token to token. White space before a token is skipped with it.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The byte that the next token begins with; the token stays.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let white =
            self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.advance(white);
        self.rest().first().copied()
    }

    /// Where the next token begins.
    pub(super) fn position(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// Takes the one-byte token `byte`, if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        if eaten {
            self.advance(1);
        }
        eaten
    }

    /// Takes the one-byte token `byte`, or fails.
    pub(super) fn expect(&mut self, byte: u8, otherwise: Syntax) -> Result<(), HandshakeError> {
        if self.eat(byte) { Ok(()) } else { Err(self.syntax(otherwise)) }
    }

    /// Takes `null`, if it is next.
    pub(super) fn eat_null(&mut self) -> bool {
        self.eat_literal("null")
    }

    /// Takes a key and its colon; the key's escapes are checked and left as they are (see [`spells`]).
    pub(super) fn key(&mut self) -> Result<&'a str, HandshakeError> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax(Syntax::Key));
        }
        let key = self.string()?;
        self.expect(b':', Syntax::Colon)?;
        Ok(key)
    }

    /// Takes a string whose opening quote has been peeked at; its escapes are checked and left as they are.
    pub(super) fn string(&mut self) -> Result<&'a str, HandshakeError> {
        self.advance(1);
        let start = self.at;
        loop {
            let plain = self.rest().iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..0x20)).count();
            self.advance(plain);
            match self.rest() {
                [b'"', ..] => {
                    // Both ends touch a quote, so they are character borders.
                    let inside = self.text.get(start..self.at).unwrap_or_default();
                    self.advance(1);
                    return Ok(inside);
                }
                [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => self.advance(2),
                [b'\\', b'u', digits @ ..]
                    if digits.iter().take(4).filter(|digit| digit.is_ascii_hexdigit()).count() == 4 =>
                {
                    self.advance(6);
                }
                [b'\\', ..] => return Err(self.syntax(Syntax::Escape)),
                [_, ..] => return Err(self.syntax(Syntax::ControlCharacter)),
                [] => return Err(self.syntax(Syntax::Quote)),
            }
        }
    }

    /// Takes a number.
    pub(super) fn number(&mut self) -> Result<Decimal, HandshakeError> {
        match Decimal::read(self.rest()) {
            Ok((number, length)) => {
                self.advance(length);
                Ok(number)
            }
            Err(offset) => {
                self.advance(offset);
                Err(self.syntax(Syntax::Digit))
            }
        }
    }

    /// Takes any one value, checking its grammar.
    pub(super) fn skip_value(&mut self) -> Result<(), HandshakeError> {
        // What is open: its depth, and for each level whether it is an object, the innermost in the lowest bit.
        let mut depth = 0_u32;
        let mut objects = 0_u32;
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    if depth >= MAX_DEPTH {
                        return Err(self.fail(HandshakeErrorKind::TooDeep));
                    }
                    self.advance(1);
                    depth = depth.saturating_add(1);
                    objects = objects.wrapping_shl(1) | u32::from(open == b'{');
                    if !matches!(self.peek(), Some(b'}' | b']')) {
                        if open == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.number()?;
                }
                _ if self.eat_null() || self.eat_literal("true") || self.eat_literal("false") => {}
                _ => return Err(self.syntax(Syntax::Value)),
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

    /// An error at the next token, or where the scanner stopped inside one.
    pub(super) fn fail(&self, kind: HandshakeErrorKind) -> HandshakeError {
        HandshakeError { at: self.at, kind }
    }

    fn syntax(&self, syntax: Syntax) -> HandshakeError {
        self.fail(HandshakeErrorKind::Syntax(syntax))
    }

    fn eat_literal(&mut self, literal: &str) -> bool {
        self.peek();
        let eaten = self.rest().starts_with(literal.as_bytes());
        if eaten {
            self.advance(literal.len());
        }
        eaten
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
