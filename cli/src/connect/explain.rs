//! Explains how a session ended: what happened, what that usually means, and what to try.

mod opening;
mod refusal;

use core::time::Duration;

use eio_core::ws::CloseCode;
use eio_core::{DisconnectReason, Revision};
use eio_tokio::{CloseFrame, ConnectError, Transport};

use super::end::{End, Summary};
use super::exit_code::ExitCode;
use super::history::History;
use crate::duration::{setting, spoken};
use crate::proxies::idle_limit_hint;
use crate::style::cut;

impl History {
    /// Explains the end of the session, or why it did not open.
    pub(crate) fn explain(&self, end: &End) -> Summary {
        let summary = |code, reason, detail: String, explanation: String| Summary {
            code,
            reason,
            detail,
            explanation,
            silent_for: None,
            lived: self.opened_at.map(|opened| self.clock.elapsed().saturating_sub(opened)),
            heartbeats: self.heartbeats,
            transport: None,
            close_frame: None,
        };
        match end {
            End::NotConnected(error) => {
                let (code, reason) = opening::code(error, self);
                summary(code, reason, error.to_string(), opening::explanation(error, self))
            }
            End::Disconnected(end) => Summary {
                silent_for: Some(end.silent_for),
                transport: Some(end.transport),
                close_frame: end.close_frame.clone(),
                ..summary(
                    self.refusal(end.reason).and_then(refusal::code).unwrap_or_else(|| code(end.reason)),
                    end.reason.as_str(),
                    end.reason.to_string(),
                    self.explain_disconnect(
                        end.reason,
                        end.close_frame.as_ref(),
                        end.silent_for,
                        self.clock.elapsed(),
                    ),
                )
            },
            End::Interrupted => summary(
                ExitCode::Interrupted,
                "forced close",
                "interrupted".to_owned(),
                "forced close: eio closed the session and did not wait for the server to confirm it."
                    .to_owned(),
            ),
            End::NamespaceRefused { namespace, why } => summary(
                ExitCode::Refused,
                "connect error",
                why.clone(),
                format!(
                    "connect error: the namespace {} refused this client: {:?}. It may want --auth, or it may not exist.",
                    cut(namespace),
                    cut(why)
                ),
            ),
            End::NamespaceDisconnected { namespace } => summary(
                ExitCode::ServerDisconnect,
                "server disconnect",
                "the server disconnected this client".to_owned(),
                format!(
                    "server disconnect: the server's application disconnected this client from {}. The session itself \
                     was alive.",
                    cut(namespace)
                ),
            ),
        }
    }

    /// Returns the HTTP answer that ended the session, if one did.
    fn refusal(&self, reason: DisconnectReason) -> Option<&ConnectError> {
        let error = self.request_error.as_ref().filter(|_| reason == DisconnectReason::TransportError)?;
        refusal::code(error).map(|_| error)
    }

    /// Explains what ended an open session, what that usually means, and what the heartbeats looked like before.
    fn explain_disconnect(
        &self,
        reason: DisconnectReason,
        close_frame: Option<&CloseFrame>,
        silent_for: Duration,
        now: Duration,
    ) -> String {
        // On a busy machine, the history hears of a heartbeat later than the session, whose silence is exact.
        let since_heartbeat =
            now.saturating_sub(self.last_heartbeat_at.or(self.opened_at).unwrap_or_default()).max(silent_for);
        let mut sentences = match reason {
            DisconnectReason::PingTimeout => self.explain_timeout(silent_for, since_heartbeat),
            reason => self.explain_cause(reason, close_frame, silent_for),
        };
        sentences.push(self.record_of_heartbeats(since_heartbeat));
        if let DisconnectReason::PingTimeout
        | DisconnectReason::PeerClose
        | DisconnectReason::TransportClosed = reason
        {
            sentences.extend(self.revision_hint(since_heartbeat).map(str::to_owned));
        }
        sentences.join(" ")
    }

