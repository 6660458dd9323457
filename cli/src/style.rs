//! Colour, where somebody sees it.

use core::fmt;
use std::io::IsTerminal as _;

/// Whether colours are written at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    coloured: bool,
}

/// What a piece of text means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    /// Beside the point.
    Dim,
    /// Something begins.
    Good,
    /// Something ends that should not.
    Bad,
    /// Worth a second look.
    Notable,
    /// A name.
    Strong,
}

impl Style {
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { coloured: false };

    /// Colours on a terminal that has them, unless `NO_COLOR` (<https://no-color.org>) says otherwise.
    pub(crate) fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { coloured: std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb }
    }

    /// `text` in its colour.
    pub(crate) fn paint<T: fmt::Display>(self, tone: Tone, text: T) -> Painted<T> {
        Painted { tone: self.coloured.then_some(tone), text }
    }
}

/// Text in a colour, or without.
pub(crate) struct Painted<T> {
    tone: Option<Tone>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(tone) = self.tone else { return self.text.fmt(f) };
        let code = match tone {
            Tone::Dim => "2",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Notable => "33",
            Tone::Strong => "1",
        };
        write!(f, "\x1b[{code}m")?;
        self.text.fmt(f)?;
        f.write_str("\x1b[0m")
    }
}

/// Text from a peer, fit for a terminal: control characters, which could repaint it, are written as escapes, and so
/// are those that change the direction of the text.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let (escaped, plain) =
                if is_hidden(c) { (Some(c.escape_default()), None) } else { (None, Some(c)) };
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// The same for JSON on one line, where such characters stand in strings only, and stay what they are to its reader.
pub(crate) fn harmless_json(json: &str) -> String {
    let mut harmless = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            // All of them have four digits at most.
            harmless.extend(['\\', 'u']);
            let digit = |shift: u32| char::from_digit(u32::from(c) >> shift & 0xf, 16);
            harmless.extend([12, 8, 4, 0].into_iter().filter_map(digit));
        } else {
            harmless.push(c);
        }
    }
    harmless
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
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
        assert_eq!(harmless("grüß 🦀 \x1b[2J\r\n\u{202e}"), "grüß 🦀 \\u{1b}[2J\\r\\n\\u{202e}");
        let text = "grüß 🦀 \x1b[2J\n\x7f\u{9b}2J\u{202e}\u{2068}";
        let json = harmless_json(&serde_json::json!({ "text": text }).to_string());
        assert_eq!(json, r#"{"text":"grüß 🦀 \u001b[2J\n\u007f\u009b2J\u202e\u2068"}"#);
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["text"], text);
    }
}
