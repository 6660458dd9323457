//! The events that `eio serve` prints, one line each.

use core::fmt::{self, Write as _};
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::sync::Arc;

use eio_core::upgrade::UpgradeOutcome;
use eio_core::{DisconnectReason, Heartbeat, Liveness, Revision};
use eio_tokio::{CloseFrame, Disconnect, SessionId, Transport};
use serde_json::{Value, json};

use super::cluster::NodeChange;
use super::listen::Address;
use super::socketio::SocketEvent;
use crate::duration::{millis, precise_millis, setting, spoken};
use crate::log::{Report, lost_text, outcome_words};
use crate::preview::Preview;
use crate::sids::SidLabel;
use crate::style::{TextLine, Tone, cut};

/// The name of a session in the log: its number, and as much of its id as may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) number: u64,
    pub(crate) id: SessionId,
    pub(crate) label: SidLabel,
}

impl Name {
    fn sid(&self) -> String {
        self.label.shown(self.id.as_str())
    }
}

/// What happened. Many events may wait to be printed, so each has only the [beginning](cut) of what a peer said.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Listening {
        address: Address,
        tls: bool,
        path: String,
        heartbeat: Heartbeat,
        liveness: Liveness,
    },
    Open {
        name: Name,
        transport: Transport,
        revision: Revision,
        peer: Option<SocketAddr>,
    },
    Upgrade {
        name: Name,
        outcome: UpgradeOutcome,
    },
    /// The server sent a ping, or the client in revision 3.
    Ping {
        name: Name,
        from_client: bool,
    },
    Pong {
        name: Name,
        rtt: Duration,
    },
    Message {
        name: Name,
        preview: Preview,
    },
    Close {
        name: Name,
        end: Disconnect,
        lived: Duration,
    },
    /// A socket of Socket.IO joins or leaves a namespace, or fails to. The session may have ended already.
    Socket {
        name: Option<Name>,
        event: SocketEvent,
    },
    /// The server refused a request that belongs to no session.
    Refused {
        transport: Transport,
        status: u16,
        code: u8,
        message: String,
        /// What the server found in the request, and what it expected.
        context: String,
        user_agent: Option<String>,
        /// The hash of the sid that the request names.
        sid_hash: Option<String>,
        peer: Option<SocketAddr>,
    },
    /// The server refused a request because of its path, its host name or its origin.
    Denied {
        target: String,
        status: u16,
        message: String,
        peer: Option<SocketAddr>,
    },
    /// Another node of the cluster has come, is going or is gone.
    Node {
        node: Arc<str>,
        change: NodeChange,
    },
    /// The bus is connected, or is away and why.
    Bus {
        cause: Option<String>,
        /// The messages that were lost since the last of these events.
        lost: u64,
    },
    /// The server is stopping.
    Closing {
        sessions: usize,
    },
    /// Events were dropped, because standard output was not read fast enough.
    Lost {
        count: u64,
    },
}

