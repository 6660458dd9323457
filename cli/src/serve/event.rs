//! What `eio serve` prints: a line for each event, for people or as JSON.

use core::time::Duration;
use std::io::{self, Write};
use std::net::SocketAddr;

use eio_core::upgrade::UpgradeOutcome;
use eio_core::{DisconnectReason, Heartbeat, Liveness};
use eio_tokio::{Disconnect, Message, SessionId, Transport};
use serde_json::{Value, json};

use crate::clock::{Clock, Moment};
use crate::duration::{millis, precise_millis, setting, spoken};
use crate::output::{self, Output};
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
        address: SocketAddr,
        path: String,
        heartbeat: Heartbeat,
        liveness: Liveness,
    },
    Open {
        name: Name,
        transport: Transport,
        revision: u8,
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
    /// The server was told to stop.
    Closing {
        sessions: usize,
    },
    /// Events that were not written, because standard output was not read fast enough.
    Lost {
        count: u64,
    },
}

/// The beginning of a message, so that waiting lines do not keep large messages in memory.
#[derive(Clone, Debug)]
pub(crate) struct Preview {
    bytes: usize,
    /// `None` for binary messages.
    text: Option<Box<str>>,
}

impl Preview {
    const MAX_LEN: usize = 200;

    pub(crate) fn of(message: &Message) -> Self {
        let text = message.as_text().map(|text| {
            let end = text.floor_char_boundary(Self::MAX_LEN);
            text.get(..end).unwrap_or_default().into()
        });
        Self { bytes: message.len(), text }
    }
}

/// Takes events and prints them.
#[derive(Clone)]
pub(crate) struct Log {
    clock: Clock,
    form: Form,
    output: Output<Line>,
}

/// How lines look.
#[derive(Clone, Copy, Debug)]
enum Form {
    Json,
    Text(Style),
}

impl Log {
    /// A log on standard output.
    pub(crate) fn start(clock: Clock, json: bool) -> Self {
        let form = if json { Form::Json } else { Form::Text(Style::of_stdout()) };
        Self { clock, form, output: Output::start(io::stdout()) }
    }

    /// Prints an event, now or as soon as those before it are out; never waits.
    pub(crate) fn put(&self, event: Event) {
        let since_start = self.clock.elapsed();
        self.output.put(Line { at: Moment::now(), since_start, form: self.form, event });
    }

    /// Ready once nobody reads standard output any more.
    pub(crate) async fn closed(&self) {
        self.output.closed().await;
    }

    /// Prints what waits to be printed, and nothing afterwards.
    pub(crate) async fn finish(&self) {
        self.output.finish().await;
    }
}

/// An event and when it happened.
#[derive(Clone, Debug)]
struct Line {
    at: Moment,
    since_start: Duration,
    form: Form,
    event: Event,
}

impl output::Line for Line {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.form {
            Form::Json => writeln!(out, "{}", self.to_json()),
            Form::Text(style) => self.write_text(style, out),
        }
    }

    fn lost(&self, count: u64) -> Self {
        Self { event: Event::Lost { count }, ..*self }
    }
}

impl Event {
    fn kind(&self) -> &'static str {
        match self {
            Self::Listening { .. } => "listening",
            Self::Open { .. } => "open",
            Self::Upgrade { .. } => "upgrade",
            Self::Ping { .. } => "ping",
            Self::Pong { .. } => "pong",
            Self::Message { .. } => "message",
            Self::Close { .. } => "close",
            Self::Closing { .. } => "closing",
            Self::Lost { .. } => "lost",
        }
    }

    /// The session it is about.
    fn name(&self) -> Option<Name> {
        match self {
            Self::Open { name, .. }
            | Self::Upgrade { name, .. }
            | Self::Ping { name, .. }
            | Self::Pong { name, .. }
            | Self::Message { name, .. }
            | Self::Close { name, .. } => Some(*name),
            Self::Listening { .. } | Self::Closing { .. } | Self::Lost { .. } => None,
        }
    }
}

impl Line {
    fn to_json(&self) -> Value {
        let mut line = json!({
            "event": self.event.kind(),
            "at": self.at.to_string(),
            "ms": millis(self.since_start),
        });
        if let Some(name) = self.event.name() {
            line["session"] = name.number.into();
            line["sid"] = name.id.to_string().into();
        }
        let details = match &self.event {
            Event::Listening { address, path, heartbeat, liveness } => json!({
                "url": url(*address),
                "address": address.to_string(),
                "path": path,
                "ping_interval_ms": millis(heartbeat.ping_interval()),
                "ping_timeout_ms": millis(heartbeat.ping_timeout()),
                "liveness": liveness_name(*liveness),
            }),
            Event::Open { transport, revision, peer, .. } => json!({
                "transport": transport.as_str(),
                "eio": revision,
                "peer": peer.map(|peer| peer.to_string()),
            }),
            Event::Upgrade { outcome, .. } => json!({ "outcome": outcome_words(*outcome) }),
            Event::Ping { from_client, .. } => {
                json!({ "from": if *from_client { "client" } else { "server" } })
            }
            Event::Pong { rtt, .. } => json!({ "rtt_ms": precise_millis(*rtt) }),
            Event::Message { preview, .. } => match &preview.text {
                Some(text) => json!({ "kind": "text", "bytes": preview.bytes, "data": text }),
                None => json!({ "kind": "binary", "bytes": preview.bytes }),
            },
            Event::Close { end, lived, .. } => json!({
                "reason": end.reason.as_str(),
                "detail": end.reason.to_string(),
                "silent_ms": millis(end.silent_for),
                "transport": end.transport.as_str(),
                "lived_ms": millis(*lived),
                "unsent": end.unsent,
            }),
            Event::Closing { sessions } => json!({ "sessions": sessions }),
            Event::Lost { count } => json!({ "count": count }),
        };
        if let (Some(line), Value::Object(details)) = (line.as_object_mut(), details) {
            line.extend(details);
        }
        line
    }

