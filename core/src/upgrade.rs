//! Moves a session from polling to WebSocket: the probe exchange, with one machine for each role.
//!
//! ```text
//!   client                                      server
//!     │  WebSocket opened with the session's sid   │   ServerUpgrade::new
//!     │ ──────────────── 2probe ─────────────────▶ │
//!     │ ◀─────────────── 3probe ────────────────── │   every 100 ms: 6 to a pending poll
//!     │  polling pauses: no request in flight      │
//!     │ ────────────────── 5 ────────────────────▶ │   upgraded
//! ```
//!
//! Until the exchange is done, the new WebSocket is only a candidate. Pass its packets to these machines, not to the
//! session. Continue to pass the packets of polling to the session: heartbeats never stop for an upgrade, and a `5`
//! neither cancels nor extends a deadline. If the upgrade fails, only the candidate is lost, and the session continues
//! on polling.
//!
//! Each machine has one deadline and ends with an [`UpgradeOutcome`].

// Rule 12: nothing here knows the session's heartbeat, so no upgrade can disarm it.

#[cfg(test)]
mod steps;

use core::fmt;
use core::time::Duration;

use crate::packet::{Data, DecodeError, Packet, PacketType};
use crate::time::{Clock, Instant};

/// How long a server lets an upgrade take by default: 10 s, as in the reference server.
pub const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client should let an upgrade take: 5 s, half the time that servers allow.
///
/// A client that sends `5` has left polling. If the server gives up while that `5` is on its way, it closes the
/// candidate, and the session has no transport left. So the client must give up first, and earlier by more than the
/// slowest way to the server takes. A client with the same timeout as the server can lose a healthy session. (The
/// reference client has no timeout here, B28.)
pub const CLIENT_UPGRADE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a server answers a pending poll with a noop during an upgrade: every 100 ms, as the reference server does.
///
/// The client must finish its poll before it sends `5`, and the poll finishes only when it is answered.
const NOOP_INTERVAL_MILLIS: u32 = 100;

/// How an upgrade ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "an upgrade succeeds or fails")]
pub enum UpgradeOutcome {
    /// The session now lives on the candidate.
    Upgraded,
    /// The session stays on its old transport. Close the candidate. The client may try again.
    Failed(UpgradeFailure),
}

/// Displays `upgraded`, or `not upgraded` and the reason.
///
/// ```
/// use eio_core::upgrade::{UpgradeFailure, UpgradeOutcome};
///
/// assert_eq!(UpgradeOutcome::Upgraded.to_string(), "upgraded");
/// let failed = UpgradeOutcome::Failed(UpgradeFailure::TransportClosed);
/// assert_eq!(failed.to_string(), "not upgraded: the new transport closed");
/// ```
impl fmt::Display for UpgradeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upgraded => f.write_str("upgraded"),
            Self::Failed(failure) => write!(f, "not upgraded: {failure}"),
        }
    }
}

/// The reason why an upgrade failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UpgradeFailure {
    /// The upgrade took longer than the upgrade timeout.
    #[error("upgrade timeout")]
    Timeout,
    /// The peer sent something other than the next step of the exchange.
    #[error("unexpected packet in an upgrade")]
    UnexpectedPacket,
    /// The candidate's connection ended.
    #[error("the new transport closed")]
    TransportClosed,
    /// The session ended during the upgrade.
    #[error("the session ended")]
    SessionEnded,
}

/// A packet that an upgrade wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[expect(clippy::exhaustive_enums, reason = "the exchange has these four packets")]
pub enum UpgradeControl {
    /// Client: `2probe` on the candidate.
    PingProbe,
    /// Server: `3probe` on the candidate.
    PongProbe,
    /// Server: `6` as the answer to a pending poll. Drop it if no poll is pending.
    Noop,
    /// Client: `5` on the candidate, before anything else that the session sends there.
    Upgrade,
}

