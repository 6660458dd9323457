//! Events as lines on standard output, for people or as JSON.

use core::fmt::{self, Write as _};
use core::time::Duration;
use std::io::{self, Write};

use eio_core::upgrade::UpgradeOutcome;
use serde_json::{Value, json};

use crate::clock::{Clock, WallTime};
use crate::duration::millis;
use crate::output::{self, OnError, Output, OutputError};
use crate::style::{Style, TextLine, Tone, escape_json};

/// An event that a command reports.
pub(crate) trait Report: Send + 'static {
    /// The name of its kind, in both forms.
    fn kind(&self) -> &'static str;
    /// The colour of its kind.
    fn tone(&self) -> Tone;
    /// Whether its text is the whole line, without the time and the kind.
    fn is_headline(&self) -> bool {
        false
    }
    /// What the event is about, written before its kind.
    fn subject(&self) -> Option<String> {
        None
    }
    /// The members that JSON adds to the kind and the time: an object.
    fn json(&self) -> Value;
    /// Writes the text after the kind.
    fn text(&self, line: &mut TextLine) -> fmt::Result;
    /// Returns the event that stands in for `count` dropped events.
    fn lost(count: u64) -> Self;
}

/// Writes the text of [`Report::lost`].
pub(crate) fn lost_text(count: u64, line: &mut TextLine) -> fmt::Result {
    write!(line, "{count} events were dropped: standard output was not read fast enough")
}

/// Returns the outcome of an upgrade in words.
pub(crate) fn outcome_words(outcome: UpgradeOutcome) -> String {
    match outcome {
        UpgradeOutcome::Upgraded => "websocket".to_owned(),
        UpgradeOutcome::Failed(failure) => format!("failed: {failure}"),
    }
}

/// Prints events.
pub(crate) struct Log<E> {
    clock: Clock,
    form: Form,
    output: Output<Line<E>>,
}

/// The form of a line.
#[derive(Clone, Copy, Debug)]
enum Form {
    Json,
    Text(Style),
}

impl<E> Clone for Log<E> {
    fn clone(&self) -> Self {
        Self { output: self.output.clone(), ..*self }
    }
}

impl<E: Report> Log<E> {
    /// Starts a log on standard output.
    pub(crate) fn start(clock: Clock, json: bool, on_error: OnError) -> Self {
        let form = if json { Form::Json } else { Form::Text(Style::of_stdout()) };
        let output = Output::start(io::stdout(), on_error);
        output.end_when_nobody_reads(io::stdout());
        Self { clock, form, output }
    }

    /// Prints an event after those before it. Never waits.
    pub(crate) fn put(&self, event: E) {
        let since_start = self.clock.elapsed();
        self.output.put(Line { at: WallTime::now(), since_start, form: self.form, event });
    }

    /// Waits until nobody reads standard output any more or, with [`OnError::End`], until writing fails.
    pub(crate) async fn closed(&self) -> Result<(), OutputError> {
        self.output.closed().await
    }

    /// Prints the events that are queued, and none afterwards.
    pub(crate) async fn finish(&self) -> Result<(), OutputError> {
        self.output.finish().await
    }
}

/// An event and its time.
#[derive(Clone, Debug)]
struct Line<E> {
    at: WallTime,
    since_start: Duration,
    form: Form,
    event: E,
}

impl<E: Report> output::Line for Line<E> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.form {
            Form::Json => writeln!(out, "{}", escape_json(&self.to_json().to_string())),
            Form::Text(style) => {
                let mut line = TextLine::new(style);
                self.write_text(&mut line).map_err(io::Error::other)?;
                writeln!(out, "{}", line.into_text())
            }
        }
    }

    fn lost(&self, count: u64) -> Self {
        Self { event: E::lost(count), ..*self }
    }
}

impl<E: Report> Line<E> {
    fn to_json(&self) -> Value {
        let mut line = json!({
            "event": self.event.kind(),
            "at": self.at.to_string(),
            "ms": millis(self.since_start),
        });
        if let (Some(line), Value::Object(details)) = (line.as_object_mut(), self.event.json()) {
            line.extend(details);
        }
        line
    }

    fn write_text(&self, line: &mut TextLine) -> fmt::Result {
        if !self.event.is_headline() {
            line.paint(Tone::Dim, format_args!("{:9.3}", self.since_start.as_secs_f64()))?;
            line.write_str("  ")?;
            if let Some(subject) = self.event.subject() {
                write!(line, "{subject}  ")?;
            }
            line.paint(self.event.tone(), format_args!("{:<11}", self.event.kind()))?;
        }
        self.event.text(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Line as _;

    struct Lost(u64);

    impl Report for Lost {
        fn kind(&self) -> &'static str {
            "lost"
        }

        fn tone(&self) -> Tone {
            Tone::Notable
        }

        fn json(&self) -> Value {
            json!({ "count": self.0 })
        }

        fn text(&self, line: &mut TextLine) -> fmt::Result {
            lost_text(self.0, line)
        }

        fn lost(count: u64) -> Self {
            Self(count)
        }
    }

    #[test]
    fn a_line_has_its_time_its_kind_and_its_text() {
        let written = |form| {
            let since_start = Duration::from_millis(1_234);
            let line = Line { at: WallTime::default(), since_start, form, event: Lost(0) };
            let mut out = Vec::new();
            line.lost(7).write(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            written(Form::Text(Style::PLAIN)),
            "    1.234  lost       7 events were dropped: standard output was not read fast enough\n"
        );
        assert_eq!(
            written(Form::Json),
            "{\"event\":\"lost\",\"at\":\"1970-01-01T00:00:00.000Z\",\"ms\":1234,\"count\":7}\n"
        );
    }
}
