//! The board's log, decoded while it is written.

use core::fmt;
use core::time::Duration;
use std::io::Read;
use std::sync::mpsc::Sender;

use defmt_decoder::{DecodeError, Frame, Table};

/// One line of the board's log.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Line {
    /// The board's own clock.
    pub at: Duration,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// What it says.
    pub text: String,
}

impl Line {
    /// The value after `key=` in the line.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        let mut words = self.text.split(' ');
        words.find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    /// The same, as a number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.field(key)?.parse().ok()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.at.as_micros();
        write!(f, "{:>4}.{:06} {:5} {}", micros / 1_000_000, micros % 1_000_000, self.level, self.text)
    }
}

/// Decodes `stream` until it ends or nobody listens. What cannot be decoded becomes a line that says so.
pub(super) fn decode(table: &Table, mut stream: impl Read, lines: &Sender<Line>) {
    let mut decoder = table.new_stream_decoder();
    let mut bytes = [0; 4096];
    while let Ok(len @ 1..) = stream.read(&mut bytes) {
        decoder.received(&bytes[..len]);
        loop {
            let line = match decoder.decode() {
                Ok(frame) => line(&frame),
                Err(DecodeError::UnexpectedEof) => break,
                Err(DecodeError::Malformed) => Line {
                    at: Duration::ZERO,
                    level: "error",
                    text: "a log line could not be decoded".to_owned(),
                },
            };
            if lines.send(line).is_err() {
                return;
            }
        }
    }
}

fn line(frame: &Frame<'_>) -> Line {
    let timestamp = frame.display_timestamp().map(|at| at.to_string()).unwrap_or_default();
    Line {
        at: parse_seconds(&timestamp).unwrap_or_default(),
        level: frame.level().map_or("info", |level| level.as_str()),
        text: frame.display_message().to_string(),
    }
}

/// `3.000250` is three seconds and 250 microseconds.
fn parse_seconds(text: &str) -> Option<Duration> {
    let (seconds, micros) = text.split_once('.')?;
    let micros: u64 = micros.get(..6)?.parse().ok()?;
    Some(Duration::from_secs(seconds.trim().parse().ok()?) + Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boards_clock_is_read_to_the_microsecond() {
        assert_eq!(parse_seconds("0.034008"), Some(Duration::from_micros(34_008)));
        assert_eq!(parse_seconds("71.000001"), Some(Duration::from_micros(71_000_001)));
        assert_eq!(parse_seconds(""), None);
    }

    #[test]
    fn fields_are_found_by_their_names() {
        let line = Line { at: Duration::ZERO, level: "info", text: "lost after=12 why=closed".to_owned() };
        assert_eq!(
            (line.number("after"), line.field("why"), line.field("hy")),
            (Some(12), Some("closed"), None)
        );
    }
}
