//! The life of a session of either role, from its opening to its end.

use core::num::NonZeroU16;
use core::time::Duration;

use super::{CheckSendError, Control, DisconnectReason, SessionEnd};
use crate::heartbeat::{Due, Machine};
use crate::packet::PacketType;
use crate::time::Instant;
use crate::ws::{Close, CloseCode};

/// The state that both roles share: a machine, the packets to be sent, and the reason for the end.
// The small fields come first in memory, as in `Machine`.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Lifecycle {
    pub(crate) pending: Pending,
    /// Why the session ended. While the session is closing: why it closes, unless `close` was called.
    reason: Option<DisconnectReason>,
    /// The code of the peer's close frame. 0 is not a valid code.
    close_code: Option<NonZeroU16>,
    pub(crate) machine: Machine,
}

/// The control packets that `poll_transmit` has yet to return, at most one of each: there is no queue (rule 9).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pending {
    pub(crate) ping: bool,
    pub(crate) pong: bool,
    close: bool,
}

impl Lifecycle {
    pub(crate) const fn new(machine: Machine) -> Self {
        let pending = Pending { ping: false, pong: false, close: false };
        Self { machine, pending, reason: None, close_code: None }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let closing = self.machine.is_closing();
        let reason = match self.machine.handle_timeout(now) {
            None => return,
            Some(Due::Ping) => {
                self.pending.ping = true;
                return;
            }
            Some(Due::PingTimeout) => DisconnectReason::PingTimeout,
            Some(Due::ApplicationStalled) => DisconnectReason::ApplicationStalled,
            Some(Due::OpenTimeout) => DisconnectReason::OpenTimeout,
            Some(Due::CloseTimeout) => DisconnectReason::LocalClose,
        };
        self.settle(reason, closing);
    }

    /// Handles a pong that came before its ping has left. It answers nothing, and only shows that the client lives.
    #[cold]
    pub(crate) fn handle_early_pong(&mut self, now: Instant) {
        if self.machine.is_running() {
            self.machine.handle_activity(now);
        } else {
            // A closing session has nothing to answer.
            let _ = self.machine.handle_packet(now, PacketType::Pong);
        }
    }

    pub(crate) fn end_because(&mut self, now: Instant, reason: DisconnectReason) {
        let closing = self.machine.is_closing();
        self.machine.end(now);
        self.settle(reason, closing);
    }

    /// Records the reason. The first cause wins (rule 7): once this side closes, closing is the cause of every end except
    /// silence.
    fn settle(&mut self, reason: DisconnectReason, closing: bool) {
        if self.reason.is_some() && !closing {
            return;
        }
        self.pending.ping = false;
        self.pending.pong = false;
        if closing {
            // `close` made the close packet pending. It still is if the caller has not taken it.
            self.pending.close &= reason.sends_close();
            self.reason = Some(match reason {
                DisconnectReason::PingTimeout => reason,
                _ => self.reason.unwrap_or(DisconnectReason::LocalClose),
            });
        } else {
            self.pending.close = reason.sends_close();
            self.reason = Some(reason);
        }
    }

    /// Ends the session because of something that the peer sent, which is an end and no error of a call (rule 8). Even a
    /// broken or unwelcome packet is a sign of life.
    pub(crate) fn end_by_peer(&mut self, now: Instant, reason: DisconnectReason) {
        self.machine.handle_activity(now);
        self.end_because(now, reason);
    }

    /// Handles the close frame of a WebSocket. The peer sends nothing after it.
    pub(crate) fn handle_close_frame(&mut self, now: Instant, close: Option<Close<'_>>) {
        if !self.machine.has_ended() {
            let code = close.map_or(CloseCode::NO_STATUS, |close| close.code());
            self.close_code = NonZeroU16::new(code.as_u16());
        }
        self.end_by_peer(now, DisconnectReason::TransportClosed);
    }

    pub(crate) fn close(&mut self, now: Instant, close_timeout: Duration) {
        if self.machine.is_opening() {
            self.end_because(now, DisconnectReason::LocalClose);
        } else {
            self.pending.close |= self.machine.is_running();
            self.machine.begin_close(now, close_timeout);
        }
    }

    pub(crate) fn handle_application_panicked(&mut self, now: Instant, close_timeout: Duration) {
        if self.machine.is_opening() {
            self.end_because(now, DisconnectReason::ApplicationPanicked);
        } else {
            if self.machine.is_running() {
                self.reason = Some(DisconnectReason::ApplicationPanicked);
            }
            self.close(now, close_timeout);
        }
    }

