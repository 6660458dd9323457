//! Events as lines on standard output, for people or as JSON.

use core::time::Duration;
use std::io::{self, Write};

use eio_core::upgrade::UpgradeOutcome;
use serde_json::{Value, json};

use crate::clock::{Clock, Moment};
use crate::duration::millis;
use crate::output::{self, OnError, Output, OutputError};
use crate::style::{Style, Tone, harmless_json};

/// An event that a command reports.
pub(crate) trait Report: Send + 'static {
    /// Its name in both forms.
    fn kind(&self) -> &'static str;
    /// Its colour.
    fn tone(&self) -> Tone;
    /// A line of its own form, instead of the usual one.
    fn headline(&self, _: Style) -> Option<String> {
        None
    }
    /// Whom it is about, before its name.
    fn subject(&self) -> Option<String> {
        None
    }
    /// What JSON adds to its name and its time: an object.
    fn json(&self) -> Value;
    /// What stands behind its name.
    fn text(&self, style: Style, out: &mut dyn Write) -> io::Result<()>;
    /// Stands for events that found no room.
    fn lost(count: u64) -> Self;
}

/// What [`Report::lost`] says.
pub(crate) fn lost_text(count: u64, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{count} events: standard output did not take them in time")
}

/// How an upgrade ended, in words.
pub(crate) fn outcome_words(outcome: UpgradeOutcome) -> String {
    match outcome {
        UpgradeOutcome::Upgraded => "websocket".to_owned(),
        UpgradeOutcome::Failed(failure) => format!("failed: {failure}"),
    }
}

/// Takes events and prints them.
pub(crate) struct Log<E> {
    clock: Clock,
    form: Form,
    output: Output<Line<E>>,
}

/// How lines look.
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
    /// A log on standard output.
    pub(crate) fn start(clock: Clock, json: bool, on_error: OnError) -> Self {
        let form = if json { Form::Json } else { Form::Text(Style::of_stdout()) };
        Self { clock, form, output: Output::start(io::stdout(), on_error) }
    }

    /// Prints an event, now or as soon as those before it are out; never waits.
    pub(crate) fn put(&self, event: E) {
        let since_start = self.clock.elapsed();
        self.output.put(Line { at: Moment::now(), since_start, form: self.form, event });
    }

    /// Ready once nobody reads standard output any more, or, with [`OnError::End`], it cannot be written.
    pub(crate) async fn closed(&self) -> Result<(), OutputError> {
        self.output.closed().await
    }

    /// Prints what waits to be printed, and nothing afterwards.
    pub(crate) async fn finish(&self) -> Result<(), OutputError> {
        self.output.finish().await
    }
}

/// An event and when it happened.
#[derive(Clone, Debug)]
struct Line<E> {
    at: Moment,
    since_start: Duration,
    form: Form,
    event: E,
}

impl<E: Report> output::Line for Line<E> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.form {
            Form::Json => writeln!(out, "{}", harmless_json(&self.to_json().to_string())),
            Form::Text(style) => self.write_text(style, out),
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

    fn write_text(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        if let Some(headline) = self.event.headline(style) {
            return writeln!(out, "{headline}");
        }
        let seconds = format!("{:9.3}", self.since_start.as_secs_f64());
        write!(out, "{}  ", style.paint(Tone::Dim, seconds))?;
        if let Some(subject) = self.event.subject() {
            write!(out, "{subject}  ")?;
        }
        write!(out, "{}", style.paint(self.event.tone(), format!("{:<11}", self.event.kind())))?;
        self.event.text(style, out)?;
        out.write_all(b"\n")
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

        fn text(&self, _: Style, out: &mut dyn Write) -> io::Result<()> {
            lost_text(self.0, out)
        }

        fn lost(count: u64) -> Self {
            Self(count)
        }
    }

    #[test]
    fn a_line_says_when_what_and_the_rest() {
        let written = |form| {
            let since_start = Duration::from_millis(1_234);
            let line = Line { at: Moment::default(), since_start, form, event: Lost(0) };
            let mut out = Vec::new();
            line.lost(7).write(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            written(Form::Text(Style::PLAIN)),
            "    1.234  lost       7 events: standard output did not take them in time\n"
        );
        assert_eq!(
            written(Form::Json),
            "{\"event\":\"lost\",\"at\":\"1970-01-01T00:00:00.000Z\",\"ms\":1234,\"count\":7}\n"
        );
    }
}
