//! What happens to sockets, in the log.

use core::fmt::{self, Write as _};
use core::time::Duration;

use eio_core::DisconnectReason;
use eio_socketio::Reason;
use serde_json::{Value, json};

use crate::duration::{millis, spoken};
use crate::style::{TextLine, Tone};

/// What has happened to a socket in a namespace.
#[derive(Clone, Debug)]
pub(crate) struct SocketEvent {
    pub(super) namespace: String,
    /// As much of its identifier as may be shown: that of a client of Socket.IO 2 is the sid of its session.
    pub(super) socket: String,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Joined,
    Left {
        reason: Reason,
        lived: Duration,
    },
    /// The client may not join.
    Refused {
        why: String,
    },
    /// An event was not what its handler expects, or could not be answered.
    Failed {
        of: String,
        error: String,
    },
}

impl SocketEvent {
    pub(crate) fn kind(&self) -> &'static str {
        match self.what {
            What::Joined => "joined",
            What::Left { .. } => "left",
            What::Refused { .. } => "refused",
            What::Failed { .. } => "failed",
        }
    }

    pub(crate) fn tone(&self) -> Tone {
        match &self.what {
            What::Joined => Tone::Good,
            What::Refused { .. } | What::Failed { .. } => Tone::Notable,
            What::Left { reason, .. } => match reason {
                Reason::ClientNamespaceDisconnect
                | Reason::ServerNamespaceDisconnect
                | Reason::ServerShuttingDown
                | Reason::Session(
                    DisconnectReason::LocalClose
                    | DisconnectReason::PeerClose
                    | DisconnectReason::TransportClosed,
                ) => Tone::Notable,
                _ => Tone::Bad,
            },
        }
    }

    pub(crate) fn text(&self, line: &mut TextLine) -> fmt::Result {
        let Self { namespace, socket, what } = self;
        write!(line, "{namespace}, socket {socket}")?;
        match what {
            What::Joined => Ok(()),
            What::Left { reason, lived } => {
                line.write_str(": ")?;
                line.paint(self.tone(), reason)?;
                line.paint(Tone::Dim, format_args!("  (joined for {})", spoken(*lived)))
            }
            What::Refused { why } => write!(line, ": {why}"),
            What::Failed { of, error } => write!(line, ": {of}: {error}"),
        }
    }

    pub(crate) fn json(&self) -> Value {
        let Self { namespace, socket, what } = self;
        match what {
            What::Joined => json!({ "namespace": namespace, "socket": socket }),
            What::Left { reason, lived } => json!({
                "namespace": namespace,
                "socket": socket,
                "reason": reason.as_str(),
                "detail": reason.to_string(),
                "lived_ms": millis(*lived),
            }),
            What::Refused { why } => json!({ "namespace": namespace, "socket": socket, "message": why }),
            What::Failed { of, error } => {
                json!({ "namespace": namespace, "socket": socket, "name": of, "error": error })
            }
        }
    }
}
