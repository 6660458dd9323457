//! What `eio connect` prints: a line for each event, for people or as JSON.

use core::time::Duration;
use std::io::{self, Write};

use eio_core::handshake::Transport as Upgrade;
use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::{Client, ClientEvent, ConnectError, HandshakeInfo, Message, Transport, redact_url};
use serde_json::{Value, json};

use super::exit_code::ExitCode;
use super::options::Options;
use super::story::{Story, Told};
use crate::duration::{millis, precise_millis, setting, spoken};
use crate::log::{Report, lost_text, outcome_words};
use crate::preview::Preview;
use crate::proxies;
use crate::style::{Style, Tone, harmless};

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Connecting {
        /// Redacted.
        url: String,
        unix: Option<String>,
        proxy: Option<String>,
    },
    /// Nothing has come for a while.
    Waiting {
        since: Duration,
        is_connected: bool,
    },
    Open {
        handshake: HandshakeInfo,
        transport: Transport,
        protocol: Option<String>,
    },
    Redirected {
        to: String,
    },
    TryingTransport {
        transport: Transport,
        /// Why there is no session on the one before.
        error: Option<ConnectError>,
    },
    Upgrading,
    UpgradeFailed {
        error: ConnectError,
    },
    Upgrade {
        outcome: UpgradeOutcome,
        protocol: Option<String>,
    },
    /// The server's.
    Ping {
        after: Duration,
        late: Duration,
        left: Duration,
    },
    PongSent,
    PingSent,
    /// The server's.
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
    /// Socket.IO: the namespace answered.
    Joined {
        namespace: String,
        sid: Option<String>,
    },
    /// Socket.IO: the namespace refused.
    RefusedNamespace {
        namespace: String,
        why: String,
    },
    /// Socket.IO: the server disconnected this client.
    Left {
        namespace: String,
    },
    /// Socket.IO: an event.
    Happened {
        name: String,
        arguments: Preview,
        asks: Option<u64>,
    },
    /// Socket.IO: an acknowledgement.
    Ack {
        id: u64,
        arguments: Preview,
    },
    End(Told),
    Lost {
        count: u64,
    },
}

impl Event {
    pub(crate) fn connecting(options: &Options, client: &Client) -> Self {
        #[cfg(unix)]
        let unix = options.way.unix.as_ref().map(|path| path.to_string_lossy().into_owned());
        #[cfg(not(unix))]
        let unix = None;
        let proxy = client.proxy().map(str::to_owned);
        Self::Connecting { url: redact_url(&options.url), unix, proxy }
    }

    pub(crate) fn message(message: &Message) -> Self {
        Self::Message { preview: Preview::of(message) }
    }

