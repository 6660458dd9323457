//! Explains how a session ended: what happened, what that means, and what to do.

mod ending;
mod facts;
mod opening;
mod refusal;

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::session::Violation;
use eio_tokio::{CloseFrame, ConnectError, Disconnect};

use super::PATIENCE;
use super::diagnosis::Diagnosis;
use super::end::{End, Summary};
use super::exit_code::ExitCode;
use super::history::History;
use super::look::Look;
use crate::duration::spoken;
use crate::style::cut;

pub(crate) use refusal::{is_answer, of_upgrade};

impl History {
    /// Explains the end of the session, or why it did not open. `look` is what a second connection found.
    pub(crate) fn explain(&self, end: &End, look: Option<Look>) -> Summary {
        match end {
            End::NotConnected(error) => {
                let (code, reason) = opening::code(error, self);
                let diagnosis = opening::diagnosis(error, self);
                self.summary(code, reason, diagnosis, error.to_string(), with_author(error))
            }
            End::InterruptedEarly => self.interrupted_early(self.clock.elapsed()),
            End::Disconnected(end) => self.disconnected(end, look),
            End::Unconfirmed => self.unconfirmed(
                "not confirmed",
                "forced close: the server did not confirm the close within 5 s, and eio waited no longer.",
            ),
            End::Interrupted => self.unconfirmed("interrupted", "forced close: interrupted while closing."),
            End::NamespaceRefused { namespace, why } => self.summary(
                ExitCode::Refused,
                "connect error",
                // The words of socket.io.
                if why == "Invalid namespace" {
                    Diagnosis::WRONG_NAMESPACE
                } else {
                    Diagnosis::NAMESPACE_REFUSED
                },
                why.clone(),
                format!("connect error: the namespace {} refused this client: {why:?}.", cut(namespace)),
            ),
            End::NamespaceDisconnected { namespace } => self.summary(
                ExitCode::ServerDisconnect,
                "server disconnect",
                Diagnosis::NAMESPACE_LEFT,
                "the server disconnected this client".to_owned(),
                format!("server disconnect: from the namespace {}.", cut(namespace)),
            ),
        }
    }

    /// Explains an interrupt before the session opened.
    fn interrupted_early(&self, waited: Duration) -> Summary {
        let diagnosis = match (waited < PATIENCE, self.is_connected()) {
            (true, _) => Diagnosis::INTERRUPTED,
            (false, true) => Diagnosis::ACCEPTED_BUT_SILENT,
            (false, false) => Diagnosis::HOST_UNREACHABLE,
        };
        let missing =
            if self.is_connected() { "the server had sent no handshake" } else { "there was no connection" };
        let facts = format!("interrupted: {missing} within {}.", spoken(waited));
        let detail = "interrupted before the session opened".to_owned();
        self.summary(ExitCode::Interrupted, "interrupted", diagnosis, detail, facts)
    }

    /// Explains a close that the server has not confirmed.
    fn unconfirmed(&self, detail: &str, facts: &str) -> Summary {
        let diagnosis = Diagnosis::NOT_CLOSED_IN_TIME;
        self.summary(ExitCode::Interrupted, "forced close", diagnosis, detail.to_owned(), facts.to_owned())
    }

    fn disconnected(&self, end: &Disconnect, look: Option<Look>) -> Summary {
        let silent_for = end.silent_for;
        let ended = Ended {
            reason: end.reason,
            silent_for,
            since_heartbeat: self.since_heartbeat(silent_for),
            since_packet: self.since_packet(),
            close_frame: end.close_frame.as_ref(),
        };
        let diagnosis = self.diagnosis(&ended, look);
        let values = self.values(silent_for);
        let refusal = self.refusal(end.reason).and_then(refusal::code);
        let code = refusal.unwrap_or_else(|| code(end.reason));
        let facts = self.facts(&ended);
        Summary {
            meaning: diagnosis.meaning(&values),
            advice: diagnosis.advice(&values),
            look,
            silent_for: Some(silent_for),
            transport: Some(end.transport),
            close_frame: end.close_frame.clone(),
            ..self.summary(code, end.reason.as_str(), diagnosis, end.reason.to_string(), facts)
        }
    }