impl UpgradeControl {
    /// Returns the packet to write.
    #[must_use]
    pub const fn packet(self) -> Packet<'static> {
        match self {
            Self::PingProbe => Packet::PING_PROBE,
            Self::PongProbe => Packet::PONG_PROBE,
            Self::Noop => Packet::NOOP,
            Self::Upgrade => Packet::UPGRADE,
        }
    }

    /// Returns the text to write. It is the same in both revisions.
    #[must_use]
    pub const fn encoded(self) -> &'static str {
        match self {
            Self::PingProbe => "2probe",
            Self::PongProbe => "3probe",
            Self::Noop => "6",
            Self::Upgrade => "5",
        }
    }
}

/// Displays the name of the packet: `ping probe`, `pong probe`, `noop` or `upgrade`.
impl fmt::Display for UpgradeControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PingProbe => "ping probe",
            Self::PongProbe => "pong probe",
            Self::Noop => "noop",
            Self::Upgrade => "upgrade",
        })
    }
}

fn is_probe(packet: &Packet<'_>, packet_type: PacketType) -> bool {
    packet.packet_type == packet_type && packet.data == Data::Text("probe")
}

/// The server side of an upgrade.
///
/// | input on the candidate | effect |
/// |---|---|
/// | `2probe` | `3probe`; from then on a noop every 100 ms, the first after 100 ms |
/// | `2probe` again | `3probe` again; the schedule of the noops does not change |
/// | `5`, also without a probe before it | upgraded |
/// | anything else | failed |
/// | `5` or anything else, right behind `2probe` | the same, but `3probe` is written first |
/// | nothing within the upgrade timeout | failed |
///
/// ```
/// use eio_core::packet::{WebSocketMessage, v4};
/// use eio_core::upgrade::{ServerUpgrade, UPGRADE_TIMEOUT, UpgradeControl, UpgradeOutcome};
/// use eio_core::Instant;
///
/// let at = |millis: u64| Instant::from_micros(millis * 1_000);
/// let mut upgrade = ServerUpgrade::new(UPGRADE_TIMEOUT, at(0));
/// upgrade.handle_packet(at(5), v4::decode(WebSocketMessage::Text("2probe")));
/// assert_eq!(upgrade.poll_transmit(), Some(UpgradeControl::PongProbe));
/// upgrade.handle_timeout(at(105));
/// assert_eq!(upgrade.poll_transmit(), Some(UpgradeControl::Noop)); // releases the client's pending poll
/// upgrade.handle_packet(at(110), v4::decode(WebSocketMessage::Text("5")));
/// assert_eq!(upgrade.outcome(), Some(UpgradeOutcome::Upgraded));
/// ```
#[derive(Clone, Debug)]
pub struct ServerUpgrade {
    clock: Clock,
    deadline: Instant,
    /// Set by the probe.
    next_noop: Option<Instant>,
    pong_pending: bool,
    noop_pending: bool,
    outcome: Option<UpgradeOutcome>,
}

impl ServerUpgrade {
    /// Creates the server side. `now` is the time at which the candidate opened.
    #[must_use]
    pub const fn new(upgrade_timeout: Duration, now: Instant) -> Self {
        Self {
            clock: Clock::new(now),
            deadline: now.saturating_add(upgrade_timeout),
            next_noop: None,
            pong_pending: false,
            noop_pending: false,
            outcome: None,
        }
    }

    /// Handles a packet that was decoded from the candidate, or the error of decoding it.
    pub fn handle_packet(&mut self, now: Instant, packet: Result<Packet<'_>, DecodeError>) {
        let now = self.clock.advance(now);
        match packet {
            _ if self.outcome.is_some() => {}
            Ok(packet) if is_probe(&packet, PacketType::Ping) => {
                self.pong_pending = true;
                // The schedule does not start anew, as it does in the reference: there, probes in quick succession
                // postpone the noops.
                self.next_noop.get_or_insert(now.add_millis(NOOP_INTERVAL_MILLIS));
            }
            Ok(Packet { packet_type: PacketType::Upgrade, .. }) => self.end(UpgradeOutcome::Upgraded),
            Ok(_) | Err(_) => self.fail(UpgradeFailure::UnexpectedPacket),
        }
    }

    /// Reports that the candidate's connection ended.
    pub fn handle_transport_closed(&mut self) {
        self.fail(UpgradeFailure::TransportClosed);
    }

