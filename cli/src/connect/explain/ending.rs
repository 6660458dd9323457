//! The diagnosis of an open session that ended.

use core::time::Duration;

use eio_core::session::Violation;
use eio_core::{DisconnectReason, Revision};
use eio_tokio::CloseFrame;

use super::{Ended, refusal};
use crate::connect::diagnosis::Diagnosis;
use crate::connect::history::History;
use crate::connect::look::Look;

impl History {
    /// Returns the diagnosis of the end. `look` is what a second connection found.
    pub(super) fn diagnosis(&self, end: &Ended<'_>, look: Option<Look>) -> Diagnosis {
        match end.reason {
            DisconnectReason::LocalClose => self.note().unwrap_or(Diagnosis::CLOSED),
            DisconnectReason::ApplicationPanicked | DisconnectReason::ApplicationStalled => {
                Diagnosis::EIO_FAILED
            }
            DisconnectReason::PingTimeout
            | DisconnectReason::PeerClose
            | DisconnectReason::TransportClosed
            | DisconnectReason::TransportReset
            | DisconnectReason::TransportError => self.of_loss(end, look),
            DisconnectReason::Violation(Violation::PayloadTooLarge) => Diagnosis::TOO_LARGE_FOR_EIO,
            _ => Diagnosis::PROTOCOL_BROKEN,
        }
    }

    /// Returns the diagnosis of an end that the server or the network caused. What the server itself says about it comes
    /// first, and what eio alone can have caused second.
    fn of_loss(&self, end: &Ended<'_>, look: Option<Look>) -> Diagnosis {
        if let Some(diagnosis) = end.close_frame.and_then(of_code) {
            return diagnosis;
        }
        if self.nap().is_some() {
            return Diagnosis::EIO_WAS_STOPPED;
        }
        if let Some(diagnosis) = self.of_answer(end) {
            return diagnosis;
        }
        match (end.reason, look) {
            // Heartbeats that have arrived show that this server speaks the same revision.
            (_, Some(Look::OtherRevision)) if self.heartbeats == 0 => Diagnosis::WRONG_REVISION,
            (DisconnectReason::PingTimeout, _) => self.of_silence(end, look),
            (DisconnectReason::PeerClose, _) => self.of_close(end, look),
            _ if end.close_frame.is_some() => self.of_close(end, look),
            _ => self.of_cut(end, look),
        }
    }

    /// Returns the diagnosis of an HTTP answer that ended the session, if one did.
    fn of_answer(&self, end: &Ended<'_>) -> Option<Diagnosis> {
        refusal::in_session(self.refusal(end.reason)?, self, self.is_overdue(end), end.silent_for)
    }

    /// Returns the diagnosis of a ping timeout.
    fn of_silence(&self, end: &Ended<'_>, look: Option<Look>) -> Diagnosis {
        // A whole packet has arrived in the second half of the wait for the heartbeat. If that had been sent when it was due, it
        // would have come first.
        if end.silent_for.max(end.since_packet) < self.heartbeat.unwrap_or_default().ping_timeout() / 2 {
            return Diagnosis::HEARTBEAT_STUCK;
        }
        match look {
            None | Some(Look::Unclear) => Diagnosis::SERVER_SILENT,
            Some(look) => look.trouble().unwrap_or(if self.heartbeats == 0 {
                Diagnosis::NEVER_PINGED
            } else {
                Diagnosis::CONNECTION_DROPPED
            }),
        }
    }

    /// Returns the diagnosis of a session that the server closed by a packet, or by a frame whose code says nothing.
    fn of_close(&self, end: &Ended<'_>, look: Option<Look>) -> Diagnosis {
        match look {
            Some(Look::Gone | Look::BehindProxy(_)) => Diagnosis::SHUT_DOWN,
            // What closes the session follows all that was sent before it.
            _ if self.is_overdue(end) => Diagnosis::SERVER_STALLED,
            _ if self.lacks_namespace() => Diagnosis::NO_NAMESPACE_JOINED,
            Some(Look::Answers | Look::OtherRevision) => Diagnosis::CLOSED_BY_SERVER,
            _ => Diagnosis::CAUSE_UNKNOWN,
        }
    }

