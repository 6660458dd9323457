//! How a session ended, and the last line that says so.

use core::fmt::{self, Write as _};
use core::time::Duration;

use eio_tokio::{CloseFrame, ConnectError, Disconnect, Transport};
use serde_json::{Value, json};

use super::diagnosis::Diagnosis;
use super::exit_code::ExitCode;
use super::look::Look;
use crate::duration::{millis, spoken};
use crate::style::{TextLine, Tone, cut};

/// Why there is no session, or no longer one.
#[derive(Clone, Debug)]
pub(crate) enum End {
    NotConnected(ConnectError),
    /// eio was interrupted before the session opened.
    InterruptedEarly,
    Disconnected(Disconnect),
    /// The server did not confirm the close in time.
    Unconfirmed,
    /// Closing was interrupted.
    Interrupted,
    /// A Socket.IO namespace refused this client, with a text that is cut.
    NamespaceRefused {
        namespace: String,
        why: String,
    },
    /// A Socket.IO server disconnected this client from its namespace.
    NamespaceDisconnected {
        namespace: String,
    },
}

/// The end, explained.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) code: ExitCode,
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
    /// What happened.
    pub(crate) facts: String,
    pub(crate) diagnosis: Diagnosis,
    /// What the diagnosis means, and what to do.
    pub(crate) meaning: String,
    pub(crate) advice: String,
    pub(crate) look: Option<Look>,
    pub(crate) silent_for: Option<Duration>,
    /// How long the session was open.
    pub(crate) lived: Option<Duration>,
    pub(crate) heartbeats: u64,
    pub(crate) transport: Option<Transport>,
    pub(crate) close_frame: Option<CloseFrame>,
}

impl Summary {
    pub(crate) fn json(&self) -> Value {
        let Self { facts, meaning, advice, .. } = self;
        json!({
            "reason": self.reason,
            "diagnosis": self.diagnosis.name,
            "detail": cut(&self.detail),
            "explanation": format!("{facts} {meaning} {advice}").trim_end(),
            "meaning": meaning,
            "advice": advice,
            "exit_code": self.code.number(),
            "second_look": self.look.map(Look::as_str),
            "silent_ms": self.silent_for.map(millis),
            "lived_ms": self.lived.map(millis),
            "heartbeats": self.heartbeats,
            "transport": self.transport.map(Transport::as_str),
            "close_code": self.close_frame.as_ref().map(|frame| frame.code().as_u16()),
            "close_reason": self.close_frame.as_ref().map(CloseFrame::reason),
        })
    }

    /// Writes what happened.
    pub(crate) fn text(&self, line: &mut TextLine) -> fmt::Result {
        line.write_str(&self.facts)?;
        self.lived.map_or(Ok(()), |lived| write!(line, " (open for {})", spoken(lived)))
    }

    /// Writes the last line: what it means, and what to do.
    pub(crate) fn answer(&self, line: &mut TextLine) -> fmt::Result {
        let (name, code) = (self.diagnosis.name, self.code.number());
        line.paint(Tone::Strong, name)?;
        write!(line, ": {} {}", self.meaning, self.advice)?;
        let gap = if self.advice.is_empty() { "" } else { " " };
        write!(line, "{gap}(exit code {code})")
    }
}
