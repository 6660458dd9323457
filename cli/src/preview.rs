//! Messages in lines of output.

use core::fmt::{self, Write as _};

use eio_tokio::Message;
use serde_json::{Value, json};

use crate::style::{TextLine, Tone, beginning};

/// The beginning of a message, so that waiting lines do not keep large messages in memory.
#[derive(Clone, Debug)]
pub(crate) struct Preview {
    bytes: usize,
    /// `None` for binary messages.
    text: Option<Box<str>>,
}

impl Preview {
    pub(crate) fn of(message: &Message) -> Self {
        match message.as_text() {
            Some(text) => Self::of_text(text),
            None => Self { bytes: message.len(), text: None },
        }
    }

    pub(crate) fn of_text(text: &str) -> Self {
        Self { bytes: text.len(), text: Some(beginning(text).into()) }
    }

    pub(crate) fn json(&self) -> Value {
        match &self.text {
            Some(text) => json!({ "kind": "text", "bytes": self.bytes, "data": text }),
            None => json!({ "kind": "binary", "bytes": self.bytes }),
        }
    }

    pub(crate) fn write(&self, line: &mut TextLine) -> fmt::Result {
        let Some(text) = &self.text else { return write!(line, "binary, {}", self.size()) };
        write!(line, "{text}{}", if text.len() < self.bytes { "…" } else { "" })?;
        line.paint(Tone::Dim, format_args!("  ({})", self.size()))
    }

    fn size(&self) -> String {
        if self.bytes == 1 { "1 byte".to_owned() } else { format!("{} bytes", self.bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Style;

    fn written(message: &Message) -> String {
        let mut line = TextLine::new(Style::PLAIN);
        Preview::of(message).write(&mut line).unwrap();
        line.into_text()
    }

    #[test]
    fn a_long_message_is_cut_and_counted_whole() {
        let text = written(&Message::text("é".repeat(250)));
        assert_eq!(text, format!("{}…  (500 bytes)", "é".repeat(200)));
    }

    #[test]
    fn binary_messages_are_only_counted() {
        assert_eq!(written(&Message::binary(vec![0xff; 3])), "binary, 3 bytes");
        assert_eq!(written(&Message::binary(vec![0xff])), "binary, 1 byte");
        assert_eq!(
            Preview::of(&Message::binary(vec![0xff; 3])).json(),
            json!({ "kind": "binary", "bytes": 3 })
        );
    }
}