    /// Reports that the session ended during the upgrade.
    pub fn handle_session_ended(&mut self) {
        self.fail(UpgradeFailure::SessionEnded);
    }

    /// Reports that the clock has moved. Early and repeated calls do nothing. After the call the upgrade has ended, or
    /// its deadline is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if self.deadline <= now {
            self.fail(UpgradeFailure::Timeout);
        } else if self.outcome.is_none() && self.next_noop.is_some_and(|due| due <= now) {
            self.noop_pending = true;
            self.next_noop = Some(now.add_millis(NOOP_INTERVAL_MILLIS));
        }
    }

    /// Returns the next packet to write, or `None`. Each packet is returned once.
    ///
    /// After the end, only the answer to a probe may remain, if the packet that decided the upgrade came right behind
    /// the probe. Write it before anything else on the candidate, as the reference server (engine.io 6.6.12) does.
    #[must_use = "a packet that is not written is lost"]
    pub fn poll_transmit(&mut self) -> Option<UpgradeControl> {
        if core::mem::take(&mut self.pong_pending) {
            Some(UpgradeControl::PongProbe)
        } else if core::mem::take(&mut self.noop_pending) {
            Some(UpgradeControl::Noop)
        } else {
            None
        }
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only when the upgrade
    /// has ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (self.outcome, self.next_noop) {
            (Some(_), _) => None,
            (None, Some(noop)) => Some(noop.min(self.deadline)),
            (None, None) => Some(self.deadline),
        }
    }

    /// Returns how the upgrade ended, or `None` if it has not ended. Once set, the value never changes.
    #[must_use]
    pub const fn outcome(&self) -> Option<UpgradeOutcome> {
        self.outcome
    }

    fn fail(&mut self, failure: UpgradeFailure) {
        self.end(UpgradeOutcome::Failed(failure));
    }

    fn end(&mut self, outcome: UpgradeOutcome) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            // The sender of the deciding packet may have sent a probe right before it, and still waits for the answer.
            self.pong_pending &= matches!(
                outcome,
                UpgradeOutcome::Upgraded | UpgradeOutcome::Failed(UpgradeFailure::UnexpectedPacket)
            );
            self.noop_pending = false;
        }
    }
}

/// The event that a client's upgrade waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The server's `3probe`.
    Pong,
    /// The caller's report that polling has no request in flight.
    Pause,
    Ended(UpgradeOutcome),
}

/// The client side of an upgrade.
///
/// | input | effect |
/// |---|---|
/// | candidate opened | `2probe` |
/// | `3probe` on the candidate, once `2probe` was taken | the caller pauses polling: it starts no new request and lets those in flight finish |
/// | polling is paused within the upgrade timeout | `5`; upgraded |
/// | anything else on the candidate | failed |
/// | not done within the upgrade timeout | failed |
///
/// ```
/// use eio_core::packet::{WebSocketMessage, v4};
/// use eio_core::upgrade::{CLIENT_UPGRADE_TIMEOUT, ClientUpgrade, UpgradeControl, UpgradeOutcome};
/// use eio_core::Instant;
///
/// let at = |millis: u64| Instant::from_micros(millis * 1_000);
/// let mut upgrade = ClientUpgrade::new(CLIENT_UPGRADE_TIMEOUT, at(0));
/// assert_eq!(upgrade.poll_transmit(), Some(UpgradeControl::PingProbe));
/// upgrade.handle_packet(at(30), v4::decode(WebSocketMessage::Text("3probe")));
/// assert!(upgrade.wants_pause());
/// upgrade.handle_polling_paused(at(130));
/// assert_eq!(upgrade.poll_transmit(), Some(UpgradeControl::Upgrade));
/// assert_eq!(upgrade.outcome(), Some(UpgradeOutcome::Upgraded));
/// ```
#[derive(Clone, Debug)]
pub struct ClientUpgrade {
    clock: Clock,
    deadline: Instant,
    step: Step,
    pending: Option<UpgradeControl>,
}

