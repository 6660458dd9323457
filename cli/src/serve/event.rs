//! What `eio serve` prints: a line for each event, for people or as JSON.

use core::time::Duration;
use std::io::{self, Write};
use std::net::SocketAddr;

use eio_core::upgrade::UpgradeOutcome;
use eio_core::{DisconnectReason, Heartbeat, Liveness, Revision};
use eio_tokio::{CloseFrame, Disconnect, SessionId, Transport};
use serde_json::{Value, json};

use super::listen::Place;
use crate::duration::{millis, precise_millis, setting, spoken};
use crate::log::{Report, lost_text, outcome_words};
use crate::preview::Preview;
use crate::settings::liveness_name;
use crate::style::{Style, Tone, harmless};

/// A session in the log: a number that no other has, and its identifier, of which only the beginning is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) number: u64,
    pub(crate) id: SessionId,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Listening {
        place: Place,
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
    /// The server's, or in revision 3 the client's.
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
    /// A request that opens no session, and belongs to none.
    Refused {
        transport: Transport,
        status: u16,
        code: u8,
        message: String,
        peer: Option<SocketAddr>,
    },
    /// A request under a name, or of a page, that this server does not answer to.
    Stranger {
        target: String,
        status: u16,
        message: String,
        peer: Option<SocketAddr>,
    },
    /// The server was told to stop.
    Closing {
        sessions: usize,
    },
    /// Events that were not written, because standard output was not read fast enough.
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
            Self::Refused { .. } | Self::Stranger { .. } => "refused",
            Self::Closing { .. } => "closing",
            Self::Lost { .. } => "lost",
        }
    }

    fn tone(&self) -> Tone {
        match self {
            Self::Listening { .. } => Tone::Strong,
            Self::Open { .. } | Self::Upgrade { outcome: UpgradeOutcome::Upgraded, .. } => Tone::Good,
            Self::Upgrade { .. } | Self::Refused { .. } | Self::Stranger { .. } | Self::Lost { .. } => {
                Tone::Notable
            }
            Self::Ping { .. } | Self::Pong { .. } | Self::Message { .. } | Self::Closing { .. } => Tone::Dim,
            Self::Close { end, .. } => match end.reason {
                DisconnectReason::LocalClose
                | DisconnectReason::PeerClose
                | DisconnectReason::TransportClosed => Tone::Notable,
                _ => Tone::Bad,
            },
        }
    }

    fn headline(&self, style: Style) -> Option<String> {
        let Self::Listening { place, path, heartbeat, .. } = self else { return None };
        Some(format!(
            "eio listens on {}, sessions at {path}; a ping every {}, answered within {} (Ctrl-C to stop)",
            style.paint(Tone::Strong, words(place)),
            setting(heartbeat.ping_interval()),
            setting(heartbeat.ping_timeout()),
        ))
    }

    fn subject(&self) -> Option<String> {
        self.name().map(|name| format!("#{:<4} {}", name.number, name.id.short()))
    }

    fn json(&self) -> Value {
        let mut details = self.details();
        if let (Some(name), Some(details)) = (self.name(), details.as_object_mut()) {
            // First who, then what.
            details.shift_insert(0, "session".to_owned(), name.number.into());
            details.shift_insert(1, "sid".to_owned(), name.id.short().to_string().into());
        }
        details
    }

    fn text(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Listening { .. } => Ok(()),
            Self::Open { transport, revision, peer, .. } => {
                write!(out, "{}, revision {revision}", transport.as_str())?;
                peer.map_or(Ok(()), |peer| write!(out, ", from {peer}"))
            }
            Self::Upgrade { outcome, .. } => out.write_all(outcome_words(*outcome).as_bytes()),
            Self::Ping { from_client, .. } => {
                out.write_all(if *from_client { b"from the client" } else { b"sent" })
            }
            Self::Pong { rtt, .. } => write!(out, "after {}", spoken(*rtt)),
            Self::Message { preview, .. } => preview.write(style, out),
            Self::Close { end, lived, .. } => {
                write!(out, "{}", style.paint(self.tone(), end.reason))?;
                if let Some(frame) = &end.close_frame {
                    write!(out, ", close frame {}", harmless(&frame.to_string()))?;
                }
                let facts = format!(
                    "  (silent for {}, on {}, after {})",
                    spoken(end.silent_for),
                    end.transport.as_str(),
                    spoken(*lived)
                );
                write!(out, "{}", style.paint(Tone::Dim, facts))?;
                if end.unsent > 0 { write!(out, ", {} messages unsent", end.unsent) } else { Ok(()) }
            }
            Self::Refused { transport, status, message, peer, .. } => {
                write!(out, "{}, status {status}: {}", transport.as_str(), harmless(message))?;
                peer.map_or(Ok(()), |peer| write!(out, ", from {peer}"))
            }
            Self::Stranger { target, status, message, peer } => {
                write!(out, "{}, status {status}: {message}", harmless(target))?;
                peer.map_or(Ok(()), |peer| write!(out, ", from {peer}"))
            }
            Self::Closing { sessions: 0 } => write!(out, "no session is open"),
            Self::Closing { sessions } => write!(out, "{sessions} open; Ctrl-C again leaves at once"),
            Self::Lost { count } => lost_text(*count, out),
        }
    }

    fn lost(count: u64) -> Self {
        Self::Lost { count }
    }
}