    /// Explains every end but a ping timeout, in sentences.
    fn explain_cause(
        &self,
        reason: DisconnectReason,
        close_frame: Option<&CloseFrame>,
        silent_for: Duration,
    ) -> Vec<String> {
        let heartbeat = self.heartbeat.unwrap_or_default();
        let word = reason.as_str();
        let cause = match reason {
            DisconnectReason::LocalClose => format!("{word}: eio closed the session."),
            DisconnectReason::ApplicationPanicked => format!("{word}: eio panicked, which is a bug in eio."),
            DisconnectReason::PeerClose => format!("{word}: the server closed the session: {SERVER_CLOSES}."),
            DisconnectReason::TransportClosed if let Some(frame) = close_frame => {
                format!("{word}: the server closed the session {}: {SERVER_CLOSES}.", with_frame(frame))
            }
            DisconnectReason::TransportClosed => format!(
                "{word}: the connection ended without a close packet or a close frame: the server's process ended, or \
                 a proxy or the network cut the connection."
            ),
            DisconnectReason::TransportReset => format!(
                "{word}: the connection was reset: the server's process died, or a proxy or a firewall dropped the \
                 connection."
            ),
            _ if let Some(error) = self.refusal(reason) => {
                return refusal::explanation(error, silent_for, heartbeat);
            }
            DisconnectReason::TransportError => match &self.request_error {
                Some(error) => format!("{word}: a request of the session failed: {error}."),
                None => format!("{word}: the connection failed: the server or the network broke it."),
            },
            // Its text begins with the word.
            other => format!("{other}. The server, or a proxy, does not follow the protocol."),
        };
        let hint = match reason {
            DisconnectReason::TransportClosed if close_frame.is_some() => None,
            DisconnectReason::TransportClosed
            | DisconnectReason::TransportReset
            | DisconnectReason::TransportError => idle_limit_hint(silent_for, heartbeat),
            _ => None,
        };
        [Some(cause), hint].into_iter().flatten().collect()
    }

    /// Explains a ping timeout, in sentences.
    fn explain_timeout(&self, silent_for: Duration, since_heartbeat: Duration) -> Vec<String> {
        let heartbeat = self.heartbeat.unwrap_or_default();
        let (interval, timeout) = (setting(heartbeat.ping_interval()), setting(heartbeat.ping_timeout()));
        let first = match self.revision {
            Revision::V4 => format!(
                "ping timeout: no ping arrived for {}. The server promised one every {interval}, and eio waited {timeout} \
                 longer.",
                spoken(since_heartbeat)
            ),
            Revision::V3 => format!("ping timeout: the server did not answer a ping within {timeout}."),
        };
        // Any packet later than the last heartbeat shows that the network works.
        let others_arrived = silent_for + Duration::from_secs(1) < since_heartbeat;
        let second = if others_arrived {
            format!(
                "Other packets arrived until {} before the end, so the network works: the server's heartbeat is stuck.",
                spoken(silent_for)
            )
        } else {
            format!(
                "Nothing else arrived for {} either: the network is cut, or the server hangs.",
                spoken(silent_for)
            )
        };
        vec![first, second]
    }

    /// Says what the heartbeats before the end looked like.
    fn record_of_heartbeats(&self, since_heartbeat: Duration) -> String {
        let earlier = spoken(since_heartbeat);
        let is_on_time = self.max_lateness < Duration::from_millis(1);
        let late =
            if is_on_time { "on time".to_owned() } else { format!("{} late", spoken(self.max_lateness)) };
        match (self.heartbeats, self.revision) {
            (0, Revision::V4) => "No ping had arrived before.".to_owned(),
            (0, Revision::V3) => "No pong had arrived before.".to_owned(),
            (1, Revision::V4) => format!("One ping had arrived, {earlier} earlier and {late}."),
            (1, Revision::V3) => format!("One pong had arrived, {earlier} earlier."),
            (count, Revision::V4) => {
                let late = if is_on_time {
                    "all of them on time".to_owned()
                } else {
                    format!("none more than {late}")
                };
                format!("{count} pings had arrived, the last one {earlier} earlier, {late}.")
            }
            (count, Revision::V3) => format!("{count} pongs had arrived, the last one {earlier} earlier."),
        }
    }

    /// Says what to try if no ping arrived although one was due. On polling, the server's first answer shows its revision.
    /// On WebSocket, nothing does.
    fn revision_hint(&self, since_heartbeat: Duration) -> Option<&'static str> {
        let is_due = since_heartbeat > self.heartbeat.unwrap_or_default().ping_interval();
        let may_be_revision_3 = self.revision == Revision::V4
            && self.opened_on == Some(Transport::WebSocket)
            && self.heartbeats == 0;
        (is_due && may_be_revision_3).then_some(
            "A server of revision 3 sends no pings and waits for those of the client: try --eio 3.",
        )
    }
}

/// The usual reasons for which a server closes a session.
const SERVER_CLOSES: &str =
    "its application closed it, the server is shutting down, or it did not receive the answers to its pings";

fn with_frame(frame: &CloseFrame) -> String {
    if frame.code() == CloseCode::NO_STATUS {
        "with a close frame without a code".to_owned()
    } else {
        format!("with close frame {frame}")
    }
}

/// Returns the exit code for the end of an open session.
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