    /// Returns the diagnosis of a connection that ended without a close packet and without a close frame.
    fn of_cut(&self, end: &Ended<'_>, look: Option<Look>) -> Diagnosis {
        match look {
            None | Some(Look::Unclear) => Diagnosis::CAUSE_UNKNOWN,
            Some(look) => look.trouble().unwrap_or(if self.was_idle(end.silent_for) {
                Diagnosis::IDLE_LIMIT
            } else if self.is_overdue(end) {
                Diagnosis::SERVER_STALLED
            } else {
                Diagnosis::CONNECTION_CUT
            }),
        }
    }

    /// Returns whether the server's next ping was clearly late at the end, and nothing else came in its place. A server that
    /// was blocked for longer than its ping timeout closes the session when it goes on, because it looks at its clock before
    /// it reads the answers.
    fn is_overdue(&self, end: &Ended<'_>) -> bool {
        let interval = self.heartbeat.unwrap_or_default().ping_interval();
        let due = interval + (interval / 20).max(CLEARLY_LATE);
        let last_packet = end.since_heartbeat.saturating_sub(end.since_packet);
        self.revision == Revision::V4 && last_packet <= due && due < end.since_heartbeat
    }
}

/// Returns the diagnosis of a close frame whose code says why.
fn of_code(frame: &CloseFrame) -> Option<Diagnosis> {
    match frame.code().as_u16() {
        // Normal, and without a code: how Engine.IO's servers close.
        1000 | 1005 => None,
        // Going away, service restart, try again later (RFC 6455, and the registry of IANA).
        1001 | 1012 | 1013 => Some(Diagnosis::RESTARTING),
        1009 => Some(Diagnosis::MESSAGE_TOO_LARGE),
        1011 => Some(Diagnosis::SERVER_ERROR),
        _ => Some(Diagnosis::CLOSED_WITH_CODE),
    }
}

/// A ping that is less late may only be delayed by the network.
const CLEARLY_LATE: Duration = Duration::from_millis(100);

#[cfg(test)]
pub(super) mod tests {
    use eio_core::Heartbeat;
    use eio_core::ws::CloseCode;
    use eio_tokio::ClientEvent;

    use super::*;
    use crate::clock::Clock;
    use crate::connect::history::Membership;
    use crate::connect::naps::tests::between_looks;

    /// A session with the default periods whose opening and whose heartbeats happened when the clock started.
    pub(in crate::connect::explain) fn history(revision: Revision, heartbeats: u64) -> History {
        of_kind(revision, heartbeats, Membership::Unwanted)
    }

    fn of_kind(revision: Revision, heartbeats: u64, membership: Membership) -> History {
        let mut history = History::new(Clock::start(), revision, false, membership);
        history.opened_at = Some(Duration::ZERO);
        history.heartbeat = Some(Heartbeat::DEFAULT);
        history.heartbeats = heartbeats;
        history.max_lateness = Duration::from_millis(3);
        history
    }

