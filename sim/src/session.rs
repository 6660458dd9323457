//! A session of either role.

use core::time::Duration;

use eio_core::packet::Packet;
use eio_core::session::{CheckSendError, Control, SessionEnd, SessionEvent};
use eio_core::{ClientSession, Instant, Revision, ServerSession};

use crate::plan::Plan;

#[derive(Clone, Debug)]
pub(crate) enum Session {
    Server(ServerSession),
    Client(ClientSession),
}

/// Runs the same call on either role.
macro_rules! either {
    ($self:expr, $session:ident => $call:expr) => {
        match $self {
            Self::Server($session) => $call,
            Self::Client($session) => $call,
        }
    };
}

impl Session {
    pub(crate) fn server(plan: &Plan, now: Instant) -> Self {
        let session = match plan.revision {
            Revision::V4 => ServerSession::eio4(plan.heartbeat, plan.liveness, now),
            Revision::V3 => ServerSession::eio3(plan.heartbeat, plan.liveness, now),
        };
        Self::Server(match plan.first_ping_after {
            None => session,
            Some(delay) => session.with_first_ping_after(delay),
        })
    }

    pub(crate) fn client(plan: &Plan, now: Instant) -> Self {
        let session = match plan.revision {
            Revision::V4 => ClientSession::eio4(plan.open_timeout, now),
            Revision::V3 => ClientSession::eio3(plan.open_timeout, now),
        };
        Self::Client(match plan.client_timeout_at_most {
            None => session,
            Some(time) => session.with_ping_timeout_at_most(time),
        })
    }

    pub(crate) fn handle_packet<'p>(&mut self, now: Instant, packet: Packet<'p>) -> Option<SessionEvent<'p>> {
        either!(self, session => session.handle_packet(now, Ok(packet)))
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        either!(self, session => session.handle_timeout(now));
    }

    pub(crate) fn handle_transport_closed(&mut self, now: Instant) {
        either!(self, session => session.handle_transport_closed(now));
    }

    pub(crate) fn handle_transport_reset(&mut self, now: Instant) {
        either!(self, session => session.handle_transport_reset(now));
    }

    pub(crate) fn handle_transport_error(&mut self, now: Instant) {
        either!(self, session => session.handle_transport_error(now));
    }

    pub(crate) fn handle_close_frame(&mut self, now: Instant) {
        either!(self, session => session.handle_close_frame(now, None));
    }

    pub(crate) fn close(&mut self, now: Instant, close_timeout: Duration) {
        either!(self, session => session.close(now, close_timeout));
    }

    pub(crate) fn handle_closed(&mut self, now: Instant) {
        either!(self, session => session.handle_closed(now));
    }

    pub(crate) fn handle_ping_sent(&mut self, now: Instant) {
        either!(self, session => session.handle_ping_sent(now));
    }

    pub(crate) fn handle_reading_paused(&mut self, now: Instant, stall_timeout: Duration) {
        either!(self, session => session.handle_reading_paused(now, stall_timeout));
    }

    pub(crate) fn handle_reading_resumed(&mut self, now: Instant) {
        either!(self, session => session.handle_reading_resumed(now));
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Control> {
        either!(self, session => session.poll_transmit())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        either!(self, session => session.poll_timeout())
    }

    pub(crate) fn check_send(&self, now: Instant) -> Result<(), CheckSendError> {
        either!(self, session => session.check_send(now))
    }

    pub(crate) fn end(&self) -> Option<SessionEnd> {
        either!(self, session => session.end())
    }

    pub(crate) fn is_open(&self) -> bool {
        either!(self, session => session.is_open())
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        either!(self, session => session.rtt())
    }
}