    /// What is worth a line at once. Messages get theirs when they are read, the end when its story is told.
    pub(crate) fn of_client(event: &ClientEvent, story: &Story) -> Option<Self> {
        let protocol = || story.protocol().map(str::to_owned);
        Some(match event {
            ClientEvent::Opened { handshake, transport } => {
                Self::Open { handshake: handshake.clone(), transport: *transport, protocol: protocol() }
            }
            ClientEvent::PingReceived { after, late, left } => {
                Self::Ping { after: *after, late: *late, left: *left }
            }
            ClientEvent::PongSent => Self::PongSent,
            ClientEvent::PingSent => Self::PingSent,
            ClientEvent::PongReceived { rtt } => Self::Pong { rtt: *rtt },
            ClientEvent::Redirected { to } => Self::Redirected { to: to.clone() },
            ClientEvent::TryingTransport { transport } => {
                Self::TryingTransport { transport: *transport, error: story.connect_error().cloned() }
            }
            ClientEvent::UpgradeStarted => Self::Upgrading,
            ClientEvent::UpgradeFailed { error } => Self::UpgradeFailed { error: error.clone() },
            ClientEvent::UpgradeEnded(outcome) => Self::Upgrade { outcome: *outcome, protocol: protocol() },
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
            Self::RefusedNamespace { .. } => "refused",
            Self::Left { .. } => "left",
            Self::Happened { .. } => "event",
            Self::Ack { .. } => "ack",
            Self::End(_) => "close",
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
            Self::RefusedNamespace { .. } | Self::Left { .. } => Tone::Bad,
            Self::End(told) => {
                if told.code == ExitCode::Closed {
                    Tone::Good
                } else {
                    Tone::Bad
                }
            }
            Self::Ping { late, .. } if *late >= NOTABLY_LATE => Tone::Notable,
            Self::Message { .. } | Self::Happened { .. } | Self::Ack { .. } => Tone::Strong,
            _ => Tone::Dim,
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Connecting { url, unix, proxy } => json!({ "url": url, "unix": unix, "proxy": proxy }),
            Self::Waiting { since, is_connected } => json!({
                "waited_ms": millis(*since),
                "awaited": if *is_connected { "handshake" } else { "connection" },
            }),
            Self::Open { handshake, transport, protocol } => {
                let upgrades: Vec<&str> = if handshake.upgrades().contains(Upgrade::WebSocket) {
                    vec!["websocket"]
                } else {
                    vec![]
                };
                json!({
                    "sid": short(handshake.sid()),
                    "transport": transport.as_str(),
                    "ping_interval_ms": millis(handshake.heartbeat().ping_interval()),
                    "ping_timeout_ms": millis(handshake.heartbeat().ping_timeout()),
                    "max_payload": handshake.max_payload(),
                    "upgrades": upgrades,
                    "protocol": protocol,
                    "warning": proxies::warning(handshake.heartbeat()),
                })
            }
            Self::Redirected { to } => json!({ "to": to }),
            Self::TryingTransport { transport, error } => json!({
                "transport": transport.as_str(),
                "error": error.as_ref().map(ToString::to_string),
            }),
            Self::Upgrading => json!({}),
            Self::UpgradeFailed { error } => json!({
                "what": "upgrade",
                "error": error.to_string(),
                "hint": proxies::stripped_upgrade(error),
            }),
            Self::RequestFailed { error } => json!({ "what": "request", "error": error.to_string() }),
            Self::Upgrade { outcome, protocol } => {
                json!({ "outcome": outcome_words(*outcome), "protocol": protocol })
            }
            Self::Ping { after, late, left } => json!({
                "from": "server",
                "after_ms": precise_millis(*after),
                "late_ms": precise_millis(*late),
                "left_ms": millis(*left),
            }),
            Self::PingSent | Self::PongSent => json!({ "from": "client" }),
            Self::Pong { rtt } => json!({ "from": "server", "rtt_ms": rtt.map(precise_millis) }),
            Self::Message { preview } => preview.json(),
            Self::NotSent { why } => json!({ "why": why }),
            Self::Joined { namespace, sid } => json!({ "namespace": namespace, "sid": sid }),
            Self::RefusedNamespace { namespace, why } => json!({ "namespace": namespace, "why": why }),
            Self::Left { namespace } => json!({ "namespace": namespace }),
            Self::Happened { name, arguments, asks } => {
                json!({ "name": name, "arguments": arguments.json(), "id": asks })
            }
            Self::Ack { id, arguments } => json!({ "id": id, "arguments": arguments.json() }),
            Self::End(told) => told.json(),
            Self::Lost { count } => json!({ "count": count }),
        }
    }

    fn text(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Connecting { url, unix, proxy } => {
                write!(out, "{}", harmless(url))?;
                match (unix, proxy) {
                    (Some(path), _) => write!(out, " over the Unix socket {}", harmless(path)),
                    (None, Some(proxy)) => write!(out, " through the proxy {}", harmless(proxy)),
                    (None, None) => Ok(()),
                }
            }
            Self::Open { handshake, transport, protocol } => {
                open_text(handshake, *transport, protocol.as_deref(), out)
            }
            Self::Waiting { since, is_connected } => {
                let awaited = if *is_connected {
                    "the server has taken the connection, and has not answered: its handshake is awaited. Is this the \
                     port of an Engine.IO server, and can it take more connections?"
                } else {
                    "a connection is awaited: packets to this host and port get no answer, or TLS gets none"
                };
                write!(out, "for {}: {awaited}", spoken(*since))
            }
            Self::Redirected { to } => write!(out, "to {}", harmless(to)),
            Self::TryingTransport { transport, error } => {
                write!(out, "{}", transport.as_str())?;
                error.as_ref().map_or(Ok(()), |error| write!(out, ", after: {error}"))
            }
            Self::Upgrading => write!(out, "opening a WebSocket"),
            Self::UpgradeFailed { error } => {
                write!(out, "{error}")?;
                proxies::stripped_upgrade(error).map_or(Ok(()), |hint| write!(out, "; {hint}"))
            }
            Self::RequestFailed { error } => write!(out, "{error}"),
            Self::Upgrade { outcome, protocol } => {
                out.write_all(outcome_words(*outcome).as_bytes())?;
                protocol_text(protocol.as_deref(), out)
            }
            Self::Ping { after, late, left } => {
                let late = if *late < Duration::from_millis(1) {
                    "on time".to_owned()
                } else {
                    format!("{} late", spoken(*late))
                };
                write!(out, "received after {}, {}", spoken(*after), style.paint(self.tone(), late))?;
                let facts = format!("  ({} were left)", spoken(*left));
                write!(out, "{}", style.paint(Tone::Dim, facts))
            }
            Self::PongSent | Self::PingSent => write!(out, "sent"),
            Self::Pong { rtt: Some(rtt) } => write!(out, "received after {}", spoken(*rtt)),
            Self::Pong { rtt: None } => write!(out, "received, though no ping awaited it"),
            Self::Message { preview } => preview.write(style, out),
            Self::NotSent { why } => out.write_all(harmless(why).as_bytes()),
            Self::Joined { namespace, sid } => {
                write!(out, "{}", harmless(namespace))?;
                sid.as_ref().map_or(Ok(()), |sid| write!(out, ", as {}…", harmless(sid)))
            }
            Self::RefusedNamespace { namespace, why } => {
                write!(out, "by {}: {}", harmless(namespace), harmless(why))
            }
            Self::Left { namespace } => {
                write!(out, "{}: the server disconnected this client", harmless(namespace))
            }
            Self::Happened { name, arguments, asks } => {
                write!(out, "{}  ", style.paint(Tone::Strong, harmless(name)))?;
                arguments.write(style, out)?;
                asks.map_or(Ok(()), |id| write!(out, ", asks for acknowledgement {id}"))
            }
            Self::Ack { id, arguments } => {
                write!(out, "{id}  ")?;
                arguments.write(style, out)
            }
            Self::End(told) => told.text(out),
            Self::Lost { count } => lost_text(*count, out),
        }
    }

