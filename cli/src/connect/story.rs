//! How a session ended, told so that it helps to find the cause.

mod refusal;
mod way;

use core::time::Duration;
use std::io::{self, Write};

use eio_core::ws::CloseCode;
use eio_core::{DisconnectReason, Heartbeat, Revision};
use eio_tokio::{ClientEvent, CloseFrame, ConnectError, Disconnect, RefusalKind, Refused, Transport};
use serde_json::{Value, json};

use super::exit_code::ExitCode;
use crate::clock::Clock;
use crate::duration::{millis, setting, spoken};
use crate::proxies::{closed_in_silence, stripped_upgrade};

/// Why there is no session any more.
#[derive(Clone, Debug)]
pub(crate) enum End {
    NotConnected(ConnectError),
    Disconnected(Disconnect),
    /// Closing took too long, or was interrupted.
    Interrupted,
    /// A Socket.IO namespace refused this client.
    NotJoined {
        namespace: String,
        why: String,
    },
    /// A Socket.IO namespace disconnected this client.
    ThrownOut {
        namespace: String,
    },
}

/// What is remembered of a session for its end.
#[derive(Debug)]
pub(crate) struct Story {
    clock: Clock,
    revision: Revision,
    /// The session opens on WebSocket, not on polling.
    opens_websocket: bool,
    is_connected: bool,
    /// Why the latest attempt to open a session failed.
    connect_error: Option<ConnectError>,
    /// The subprotocol that the server chose.
    protocol: Option<String>,
    /// What the session opened on.
    opened_on: Option<Transport>,
    opened_at: Option<Duration>,
    heartbeat: Option<Heartbeat>,
    /// The server's pings, or its pongs in revision 3.
    heartbeats: u64,
    last_heartbeat_at: Option<Duration>,
    latest: Duration,
    request_error: Option<ConnectError>,
}

/// The end, in words and in numbers.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) code: ExitCode,
    reason: &'static str,
    detail: String,
    sentence: String,
    silent_for: Option<Duration>,
    lived: Option<Duration>,
    heartbeats: u64,
    transport: Option<Transport>,
    close_frame: Option<CloseFrame>,
}

impl Story {
    pub(crate) fn new(clock: Clock, revision: Revision, opens_websocket: bool) -> Self {
        Self {
            clock,
            revision,
            opens_websocket,
            is_connected: false,
            connect_error: None,
            protocol: None,
            opened_on: None,
            opened_at: None,
            heartbeat: None,
            heartbeats: 0,
            last_heartbeat_at: None,
            latest: Duration::ZERO,
            request_error: None,
        }
    }

    /// Remembers what the end may have to do with.
    pub(crate) fn hear(&mut self, event: &ClientEvent) {
        let now = self.clock.elapsed();
        match event {
            ClientEvent::Connected => self.is_connected = true,
            ClientEvent::ConnectFailed { error } => self.connect_error = Some(error.clone()),
            ClientEvent::TryingTransport { transport } => {
                self.opens_websocket = *transport == Transport::WebSocket;
            }
            ClientEvent::ProtocolChosen { protocol } => self.protocol = Some(protocol.clone()),
            ClientEvent::Opened { handshake, transport } => {
                self.opened_on = Some(*transport);
                self.opened_at = Some(now);
                self.heartbeat = Some(handshake.heartbeat());
            }
            ClientEvent::PingReceived { late, .. } => {
                self.heartbeats += 1;
                self.last_heartbeat_at = Some(now);
                self.latest = self.latest.max(*late);
            }
            ClientEvent::PongReceived { .. } => {
                self.heartbeats += 1;
                self.last_heartbeat_at = Some(now);
            }
            ClientEvent::RequestFailed { error } => self.request_error = Some(error.clone()),
            _ => {}
        }
    }

    /// Whether a session has opened.
    pub(crate) fn has_opened(&self) -> bool {
        self.opened_at.is_some()
    }

    /// Whether there is, or has been, a connection to the server.
    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Why the latest attempt to open a session failed.
    pub(crate) fn connect_error(&self) -> Option<&ConnectError> {
        self.connect_error.as_ref()
    }

