//! The diagnosis of an open session that ended.

use core::time::Duration;

use eio_core::{DisconnectReason, Heartbeat, Revision};
use eio_tokio::CloseFrame;

use super::{Ended, refusal};
use crate::connect::diagnosis::Diagnosis;
use crate::connect::history::{History, Membership};
use crate::connect::look::Look;
use crate::proxies::was_idle;

impl History {
    /// Returns the diagnosis of the end. `look` is what a second connection found.
    pub(super) fn diagnosis(&self, end: &Ended<'_>, look: Option<Look>) -> Diagnosis {
        match end.reason {
            DisconnectReason::LocalClose => self.note().unwrap_or(Diagnosis::CLOSED),
            DisconnectReason::ApplicationPanicked | DisconnectReason::ApplicationStalled => {
                Diagnosis::EIO_FAILED
            }
            _ if self.nap().is_some() => Diagnosis::EIO_WAS_STOPPED,
            DisconnectReason::PingTimeout => self.of_silence(end, look),
            DisconnectReason::PeerClose => self.of_close(end, look),
            DisconnectReason::TransportClosed if end.close_frame.is_some() => self.of_close(end, look),
            DisconnectReason::TransportError => self.of_answer(end).unwrap_or_else(|| self.of_cut(end, look)),
            DisconnectReason::TransportClosed | DisconnectReason::TransportReset => self.of_cut(end, look),
            _ => Diagnosis::PROTOCOL_BROKEN,
        }
    }

    /// Returns the diagnosis of an HTTP answer that ended the session, if one did.
    fn of_answer(&self, end: &Ended<'_>) -> Option<Diagnosis> {
        refusal::in_session(self.refusal(end.reason)?, self, self.is_overdue(end), end.silent_for)
    }

    /// Returns the diagnosis of a ping timeout.
    fn of_silence(&self, end: &Ended<'_>, look: Option<Look>) -> Diagnosis {
        match look {
            Some(Look::OtherRevision) => Diagnosis::WRONG_REVISION,
            _ if end.did_others_arrive() => Diagnosis::HEARTBEAT_STUCK,
            None => Diagnosis::SERVER_SILENT,
            Some(Look::Gone) => Diagnosis::SERVER_GONE,
            Some(Look::Silent) => Diagnosis::SERVER_HANGS,
            Some(Look::Unreachable) => Diagnosis::NETWORK_CUT,
            Some(Look::BehindProxy(diagnosis)) => diagnosis,
            Some(Look::Answers) if self.heartbeats == 0 => Diagnosis::NEVER_PINGED,
            Some(Look::Answers) => Diagnosis::CONNECTION_DROPPED,
        }
    }

    /// Returns the diagnosis of a session that the server closed by a packet or by a frame.
    fn of_close(&self, end: &Ended<'_>, look: Option<Look>) -> Diagnosis {
        match end.close_frame.map(|frame: &CloseFrame| frame.code().as_u16()) {
            // Going away, service restart, try again later (RFC 6455, and the registry of IANA).
            Some(1001 | 1012 | 1013) => return Diagnosis::RESTARTING,
            Some(1009) => return Diagnosis::MESSAGE_TOO_LARGE,
            Some(1011) => return Diagnosis::SERVER_ERROR,
            // Normal, and without a code: how Engine.IO's servers close.
            None | Some(1000 | 1005) => {}
            Some(_) => return Diagnosis::CLOSED_WITH_CODE,
        }
        match look {
            Some(Look::OtherRevision) => Diagnosis::WRONG_REVISION,
            _ if self.is_overdue(end) => Diagnosis::SERVER_STALLED,
            _ if self.membership == Membership::Forgotten && self.revision == Revision::V4 => {
                Diagnosis::NO_NAMESPACE_JOINED
            }
            Some(Look::Gone | Look::BehindProxy(_)) => Diagnosis::SHUT_DOWN,
            _ => Diagnosis::CLOSED_BY_SERVER,
        }
    }

    /// Returns the diagnosis of a connection that ended without a close packet and without a close frame.
    fn of_cut(&self, end: &Ended<'_>, look: Option<Look>) -> Diagnosis {
        match look {
            Some(Look::Gone) => Diagnosis::SERVER_GONE,
            Some(Look::BehindProxy(diagnosis)) => diagnosis,
            Some(Look::Unreachable) => Diagnosis::NETWORK_CUT,
            Some(Look::OtherRevision) => Diagnosis::WRONG_REVISION,
            Some(Look::Silent) => Diagnosis::SERVER_HANGS,
            _ if was_idle(end.silent_for, self.heartbeat.unwrap_or_default()) => Diagnosis::IDLE_LIMIT,
            _ if self.is_overdue(end) => Diagnosis::SERVER_STALLED,
            _ => Diagnosis::CONNECTION_CUT,
        }
    }

    /// Returns whether the server's next ping was clearly late at the end. A server that was blocked for longer than its
    /// ping timeout closes the session when it goes on, because it looks at its clock before it reads the answers.
    fn is_overdue(&self, end: &Ended<'_>) -> bool {
        let interval = self.heartbeat.unwrap_or(Heartbeat::DEFAULT).ping_interval();
        self.revision == Revision::V4 && end.since_heartbeat > interval + (interval / 20).max(CLEARLY_LATE)
    }
}

/// A ping that is less late may only be delayed by the network.
const CLEARLY_LATE: Duration = Duration::from_millis(100);

#[cfg(test)]
pub(super) mod tests {
    use eio_core::ws::CloseCode;
    use eio_tokio::ClientEvent;

    use super::*;
    use crate::clock::Clock;

