//! What has happened in a session so far, to explain its end.

use core::time::Duration;

use eio_core::upgrade::{UpgradeFailure, UpgradeOutcome};
use eio_core::{Heartbeat, Revision};
use eio_tokio::{ClientEvent, ConnectError, Transport};

use super::diagnosis::{Diagnosis, Values};
use super::explain;
use super::naps::{Naps, TICK};
use crate::clock::{Clock, WallTime};
use crate::proxies;

/// The parts of a session's past that can explain its end.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(super) clock: Clock,
    pub(super) revision: Revision,
    /// The session opens on WebSocket, not on polling.
    pub(super) opens_on_websocket: bool,
    pub(super) membership: Membership,
    /// There is, or was, a connection to the server.
    is_connected: bool,
    /// Why the latest attempt to open a session failed.
    connect_error: Option<ConnectError>,
    /// The subprotocol that the server chose.
    protocol: Option<String>,
    /// The transport that the session opened on.
    pub(super) opened_on: Option<Transport>,
    pub(super) opened_at: Option<Duration>,
    closed_at: Option<Duration>,
    pub(super) heartbeat: Option<Heartbeat>,
    /// How many pings came from the server, or pongs in revision 3.
    pub(super) heartbeats: u64,
    pub(super) last_heartbeat_at: Option<Duration>,
    /// The most that a ping was late.
    pub(super) max_lateness: Duration,
    /// The most that a ping was late because of the server or the network.
    max_delay: Duration,
    /// The longest nap that made a ping late and did not end the session.
    survived_nap: Duration,
    /// When the latest heartbeat or message arrived on the present transport.
    last_packet_at: Option<Duration>,
    /// The longest time without such a packet that this transport has survived.
    pub(super) survived: Duration,
    /// A message has arrived.
    pub(super) has_message: bool,
    pub(super) request_error: Option<ConnectError>,
    /// Why the session stays on polling.
    upgrade_note: Option<Diagnosis>,
    pub(super) naps: Naps,
}

/// What becomes of the namespace of Socket.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    /// eio asks to join it.
    Awaited,
    Joined,
    /// eio does not ask, and the path is not the one of Socket.IO servers.
    Unwanted,
    /// eio does not ask, although the path is the one of Socket.IO servers.
    Forgotten,
}

/// A ping that is at least this late stands out.
pub(crate) const NOTABLY_LATE: Duration = Duration::from_millis(500);

/// A server of Socket.IO that ends a session in which no namespace is joined does so sooner: after 45 s by default.
const JOIN_LIMIT: Duration = Duration::from_mins(2);

/// A shorter nap does not explain the end of a session: machines are busy at times.
const SHORTEST_NAP: Duration = Duration::from_secs(3);

impl History {
    pub(crate) fn new(
        clock: Clock,
        revision: Revision,
        opens_on_websocket: bool,
        membership: Membership,
    ) -> Self {
        Self {
            clock,
            revision,
            opens_on_websocket,
            membership,
            is_connected: false,
            connect_error: None,
            protocol: None,
            opened_on: None,
            opened_at: None,
            closed_at: None,
            heartbeat: None,
            heartbeats: 0,
            last_heartbeat_at: None,
            max_lateness: Duration::ZERO,
            max_delay: Duration::ZERO,
            survived_nap: Duration::ZERO,
            last_packet_at: None,
            survived: Duration::ZERO,
            has_message: false,
            request_error: None,
            upgrade_note: None,
            naps: Naps::default(),
        }
    }

    /// Records an event.
    pub(crate) fn record(&mut self, event: &ClientEvent) {
        self.record_at(self.clock.elapsed(), event);
    }

    fn record_at(&mut self, now: Duration, event: &ClientEvent) {
        match event {
            ClientEvent::Connected => self.is_connected = true,
            ClientEvent::ConnectFailed { error } => self.connect_error = Some(error.clone()),
            ClientEvent::TryingTransport { transport } => {
                self.opens_on_websocket = *transport == Transport::WebSocket;
            }
            ClientEvent::ProtocolChosen { protocol } => self.protocol = Some(protocol.clone()),
            ClientEvent::Opened { handshake, transport } => {
                self.opened_on = Some(*transport);
                self.opened_at = Some(now);
                self.last_packet_at = Some(now);
                self.heartbeat = Some(handshake.heartbeat());
            }
            ClientEvent::Message(_) => {
                self.has_message = true;
                self.note_packet(now);
            }
            ClientEvent::UpgradeFailed { error } => self.upgrade_note = Some(explain::of_upgrade(error)),
            ClientEvent::UpgradeEnded(outcome) => {
                self.upgrade_note = self.of_outcome(*outcome).or(self.upgrade_note);
                if *outcome == UpgradeOutcome::Upgraded {
                    self.last_packet_at = Some(now);
                    self.survived = Duration::ZERO;
                }
            }
            ClientEvent::PingReceived { late, .. } => {
                self.heartbeats += 1;
                self.last_heartbeat_at = Some(now);
                self.note_packet(now);
                self.max_lateness = self.max_lateness.max(*late);
                if *late < NOTABLY_LATE {
                    self.naps.forget();
                } else {
                    self.note_late(*late);
                }
            }
            ClientEvent::PongReceived { rtt } => {
                self.heartbeats += 1;
                self.last_heartbeat_at = Some(now);
                self.note_packet(now);
                // Its ping left after the longest nap: an answer to an earlier one would have taken at least as long.
                if rtt.is_some_and(|rtt| rtt < self.naps.longest()) {
                    self.naps.forget();
                }
            }
            ClientEvent::Closed(_) => self.closed_at = Some(now),
            ClientEvent::RequestFailed { error } => self.request_error = Some(error.clone()),
            _ => {}
        }
    }