    /// The subprotocol that the server chose, if it chose one.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Tells the end.
    pub(crate) fn tell(&self, end: &End) -> Told {
        let now = self.clock.elapsed();
        let lived = self.opened_at.map(|opened| now.saturating_sub(opened));
        let told = |code, reason, detail: String, sentence: String| Told {
            code,
            reason,
            detail,
            sentence,
            silent_for: None,
            lived,
            heartbeats: self.heartbeats,
            transport: None,
            close_frame: None,
        };
        match end {
            End::NotConnected(error) => {
                let (code, reason) = connect_code(error);
                told(code, reason, error.to_string(), connect_sentence(error, self.opens_websocket))
            }
            End::Disconnected(end) => Told {
                silent_for: Some(end.silent_for),
                transport: Some(end.transport),
                close_frame: end.close_frame.clone(),
                ..told(
                    self.refusal(end.reason).map_or_else(|| code(end.reason), refusal::code),
                    end.reason.as_str(),
                    end.reason.to_string(),
                    self.sentence(end.reason, end.close_frame.as_ref(), end.silent_for, now),
                )
            },
            End::Interrupted => {
                let sentence = "this side closed, and did not wait for the server to confirm it".to_owned();
                told(ExitCode::Interrupted, "forced close", "interrupted".to_owned(), sentence)
            }
            End::NotJoined { namespace, why } => told(
                ExitCode::Refused,
                "connect error",
                why.clone(),
                format!(
                    "the namespace {namespace} refused this client: {why:?}; it may want --auth, or not exist"
                ),
            ),
            End::ThrownOut { namespace } => told(
                ExitCode::ServerDisconnect,
                "server disconnect",
                "the server disconnected this client".to_owned(),
                format!(
                    "the server disconnected this client from {namespace} on purpose; heartbeats were in order"
                ),
            ),
        }
    }

    /// The answer that ended the session, if one did.
    fn refusal(&self, reason: DisconnectReason) -> Option<&ConnectError> {
        let error = self.request_error.as_ref().filter(|_| reason == DisconnectReason::TransportError)?;
        matches!(error, ConnectError::Refused(_) | ConnectError::WebPage(_) | ConnectError::Coding(_))
            .then_some(error)
    }

    /// What ended the session, what that usually means, and what the heartbeats looked like before.
    fn sentence(
        &self,
        reason: DisconnectReason,
        close_frame: Option<&CloseFrame>,
        silent_for: Duration,
        now: Duration,
    ) -> String {
        let since_heartbeat =
            now.saturating_sub(self.last_heartbeat_at.or(self.opened_at).unwrap_or_default());
        let cause = match reason {
            DisconnectReason::PingTimeout => return self.timeout_sentence(silent_for, since_heartbeat),
            DisconnectReason::LocalClose => "closed by this side".to_owned(),
            DisconnectReason::ApplicationPanicked => "this program panicked, which is a bug in it".to_owned(),
            DisconnectReason::PeerClose => {
                "the server closed the session on purpose: its application did, it shut down, or it missed our \
                 answers to its pings"
                    .to_owned()
            }
            DisconnectReason::TransportClosed if let Some(frame) = close_frame => closed_by(frame),
            DisconnectReason::TransportClosed => format!(
                "the connection was closed without a word about the session: the server's process ended, or \
                 something in between closed it{}",
                closed_in_silence(silent_for, self.heartbeat.unwrap_or_default())
            ),
            DisconnectReason::TransportReset => format!(
                "the connection was reset: the server's process died, or something in between dropped it{}",
                closed_in_silence(silent_for, self.heartbeat.unwrap_or_default())
            ),
            _ if let Some(error) = self.refusal(reason) => refusal::sentence(error, silent_for, self.heartbeat.unwrap_or_default()),
            DisconnectReason::TransportError => {
                let error = self.request_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
                let hint = closed_in_silence(silent_for, self.heartbeat.unwrap_or_default());
                format!("the connection broke{error}: the server or the network reset it{hint}")
            }
            other => format!("{other}: the server, or something in between, does not speak the protocol as agreed"),
        };
        let hint = match reason {
            DisconnectReason::PeerClose | DisconnectReason::TransportClosed => {
                self.revision_hint(since_heartbeat)
            }
            _ => "",
        };
        format!("{}: {cause}; {}{hint}", reason.as_str(), self.record(since_heartbeat))
    }

