//! Text for a terminal: colours where somebody sees them, and nothing that a peer could use to change the terminal.

use core::fmt::{self, Write as _};
use std::io::IsTerminal;

/// Whether colours are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    coloured: bool,
}

/// The meaning of a piece of text, which its colour shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    /// A detail.
    Dim,
    /// A session opens, or gets better.
    Good,
    /// A failure.
    Bad,
    /// Worth a second look.
    Notable,
    /// A name, or content.
    Strong,
}

impl Style {
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { coloured: false };

    /// Returns colours for a terminal that has them, unless `NO_COLOR` (<https://no-color.org>) is set.
    pub(crate) fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Self { coloured: obeys_sequences(&std::io::stdout()) && !set("NO_COLOR") }
    }

    /// Returns `text` in the colour of its tone.
    pub(crate) fn paint<T: fmt::Display>(self, tone: Tone, text: T) -> Painted<T> {
        Painted { tone: self.coloured.then_some(tone), text }
    }
}

/// Whether `output` is a terminal that obeys escape sequences.
pub(crate) fn obeys_sequences(output: &impl IsTerminal) -> bool {
    output.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Text with or without a colour.
pub(crate) struct Painted<T> {
    tone: Option<Tone>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(tone) = self.tone else { return self.text.fmt(f) };
        f.write_str(tone.begin())?;
        self.text.fmt(f)?;
        f.write_str(END)
    }
}

impl Tone {
    /// The escape sequence that switches the colour on.
    const fn begin(self) -> &'static str {
        match self {
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
            Self::Notable => "\x1b[33m",
            Self::Strong => "\x1b[1m",
        }
    }
}

/// The escape sequence that switches every colour off.
const END: &str = "\x1b[0m";

/// One line of output. Whatever is written to it is [escaped](escape): only its own colours reach the terminal as
/// escape sequences.
#[derive(Debug)]
pub(crate) struct TextLine {
    style: Style,
    text: String,
}

impl TextLine {
    pub(crate) fn new(style: Style) -> Self {
        Self { style, text: String::new() }
    }

    /// Adds text in the colour of its tone.
    pub(crate) fn paint(&mut self, tone: Tone, text: impl fmt::Display) -> fmt::Result {
        if !self.style.coloured {
            return write!(self, "{text}");
        }
        self.text.push_str(tone.begin());
        write!(self, "{text}")?;
        self.text.push_str(END);
        Ok(())
    }

    /// Returns the line, without a line feed.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Write for TextLine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.push_str(&escape(text));
        Ok(())
    }
}

/// Writes as escapes the characters that can repaint a terminal or reorder its text: control characters, and those that
/// are invisible or change the direction of the text.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Does the same to a line of JSON. Such characters occur only in its strings, and have the same value after parsing.
pub(crate) fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            // All of them have four digits at most.
            escaped.extend(['\\', 'u']);
            let digit = |shift: u32| char::from_digit(u32::from(c) >> shift & 0xf, 16);
            escaped.extend([12, 8, 4, 0].into_iter().filter_map(digit));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The most characters of a peer's text that a line shows.
const SHOWN: usize = 200;

/// Returns as much of a peer's text as fits in a line.
pub(crate) fn beginning(text: &str) -> &str {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

/// Cuts a peer's text to a length that fits in a line, and marks the cut with `…`.
pub(crate) fn cut(text: &str) -> String {
    let beginning = beginning(text);
    format!("{beginning}{}", if beginning.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_surround_the_padded_text() {
        let style = Style { coloured: true };
        assert_eq!(format!("{:<6}|", style.paint(Tone::Bad, "end")), "\x1b[31mend   \x1b[0m|");
        assert_eq!(format!("{:<6}|", Style::PLAIN.paint(Tone::Bad, "end")), "end   |");
    }

    #[test]
    fn a_peer_cannot_write_to_the_terminal() {
        for coloured in [true, false] {
            let mut line = TextLine::new(Style { coloured });
            write!(line, "grüß 🦀 \x1b[2J\r\n\u{202e} ").unwrap();
            line.paint(Tone::Bad, "\x1b[2J").unwrap();
            let (begin, end) = if coloured { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
            let expected = format!("grüß 🦀 \\u{{1b}}[2J\\r\\n\\u{{202e}} {begin}\\u{{1b}}[2J{end}");
            assert_eq!(line.into_text(), expected);
        }
        let text = "grüß 🦀 \x1b[2J\n\x7f\u{9b}2J\u{202e}\u{2068}";
        let json = escape_json(&serde_json::json!({ "text": text }).to_string());
        assert_eq!(json, r#"{"text":"grüß 🦀 \u001b[2J\n\u007f\u009b2J\u202e\u2068"}"#);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["text"], text);
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(cut(&"é".repeat(SHOWN)), "é".repeat(SHOWN));
        assert_eq!(cut(&"é".repeat(SHOWN + 1)), "é".repeat(SHOWN) + "…");
    }
}