    pub(crate) fn handle_closed(&mut self, now: Instant) {
        self.machine.handle_clock(now);
        if self.machine.is_closing() {
            self.end_because(now, DisconnectReason::LocalClose);
            self.pending.close = false;
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Control> {
        let pending = &mut self.pending;
        if core::mem::take(&mut pending.pong) {
            Some(Control::Pong)
        } else if core::mem::take(&mut pending.ping) {
            Some(Control::Ping)
        } else if core::mem::take(&mut pending.close) {
            Some(Control::Close)
        } else {
            None
        }
    }

    /// Takes the `close` packet back from a caller that cannot send it yet.
    pub(crate) const fn put_back_close(&mut self) {
        self.pending.close = true;
    }

    pub(crate) fn check_send(&self, now: Instant) -> Result<(), CheckSendError> {
        if self.machine.is_opening() {
            Err(CheckSendError::NotOpen)
        } else if !self.machine.is_running() {
            Err(CheckSendError::Closed)
        } else if self.machine.is_expired(now) {
            // Rule 10: no sending into silence.
            Err(CheckSendError::Expired)
        } else {
            Ok(())
        }
    }

    pub(crate) fn end(&self) -> Option<SessionEnd> {
        let ended_at = self.machine.ended_at()?;
        let silent_for = ended_at.saturating_duration_since(self.machine.last_seen());
        let close_code = self.close_code.map(|code| CloseCode::new(code.get()));
        Some(SessionEnd { reason: self.reason?, silent_for, close_code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{DecodeError, DecodeErrorKind, Packet, PacketType};
    use crate::session::{CLOSE_TIMEOUT, Violation};
    use crate::{ClientSession, Heartbeat, Liveness, ServerSession};

    fn at(millis: u64) -> Instant {
        Instant::from_micros(0).saturating_add(Duration::from_millis(millis))
    }

    fn server() -> ServerSession {
        ServerSession::eio4(Heartbeat::DEFAULT, Liveness::default(), at(0))
    }

    #[test]
    fn what_a_peer_breaks_a_rule_with_is_its_last_sign_of_life() {
        let garbage = || Err(DecodeError { at: 0, kind: DecodeErrorKind::Empty });
        let silent_for = |end: Option<SessionEnd>| end.map(|end| end.silent_for);

        let mut session = server();
        let _ = session.handle_packet(at(7), garbage());
        assert_eq!(silent_for(session.end()), Some(Duration::ZERO));

        let mut session = server();
        session.handle_violation(at(7), Violation::PayloadTooLarge);
        assert_eq!(silent_for(session.end()), Some(Duration::ZERO));

        for packet in
            [garbage(), Ok(Packet::NOOP), Ok(Packet::text(PacketType::Open, "{}")), Ok(Packet::CLOSE)]
        {
            let mut session = ClientSession::eio4(Duration::from_secs(10), at(0));
            let _ = session.handle_packet(at(7), packet);
            assert_eq!(silent_for(session.end()), Some(Duration::ZERO), "{packet:?}");
        }
    }

    #[test]
    fn a_peer_has_run_out_of_time_from_its_deadline_on_until_it_is_heard_or_the_session_ends() {
        let mut session = server();
        assert!(!session.is_expired(at(100_000)), "a ping is due, and silence has no deadline yet");
        session.handle_timeout(at(25_000));
        assert_eq!(session.poll_transmit(), Some(Control::Ping));
        assert!(!session.is_expired(at(44_999)));
        assert!(session.is_expired(at(45_000)));

        let mut paused = session.clone();
        paused.handle_reading_paused(at(44_000), Duration::from_mins(1));
        assert!(!paused.is_expired(at(45_000)));
        let mut closing = session.clone();
        closing.close(at(26_000), CLOSE_TIMEOUT);
        assert!(!closing.is_expired(at(44_999)) && closing.is_expired(at(45_000)));
        let mut heard = session.clone();
        let _ = heard.handle_packet(at(45_000), Ok(Packet::PONG));
        assert!(!heard.is_expired(at(45_000)));
        session.handle_timeout(at(45_000));
        assert!(session.has_ended() && !session.is_expired(at(45_000)));

        let opening = ClientSession::eio3(Duration::from_secs(10), at(0));
        assert!(!opening.is_expired(at(9_999)) && opening.is_expired(at(10_000)));
    }

    #[test]
    fn a_session_that_closes_in_vain_says_so_once() {
        for close_timeout in [Duration::from_secs(1), Duration::from_mins(1)] {
            let mut session = server();
            session.close(at(0), close_timeout);
            assert_eq!(session.poll_transmit(), Some(Control::Close));
            assert!(!session.has_ended());
            session.handle_timeout(at(60_000));
            assert!(session.has_ended() && session.end().is_some());
            assert_eq!(session.poll_transmit(), None);
        }
    }

    #[test]
    fn a_panic_closes_as_close_does_and_the_first_of_both_is_the_reason() {
        let reason_of = |calls: &[fn(&mut ServerSession)]| {
            let mut session = server();
            for call in calls {
                call(&mut session);
            }
            assert!(!session.has_ended() && !session.is_open());
            assert_eq!(session.poll_transmit(), Some(Control::Close));
            session.handle_closed(at(1));
            session.end().map(|end| end.reason)
        };
        let panics = |session: &mut ServerSession| session.handle_application_panicked(at(0), CLOSE_TIMEOUT);
        let closes = |session: &mut ServerSession| session.close(at(0), CLOSE_TIMEOUT);
        assert_eq!(reason_of(&[panics]), Some(DisconnectReason::ApplicationPanicked));
        assert_eq!(reason_of(&[panics, closes]), Some(DisconnectReason::ApplicationPanicked));
        assert_eq!(reason_of(&[closes, panics]), Some(DisconnectReason::LocalClose));

        let mut opening = ClientSession::eio4(Duration::from_secs(20), at(0));
        opening.handle_application_panicked(at(0), CLOSE_TIMEOUT);
        assert_eq!(opening.end().map(|end| end.reason), Some(DisconnectReason::ApplicationPanicked));
    }

    #[test]
    fn bytes_are_a_sign_of_life_in_a_closing_session_too() {
        let mut session = server();
        session.close(at(1), CLOSE_TIMEOUT);
        session.handle_activity(at(2));
        assert_eq!(session.last_seen(), at(2));
    }

    #[test]
    fn a_call_without_effect_still_moves_the_clock() {
        let mut session = server();
        session.handle_closed(at(30_000));
        session.handle_timeout(at(25_000));
        assert_eq!(session.poll_timeout(), Some(at(50_000)));
    }

    #[test]
    fn a_peer_that_may_still_listen_is_told_of_a_failed_request() {
        let now = Instant::from_micros(0);
        let mut failed = ClientSession::eio4(Duration::from_secs(20), now);
        failed.handle_transport_error(now);
        assert_eq!(failed.poll_transmit(), Some(Control::Close));
        assert_eq!(failed.poll_transmit(), None);

        for end in [ClientSession::handle_transport_closed, ClientSession::handle_transport_reset] {
            let mut closed = ClientSession::eio4(Duration::from_secs(20), now);
            end(&mut closed, now);
            assert_eq!(closed.poll_transmit(), None);
        }
    }

    #[test]
    fn a_close_frame_is_the_last_sign_of_life_and_its_code_is_kept() {
        let bye = Close::new(CloseCode::new(4001), "bye").ok();
        for (close, code) in [(bye, CloseCode::new(4001)), (None, CloseCode::NO_STATUS)] {
            let mut session = server();
            session.handle_close_frame(at(7), close);
            let end = session.end().expect("a close frame ends a session");
            assert_eq!(end.reason, DisconnectReason::TransportClosed);
            assert_eq!((end.close_code, end.silent_for), (Some(code), Duration::ZERO));
            assert_eq!(session.poll_transmit(), None);
        }
    }

    #[test]
    fn a_close_frame_that_crosses_our_own_tells_its_code_and_one_behind_the_end_changes_nothing() {
        let gone = Close::new(CloseCode::GOING_AWAY, "").ok();
        let mut session = server();
        session.close(at(1), CLOSE_TIMEOUT);
        session.handle_close_frame(at(2), gone);
        let end = session.end().map(|end| (end.reason, end.close_code));
        assert_eq!(end, Some((DisconnectReason::LocalClose, Some(CloseCode::GOING_AWAY))));

        let mut session = server();
        session.handle_transport_reset(at(1));
        let end = session.end();
        session.handle_close_frame(at(2), gone);
        assert_eq!(session.end(), end);
        assert_eq!(end.and_then(|end| end.close_code), None);
    }
}