    /// What to try where no ping came though one was due: on polling the answer to the first request tells the server's
    /// revision, on WebSocket nothing does.
    fn revision_hint(&self, since_heartbeat: Duration) -> &'static str {
        let is_due = since_heartbeat > self.heartbeat.unwrap_or_default().ping_interval();
        let may_be_revision_3 = self.revision == Revision::V4
            && self.opened_on == Some(Transport::WebSocket)
            && self.heartbeats == 0;
        if is_due && may_be_revision_3 {
            "; a server of revision 3 sends no pings, it awaits them: try --eio 3"
        } else {
            ""
        }
    }

    fn timeout_sentence(&self, silent_for: Duration, since_heartbeat: Duration) -> String {
        let heartbeat = self.heartbeat.unwrap_or_default();
        let (interval, timeout) = (setting(heartbeat.ping_interval()), setting(heartbeat.ping_timeout()));
        let first = match self.revision {
            Revision::V4 => format!(
                "ping timeout: no ping for {}, the server promised one every {interval}, and this side waited {timeout} more",
                spoken(since_heartbeat)
            ),
            Revision::V3 => format!("ping timeout: the server did not answer our ping within {timeout}"),
        };
        // Anything later than the last heartbeat shows that the way is open.
        let spoke_since = silent_for + Duration::from_secs(1) < since_heartbeat;
        let cause = if spoke_since {
            format!(
                "but other packets came until {} before the end: the network works, the server's heartbeat is stuck",
                spoken(silent_for)
            )
        } else {
            format!(
                "and nothing else came for {} either: the network is cut without a trace, or the server hangs",
                spoken(silent_for)
            )
        };
        let hint = self.revision_hint(since_heartbeat);
        format!("{first}; {cause}; {}{hint}", self.record(since_heartbeat))
    }

    fn record(&self, since_heartbeat: Duration) -> String {
        match (self.heartbeats, self.revision) {
            (0, _) => "no heartbeat was seen before".to_owned(),
            (count, Revision::V4) => format!(
                "{count} pings before, the last one {} earlier, at most {} late",
                spoken(since_heartbeat),
                spoken(self.latest)
            ),
            (count, Revision::V3) => {
                format!("{count} pongs before, the last one {} earlier", spoken(since_heartbeat))
            }
        }
    }
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        json!({
            "reason": self.reason,
            "detail": self.detail,
            "sentence": self.sentence,
            "exit_code": self.code.number(),
            "silent_ms": self.silent_for.map(millis),
            "lived_ms": self.lived.map(millis),
            "heartbeats": self.heartbeats,
            "transport": self.transport.map(Transport::as_str),
            "close_code": self.close_frame.as_ref().map(|frame| frame.code().as_u16()),
            "close_reason": self.close_frame.as_ref().map(CloseFrame::reason),
        })
    }

    pub(crate) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{}", crate::style::harmless(&self.sentence))?;
        self.lived.map_or(Ok(()), |lived| {
            write!(out, " (open for {}, exit code {})", spoken(lived), self.code.number())
        })
    }
}

/// A server that closes by a close frame, as engine.io does on a WebSocket, means it.
fn closed_by(frame: &CloseFrame) -> String {
    let words = if frame.code() == CloseCode::NO_STATUS {
        "by a close frame without a code".to_owned()
    } else {
        format!("by close frame {frame}")
    };
    format!(
        "the server closed the session on purpose, {words}: its application did, it shut down, or it missed our \
         answers to its pings"
    )
}

/// The exit code of a session's end.
fn code(reason: DisconnectReason) -> ExitCode {
    match reason {
        DisconnectReason::LocalClose => ExitCode::Closed,
        DisconnectReason::PingTimeout => ExitCode::PingTimeout,
        DisconnectReason::PeerClose
        | DisconnectReason::TransportClosed
        | DisconnectReason::TransportReset => ExitCode::TransportClose,
        DisconnectReason::TransportError => ExitCode::TransportError,
        DisconnectReason::ApplicationStalled | DisconnectReason::ApplicationPanicked => {
            ExitCode::ApplicationStalled
        }
        _ => ExitCode::BrokenProtocol,
    }
}

