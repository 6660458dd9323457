//! Messages in lines of output.

use std::io::{self, Write};

use eio_tokio::Message;
use serde_json::{Value, json};

use crate::style::{Style, Tone, harmless};

/// The beginning of a message, so that waiting lines do not keep large messages in memory.
#[derive(Clone, Debug)]
pub(crate) struct Preview {
    bytes: usize,
    /// `None` for binary messages.
    text: Option<Box<str>>,
}

impl Preview {
    const MAX_LEN: usize = 200;

    pub(crate) fn of(message: &Message) -> Self {
        match message.as_text() {
            Some(text) => Self::of_text(text),
            None => Self { bytes: message.len(), text: None },
        }
    }

    pub(crate) fn of_text(text: &str) -> Self {
        let end = text.floor_char_boundary(Self::MAX_LEN);
        Self { bytes: text.len(), text: Some(text.get(..end).unwrap_or_default().into()) }
    }

    pub(crate) fn json(&self) -> Value {
        match &self.text {
            Some(text) => json!({ "kind": "text", "bytes": self.bytes, "data": text }),
            None => json!({ "kind": "binary", "bytes": self.bytes }),
        }
    }

    pub(crate) fn write(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let Some(text) = &self.text else { return write!(out, "binary, {} bytes", self.bytes) };
        let rest = if text.len() < self.bytes { "…" } else { "" };
        let size = format!("  ({} bytes)", self.bytes);
        write!(out, "{}{rest}{}", harmless(text), style.paint(Tone::Dim, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(message: &Message) -> String {
        let mut out = Vec::new();
        Preview::of(message).write(Style::PLAIN, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_preview_ends_at_a_character() {
        let preview = Preview::of(&Message::text("é".repeat(150)));
        assert_eq!(preview.bytes, 300);
        assert_eq!(preview.text.as_deref(), Some("é".repeat(100).as_str()));
        assert_eq!(written(&Message::text("é".repeat(150))), format!("{}…  (300 bytes)", "é".repeat(100)));
    }

    #[test]
    fn bytes_are_only_counted() {
        assert_eq!(written(&Message::binary(vec![0xff; 3])), "binary, 3 bytes");
        assert_eq!(
            Preview::of(&Message::binary(vec![0xff; 3])).json(),
            json!({ "kind": "binary", "bytes": 3 })
        );
    }
}
