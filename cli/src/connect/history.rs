//! What has happened in a session so far, to explain its end.

use core::time::Duration;

use eio_core::upgrade::{UpgradeFailure, UpgradeOutcome};
use eio_core::{Heartbeat, Revision};
use eio_tokio::{ClientEvent, ConnectError, Transport};

use super::diagnosis::{Diagnosis, Values};
use super::explain;
use super::naps::Naps;
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

/// How long a server may take to answer the request to join a namespace.
const JOIN_TIME: Duration = Duration::from_secs(2);

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
            request_error: None,
            upgrade_note: None,
            naps: Naps::default(),
        }
    }

    /// Records an event.
    pub(crate) fn record(&mut self, event: &ClientEvent) {
        let now = self.clock.elapsed();
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
                self.heartbeat = Some(handshake.heartbeat());
            }
            ClientEvent::UpgradeFailed { error } => self.upgrade_note = Some(explain::of_upgrade(error)),
            ClientEvent::UpgradeEnded(outcome) => {
                self.upgrade_note = self.of_outcome(*outcome).or(self.upgrade_note);
            }
            ClientEvent::PingReceived { late, .. } => {
                self.heartbeats += 1;
                self.last_heartbeat_at = Some(now);
                self.max_lateness = self.max_lateness.max(*late);
                if *late < NOTABLY_LATE {
                    self.naps.forget();
                }
            }
            ClientEvent::PongReceived { rtt } => {
                self.heartbeats += 1;
                self.last_heartbeat_at = Some(now);
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
        if self.membership == Membership::Awaited && self.has_lived(JOIN_TIME) {
            return Some(Diagnosis::JOIN_UNANSWERED);
        }
        let late = (self.max_lateness >= NOTABLY_LATE).then_some(Diagnosis::LATE_PINGS);
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
            late: self.max_lateness,
            nap: self.naps.longest(),
            revision: self.revision,
        }
    }

    /// Returns whether an HTTP answer ended the session.
    pub(crate) fn was_refused(&self) -> bool {
        self.request_error.as_ref().is_some_and(explain::is_answer)
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