    fn summary(
        &self,
        code: ExitCode,
        reason: &'static str,
        diagnosis: Diagnosis,
        detail: String,
        facts: String,
    ) -> Summary {
        let values = self.values(Duration::ZERO);
        Summary {
            code,
            reason,
            detail,
            facts,
            diagnosis,
            meaning: diagnosis.meaning(&values),
            advice: diagnosis.advice(&values),
            look: None,
            silent_for: None,
            lived: self.opened_at.map(|opened| self.ended_at().saturating_sub(opened)),
            heartbeats: self.heartbeats,
            transport: None,
            close_frame: None,
        }
    }

    /// Returns the HTTP answer that ended the session, if one did.
    pub(super) fn refusal(&self, reason: DisconnectReason) -> Option<&ConnectError> {
        self.request_error
            .as_ref()
            .filter(|error| reason == DisconnectReason::TransportError && is_answer(error))
    }

    /// Returns the time since the last heartbeat.
    fn since_heartbeat(&self, silent_for: Duration) -> Duration {
        let last = self.last_heartbeat_at.or(self.opened_at).unwrap_or_default();
        // On a busy machine, the history hears of a heartbeat later than the session, whose silence is exact.
        self.ended_at().saturating_sub(last).max(silent_for)
    }
}

/// What explains the end of an open session.
#[derive(Clone, Copy)]
struct Ended<'a> {
    reason: DisconnectReason,
    /// The time since the last sign of life.
    silent_for: Duration,
    /// The time since the last heartbeat, or since the opening.
    since_heartbeat: Duration,
    /// The time since the last heartbeat or message: what closes a session is also a sign of life, but none of these.
    since_packet: Duration,
    close_frame: Option<&'a CloseFrame>,
}

impl Ended<'_> {
    /// Returns whether a packet arrived later than the last heartbeat.
    fn did_others_arrive(&self) -> bool {
        self.silent_for + Duration::from_secs(1) < self.since_heartbeat
    }
}

/// Returns the error as a sentence, which names the proxy that answered if its page shows it.
fn with_author(error: &ConnectError) -> String {
    match error {
        ConnectError::Refused(refused) => match crate::proxies::author(refused) {
            Some(author) => format!("{error} ({author} answered)."),
            None => format!("{error}."),
        },
        _ => format!("{error}."),
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
        DisconnectReason::Violation(Violation::PayloadTooLarge) => ExitCode::PayloadTooLarge,
        _ => ExitCode::BrokenProtocol,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_close_that_is_not_confirmed_is_interrupted_only_if_somebody_did_so() {
        let history = super::ending::tests::history(eio_core::Revision::V4, 3);
        for (end, detail) in [(End::Unconfirmed, "not confirmed"), (End::Interrupted, "interrupted")] {
            let summary = history.explain(&end, None);
            assert_eq!((summary.code.number(), summary.detail.as_str()), (130, detail));
            assert_eq!(summary.facts.contains("interrupted"), detail == "interrupted", "{}", summary.facts);
            assert_eq!(summary.diagnosis.name, "close-unconfirmed");
        }
    }

    #[tokio::test]
    async fn an_interrupt_before_the_session_opens_says_what_was_missing() {
        for (waited_ms, is_connected, diagnosis, facts) in [
            (1_999, false, "interrupted", "interrupted: there was no connection within 2.0 s."),
            (300, true, "interrupted", "interrupted: the server had sent no handshake within 300 ms."),
            (2_000, false, "host-unreachable", "interrupted: there was no connection within 2.0 s."),
            (
                9_000,
                true,
                "accepted-but-silent",
                "interrupted: the server had sent no handshake within 9.0 s.",
            ),
        ] {
            let mut history = super::ending::tests::history(eio_core::Revision::V4, 0);
            if is_connected {
                history.record(&eio_tokio::ClientEvent::Connected);
            }
            let summary = history.interrupted_early(Duration::from_millis(waited_ms));
            assert_eq!((summary.diagnosis.name, summary.facts.as_str()), (diagnosis, facts));
            assert_eq!(summary.code.number(), 130);
        }
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
            (DisconnectReason::Violation(Violation::WebSocket), 8),
            (DisconnectReason::Violation(Violation::PayloadTooLarge), 13),
            (DisconnectReason::ApplicationStalled, 9),
            (DisconnectReason::ApplicationPanicked, 9),
        ] {
            assert_eq!(code(reason).number(), expected, "{reason:?}");
        }
    }
}