    fn lost(count: u64) -> Self {
        Self::Lost { count }
    }
}

/// A ping that is later than this deserves a second look.
const NOTABLY_LATE: Duration = Duration::from_millis(500);

fn open_text(
    handshake: &HandshakeInfo,
    transport: Transport,
    protocol: Option<&str>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let heartbeat = handshake.heartbeat();
    write!(out, "{}, on {}", harmless(&short(handshake.sid())), transport.as_str())?;
    protocol_text(protocol, out)?;
    write!(
        out,
        "; a ping every {}, answered within {}",
        setting(heartbeat.ping_interval()),
        setting(heartbeat.ping_timeout())
    )?;
    if let Some(bytes) = handshake.max_payload() {
        write!(out, "; at most {bytes} bytes at once")?;
    }
    proxies::warning(heartbeat).map_or(Ok(()), |warning| write!(out, "; mind that {warning}"))
}

fn protocol_text(protocol: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    protocol.map_or(Ok(()), |protocol| write!(out, " with the subprotocol {}", harmless(protocol)))
}

/// Enough of a sid to follow it through a log: whoever knows the whole can speak for this client.
fn short(sid: &str) -> String {
    let shown = sid.chars().count().min(8) / 2;
    sid.chars().take(shown).chain(['…']).collect()
}