/// The exit code, and a word, of a session that never opened.
fn connect_code(error: &ConnectError) -> (ExitCode, &'static str) {
    match error {
        ConnectError::Refused(_) | ConnectError::NotWebSocket(_) | ConnectError::OtherRevision { .. } => {
            (ExitCode::Refused, "refused")
        }
        ConnectError::Session(_)
        | ConnectError::TooLarge { .. }
        | ConnectError::WebPage(_)
        | ConnectError::Coding(_) => (ExitCode::BrokenProtocol, "no session"),
        _ => (ExitCode::NoConnection, "no connection"),
    }
}

/// What is wrong, and what to try.
fn connect_sentence(error: &ConnectError, opens_websocket: bool) -> String {
    let hint = match error {
        _ if opens_websocket && let Some(hint) = stripped_upgrade(error) => hint,
        ConnectError::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                "nobody listens there: is the server running, and the address right?"
            }
            io::ErrorKind::TimedOut => "packets get no answer: a firewall, or a host that is down",
            _ => "",
        },
        ConnectError::Timeout => {
            "somebody listens, but does not answer as an Engine.IO server at this path: a Socket.IO server wants \
             --socketio, and a server may be out of connections"
        }
        ConnectError::Tls(error) => way::tls_hint(error),
        ConnectError::Proxy(error) => way::proxy_hint(error),
        ConnectError::Http(error) if error.is_canceled() => {
            "the server closed the connection without an answer: it may take no more connections from here"
        }
        ConnectError::Http(error) if error.is_incomplete_message() => {
            "the server closed without an answer: does it want https or wss on this port?"
        }
        ConnectError::Refused(refused) if way::wants_tls(refused) => {
            "the server speaks TLS on this port: expected https or wss in the URL"
        }
        ConnectError::Refused(refused) => refusal_hint(refused),
        ConnectError::OtherRevision { theirs: Revision::V3, .. } => "try --eio 3",
        ConnectError::OtherRevision { theirs: Revision::V4, .. } => "try --eio 4",
        ConnectError::WebPage(_) => {
            "is the path right, and does a login or a captive portal answer in between?"
        }
        ConnectError::Coding(_) => "a proxy in between compresses what it should not",
        _ => "",
    };
    if hint.is_empty() { error.to_string() } else { format!("{error}; {hint}") }
}