impl ClientUpgrade {
    /// Creates the client side. `now` is the time at which the candidate opened. The timeout should be
    /// [`CLIENT_UPGRADE_TIMEOUT`], and must be shorter than the server's.
    #[must_use]
    pub const fn new(upgrade_timeout: Duration, now: Instant) -> Self {
        Self {
            clock: Clock::new(now),
            deadline: now.saturating_add(upgrade_timeout),
            step: Step::Pong,
            pending: Some(UpgradeControl::PingProbe),
        }
    }

    /// Handles a packet that was decoded from the candidate, or the error of decoding it.
    pub fn handle_packet(&mut self, now: Instant, packet: Result<Packet<'_>, DecodeError>) {
        self.clock.advance(now);
        match (self.step, packet) {
            (Step::Ended(_), _) => {}
            // An answer does not count if the probe has not been sent yet.
            (Step::Pong, Ok(packet)) if is_probe(&packet, PacketType::Pong) && self.pending.is_none() => {
                self.step = Step::Pause;
            }
            (Step::Pong | Step::Pause, _) => self.fail(UpgradeFailure::UnexpectedPacket),
        }
    }

    /// Returns whether the probe was answered, so that the caller must pause polling. The caller then starts no new
    /// request, holds back its messages, waits until no request is in flight, and calls
    /// [`handle_polling_paused`](Self::handle_polling_paused). If the upgrade fails before that, polling continues.
    #[must_use]
    pub fn wants_pause(&self) -> bool {
        self.step == Step::Pause
    }

    /// Reports that no polling request is in flight any more. Does nothing unless [`wants_pause`](Self::wants_pause) is
    /// true. After the upgrade timeout, the upgrade fails: the server may have closed the candidate.
    pub fn handle_polling_paused(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if self.step != Step::Pause {
            return;
        }
        if self.deadline <= now {
            self.fail(UpgradeFailure::Timeout);
        } else {
            self.step = Step::Ended(UpgradeOutcome::Upgraded);
            self.pending = Some(UpgradeControl::Upgrade);
        }
    }

    /// Reports that the candidate's connection ended.
    pub fn handle_transport_closed(&mut self) {
        self.fail(UpgradeFailure::TransportClosed);
    }

    /// Reports that the session ended during the upgrade.
    pub fn handle_session_ended(&mut self) {
        self.fail(UpgradeFailure::SessionEnded);
    }

