//! The core's machines as the world drives them.

use core::time::Duration;

use eio_core::packet::{DecodeError, Packet};
use eio_core::session::{CheckSendError, Control, SessionEnd};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade, UpgradeControl, UpgradeOutcome};
use eio_core::ws::Close;
use eio_core::{ClientSession, Heartbeat, Instant, ServerSession, SessionEvent};

use super::clock::Reading;
use super::lanes::{Subject, reading};
use super::letter::Body;

/// A session of either role.
#[derive(Clone, Debug)]
pub(crate) enum Session {
    Server(ServerSession),
    Client(ClientSession),
}

/// What a session told its application, owned.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "as the events of a session")]
pub enum Happened {
    /// The handshake arrived.
    Opened(Heartbeat),
    /// A message.
    Message(Body),
    /// The peer's heartbeat.
    Heartbeat {
        /// The round trip, when it answers a ping.
        rtt: Option<Duration>,
    },
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
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        packet: Result<Packet<'_>, DecodeError>,
    ) -> Option<Happened> {
        either!(self, session => session.handle_packet(now, packet)).map(|event| match event {
            SessionEvent::Opened(handshake) => Happened::Opened(handshake.heartbeat),
            SessionEvent::Message(data) => Happened::Message(data.into()),
            SessionEvent::Heartbeat { rtt } => Happened::Heartbeat { rtt },
            _ => panic!("the world does not know the event {event:?}"),
        })
    }

    pub(crate) fn handle_activity(&mut self, now: Instant) {
        either!(self, session => session.handle_activity(now));
    }

    pub(crate) fn handle_transport_closed(&mut self, now: Instant) {
        either!(self, session => session.handle_transport_closed(now));
    }

    pub(crate) fn handle_transport_reset(&mut self, now: Instant) {
        either!(self, session => session.handle_transport_reset(now));
    }

    pub(crate) fn handle_close_frame(&mut self, now: Instant, close: Option<Close<'_>>) {
        either!(self, session => session.handle_close_frame(now, close));
    }

    pub(crate) fn handle_transport_error(&mut self, now: Instant) {
        either!(self, session => session.handle_transport_error(now));
    }

    pub(crate) fn handle_violation(&mut self, now: Instant, violation: eio_core::session::Violation) {
        either!(self, session => session.handle_violation(now, violation));
    }

    pub(crate) fn handle_reading_paused(&mut self, now: Instant, stall_timeout: Duration) {
        either!(self, session => session.handle_reading_paused(now, stall_timeout));
    }

    pub(crate) fn handle_reading_resumed(&mut self, now: Instant) {
        either!(self, session => session.handle_reading_resumed(now));
    }

    pub(crate) fn close(&mut self, now: Instant, close_timeout: Duration) {
        either!(self, session => session.close(now, close_timeout));
    }

    pub(crate) fn handle_closed(&mut self, now: Instant) {
        either!(self, session => session.handle_closed(now));
    }

    pub(crate) fn check_send(&self, now: Instant) -> Result<(), CheckSendError> {
        either!(self, session => session.check_send(now))
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        either!(self, session => session.rtt())
    }

    pub(crate) fn is_open(&self) -> bool {
        either!(self, session => session.is_open())
    }
}

impl Subject for Session {
    type Output = Control;
    type Ending = SessionEnd;
    type Look = (bool, Option<Duration>, Reading, Result<(), CheckSendError>);

    fn poll_timeout(&self) -> Option<Instant> {
        either!(self, session => session.poll_timeout())
    }

    fn handle_timeout(&mut self, now: Instant) {
        either!(self, session => session.handle_timeout(now));
    }

    fn poll_transmit(&mut self) -> Option<Control> {
        either!(self, session => session.poll_transmit())
    }

    fn ending(&self) -> Option<SessionEnd> {
        either!(self, session => session.end())
    }

    fn may_follow_end(output: Control) -> bool {
        output == Control::Close
    }

    fn look(&self, now: Instant, epoch: u64) -> Self::Look {
        let last_seen = either!(self, session => session.last_seen());
        (self.is_open(), self.rtt(), reading(last_seen, epoch), self.check_send(now))
    }
}

/// An upgrade of either role.
#[derive(Clone, Debug)]
pub(crate) enum Upgrade {
    Server(ServerUpgrade),
    Client(ClientUpgrade),
}

impl Upgrade {
    pub(crate) fn handle_packet(&mut self, now: Instant, packet: Result<Packet<'_>, DecodeError>) {
        either!(self, upgrade => upgrade.handle_packet(now, packet));
    }

    pub(crate) fn handle_transport_closed(&mut self) {
        either!(self, upgrade => upgrade.handle_transport_closed());
    }

    pub(crate) fn handle_session_ended(&mut self) {
        either!(self, upgrade => upgrade.handle_session_ended());
    }

    pub(crate) fn wants_pause(&self) -> bool {
        matches!(self, Self::Client(upgrade) if upgrade.wants_pause())
    }

    pub(crate) fn handle_polling_paused(&mut self, now: Instant) {
        if let Self::Client(upgrade) = self {
            upgrade.handle_polling_paused(now);
        }
    }
}

impl Subject for Upgrade {
    type Output = UpgradeControl;
    type Ending = UpgradeOutcome;
    type Look = bool;

    fn poll_timeout(&self) -> Option<Instant> {
        either!(self, upgrade => upgrade.poll_timeout())
    }

    fn handle_timeout(&mut self, now: Instant) {
        either!(self, upgrade => upgrade.handle_timeout(now));
    }

    fn poll_transmit(&mut self) -> Option<UpgradeControl> {
        either!(self, upgrade => upgrade.poll_transmit())
    }

    fn ending(&self) -> Option<UpgradeOutcome> {
        either!(self, upgrade => upgrade.outcome())
    }

    fn may_follow_end(output: UpgradeControl) -> bool {
        matches!(output, UpgradeControl::Upgrade | UpgradeControl::PongProbe)
    }

    fn look(&self, _: Instant, _: u64) -> bool {
        self.wants_pause()
    }
}