#[cfg(test)]
mod tests {
    use eio_core::Heartbeat;

    use super::*;
    use crate::clock::Clock;

    /// A session with the default periods whose opening and whose heartbeats happened when the clock started.
    fn history(revision: Revision, heartbeats: u64) -> History {
        let mut history = History::new(Clock::start(), revision, false, false);
        history.opened_at = Some(Duration::ZERO);
        history.heartbeat = Some(Heartbeat::DEFAULT);
        history.heartbeats = heartbeats;
        history.max_lateness = Duration::from_millis(3);
        history
    }

    fn explained(history: &History, since_s: u64, reason: DisconnectReason, silent_s: u64) -> String {
        let [silent_for, now] = [silent_s, since_s].map(Duration::from_secs);
        history.explain_disconnect(reason, None, silent_for, now)
    }

    #[tokio::test]
    async fn a_ping_timeout_says_what_was_promised_and_whether_the_network_works() {
        assert_eq!(
            explained(&history(Revision::V4, 3), 45, DisconnectReason::PingTimeout, 45),
            "ping timeout: no ping arrived for 45.0 s. The server promised one every 25 s, and eio waited 20 s longer. \
             Nothing else arrived for 45.0 s either: the network is cut, or the server hangs. 3 pings had arrived, the \
             last one 45.0 s earlier, none more than 3.0 ms late."
        );
        let stuck = explained(&history(Revision::V4, 0), 45, DisconnectReason::PingTimeout, 2);
        assert!(stuck.contains("so the network works: the server's heartbeat is stuck. No ping"), "{stuck}");
        let third = explained(&history(Revision::V3, 2), 20, DisconnectReason::PingTimeout, 20);
        assert!(third.starts_with("ping timeout: the server did not answer a ping within 20 s. "), "{third}");
    }

    #[tokio::test]
    async fn a_websocket_without_any_ping_may_lead_to_a_server_of_revision_3() {
        let opened_on = |transport, heartbeats| {
            let mut history = history(Revision::V4, heartbeats);
            history.opened_on = Some(transport);
            history
        };
        let websocket = opened_on(Transport::WebSocket, 0);
        for reason in [DisconnectReason::PingTimeout, DisconnectReason::TransportClosed] {
            let explained = explained(&websocket, 45, reason, 45);
            assert!(explained.ends_with("waits for those of the client: try --eio 3."), "{explained}");
        }
        let mut third = history(Revision::V3, 0);
        third.opened_on = Some(Transport::WebSocket);
        for (history, since_s, reason) in [
            (&opened_on(Transport::WebSocket, 1), 45, DisconnectReason::PingTimeout),
            (&opened_on(Transport::Polling, 0), 45, DisconnectReason::PingTimeout),
            (&third, 45, DisconnectReason::PingTimeout),
            (&websocket, 20, DisconnectReason::TransportClosed),
            (&websocket, 45, DisconnectReason::LocalClose),
        ] {
            let explained = explained(history, since_s, reason, since_s);
            assert!(!explained.contains("--eio"), "{explained}");
        }
    }

    #[tokio::test]
    async fn the_idle_limits_of_proxies_are_recognized() {
        for reason in [
            DisconnectReason::TransportClosed,
            DisconnectReason::TransportReset,
            DisconnectReason::TransportError,
        ] {
            let cut = explained(&history(Revision::V4, 0), 20, reason, 20);
            assert!(
                cut.contains(" The connection was idle for 20.0 s, and pings come every 25 s: "),
                "{cut}"
            );
            let cut = explained(&history(Revision::V4, 0), 26, reason, 26);
            assert!(!cut.contains("idle"), "{cut}");
        }
    }

    #[tokio::test]
    async fn a_close_frame_shows_that_the_server_closed_the_session() {
        let frame = CloseFrame::new(CloseCode::new(4001), "bye").unwrap();
        let history = history(Revision::V4, 0);
        let closed = history.explain_disconnect(
            DisconnectReason::TransportClosed,
            Some(&frame),
            Duration::ZERO,
            Duration::from_secs(20),
        );
        assert!(
            closed.starts_with(
                "transport close: the server closed the session with close frame 4001 \"bye\": its application"
            ),
            "{closed}"
        );
        let cut = explained(&history, 20, DisconnectReason::TransportClosed, 20);
        assert!(cut.contains("without a close packet or a close frame"), "{cut}");
    }

    #[tokio::test]
    async fn a_broken_protocol_is_named_once() {
        let broken = explained(&history(Revision::V4, 0), 1, DisconnectReason::UnexpectedPacket, 0);
        assert_eq!(broken.matches("unexpected packet").count(), 1, "{broken}");
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