fn refusal_hint(refused: &Refused) -> &'static str {
    match refused.kind() {
        RefusalKind::UnknownTransport => {
            "the server does not offer this transport: try --transport with the other one"
        }
        RefusalKind::UnsupportedRevision => "the server does not speak this revision: try --eio 3 or --eio 4",
        RefusalKind::Redirect => {
            "the sessions are elsewhere: give that URL, or --follow-redirects, which follows 5"
        }
        RefusalKind::Unauthorized | RefusalKind::Forbidden => {
            "the server wants to know who asks: --header or --auth may help"
        }
        RefusalKind::NotFound => {
            "no sessions at this path: a Socket.IO server wants --socketio, another path is given by --path"
        }
        RefusalKind::TooManyRequests => "too many sessions from here: wait a while",
        // A proxy does not know the protocol's codes.
        RefusalKind::Unavailable if refused.code.is_some() => {
            "the server is full, or shuts down: try again later"
        }
        RefusalKind::BadGateway | RefusalKind::Unavailable => {
            "a proxy answered: the server behind it is down, or overloaded"
        }
        RefusalKind::GatewayTimeout => "a proxy answered: the server behind it did not answer in time",
        RefusalKind::BadRequest if refused.code == Some(3) => {
            "the server did not like the request: is there a proxy that changes it?"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session of the default periods that opened, and saw its heartbeats, when its clock started.
    fn story(revision: Revision, heartbeats: u64) -> Story {
        let mut story = Story::new(Clock::start(), revision, false);
        story.opened_at = Some(Duration::ZERO);
        story.heartbeat = Some(Heartbeat::DEFAULT);
        story.heartbeats = heartbeats;
        story.latest = Duration::from_millis(3);
        story
    }

    fn sentence(story: &Story, since_s: u64, reason: DisconnectReason, silent_s: u64) -> String {
        story.sentence(reason, None, Duration::from_secs(silent_s), Duration::from_secs(since_s))
    }

    #[tokio::test]
    async fn a_ping_timeout_says_what_was_promised_and_whether_the_network_works() {
        let silent = sentence(&story(Revision::V4, 3), 45, DisconnectReason::PingTimeout, 45);
        assert_eq!(
            silent,
            "ping timeout: no ping for 45.0 s, the server promised one every 25 s, and this side waited 20 s more; and \
             nothing else came for 45.0 s either: the network is cut without a trace, or the server hangs; 3 pings \
             before, the last one 45.0 s earlier, at most 3.0 ms late"
        );
        let stuck = sentence(&story(Revision::V4, 0), 45, DisconnectReason::PingTimeout, 2);
        assert!(stuck.contains("the network works, the server's heartbeat is stuck"), "{stuck}");
        let legacy = sentence(&story(Revision::V3, 2), 20, DisconnectReason::PingTimeout, 20);
        assert!(
            legacy.starts_with("ping timeout: the server did not answer our ping within 20 s;"),
            "{legacy}"
        );
    }

    #[tokio::test]
    async fn a_websocket_without_any_ping_may_lead_to_a_server_of_revision_3() {
        let opened_on = |transport, heartbeats| {
            let mut story = story(Revision::V4, heartbeats);
            story.opened_on = Some(transport);
            story
        };
        let websocket = opened_on(Transport::WebSocket, 0);
        for reason in [DisconnectReason::PingTimeout, DisconnectReason::TransportClosed] {
            let told = sentence(&websocket, 45, reason, 45);
            assert!(
                told.ends_with("; a server of revision 3 sends no pings, it awaits them: try --eio 3"),
                "{told}"
            );
        }
        let mut legacy = story(Revision::V3, 0);
        legacy.opened_on = Some(Transport::WebSocket);
        for (story, since_s, reason) in [
            (&opened_on(Transport::WebSocket, 1), 45, DisconnectReason::PingTimeout),
            (&opened_on(Transport::Polling, 0), 45, DisconnectReason::PingTimeout),
            (&legacy, 45, DisconnectReason::PingTimeout),
            (&websocket, 20, DisconnectReason::TransportClosed),
            (&websocket, 45, DisconnectReason::LocalClose),
        ] {
            let told = sentence(story, since_s, reason, since_s);
            assert!(!told.contains("--eio"), "{told}");
        }
    }

    #[tokio::test]
    async fn the_idle_limits_of_proxies_are_recognized() {
        for reason in [
            DisconnectReason::TransportClosed,
            DisconnectReason::TransportReset,
            DisconnectReason::TransportError,
        ] {
            let cut = sentence(&story(Revision::V4, 0), 20, reason, 20);
            assert!(cut.contains(", after 20.0 s of silence and before the next ping"), "{cut}");
            let cut = sentence(&story(Revision::V4, 0), 26, reason, 26);
            assert!(!cut.contains("silence"), "{cut}");
        }
    }

    #[tokio::test]
    async fn a_server_that_closes_by_a_close_frame_has_said_a_word() {
        let frame = CloseFrame::new(CloseCode::new(4001), "bye").unwrap();
        let story = story(Revision::V4, 0);
        let told = story.sentence(
            DisconnectReason::TransportClosed,
            Some(&frame),
            Duration::ZERO,
            Duration::from_secs(20),
        );
        assert!(
            told.starts_with(
                "transport close: the server closed the session on purpose, by close frame 4001 \"bye\": "
            ),
            "{told}"
        );
        let silent = sentence(&story, 20, DisconnectReason::TransportClosed, 20);
        assert!(silent.contains("without a word"), "{silent}");
    }

    #[test]
    fn every_reason_has_the_code_that_the_help_states() {
        for (reason, expected) in [
            (DisconnectReason::LocalClose, 0),
            (DisconnectReason::PingTimeout, 5),
            (DisconnectReason::PeerClose, 6),
            (DisconnectReason::TransportClosed, 6),
            (DisconnectReason::TransportReset, 6),
            (DisconnectReason::TransportError, 7),
            (DisconnectReason::UnexpectedPacket, 8),
            (DisconnectReason::ApplicationStalled, 9),
            (DisconnectReason::ApplicationPanicked, 9),
        ] {
            assert_eq!(code(reason).number(), expected, "{reason:?}");
        }
    }
}