    /// Reports that the clock has moved. Early and repeated calls do nothing. After the call the upgrade has ended, or
    /// its deadline is later than `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline <= self.clock.advance(now) {
            self.fail(UpgradeFailure::Timeout);
        }
    }

    /// Returns the next packet to write on the candidate, or `None`. Each packet is returned once. After a failure it
    /// returns `None`.
    #[must_use = "a packet that is not written is lost"]
    pub fn poll_transmit(&mut self) -> Option<UpgradeControl> {
        self.pending.take()
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only when the upgrade
    /// has ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.step {
            Step::Pong | Step::Pause => Some(self.deadline),
            Step::Ended(_) => None,
        }
    }

    /// Returns how the upgrade ended, or `None` if it has not ended. Once set, the value never changes.
    #[must_use]
    pub const fn outcome(&self) -> Option<UpgradeOutcome> {
        match self.step {
            Step::Ended(outcome) => Some(outcome),
            Step::Pong | Step::Pause => None,
        }
    }

    fn fail(&mut self, failure: UpgradeFailure) {
        if let Step::Pong | Step::Pause = self.step {
            self.step = Step::Ended(UpgradeOutcome::Failed(failure));
            self.pending = None;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis.saturating_mul(1_000))
    }

    #[test]
    fn what_an_upgrade_sends_is_displayed_by_its_name() {
        let controls = [
            (UpgradeControl::PingProbe, "ping probe"),
            (UpgradeControl::PongProbe, "pong probe"),
            (UpgradeControl::Noop, "noop"),
            (UpgradeControl::Upgrade, "upgrade"),
        ];
        for (control, name) in controls {
            assert_eq!(control.to_string(), name);
        }
    }

    /// Both ends begin together, the client has left polling at `paused`, and its `5` takes until `arrives`.
    fn outcomes(client_timeout: Duration, paused: u64, arrives: u64) -> [Option<UpgradeOutcome>; 2] {
        let mut client = ClientUpgrade::new(client_timeout, at(0));
        let mut server = ServerUpgrade::new(UPGRADE_TIMEOUT, at(0));
        assert_eq!(client.poll_transmit(), Some(UpgradeControl::PingProbe));
        server.handle_packet(at(1), Ok(Packet::PING_PROBE));
        client.handle_packet(at(2), Ok(Packet::PONG_PROBE));
        client.handle_polling_paused(at(paused));
        server.handle_timeout(at(arrives));
        if client.poll_transmit() == Some(UpgradeControl::Upgrade) {
            server.handle_packet(at(arrives), Ok(Packet::UPGRADE));
        }
        [client.outcome(), server.outcome()]
    }

    #[test]
    fn only_a_client_that_gives_up_before_the_server_never_moves_alone() {
        let upgraded = Some(UpgradeOutcome::Upgraded);
        let timeout = Some(UpgradeOutcome::Failed(UpgradeFailure::Timeout));
        assert_eq!(outcomes(UPGRADE_TIMEOUT, 9_999, 10_001), [upgraded, timeout], "the session is lost");
        assert_eq!(outcomes(CLIENT_UPGRADE_TIMEOUT, 4_999, 9_999), [upgraded, upgraded]);
        assert_eq!(outcomes(CLIENT_UPGRADE_TIMEOUT, 5_000, 5_001), [timeout, None]);
    }

    #[test]
    fn an_answer_to_a_probe_that_was_not_sent_fails_the_upgrade() {
        let mut client = ClientUpgrade::new(CLIENT_UPGRADE_TIMEOUT, at(0));
        client.handle_packet(at(1), Ok(Packet::PONG_PROBE));
        assert_eq!(client.outcome(), Some(UpgradeOutcome::Failed(UpgradeFailure::UnexpectedPacket)));
        assert_eq!(client.poll_transmit(), None);
    }

    #[test]
    fn probes_in_quick_succession_hold_no_noop_off() {
        let mut server = ServerUpgrade::new(UPGRADE_TIMEOUT, at(0));
        for millis in [0, 60, 99] {
            server.handle_packet(at(millis), Ok(Packet::PING_PROBE));
            assert_eq!(server.poll_transmit(), Some(UpgradeControl::PongProbe));
        }
        assert_eq!(server.poll_timeout(), Some(at(100)));
        server.handle_timeout(at(100));
        assert_eq!(server.poll_transmit(), Some(UpgradeControl::Noop));
    }

    #[test]
    fn a_probe_is_answered_whatever_comes_right_behind_it() {
        let answer = |then: fn(&mut ServerUpgrade)| {
            let mut server = ServerUpgrade::new(UPGRADE_TIMEOUT, at(0));
            server.handle_packet(at(1), Ok(Packet::PING_PROBE));
            then(&mut server);
            assert!(server.outcome().is_some());
            let answer = server.poll_transmit();
            assert_eq!(server.poll_transmit(), None);
            answer
        };
        let pong = Some(UpgradeControl::PongProbe);
        assert_eq!(answer(|server| server.handle_packet(at(1), Ok(Packet::UPGRADE))), pong);
        assert_eq!(answer(|server| server.handle_packet(at(1), Ok(Packet::PING))), pong);
        // Nobody is there to read it, or too late.
        assert_eq!(answer(ServerUpgrade::handle_transport_closed), None);
        assert_eq!(answer(ServerUpgrade::handle_session_ended), None);
        assert_eq!(answer(|server| server.handle_timeout(at(10_000))), None);
    }

    #[test]
    fn what_is_written_is_the_packet() {
        for control in [
            UpgradeControl::PingProbe,
            UpgradeControl::PongProbe,
            UpgradeControl::Noop,
            UpgradeControl::Upgrade,
        ] {
            let decoded = crate::packet::v4::decode(crate::packet::WebSocketMessage::Text(control.encoded()));
            assert_eq!(decoded, Ok(control.packet()));
        }
    }
}