    pub(in crate::connect::explain) fn ended(reason: DisconnectReason, silent_s: u64) -> Ended<'static> {
        let silent_for = Duration::from_secs(silent_s);
        Ended { reason, silent_for, since_heartbeat: silent_for, since_packet: silent_for, close_frame: None }
    }

    fn diagnosed(
        history: &History,
        reason: DisconnectReason,
        silent_s: u64,
        look: Option<Look>,
    ) -> &'static str {
        history.diagnosis(&ended(reason, silent_s), look).name
    }

    /// Whatever a second connection can meet, and what is wrong with the server or the way to it then.
    const LOOKS: [(Option<Look>, Option<&str>); 9] = [
        (None, None),
        (Some(Look::Unclear), None),
        (Some(Look::Answers), None),
        (Some(Look::OtherRevision), None),
        (Some(Look::Gone), Some("server-gone")),
        (Some(Look::Silent), Some("server-hangs")),
        (Some(Look::Unreachable), Some("network-cut")),
        (Some(Look::BehindProxy(Diagnosis::BAD_GATEWAY)), Some("bad-gateway")),
        (Some(Look::NoProxy), Some("proxy-unreachable")),
    ];

    fn is_unclear(look: Option<Look>) -> bool {
        matches!(look, None | Some(Look::Unclear))
    }

    const CUTS: [DisconnectReason; 3] = [
        DisconnectReason::TransportClosed,
        DisconnectReason::TransportReset,
        DisconnectReason::TransportError,
    ];

    #[tokio::test]
    async fn after_a_ping_timeout_a_second_connection_tells_the_causes_apart() {
        for revision in [Revision::V4, Revision::V3] {
            for (heartbeats, answers) in [(3, "connection-dropped"), (0, "never-pinged")] {
                let history = history(revision, heartbeats);
                // The last packet was a heartbeat, a message before the next one was due, and one shortly after that.
                for (silent_s, (look, trouble)) in
                    [45, 40, 12].iter().flat_map(|at| LOOKS.map(|row| (*at, row)))
                {
                    let expected = match look {
                        look if is_unclear(look) => "server-silent",
                        Some(Look::OtherRevision) if heartbeats == 0 => "wrong-revision",
                        _ => trouble.unwrap_or(answers),
                    };
                    let since_heartbeat = Duration::from_secs(45);
                    let end = Ended { since_heartbeat, ..ended(DisconnectReason::PingTimeout, silent_s) };
                    assert_eq!(history.diagnosis(&end, look).name, expected, "{silent_s} s, {look:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn packets_long_after_a_heartbeat_was_due_show_that_it_is_stuck_whatever_follows() {
        for (look, _) in LOOKS {
            let since_heartbeat = Duration::from_secs(45);
            let end = Ended { since_heartbeat, ..ended(DisconnectReason::PingTimeout, 9) };
            assert_eq!(history(Revision::V4, 3).diagnosis(&end, look).name, "heartbeat-stuck", "{look:?}");
            // Parts of a message that holds the heartbeat up.
            let end = Ended { since_heartbeat, since_packet: since_heartbeat, ..ended(end.reason, 0) };
            assert_ne!(history(Revision::V4, 3).diagnosis(&end, look).name, "heartbeat-stuck", "{look:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_is_explained_by_a_second_connection_and_by_the_silence_before_it() {
        for (survived_s, since_s, answers) in [
            (0, 0, "connection-cut"),
            (0, 12, "idle-limit"),
            (11, 12, "idle-limit"),
            (12, 12, "connection-cut"),
            (25, 12, "connection-cut"),
            (25, 24, "connection-cut"),
            (25, 27, "server-stalled"),
        ] {
            let mut history = history(Revision::V4, 3);
            history.survived = Duration::from_secs(survived_s);
            for (reason, (look, trouble)) in CUTS.iter().flat_map(|cut| LOOKS.map(|row| (*cut, row))) {
                let expected = if is_unclear(look) { "cause-unknown" } else { trouble.unwrap_or(answers) };
                assert_eq!(
                    diagnosed(&history, reason, since_s, look),
                    expected,
                    "{reason:?} after {since_s} s, {look:?}"
                );
            }
        }
        let history = history(Revision::V4, 0);
        for reason in CUTS {
            assert_eq!(diagnosed(&history, reason, 1, Some(Look::OtherRevision)), "wrong-revision");
        }
    }

    #[tokio::test]
    async fn a_server_from_which_packets_come_was_not_blocked() {
        for (packet_s, expected) in [(27, "server-stalled"), (2, "server-stalled"), (0, "closed-by-server")] {
            let history = history(Revision::V4, 3);
            let [since_heartbeat, since_packet] = [27, packet_s].map(Duration::from_secs);
            // The packet that closes the session has just arrived.
            let end = Ended { since_heartbeat, since_packet, ..ended(DisconnectReason::PeerClose, 0) };
            assert_eq!(history.diagnosis(&end, Some(Look::Answers)).name, expected, "{packet_s} s");
        }
    }

    #[tokio::test]
    async fn a_close_in_order_is_explained_by_what_a_second_connection_meets_and_by_the_time() {
        let frame = CloseFrame::new(CloseCode::new(1000), "").unwrap();
        for (close_frame, reason) in
            [(None, DisconnectReason::PeerClose), (Some(&frame), DisconnectReason::TransportClosed)]
        {
            for (look, _) in LOOKS {
                let of_gone = match look {
                    Some(Look::Gone | Look::BehindProxy(_)) => Some("server-shut-down"),
                    _ => None,
                };
                let otherwise = match look {
                    Some(Look::Answers | Look::OtherRevision) => "closed-by-server",
                    _ => "cause-unknown",
                };
                let forgotten = of_kind(Revision::V4, 1, Membership::Forgotten);
                for (history, since_s, expected) in [
                    (history(Revision::V4, 3), 1, otherwise),
                    (history(Revision::V4, 3), 30, "server-stalled"),
                    (history(Revision::V3, 3), 30, otherwise),
                    (forgotten, 1, "no-namespace-joined"),
                    (of_kind(Revision::V3, 1, Membership::Forgotten), 1, otherwise),
                ] {
                    let end = Ended { close_frame, ..ended(reason, since_s) };
                    let found = history.diagnosis(&end, look).name;
                    assert_eq!(found, of_gone.unwrap_or(expected), "{reason:?} after {since_s} s, {look:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn the_code_of_a_close_frame_says_more_than_anything_else() {
        let mut history = history(Revision::V4, 3);
        history.naps = between_looks(Duration::from_mins(1));
        for (code, expected) in [
            (1001, "server-restarting"),
            (1012, "server-restarting"),
            (1013, "server-restarting"),
            (1009, "message-too-large"),
            (1011, "server-error"),
            (1008, "closed-with-code"),
            (4001, "closed-with-code"),
        ] {
            let frame = CloseFrame::new(CloseCode::new(code), "").unwrap();
            for ((look, _), since_s) in LOOKS.iter().flat_map(|row| [1, 12, 30].map(|since_s| (row, since_s)))
            {
                let closed = ended(DisconnectReason::TransportClosed, since_s);
                let end = Ended { close_frame: Some(&frame), ..closed };
                assert_eq!(history.diagnosis(&end, *look).name, expected, "{code}");
            }
        }
    }

    #[tokio::test]
    async fn a_rule_that_the_server_breaks_is_told_from_a_limit_of_eio() {
        let history = history(Revision::V4, 3);
        for (reason, expected) in [
            (DisconnectReason::UnexpectedPacket, "protocol-broken"),
            (DisconnectReason::Violation(Violation::WebSocket), "protocol-broken"),
            (DisconnectReason::Violation(Violation::PayloadTooLarge), "too-large-for-eio"),
        ] {
            assert_eq!(diagnosed(&history, reason, 1, None), expected);
        }
    }

    #[tokio::test]
    async fn an_end_that_eio_causes_is_its_own_failure() {
        let history = history(Revision::V4, 3);
        for reason in [DisconnectReason::ApplicationStalled, DisconnectReason::ApplicationPanicked] {
            assert_eq!(diagnosed(&history, reason, 1, None), "eio-failed");
        }
    }

    #[tokio::test]
    async fn a_process_that_did_not_run_explains_every_end_but_its_own() {
        let mut history = history(Revision::V4, 3);
        let answers = Some(Look::Answers);
        history.naps = between_looks(Duration::from_secs(21));
        for reason in CUTS.into_iter().chain([DisconnectReason::PingTimeout, DisconnectReason::PeerClose]) {
            assert_eq!(diagnosed(&history, reason, 20, answers), "eio-was-stopped");
        }
        assert_eq!(diagnosed(&history, DisconnectReason::LocalClose, 20, None), "closed");
        assert_eq!(diagnosed(&history, DisconnectReason::UnexpectedPacket, 20, None), "protocol-broken");
        // A session that goes on after it has survived it.
        let [after, left] = [Duration::from_secs(25), Duration::from_secs(20)];
        history.record(&ClientEvent::PingReceived { after, late: Duration::ZERO, left });
        assert_eq!(diagnosed(&history, DisconnectReason::TransportClosed, 20, answers), "idle-limit");
    }

    #[tokio::test]
    async fn a_pong_shows_that_a_session_has_survived_a_nap_if_its_ping_came_after_it() {
        let mut history = history(Revision::V3, 3);
        history.naps = between_looks(Duration::from_millis(21_500));
        for (rtt, expected) in [
            (None, "eio-was-stopped"),
            (Some(Duration::from_secs(21)), "eio-was-stopped"),
            (Some(Duration::from_millis(700)), "idle-limit"),
        ] {
            history.record(&ClientEvent::PongReceived { rtt });
            let cut = diagnosed(&history, DisconnectReason::TransportClosed, 20, Some(Look::Answers));
            assert_eq!(cut, expected, "{rtt:?}");
        }
    }
}
