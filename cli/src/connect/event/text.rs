//! Events as text for people.

use core::fmt::{self, Write as _};
use core::time::Duration;

use eio_tokio::{HandshakeInfo, Transport};

use super::Event;
use crate::duration::{setting, spoken};
use crate::log::{Report as _, lost_text, outcome_words};
use crate::proxies::interval_warning;
use crate::sids::SidLabel;
use crate::style::{TextLine, Tone, cut};

impl Event {
    /// Writes the text after the kind of the event.
    pub(super) fn write_text(&self, line: &mut TextLine) -> fmt::Result {
        match self {
            Self::Connecting { url, unix, proxy } => connecting(url, unix.as_deref(), proxy.as_deref(), line),
            Self::Open { handshake, label, transport, protocol } => {
                open(handshake, *label, *transport, protocol.as_deref(), line)
            }
            Self::Waiting { since, is_connected, other_kind } => {
                waiting(*since, *is_connected, other_kind, line)
            }
            Self::Redirected { to } => write!(line, "to {}", cut(to)),
            Self::TryingTransport { transport, error: None } => line.write_str(transport.as_str()),
            Self::TryingTransport { transport, error: Some(error) } => {
                write!(line, "{}, because the other transport failed: {error}", transport.as_str())
            }
            Self::Upgrading => line.write_str("opening a WebSocket"),
            Self::UpgradeFailed { error, note } => {
                write!(line, "the WebSocket did not open: {error}. {}", note.text)
            }
            Self::RequestFailed { error } => write!(line, "{error}"),
            Self::Upgrade { outcome, protocol: chosen, note } => {
                line.write_str(&outcome_words(*outcome))?;
                protocol(chosen.as_deref(), line)?;
                note.as_ref().map_or(Ok(()), |note| write!(line, ". {}", note.text))
            }
            Self::Ping { after, late, left } => self.ping(*after, *late, *left, line),
            Self::PongSent | Self::PingSent => line.write_str("sent"),
            Self::Pong { rtt: Some(rtt) } => write!(line, "received after {}", spoken(*rtt)),
            Self::Pong { rtt: None } => line.write_str("received, but no ping was waiting for it"),
            Self::Message { preview } => preview.write(line),
            Self::NotSent { why } => line.write_str(&cut(why)),
            Self::Joined { namespace, sid: None } => line.write_str(&cut(namespace)),
            Self::Joined { namespace, sid: Some(sid) } => write!(line, "{}, as {sid}…", cut(namespace)),
            Self::NamespaceRefused { namespace, why } => write!(line, "by {}: {why}", cut(namespace)),
            Self::NamespaceDisconnected { namespace } => {
                write!(line, "the server disconnected this client from {}", cut(namespace))
            }
            Self::Emitted { name, arguments, ack } => {
                line.paint(Tone::Strong, name)?;
                line.write_str("  ")?;
                arguments.write(line)?;
                ack.map_or(Ok(()), |id| write!(line, ", asks for acknowledgement {id}"))
            }
            Self::Ack { id, arguments } => {
                write!(line, "{id}  ")?;
                arguments.write(line)
            }
            Self::Looking => line.write_str("whether a new connection gets an answer"),
            Self::End(summary) => summary.text(line),
            Self::Diagnosis(summary) => summary.answer(line),
            Self::Lost { count } => lost_text(*count, line),
        }
    }

    fn ping(&self, after: Duration, late: Duration, left: Duration, line: &mut TextLine) -> fmt::Result {
        write!(line, "received after {}, ", spoken(after))?;
        if late < Duration::from_millis(1) {
            line.paint(self.tone(), "on time")?;
        } else {
            line.paint(self.tone(), format_args!("{} late", spoken(late)))?;
        }
        match left {
            Duration::ZERO => line.paint(Tone::Dim, "  (after the ping timeout)"),
            left => line.paint(Tone::Dim, format_args!("  ({} before the ping timeout)", spoken(left))),
        }
    }
}

fn connecting(url: &str, unix: Option<&str>, proxy: Option<&str>, line: &mut TextLine) -> fmt::Result {
    line.write_str(url)?;
    match (unix, proxy) {
        (Some(path), _) => write!(line, " over the Unix socket {path}"),
        (None, Some(proxy)) => write!(line, " through the proxy {proxy}"),
        (None, None) => Ok(()),
    }
}

fn open(
    handshake: &HandshakeInfo,
    label: SidLabel,
    transport: Transport,
    chosen: Option<&str>,
    line: &mut TextLine,
) -> fmt::Result {
    let heartbeat = handshake.heartbeat();
    write!(line, "{}, on {}", label.shown(handshake.sid()), transport.as_str())?;
    protocol(chosen, line)?;
    write!(
        line,
        "; ping interval {}, ping timeout {}",
        setting(heartbeat.ping_interval()),
        setting(heartbeat.ping_timeout())
    )?;
    if let Some(bytes) = handshake.max_payload() {
        write!(line, "; at most {bytes} bytes per payload")?;
    }
    interval_warning(heartbeat).map_or(Ok(()), |warning| write!(line, "; warning: {warning}"))
}

fn waiting(since: Duration, is_connected: bool, other_kind: &str, line: &mut TextLine) -> fmt::Result {
    write!(line, "for {}: ", spoken(since))?;
    if is_connected {
        write!(
            line,
            "the server accepted the connection, but has not sent its handshake. {other_kind} Check the port and the \
             path, and whether the server can take more connections"
        )
    } else {
        line.write_str(
            "there is no connection yet: the host does not answer on this port, or TLS gets no answer",
        )
    }
}

fn protocol(chosen: Option<&str>, line: &mut TextLine) -> fmt::Result {
    chosen.map_or(Ok(()), |chosen| write!(line, " with the subprotocol {}", cut(chosen)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::Style;

    #[test]
    fn a_ping_says_how_much_time_was_left_or_that_none_was() {
        let text = |late, left| {
            let after = Duration::from_secs(25) + late;
            let mut line = TextLine::new(Style::PLAIN);
            Event::Ping { after, late, left }.write_text(&mut line).unwrap();
            line.into_text()
        };
        let secs = Duration::from_secs;
        assert_eq!(
            text(secs(0), secs(20)),
            "received after 25.0 s, on time  (20.0 s before the ping timeout)"
        );
        assert_eq!(text(secs(28), secs(0)), "received after 53.0 s, 28.0 s late  (after the ping timeout)");
    }
}