impl Report for Event {
    fn kind(&self) -> &'static str {
        match self {
            Self::Listening { .. } => "listening",
            Self::Open { .. } => "open",
            Self::Upgrade { .. } => "upgrade",
            Self::Ping { .. } => "ping",
            Self::Pong { .. } => "pong",
            Self::Message { .. } => "message",
            Self::Close { .. } => "close",
            Self::Socket { event, .. } => event.kind(),
            Self::Refused { .. } | Self::Denied { .. } => "refused",
            Self::Node { .. } => "node",
            Self::Bus { .. } => "bus",
            Self::Closing { .. } => "closing",
            Self::Lost { .. } => "lost",
        }
    }

    fn tone(&self) -> Tone {
        match self {
            Self::Listening { .. } => Tone::Strong,
            Self::Open { .. }
            | Self::Upgrade { outcome: UpgradeOutcome::Upgraded, .. }
            | Self::Node { change: NodeChange::Joined, .. }
            | Self::Bus { cause: None, .. } => Tone::Good,
            Self::Node { change: NodeChange::Twice, .. } | Self::Bus { .. } => Tone::Bad,
            Self::Upgrade { .. }
            | Self::Refused { .. }
            | Self::Denied { .. }
            | Self::Node { .. }
            | Self::Lost { .. } => Tone::Notable,
            Self::Ping { .. } | Self::Pong { .. } | Self::Message { .. } | Self::Closing { .. } => Tone::Dim,
            Self::Socket { event, .. } => event.tone(),
            Self::Close { end, .. } => match end.reason {
                DisconnectReason::LocalClose
                | DisconnectReason::PeerClose
                | DisconnectReason::TransportClosed => Tone::Notable,
                _ => Tone::Bad,
            },
        }
    }

    fn is_headline(&self) -> bool {
        matches!(self, Self::Listening { .. })
    }

    fn subject(&self) -> Option<String> {
        self.name().map(|name| format!("#{:<4} {}", name.number, name.sid()))
    }

    fn json(&self) -> Value {
        let mut details = self.details();
        if let (Some(name), Some(details)) = (self.name(), details.as_object_mut()) {
            // The session comes first.
            details.shift_insert(0, "session".to_owned(), name.number.into());
            details.shift_insert(1, "sid".to_owned(), name.sid().into());
            details.shift_insert(2, "sid_hash".to_owned(), name.label.hash().into());
        }
        details
    }

    fn text(&self, line: &mut TextLine) -> fmt::Result {
        match self {
            Self::Listening { address, tls, path, heartbeat, .. } => {
                listening(address, *tls, path, *heartbeat, line)
            }
            Self::Open { transport, revision, peer, .. } => {
                write!(line, "on {}, revision {revision}", transport.as_str())?;
                from(*peer, line)
            }
            Self::Upgrade { outcome, .. } => line.write_str(&outcome_words(*outcome)),
            Self::Ping { from_client, .. } => {
                line.write_str(if *from_client { "from the client" } else { "sent" })
            }
            Self::Pong { rtt, .. } => write!(line, "received after {}", spoken(*rtt)),
            Self::Message { preview, .. } => preview.write(line),
            Self::Close { end, lived, .. } => self.close(end, *lived, line),
            Self::Socket { event, .. } => event.text(line),
            Self::Refused { transport, status, message, context, peer, .. } => {
                let transport = transport.as_str();
                write!(line, "{transport}, status {status}: {} ({context})", cut(message))?;
                from(*peer, line)
            }
            Self::Denied { target, status, message, peer } => {
                write!(line, "{target}, status {status}: {message}")?;
                from(*peer, line)
            }
            Self::Node { node, change } => write!(line, "{node} {}", change.as_str()),
            Self::Bus { cause, lost } => {
                match cause {
                    None => line.write_str("connected")?,
                    Some(cause) => write!(line, "not connected: {cause}")?,
                }
                if *lost > 0 { write!(line, ", {lost} messages lost") } else { Ok(()) }
            }
            Self::Closing { sessions: 0 } => line.write_str("no session is open"),
            Self::Closing { sessions } => {
                write!(line, "closing {sessions} sessions (Ctrl-C again to exit at once)")
            }
            Self::Lost { count } => lost_text(*count, line),
        }
    }

    fn lost(count: u64) -> Self {
        Self::Lost { count }
    }
}

impl Event {
    /// Returns the name of the session that the event belongs to.
    fn name(&self) -> Option<Name> {
        match self {
            Self::Open { name, .. }
            | Self::Upgrade { name, .. }
            | Self::Ping { name, .. }
            | Self::Pong { name, .. }
            | Self::Message { name, .. }
            | Self::Close { name, .. } => Some(*name),
            Self::Socket { name, .. } => *name,
            Self::Listening { .. }
            | Self::Refused { .. }
            | Self::Denied { .. }
            | Self::Node { .. }
            | Self::Bus { .. }
            | Self::Closing { .. }
            | Self::Lost { .. } => None,
        }
    }

    fn close(&self, end: &Disconnect, lived: Duration, line: &mut TextLine) -> fmt::Result {
        line.paint(self.tone(), end.reason)?;
        if let Some(frame) = &end.close_frame {
            write!(line, ", close frame {frame}")?;
        }
        line.paint(
            Tone::Dim,
            format_args!(
                "  (last sign of life {} ago, on {}, open for {})",
                spoken(end.silent_for),
                end.transport.as_str(),
                spoken(lived)
            ),
        )?;
        if end.unsent > 0 { write!(line, ", {} messages not sent", end.unsent) } else { Ok(()) }
    }