impl Event {
    /// The session it is about.
    fn name(&self) -> Option<Name> {
        match self {
            Self::Open { name, .. }
            | Self::Upgrade { name, .. }
            | Self::Ping { name, .. }
            | Self::Pong { name, .. }
            | Self::Message { name, .. }
            | Self::Close { name, .. } => Some(*name),
            Self::Listening { .. }
            | Self::Refused { .. }
            | Self::Stranger { .. }
            | Self::Closing { .. }
            | Self::Lost { .. } => None,
        }
    }

    fn details(&self) -> Value {
        match self {
            Self::Listening { place, path, heartbeat, liveness } => json!({
                "url": match place {
                    Place::Tcp(address) => Some(url(*address)),
                    #[cfg(unix)]
                    Place::Unix(_) => None,
                },
                "address": match place {
                    Place::Tcp(address) => Some(address.to_string()),
                    #[cfg(unix)]
                    Place::Unix(_) => None,
                },
                "unix": match place {
                    Place::Tcp(_) => None,
                    #[cfg(unix)]
                    Place::Unix(path) => Some(path.to_string_lossy()),
                },
                "path": path,
                "ping_interval_ms": millis(heartbeat.ping_interval()),
                "ping_timeout_ms": millis(heartbeat.ping_timeout()),
                "liveness": liveness_name(*liveness),
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
            Self::Refused { transport, status, code, message, peer } => json!({
                "transport": transport.as_str(),
                "status": status,
                "code": code,
                "message": message,
                "peer": peer.map(|peer| peer.to_string()),
            }),
            Self::Stranger { target, status, message, peer } => json!({
                "target": target,
                "status": status,
                "message": message,
                "peer": peer.map(|peer| peer.to_string()),
            }),
            Self::Closing { sessions } => json!({ "sessions": sessions }),
            Self::Lost { count } => json!({ "count": count }),
        }
    }
}

/// Where a server is, for people.
fn words(place: &Place) -> String {
    match place {
        Place::Tcp(address) => url(*address),
        #[cfg(unix)]
        Place::Unix(path) => format!("the Unix socket {}", harmless(&path.to_string_lossy())),
    }
}

/// Where a browser on this machine finds a listener.
fn url(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(_) if address.ip().is_unspecified() => format!("http://127.0.0.1:{}/", address.port()),
        SocketAddr::V6(_) if address.ip().is_unspecified() => format!("http://[::1]:{}/", address.port()),
        _ => format!("http://{address}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(event: &Event) -> (String, Value) {
        let text = event.headline(Style::PLAIN).unwrap_or_else(|| {
            let mut text = Vec::new();
            event.text(Style::PLAIN, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        (text, event.json())
    }

    #[test]
    fn the_first_line_says_where_to_go() {
        for (address, url) in [
            ("127.0.0.1:3000", "http://127.0.0.1:3000/"),
            ("0.0.0.0:80", "http://127.0.0.1:80/"),
            ("[::]:80", "http://[::1]:80/"),
            ("[::1]:80", "http://[::1]:80/"),
        ] {
            let (text, json) = both(&Event::Listening {
                place: Place::Tcp(address.parse().unwrap()),
                path: "/engine.io/".to_owned(),
                heartbeat: Heartbeat::DEFAULT,
                liveness: Liveness::ExtendOnce,
            });
            assert!(text.starts_with(&format!("eio listens on {url}, sessions at /engine.io/; ")), "{text}");
            assert_eq!(json["url"], url);
            assert_eq!(json["address"], address);
            assert_eq!(json["ping_interval_ms"], 25_000);
        }
    }
}
