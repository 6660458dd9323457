//! The events that `eio connect` prints, one line each.

mod json;
mod text;

use core::fmt;
use core::time::Duration;

use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::{Client, ClientEvent, ConnectError, HandshakeInfo, Message, Transport, redact_url};
use serde_json::Value;

use super::diagnosis::Diagnosis;
use super::end::Summary;
use super::exit_code::ExitCode;
use super::explain;
use super::history::{History, NOTABLY_LATE};
use super::options::Options;
use crate::log::Report;
use crate::preview::Preview;
use crate::sids::{SidLabel, Sids};
use crate::style::{TextLine, Tone};

/// What happened. Many events may wait to be printed, so those that a server can repeat have only the
/// [beginning](crate::style::cut) of what it said.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Connecting {
        /// Redacted.
        url: String,
        unix: Option<String>,
        proxy: Option<String>,
    },
    /// Nothing has arrived for a while.
    Waiting {
        since: Duration,
        is_connected: bool,
        /// What to do if the server is of the other kind.
        other_kind: &'static str,
    },
    Open {
        handshake: HandshakeInfo,
        label: SidLabel,
        transport: Transport,
        protocol: Option<String>,
    },
    Redirected {
        to: String,
    },
    TryingTransport {
        transport: Transport,
        /// Why the session did not open on the previous transport.
        error: Option<ConnectError>,
    },
    Upgrading,
    UpgradeFailed {
        error: ConnectError,
        note: Note,
    },
    Upgrade {
        outcome: UpgradeOutcome,
        protocol: Option<String>,
        /// Why it failed, unless that was said before.
        note: Option<Note>,
    },
    /// The server sent a ping.
    Ping {
        after: Duration,
        late: Duration,
        left: Duration,
    },
    PongSent,
    PingSent,
    /// The server sent a pong.
    Pong {
        rtt: Option<Duration>,
    },
    Message {
        preview: Preview,
    },
    RequestFailed {
        error: ConnectError,
    },
    NotSent {
        why: String,
    },
    /// Socket.IO: the client joined its namespace.
    Joined {
        namespace: String,
        sid: Option<String>,
    },
    /// Socket.IO: the namespace refused the client.
    NamespaceRefused {
        namespace: String,
        why: String,
    },
    /// Socket.IO: the server disconnected the client from its namespace.
    NamespaceDisconnected {
        namespace: String,
    },
    /// Socket.IO: the server sent an event.
    Emitted {
        name: String,
        arguments: Preview,
        /// The acknowledgement that the server asks for.
        ack: Option<u64>,
    },
    /// Socket.IO: the server sent an acknowledgement.
    Ack {
        id: u64,
        arguments: Preview,
    },
    /// A second connection is opened, to see whether the server answers.
    Looking,
    End(Summary),
    /// The end in one or two sentences, for people: JSON has them in the end itself.
    Diagnosis(Summary),
    Lost {
        count: u64,
    },
}

/// A diagnosis with its texts.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) diagnosis: Diagnosis,
    pub(crate) text: String,
}

impl Note {
    fn new(diagnosis: Diagnosis, history: &History) -> Self {
        let values = history.values(Duration::ZERO);
        let text = format!("{} {}", diagnosis.meaning(&values), diagnosis.advice(&values));
        Self { diagnosis, text: text.trim_end().to_owned() }
    }
}

impl Event {
    pub(crate) fn connecting(options: &Options, client: &Client) -> Self {
        #[cfg(unix)]
        let unix = options.connection.unix.as_ref().map(|path| path.to_string_lossy().into_owned());
        #[cfg(not(unix))]
        let unix = None;
        let proxy = client.proxy().map(str::to_owned);
        Self::Connecting { url: redact_url(&options.url), unix, proxy }
    }

    pub(crate) fn message(message: &Message) -> Self {
        Self::Message { preview: Preview::of(message) }
    }