    /// A session with the default periods whose opening and whose heartbeats happened when the clock started.
    pub(in crate::connect::explain) fn history(revision: Revision, heartbeats: u64) -> History {
        let mut history = History::new(Clock::start(), revision, false, Membership::Unwanted);
        history.opened_at = Some(Duration::ZERO);
        history.heartbeat = Some(Heartbeat::DEFAULT);
        history.heartbeats = heartbeats;
        history.max_lateness = Duration::from_millis(3);
        history
    }

    pub(in crate::connect::explain) fn ended(reason: DisconnectReason, silent_s: u64) -> Ended<'static> {
        let silent_for = Duration::from_secs(silent_s);
        Ended { reason, silent_for, since_heartbeat: silent_for, close_frame: None }
    }

    fn diagnosed(
        history: &History,
        reason: DisconnectReason,
        silent_s: u64,
        look: Option<Look>,
    ) -> &'static str {
        history.diagnosis(&ended(reason, silent_s), look).name
    }

    #[tokio::test]
    async fn after_a_ping_timeout_a_second_connection_tells_the_causes_apart() {
        for (heartbeats, silent_s, look, expected) in [
            (3, 45, None, "server-silent"),
            (3, 45, Some(Look::Unreachable), "network-cut"),
            (3, 45, Some(Look::Silent), "server-hangs"),
            (3, 45, Some(Look::Gone), "server-gone"),
            (3, 45, Some(Look::BehindProxy(Diagnosis::BAD_GATEWAY)), "bad-gateway"),
            (3, 45, Some(Look::Answers), "connection-dropped"),
            (0, 45, Some(Look::Answers), "never-pinged"),
            (0, 45, Some(Look::OtherRevision), "wrong-revision"),
            (3, 2, Some(Look::Answers), "heartbeat-stuck"),
        ] {
            let history = history(Revision::V4, heartbeats);
            let since_heartbeat = Duration::from_secs(45);
            let end = Ended { since_heartbeat, ..ended(DisconnectReason::PingTimeout, silent_s) };
            assert_eq!(history.diagnosis(&end, look).name, expected);
        }
    }

    #[tokio::test]
    async fn a_cut_is_blamed_on_an_idle_limit_only_if_the_server_answers_and_no_ping_was_due() {
        let history = history(Revision::V4, 3);
        for reason in [
            DisconnectReason::TransportClosed,
            DisconnectReason::TransportReset,
            DisconnectReason::TransportError,
        ] {
            for (since_s, look, expected) in [
                (20, Some(Look::Answers), "idle-limit"),
                (20, None, "idle-limit"),
                (20, Some(Look::Gone), "server-gone"),
                (20, Some(Look::Unreachable), "network-cut"),
                (20, Some(Look::Silent), "server-hangs"),
                (0, Some(Look::Answers), "connection-cut"),
                (27, Some(Look::Answers), "server-stalled"),
            ] {
                assert_eq!(diagnosed(&history, reason, since_s, look), expected, "{reason:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_close_is_explained_by_its_code_by_the_time_and_by_what_follows() {
        let history = history(Revision::V4, 3);
        let close = |code: Option<u16>, since_s: u64, look| {
            let frame = code.map(|code| CloseFrame::new(CloseCode::new(code), "").unwrap());
            let closed = ended(DisconnectReason::TransportClosed, since_s);
            history.diagnosis(&Ended { close_frame: frame.as_ref(), ..closed }, Some(look)).name
        };
        for (code, since_s, look, expected) in [
            (1001, 1, Look::Answers, "server-restarting"),
            (1012, 1, Look::Gone, "server-restarting"),
            (1009, 1, Look::Answers, "message-too-large"),
            (1011, 1, Look::Answers, "server-error"),
            (1008, 1, Look::Answers, "closed-with-code"),
            (4001, 1, Look::Answers, "closed-with-code"),
            (1000, 1, Look::Answers, "closed-by-server"),
            (1000, 1, Look::Gone, "server-shut-down"),
            (1000, 30, Look::Answers, "server-stalled"),
        ] {
            assert_eq!(close(Some(code), since_s, look), expected, "{code}");
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
        history.naps.observe(Duration::ZERO, Duration::ZERO);
        history.naps.observe(Duration::from_secs(21), Duration::from_secs(21));
        assert_eq!(diagnosed(&history, DisconnectReason::TransportClosed, 20, None), "eio-was-stopped");
        assert_eq!(diagnosed(&history, DisconnectReason::LocalClose, 20, None), "closed");
        // A session that goes on after it has survived it.
        let [after, left] = [Duration::from_secs(25), Duration::from_secs(20)];
        history.record(&ClientEvent::PingReceived { after, late: Duration::ZERO, left });
        assert_eq!(diagnosed(&history, DisconnectReason::TransportClosed, 20, None), "idle-limit");
    }

    #[tokio::test]
    async fn a_pong_shows_that_a_session_has_survived_a_nap_if_its_ping_came_after_it() {
        let mut history = history(Revision::V3, 3);
        history.naps.observe(Duration::ZERO, Duration::ZERO);
        history.naps.observe(Duration::from_millis(21_500), Duration::from_millis(21_500));
        for (rtt, expected) in [
            (None, "eio-was-stopped"),
            (Some(Duration::from_secs(21)), "eio-was-stopped"),
            (Some(Duration::from_millis(700)), "idle-limit"),
        ] {
            history.record(&ClientEvent::PongReceived { rtt });
            assert_eq!(diagnosed(&history, DisconnectReason::TransportClosed, 20, None), expected, "{rtt:?}");
        }
    }
}