    /// Records a late ping. The time for which eio itself did not run is not the server's.
    fn note_late(&mut self, late: Duration) {
        let nap = self.naps.longest();
        let own = if nap >= NOTABLY_LATE {
            self.survived_nap = self.survived_nap.max(nap);
            // A nap is known to within a tick.
            nap + TICK
        } else {
            Duration::ZERO
        };
        self.max_delay = self.max_delay.max(late.saturating_sub(own));
    }

    /// Records that a heartbeat or a message has arrived.
    fn note_packet(&mut self, now: Duration) {
        let last = self.last_packet_at.replace(now).unwrap_or(now);
        self.survived = self.survived.max(now.saturating_sub(last));
    }

    /// Returns the time from the last heartbeat or message to the end.
    pub(super) fn since_packet(&self) -> Duration {
        self.ended_at().saturating_sub(self.last_packet_at.unwrap_or_default())
    }

    /// Returns whether an idle limit may have cut the connection after this silence.
    pub(super) fn was_idle(&self, silent_for: Duration) -> bool {
        proxies::was_idle(silent_for, self.survived, self.heartbeat.unwrap_or_default())
    }

    /// Returns whether the server may be one of Socket.IO that waits in vain for a namespace to be joined. Such a server
    /// sends nothing before that.
    pub(super) fn lacks_namespace(&self) -> bool {
        self.membership == Membership::Forgotten
            && self.revision == Revision::V4
            && !self.has_message
            && !self.has_lived(JOIN_LIMIT)
    }

    /// Records that the namespace was joined.
    pub(crate) fn join(&mut self) {
        self.membership = Membership::Joined;
    }

    /// Compares the clocks, to notice when eio does not run.
    pub(crate) fn compare_clocks(&mut self) {
        self.naps.observe(self.clock.elapsed(), WallTime::now().since_1970());
    }

    /// Returns what is wrong with an upgrade that ended, unless the reason has been noted.
    pub(crate) fn of_outcome(&self, outcome: UpgradeOutcome) -> Option<Diagnosis> {
        if self.upgrade_note.is_some() {
            return None;
        }
        match outcome {
            UpgradeOutcome::Upgraded | UpgradeOutcome::Failed(UpgradeFailure::SessionEnded) => None,
            UpgradeOutcome::Failed(UpgradeFailure::TransportClosed) => Some(Diagnosis::WEBSOCKET_REFUSED),
            UpgradeOutcome::Failed(_) => Some(Diagnosis::UPGRADE_STUCK),
        }
    }

    /// Returns what is wrong with a session that went on until eio closed it.
    pub(super) fn note(&self) -> Option<Diagnosis> {
        if self.membership == Membership::Awaited {
            return Some(Diagnosis::JOIN_UNANSWERED);
        }
        let late = if self.max_delay >= NOTABLY_LATE {
            Some(Diagnosis::LATE_PINGS)
        } else {
            (!self.survived_nap.is_zero()).then_some(Diagnosis::EIO_WAS_STOPPED)
        };
        let long = self.heartbeat.is_some_and(proxies::is_long).then_some(Diagnosis::LONG_INTERVAL);
        self.upgrade_note.or(late).or(long)
    }

    /// Returns whether an unknown session never was known to the server that says so. If a balancer takes two servers in turn, the
    /// first poll can reach the right one, because the request for a WebSocket was between them. Then the pong does not.
    pub(super) fn is_split(&self) -> bool {
        self.heartbeats <= 1 || self.upgrade_note == Some(Diagnosis::NOT_STICKY)
    }

    /// Returns how long eio did not run, if that explains the end of the session.
    pub(super) fn nap(&self) -> Option<Duration> {
        let heartbeat = self.heartbeat?;
        let nap = self.naps.longest();
        (nap >= heartbeat.ping_timeout().max(SHORTEST_NAP)).then_some(nap)
    }

    /// Returns the values that texts name.
    pub(crate) fn values(&self, silence: Duration) -> Values {
        let heartbeat = self.heartbeat.unwrap_or_default();
        Values {
            interval: heartbeat.ping_interval(),
            sum: heartbeat.ping_interval() + heartbeat.ping_timeout(),
            silence,
            late: self.max_delay,
            nap: self.nap().unwrap_or(self.survived_nap),
            revision: self.revision,
        }
    }