    fn write_text(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        if let Event::Listening { address, path, heartbeat, .. } = &self.event {
            return writeln!(
                out,
                "eio listens on {}, sessions at {path}; a ping every {}, answered within {} (Ctrl-C to stop)",
                style.paint(Tone::Strong, url(*address)),
                setting(heartbeat.ping_interval()),
                setting(heartbeat.ping_timeout()),
            );
        }
        let seconds = format!("{:9.3}", self.since_start.as_secs_f64());
        write!(out, "{}  ", style.paint(Tone::Dim, seconds))?;
        if let Some(name) = self.event.name() {
            let number = format!("#{}", name.number);
            write!(out, "{number:<5} {}  ", style.paint(Tone::Dim, name.id.to_string()))?;
        }
        write!(out, "{}", style.paint(self.event.tone(), format!("{:<8}", self.event.kind())))?;
        match &self.event {
            Event::Listening { .. } => {}
            Event::Open { transport, revision, peer, .. } => {
                write!(out, "{}, revision {revision}", transport.as_str())?;
                if let Some(peer) = peer {
                    write!(out, ", from {peer}")?;
                }
            }
            Event::Upgrade { outcome, .. } => out.write_all(outcome_words(*outcome).as_bytes())?,
            Event::Ping { from_client, .. } => {
                out.write_all(if *from_client { b"from the client" } else { b"sent" })?;
            }
            Event::Pong { rtt, .. } => write!(out, "after {}", spoken(*rtt))?,
            Event::Message { preview, .. } => preview.write(style, out)?,
            Event::Close { end, lived, .. } => {
                write!(out, "{}", style.paint(self.event.tone(), end.reason))?;
                let facts = format!(
                    "  (silent for {}, on {}, after {})",
                    spoken(end.silent_for),
                    end.transport.as_str(),
                    spoken(*lived)
                );
                write!(out, "{}", style.paint(Tone::Dim, facts))?;
                if end.unsent > 0 {
                    write!(out, ", {} messages unsent", end.unsent)?;
                }
            }
            Event::Closing { sessions: 0 } => write!(out, "no session is open")?,
            Event::Closing { sessions } => {
                write!(out, "{sessions} open; Ctrl-C again leaves at once")?;
            }
            Event::Lost { count } => write!(out, "{count} events: standard output was too slow")?,
        }
        out.write_all(b"\n")
    }
}

impl Event {
    fn tone(&self) -> Tone {
        match self {
            Self::Listening { .. } => Tone::Strong,
            Self::Open { .. } | Self::Upgrade { outcome: UpgradeOutcome::Upgraded, .. } => Tone::Good,
            Self::Upgrade { .. } | Self::Lost { .. } => Tone::Notable,
            Self::Ping { .. } | Self::Pong { .. } | Self::Message { .. } | Self::Closing { .. } => Tone::Dim,
            Self::Close { end, .. } => match end.reason {
                DisconnectReason::LocalClose
                | DisconnectReason::PeerClose
                | DisconnectReason::TransportClosed => Tone::Notable,
                _ => Tone::Bad,
            },
        }
    }
}

impl Preview {
    fn write(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        let Some(text) = &self.text else { return write!(out, "binary, {} bytes", self.bytes) };
        let rest = if text.len() < self.bytes { "…" } else { "" };
        let size = format!("  ({} bytes)", self.bytes);
        write!(out, "{}{rest}{}", harmless(text), style.paint(Tone::Dim, size))
    }
}

fn outcome_words(outcome: UpgradeOutcome) -> String {
    match outcome {
        UpgradeOutcome::Upgraded => "websocket".to_owned(),
        UpgradeOutcome::Failed(failure) => format!("failed: {failure}"),
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
    use crate::output::Line as _;

    fn written(form: Form, event: Event) -> String {
        let line = Line { at: Moment::default(), since_start: Duration::from_millis(1_234), form, event };
        let mut out = Vec::new();
        line.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn both(event: &Event) -> (String, Value) {
        let json = written(Form::Json, event.clone());
        assert_eq!(json.lines().count(), 1, "{json}");
        (written(Form::Text(Style::PLAIN), event.clone()), serde_json::from_str(&json).unwrap())
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
                address: address.parse().unwrap(),
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

    #[test]
    fn a_lost_line_keeps_the_moment() {
        let (text, json) = both(&Event::Lost { count: 7 });
        assert_eq!(text, "    1.234  lost    7 events: standard output was too slow\n");
        assert_eq!(json["ms"], 1_234);
        assert_eq!(json["count"], 7);
        assert_eq!(json["at"], "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_preview_ends_at_a_character() {
        let preview = Preview::of(&Message::text("é".repeat(150)));
        assert_eq!(preview.bytes, 300);
        assert_eq!(preview.text.as_deref(), Some("é".repeat(100).as_str()));
        assert!(Preview::of(&Message::binary(vec![0xff; 3])).text.is_none());
    }
}
