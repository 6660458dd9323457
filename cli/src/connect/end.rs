//! How a session ended, and the last line that says so.

use core::fmt::{self, Write as _};
use core::time::Duration;

use eio_tokio::{CloseFrame, ConnectError, Disconnect, Transport};
use serde_json::{Value, json};

use super::exit_code::ExitCode;
use crate::duration::{millis, spoken};
use crate::style::{TextLine, cut};

/// Why there is no session, or no longer one.
#[derive(Clone, Debug)]
pub(crate) enum End {
    NotConnected(ConnectError),
    Disconnected(Disconnect),
    /// Closing took too long, or was interrupted.
    Interrupted,
    /// A Socket.IO namespace refused this client.
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
    pub(crate) explanation: String,
    pub(crate) silent_for: Option<Duration>,
    /// How long the session was open.
    pub(crate) lived: Option<Duration>,
    pub(crate) heartbeats: u64,
    pub(crate) transport: Option<Transport>,
    pub(crate) close_frame: Option<CloseFrame>,
}

impl Summary {
    pub(crate) fn json(&self) -> Value {
        json!({
            "reason": self.reason,
            "detail": cut(&self.detail),
            "explanation": self.explanation,
            "exit_code": self.code.number(),
            "silent_ms": self.silent_for.map(millis),
            "lived_ms": self.lived.map(millis),
            "heartbeats": self.heartbeats,
            "transport": self.transport.map(Transport::as_str),
            "close_code": self.close_frame.as_ref().map(|frame| frame.code().as_u16()),
            "close_reason": self.close_frame.as_ref().map(CloseFrame::reason),
        })
    }

    pub(crate) fn text(&self, line: &mut TextLine) -> fmt::Result {
        let code = self.code.number();
        match self.lived {
            Some(lived) => {
                write!(line, "{} (open for {}, exit code {code})", self.explanation, spoken(lived))
            }
            None => write!(line, "{} (exit code {code})", self.explanation),
        }
    }
}