    /// Returns what to do if the server is of the other kind than it was taken for.
    pub(crate) fn other_kind(&self) -> &'static str {
        if matches!(self.membership, Membership::Awaited | Membership::Joined) {
            "If the server speaks Engine.IO without Socket.IO, leave out --socketio."
        } else {
            "For a Socket.IO server, use --socketio."
        }
    }

    /// Returns when the session ended, or the present time.
    pub(super) fn ended_at(&self) -> Duration {
        self.closed_at.unwrap_or_else(|| self.clock.elapsed())
    }

    /// Returns whether the session was open for at least this long.
    fn has_lived(&self, time: Duration) -> bool {
        self.opened_at.is_some_and(|opened| self.ended_at().saturating_sub(opened) >= time)
    }

    /// Returns whether a session has opened.
    pub(crate) fn has_opened(&self) -> bool {
        self.opened_at.is_some()
    }

    /// Returns whether there is, or was, a connection to the server.
    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Returns why the latest attempt to open a session failed.
    pub(crate) fn connect_error(&self) -> Option<&ConnectError> {
        self.connect_error.as_ref()
    }

    /// Returns the subprotocol that the server chose, if it chose one.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use eio_tokio::Message;

    use super::*;
    use crate::connect::naps::tests::between_looks;

    const INTERVAL: Duration = Duration::from_secs(25);

    fn open() -> History {
        let mut history = History::new(Clock::start(), Revision::V4, false, Membership::Unwanted);
        history.heartbeat = Some(Heartbeat::DEFAULT);
        history.last_packet_at = Some(Duration::ZERO);
        history
    }

    fn ping(late: Duration) -> ClientEvent {
        let left = Heartbeat::DEFAULT.ping_timeout().saturating_sub(late);
        ClientEvent::PingReceived { after: INTERVAL + late, late, left }
    }

    #[tokio::test]
    async fn late_pings_are_not_blamed_on_the_server_if_eio_did_not_run() {
        for (nap_s, late_s, expected) in [
            (0, 0, None),
            (10, 0, None),
            (0, 10, Some(Diagnosis::LATE_PINGS)),
            (10, 9, Some(Diagnosis::EIO_WAS_STOPPED)),
            (10, 10, Some(Diagnosis::EIO_WAS_STOPPED)),
            (10, 12, Some(Diagnosis::LATE_PINGS)),
        ] {
            let mut history = open();
            history.naps = between_looks(Duration::from_secs(nap_s));
            let late = Duration::from_secs(late_s);
            for late in [late, Duration::ZERO] {
                history.record(&ping(late));
            }
            assert_eq!(history.note(), expected, "{nap_s} s, {late_s} s");
            assert_eq!(history.max_lateness, late, "what happened is told as it was");
            let values = history.values(Duration::ZERO);
            if expected == Some(Diagnosis::EIO_WAS_STOPPED) {
                assert_eq!(values.nap + TICK, Duration::from_secs(nap_s));
            } else if late_s > 0 {
                assert_eq!(values.late, Duration::from_secs(late_s - nap_s), "{nap_s} s, {late_s} s");
            }
        }
    }

    #[tokio::test]
    async fn the_longest_silence_that_the_present_transport_has_survived_is_known() {
        let mut history = open();
        let (mut now, mut survived) = (Duration::ZERO, Vec::new());
        let message = || ClientEvent::Message(Message::text("news"));
        let upgraded = ClientEvent::UpgradeEnded(UpgradeOutcome::Upgraded);
        for (pause_s, event) in [
            (25, ping(Duration::ZERO)),
            (11, message()),
            (14, ping(Duration::ZERO)),
            (26, ping(Duration::from_secs(1))),
            (9, upgraded),
            (3, message()),
            (8, ClientEvent::PongReceived { rtt: None }),
            (5, message()),
        ] {
            now += Duration::from_secs(pause_s);
            history.record_at(now, &event);
            survived.push(history.survived.as_secs());
        }
        assert_eq!(survived, [25, 25, 25, 26, 0, 3, 8, 8]);
        assert!(history.was_idle(Duration::from_secs(9)) && !history.was_idle(Duration::from_secs(8)));
    }

    #[tokio::test]
    async fn only_a_short_session_without_messages_may_have_ended_for_want_of_a_namespace() {
        for (membership, lived_s, has_message, lacks) in [
            (Membership::Forgotten, 45, false, true),
            (Membership::Forgotten, 119, false, true),
            (Membership::Forgotten, 120, false, false),
            (Membership::Forgotten, 45, true, false),
            (Membership::Unwanted, 45, false, false),
            (Membership::Joined, 45, false, false),
        ] {
            let mut history = open();
            history.membership = membership;
            history.opened_at = Some(Duration::ZERO);
            if has_message {
                history.record(&ClientEvent::Message(Message::text("news")));
            }
            history.closed_at = Some(Duration::from_secs(lived_s));
            assert_eq!(history.lacks_namespace(), lacks, "{membership:?} {lived_s} {has_message}");
        }
    }
}