    fn details(&self) -> Value {
        match self {
            Self::Listening { address, tls, path, heartbeat, liveness } => json!({
                "url": tcp(address).map(|address| url(address, *tls)),
                "address": tcp(address).map(|address| address.to_string()),
                "unix": unix(address),
                "tls": tls,
                "path": path,
                "ping_interval_ms": millis(heartbeat.ping_interval()),
                "ping_timeout_ms": millis(heartbeat.ping_timeout()),
                "liveness": liveness.as_str(),
            }),
            Self::Open { transport, revision, peer, .. } => json!({
                "transport": transport.as_str(),
                "eio": revision.number(),
                "peer": peer.map(|peer| peer.to_string()),
            }),
            Self::Upgrade { outcome, .. } => json!({ "outcome": outcome_words(*outcome) }),
            Self::Ping { from_client, .. } => {
                json!({ "from": if *from_client { "client" } else { "server" } })
            }
            Self::Pong { rtt, .. } => json!({ "rtt_ms": precise_millis(*rtt) }),
            Self::Message { preview, .. } => preview.json(),
            Self::Close { end, lived, .. } => json!({
                "reason": end.reason.as_str(),
                "detail": end.reason.to_string(),
                "silent_ms": millis(end.silent_for),
                "transport": end.transport.as_str(),
                "lived_ms": millis(*lived),
                "unsent": end.unsent,
                "close_code": end.close_frame.as_ref().map(|frame| frame.code().as_u16()),
                "close_reason": end.close_frame.as_ref().map(CloseFrame::reason),
            }),
            Self::Socket { event, .. } => event.json(),
            Self::Refused { transport, status, code, message, context, user_agent, sid_hash, peer } => {
                json!({
                    "transport": transport.as_str(),
                    "status": status,
                    "code": code,
                    "message": message,
                    "context": context,
                    "user_agent": user_agent,
                    "sid_hash": sid_hash,
                    "peer": peer.map(|peer| peer.to_string()),
                })
            }
            Self::Denied { target, status, message, peer } => json!({
                "target": target,
                "status": status,
                "message": message,
                "peer": peer.map(|peer| peer.to_string()),
            }),
            Self::Node { node, change } => json!({ "node": &**node, "change": change.as_str() }),
            Self::Bus { cause, lost } => json!({ "up": cause.is_none(), "cause": cause, "lost": lost }),
            Self::Closing { sessions } => json!({ "sessions": sessions }),
            Self::Lost { count } => json!({ "count": count }),
        }
    }
}

fn listening(
    address: &Address,
    tls: bool,
    path: &str,
    heartbeat: Heartbeat,
    line: &mut TextLine,
) -> fmt::Result {
    line.write_str("eio listens on ")?;
    if let Some(address) = tcp(address) {
        line.paint(Tone::Strong, url(address, tls))?;
    } else {
        line.paint(Tone::Strong, format_args!("the Unix socket {}", unix(address).unwrap_or_default()))?;
        line.write_str(if tls { ", with TLS" } else { "" })?;
    }
    write!(
        line,
        "; sessions at {path}; ping interval {}, ping timeout {} (Ctrl-C to stop)",
        setting(heartbeat.ping_interval()),
        setting(heartbeat.ping_timeout()),
    )
}

fn from(peer: Option<SocketAddr>, line: &mut TextLine) -> fmt::Result {
    peer.map_or(Ok(()), |peer| write!(line, ", from {peer}"))
}

fn tcp(address: &Address) -> Option<SocketAddr> {
    match address {
        Address::Tcp(address) => Some(*address),
        #[cfg(unix)]
        Address::Unix(_) => None,
    }
}

fn unix(address: &Address) -> Option<String> {
    match address {
        Address::Tcp(_) => None,
        #[cfg(unix)]
        Address::Unix(path) => Some(path.to_string_lossy().into_owned()),
    }
}

/// Returns the URL at which a browser on this machine finds the server.
fn url(address: SocketAddr, tls: bool) -> String {
    let (scheme, port) = (if tls { "https" } else { "http" }, address.port());
    match address.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("{scheme}://127.0.0.1:{port}/"),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("{scheme}://[::1]:{port}/"),
        _ => format!("{scheme}://{address}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Style;

    fn both(event: &Event) -> (String, Value) {
        let mut line = TextLine::new(Style::PLAIN);
        event.text(&mut line).unwrap();
        (line.into_text(), event.json())
    }

    #[test]
    fn the_first_line_has_the_url_for_a_browser() {
        for (address, tls, url) in [
            ("127.0.0.1:3000", false, "http://127.0.0.1:3000/"),
            ("127.0.0.1:3000", true, "https://127.0.0.1:3000/"),
            ("0.0.0.0:80", false, "http://127.0.0.1:80/"),
            ("0.0.0.0:443", true, "https://127.0.0.1:443/"),
            ("[::]:80", false, "http://[::1]:80/"),
            ("[::]:443", true, "https://[::1]:443/"),
            ("[::ffff:0.0.0.0]:80", false, "http://127.0.0.1:80/"),
            ("[::1]:80", false, "http://[::1]:80/"),
        ] {
            let (text, json) = both(&Event::Listening {
                address: Address::Tcp(address.parse().unwrap()),
                tls,
                path: "/engine.io/".to_owned(),
                heartbeat: Heartbeat::DEFAULT,
                liveness: Liveness::ExtendOnce,
            });
            assert!(text.starts_with(&format!("eio listens on {url}; sessions at /engine.io/; ")), "{text}");
            assert_eq!(json["url"], url);
            assert_eq!(json["address"], address);
            assert_eq!(json["ping_interval_ms"], 25_000);
        }
    }
}