    /// Returns the event to print at once. Messages are printed when they are read, and the end when it is explained.
    pub(crate) fn of_client(event: &ClientEvent, history: &History, sids: &Sids) -> Option<Self> {
        let protocol = || history.protocol().map(str::to_owned);
        Some(match event {
            ClientEvent::Opened { handshake, transport } => Self::Open {
                handshake: handshake.clone(),
                label: sids.label(handshake.sid()),
                transport: *transport,
                protocol: protocol(),
            },
            ClientEvent::PingReceived { after, late, left } => {
                Self::Ping { after: *after, late: *late, left: *left }
            }
            ClientEvent::PongSent => Self::PongSent,
            ClientEvent::PingSent => Self::PingSent,
            ClientEvent::PongReceived { rtt } => Self::Pong { rtt: *rtt },
            ClientEvent::Redirected { to } => Self::Redirected { to: to.clone() },
            ClientEvent::TryingTransport { transport } => {
                Self::TryingTransport { transport: *transport, error: history.connect_error().cloned() }
            }
            ClientEvent::UpgradeStarted => Self::Upgrading,
            ClientEvent::UpgradeFailed { error } => Self::UpgradeFailed {
                error: error.clone(),
                note: Note::new(explain::of_upgrade(error), history),
            },
            ClientEvent::UpgradeEnded(outcome) => Self::Upgrade {
                outcome: *outcome,
                protocol: protocol(),
                note: history.of_outcome(*outcome).map(|diagnosis| Note::new(diagnosis, history)),
            },
            ClientEvent::RequestFailed { error } => Self::RequestFailed { error: error.clone() },
            _ => return None,
        })
    }
}

impl Report for Event {
    fn kind(&self) -> &'static str {
        match self {
            Self::Connecting { .. } => "connecting",
            Self::Waiting { .. } => "waiting",
            Self::Open { .. } => "open",
            Self::Redirected { .. } => "redirected",
            Self::TryingTransport { .. } => "trying",
            Self::Upgrading => "upgrading",
            Self::UpgradeFailed { .. } | Self::RequestFailed { .. } => "failed",
            Self::Upgrade { .. } => "upgrade",
            Self::Ping { .. } | Self::PingSent => "ping",
            Self::PongSent | Self::Pong { .. } => "pong",
            Self::Message { .. } => "message",
            Self::NotSent { .. } => "unsent",
            Self::Joined { .. } => "joined",
            Self::NamespaceRefused { .. } => "refused",
            Self::NamespaceDisconnected { .. } => "disconnect",
            Self::Emitted { .. } => "event",
            Self::Ack { .. } => "ack",
            Self::Looking => "looking",
            Self::End(_) => "close",
            Self::Diagnosis(_) => "diagnosis",
            Self::Lost { .. } => "lost",
        }
    }

    fn tone(&self) -> Tone {
        match self {
            Self::Open { .. }
            | Self::Joined { .. }
            | Self::Upgrade { outcome: UpgradeOutcome::Upgraded, .. } => Tone::Good,
            Self::TryingTransport { .. }
            | Self::UpgradeFailed { .. }
            | Self::RequestFailed { .. }
            | Self::Upgrade { .. }
            | Self::NotSent { .. }
            | Self::Waiting { .. }
            | Self::Lost { .. } => Tone::Notable,
            Self::Diagnosis(summary) if summary.diagnosis == Diagnosis::CLOSED => Tone::Good,
            Self::Diagnosis(summary) if summary.code == ExitCode::Closed => Tone::Notable,
            Self::End(summary) if summary.code == ExitCode::Closed => Tone::Good,
            Self::NamespaceRefused { .. }
            | Self::NamespaceDisconnected { .. }
            | Self::End(_)
            | Self::Diagnosis(_) => Tone::Bad,
            Self::Ping { late, .. } if *late >= NOTABLY_LATE => Tone::Notable,
            Self::Message { .. } | Self::Emitted { .. } | Self::Ack { .. } => Tone::Strong,
            _ => Tone::Dim,
        }
    }

    fn json(&self) -> Value {
        self.to_json()
    }

    fn text(&self, line: &mut TextLine) -> fmt::Result {
        self.write_text(line)
    }

    fn lost(count: u64) -> Self {
        Self::Lost { count }
    }
}
