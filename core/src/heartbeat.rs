//! The timing rules alone: when to ping, when to answer, and when a silent peer is gone. This module handles neither
//! bytes nor transports.
//!
//! [`Machine`] is one side of an Engine.IO heartbeat. Its constructor selects the role and the protocol revision:
//!
//! | | asks | answers | rules |
//! |---|---|---|---|
//! | [`Machine::eio4_server`] | server: a ping every interval | client | [`eio4`] |
//! | [`Machine::eio4_client`] | – | – | [`eio4`] |
//! | [`Machine::eio3_server`] | – | – | [`eio3`] |
//! | [`Machine::eio3_client`] | client: a ping every interval | server | [`eio3`] |
//!
//! The rules of a revision are linked into the image only if the program calls one of its constructors.
//!
//! Most programs use a [`ServerSession`](crate::ServerSession) or a [`ClientSession`](crate::ClientSession), which add
//! packets, closing and reasons to a machine. Use a machine alone if your program already has these:
//!
//! ```
//! use core::time::Duration;
//! use eio_core::heartbeat::{Due, Machine, Reaction};
//! use eio_core::packet::PacketType;
//! use eio_core::{Heartbeat, Instant, Liveness};
//!
//! let at = |millis: u64| Instant::from_micros(millis * 1_000);
//! let mut server = Machine::eio4_server(Heartbeat::DEFAULT, Liveness::ExtendOnce, at(0));
//!
//! assert_eq!(server.poll_timeout(), Some(at(25_000)));
//! assert_eq!(server.handle_timeout(at(25_000)), Some(Due::Ping)); // the caller writes a ping
//! let answer = server.handle_packet(at(25_080), PacketType::Pong);
//! assert_eq!(answer, Reaction::Answered);
//! assert_eq!(server.rtt(), Some(Duration::from_millis(80)));
//!
//! assert_eq!(server.handle_timeout(at(50_080)), Some(Due::Ping)); // this one stays unanswered
//! assert_eq!(server.poll_timeout(), Some(at(70_080)));
//! assert_eq!(server.handle_timeout(at(70_080)), Some(Due::PingTimeout));
//! assert_eq!(server.poll_timeout(), None);
//! ```

pub mod eio3;
pub mod eio4;
mod rules;
#[cfg(test)]
mod steps;

use core::time::Duration;

use crate::packet::PacketType;
use crate::time::{Clock, Instant};
use crate::{Heartbeat, Liveness};
use rules::Rules;

/// The action that the caller must take after a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "the peer may expect a pong"]
#[non_exhaustive]
pub enum Reaction {
    /// Nothing to do.
    None,
    /// The peer sent its ping: write a pong.
    Pong,
    /// The peer answered the ping. [`Machine::rtt`] returns the round trip time.
    Answered,
    /// The peer sent the heartbeat packet that only this side may send: end the session.
    WrongDirection,
}

/// An action or an end that has become due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Due {
    /// Write a ping.
    Ping,
    /// The peer was silent for too long. The machine has ended.
    PingTimeout,
    /// The application did not read for too long. The machine has ended.
    ApplicationStalled,
    /// The peer did not send its handshake in time. The machine has ended.
    OpenTimeout,
    /// Closing took too long. The machine has ended.
    CloseTimeout,
}

/// The phase of the machine, which decides what its two instants mean. Heartbeats run in the phases before `Closing`.
/// Packets count in the phases before `Opening`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Phase {
    /// The next ping is due at `timer`. Silence has no deadline yet: the ping comes first and sets one.
    PingDue,
    /// As `PingDue`, while the application is stalled: the next ping is due at `mark`.
    PingDueStalled,
    /// A pong is awaited until `timer`; the ping was sent at `mark`.
    Awaiting,
    /// This role sends no pings: it expects the peer's until `timer`.
    Listening,
    /// The session is closing. The deadline for the peer's silence is `timer`; the close timeout ends at `mark`.
    Closing,
    /// The handshake is awaited until `timer`.
    Opening,
    /// The machine ended at `mark`.
    Ended,
}

/// One side of an Engine.IO heartbeat. It takes 56 bytes, reads no clock, and handles no wire bytes.
///
/// Every `handle_*` method takes the caller's time. Time never goes backwards: an earlier `now` counts as the latest
/// time seen. Only [`handle_timeout`](Self::handle_timeout) ends a machine for silence. So a packet that is handled
/// before that call counts, even after the deadline.
// The small fields come first in memory: a small processor has shorter instructions for the beginning of a structure.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Machine {
    phase: Phase,
    /// The application does not read, so the peer's silence does not count.
    stalled: bool,
    liveness: Liveness,
    /// A packet has extended the timeout of the current ping. With `ExtendOnce`, no other packet may extend it. Where
    /// any packet counts, silence may now last an interval and a timeout.
    extended: bool,
    interval_millis: u32,
    timeout_millis: u32,
    /// Above [`MAX_RTT_MICROS`] until a ping is answered.
    rtt_micros: u32,
    rules: &'static Rules,
    clock: Clock,
    /// The deadline of the phase. While the application is stalled: the stall deadline.
    timer: Instant,
    /// The other instant of the phase.
    mark: Instant,
    last_seen: Instant,
}

/// The longest round trip time that can be stored: 71 minutes.
const MAX_RTT_MICROS: u32 = u32::MAX - 1;

/// Creates a machine that waits for its handshake until `open_by`. Every constructor uses this function.
const fn opening(rules: &'static Rules, liveness: Liveness, now: Instant, open_by: Instant) -> Machine {
    Machine {
        rules,
        clock: Clock::new(now),
        timer: open_by,
        mark: now,
        last_seen: now,
        interval_millis: 0,
        timeout_millis: u32::MAX,
        rtt_micros: u32::MAX,
        phase: Phase::Opening,
        stalled: false,
        liveness,
        extended: false,
    }
}

impl Machine {
    /// Creates a server of revision 4. It pings and expects a pong. `now` is the time at which the `open` packet was
    /// handed to the transport.
    #[must_use]
    pub fn eio4_server(heartbeat: Heartbeat, liveness: Liveness, now: Instant) -> Self {
        let mut machine = opening(&eio4::SERVER, liveness, now, now);
        machine.open(now, heartbeat);
        machine
    }

    /// Moves the first ping forward to `delay` from now, so that sessions that open together do not ping together. A
    /// `delay` longer than `ping_interval` has no effect. Roles that do not ping ignore the call.
    ///
    /// Call it on a machine that was just created.
    #[must_use]
    pub fn with_first_ping_after(mut self, delay: Duration) -> Self {
        if self.phase == Phase::PingDue {
            self.timer = self.timer.min(self.clock.latest_seen().saturating_add(delay));
        }
        self
    }

    /// Creates a client of revision 4. It expects the server's pings. `now` is the time at which the `open` packet
    /// arrived.
    #[must_use]
    pub fn eio4_client(heartbeat: Heartbeat, now: Instant) -> Self {
        let mut machine = Self::eio4_client_opening(now, now);
        machine.open(now, heartbeat);
        machine
    }

    /// Creates a server of revision 3. It expects the client's pings. `now` is the time at which the `open` packet was
    /// handed to the transport.
    #[must_use]
    pub fn eio3_server(heartbeat: Heartbeat, liveness: Liveness, now: Instant) -> Self {
        let mut machine = opening(&eio3::SERVER, liveness, now, now);
        machine.open(now, heartbeat);
        machine
    }

    /// Creates a client of revision 3. It pings and expects a pong. `now` is the time at which the `open` packet
    /// arrived.
    #[must_use]
    pub fn eio3_client(heartbeat: Heartbeat, now: Instant) -> Self {
        let mut machine = Self::eio3_client_opening(now, now);
        machine.open(now, heartbeat);
        machine
    }

    /// Creates a client of revision 4 that waits for the handshake until `open_by`.
    pub(crate) const fn eio4_client_opening(now: Instant, open_by: Instant) -> Self {
        opening(&eio4::CLIENT, Liveness::PongOnly, now, open_by)
    }

    /// Creates a client of revision 3 that waits for the handshake until `open_by`.
    pub(crate) const fn eio3_client_opening(now: Instant, open_by: Instant) -> Self {
        opening(&eio3::CLIENT, Liveness::PongOnly, now, open_by)
    }

    /// Caps the ping timeout that the handshake will announce.
    pub(crate) const fn cap_timeout(&mut self, ping_timeout: Duration) {
        if matches!(self.phase, Phase::Opening) {
            let fraction = ping_timeout.subsec_nanos().div_ceil(1_000_000) as u64;
            let millis = ping_timeout.as_secs().saturating_mul(1_000).saturating_add(fraction);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "compared with the maximum in the same expression"
            )]
            let millis = if millis > u32::MAX as u64 { u32::MAX } else { millis as u32 };
            self.timeout_millis = if millis == 0 { 1 } else { millis };
        }
    }

    /// Opens the machine after the handshake: sets the periods and starts the first deadlines.
    pub(crate) fn open(&mut self, now: Instant, heartbeat: Heartbeat) {
        let now = self.clock.advance(now);
        self.last_seen = now;
        self.interval_millis = heartbeat.interval_millis();
        self.timeout_millis = self.timeout_millis.min(heartbeat.timeout_millis());
        (self.rules.opened)(self, now);
    }

    /// Handles a packet other than `close`, from any transport.
    ///
    /// Do not report the `upgrade` packet that completes a transport upgrade. It belongs to the upgrade, and must
    /// neither cancel nor extend a deadline here.
    pub fn handle_packet(&mut self, now: Instant, packet: PacketType) -> Reaction {
        let now = self.clock.advance(now);
        if self.phase >= Phase::Opening {
            return Reaction::None;
        }
        self.last_seen = now;
        (self.rules.packet)(self, now, packet)
    }

    /// Reports that bytes arrived which are not a whole packet yet. They are a sign of life. Under
    /// [`Liveness::AnyPacket`] they count as a packet.
    pub fn handle_activity(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if self.phase == Phase::Ended {
            return;
        }
        self.last_seen = now;
        // Rule 13: what has arrived in part counts only where any packet does.
        if self.is_running() && self.liveness == Liveness::AnyPacket {
            self.count_packet(now);
        }
    }

    /// Reports that the clock has moved, and returns what is due. Does nothing before the deadline that
    /// [`poll_timeout`](Self::poll_timeout) returns, so early and repeated calls are harmless. After the call the
    /// machine has ended, or its deadline is later than `now`.
    ///
    /// A late call does not shorten the time that the peer has: a ping that was due long ago gets its whole timeout
    /// from now, and is written before silence counts.
    #[inline]
    #[must_use = "a ping may be due"]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        // Rule 3: each branch leaves a deadline later than `now`, or ends the machine.
        let now = self.clock.advance(now);
        // The case of nearly every call. All other cases stay out of line.
        if self.phase != Phase::PingDue {
            return self.expire(now);
        }
        if self.timer > now {
            return None;
        }
        // Rule 6: from `now`, however late this call is.
        self.timer = now.add_millis(self.timeout_millis);
        Some(self.ping(now))
    }

    /// Records that the ping is written now. The caller sets the timeout, because a stalled application has another
    /// deadline.
    #[inline]
    fn ping(&mut self, now: Instant) -> Due {
        self.phase = Phase::Awaiting;
        self.mark = now;
        self.extended = false;
        Due::Ping
    }

    /// Reports that the ping leaves only now, because it had to wait for its transport: on long-polling, a server's ping
    /// waits for the client's next poll. Its answer may take the whole timeout from now, and the round trip time counts
    /// from now. Under [`Liveness::ExtendOnce`], one packet after this call may extend the timeout, also if one before it
    /// has. Until the answer, the deadline never comes earlier than without this call.
    ///
    /// The wait must have ended by something that the peer did: a poll that arrived, a post that was answered, an upgrade that
    /// was completed or broken off, or room on a WebSocket. Does nothing if no pong is awaited.
    ///
    /// A machine does not know when a ping leaves, and takes a pong for the answer as soon as the ping is due. A session
    /// knows: see [`ServerSession::poll_transmit`](crate::ServerSession::poll_transmit). If you keep a ping
    /// back, report a pong that comes before it leaves in another way: on a server with
    /// [`handle_activity`](Self::handle_activity), on a client as a [`PacketType::Noop`].
    ///
    /// ```
    /// use eio_core::heartbeat::{Due, Machine};
    /// use eio_core::{Heartbeat, Instant, Liveness};
    ///
    /// let at = |millis: u64| Instant::from_micros(millis * 1_000);
    /// let mut server = Machine::eio4_server(Heartbeat::DEFAULT, Liveness::ExtendOnce, at(0));
    /// assert_eq!(server.handle_timeout(at(25_000)), Some(Due::Ping)); // no poll waits
    /// assert_eq!(server.poll_timeout(), Some(at(45_000)));
    /// server.handle_ping_sent(at(25_300)); // in the answer to the next poll
    /// assert_eq!(server.poll_timeout(), Some(at(45_300)));
    /// ```
    pub fn handle_ping_sent(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        // Rule 6: a ping that had to wait for the peer gives it the whole timeout from now.
        if self.phase == Phase::Awaiting {
            self.mark = now;
            if !self.stalled {
                self.timer = self.timer.max(now.add_millis(self.timeout_millis));
            }
            // No packet has extended the timeout of this ping yet. Where any packet counts, what one has allowed stays.
            self.extended &= self.liveness != Liveness::ExtendOnce;
        }
    }

    /// Checks the deadlines other than that of a usual ping. Nothing else ends a machine for silence (rule 5).
    #[cold]
    fn expire(&mut self, now: Instant) -> Option<Due> {
        if self.next_deadline() > now {
            return None;
        }
        let due = match self.phase {
            Phase::Ended => return None,
            Phase::PingDueStalled if self.timer > now => return Some(self.ping(now)),
            _ if self.stalled => Due::ApplicationStalled,
            Phase::Opening => Due::OpenTimeout,
            Phase::Closing if self.mark < self.timer => Due::CloseTimeout,
            Phase::PingDue | Phase::PingDueStalled | Phase::Awaiting | Phase::Listening | Phase::Closing => {
                Due::PingTimeout
            }
        };
        self.end(now);
        Some(due)
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout). Returns `None` only when the machine
    /// has ended.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        // Rule 2: every other phase has a deadline.
        (self.phase != Phase::Ended).then(|| self.next_deadline())
    }

    /// Reports that the caller stops reading, because its application does not take its messages. The peer's silence
    /// does not count until [`handle_reading_resumed`](Self::handle_reading_resumed). After `stall_timeout` the machine
    /// ends with [`Due::ApplicationStalled`]. Repeating the call changes nothing. If the application takes a message and there
    /// is still no room, report that reading has resumed and pauses again: the timeout then counts anew.
    pub fn handle_reading_paused(&mut self, now: Instant, stall_timeout: Duration) {
        let now = self.clock.advance(now);
        // Rule 14: from here on, `expire` reports the application and not the peer.
        if self.is_running() && !self.stalled {
            self.stalled = true;
            if self.phase == Phase::PingDue {
                self.phase = Phase::PingDueStalled;
                self.mark = self.timer;
            }
            self.timer = now.saturating_add(stall_timeout);
        }
    }

    /// Reports that the caller reads again. Silence counts anew from now, and may last as long as was allowed before
    /// the pause.
    pub fn handle_reading_resumed(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        // Rule 14: silence counts from now.
        if self.stalled {
            self.stalled = false;
            (self.rules.resumed)(self, now);
        }
    }

    /// Starts to close. This side sends no more pings. The machine ends after `close_timeout` or at the deadline for
    /// silence, whichever comes first. The deadline assumes that the next ping was sent when it was due.
    pub(crate) fn begin_close(&mut self, now: Instant, close_timeout: Duration) {
        let now = self.clock.advance(now);
        if !self.is_running() {
            return;
        }
        self.handle_reading_resumed(now);
        if self.phase == Phase::PingDue {
            self.timer = self.timer.max(now).add_millis(self.timeout_millis);
        }
        self.phase = Phase::Closing;
        self.mark = now.saturating_add(close_timeout);
    }

    /// Reports that the clock has moved and nothing else has happened.
    pub(crate) fn handle_clock(&mut self, now: Instant) {
        self.clock.advance(now);
    }

    /// Ends the machine. It has no deadline any more.
    pub(crate) fn end(&mut self, now: Instant) {
        let now = self.clock.advance(now);
        if self.phase != Phase::Ended {
            self.phase = Phase::Ended;
            self.stalled = false;
            self.mark = now;
        }
    }

    /// Returns whether the deadline for the peer's silence has passed, or the deadline for its handshake. If so, send
    /// nothing more, although only [`handle_timeout`](Self::handle_timeout) ends the machine. A ping that is merely due
    /// does not count, and neither does a stalled application.
    #[must_use]
    pub fn is_expired(&self, now: Instant) -> bool {
        let judged = match self.phase {
            Phase::Awaiting | Phase::Listening | Phase::Closing | Phase::Opening => !self.stalled,
            Phase::PingDue | Phase::PingDueStalled | Phase::Ended => false,
        };
        judged && self.timer <= self.clock.latest(now)
    }

    /// Returns the periods in force, or `None` before the handshake has arrived.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Heartbeat> {
        // Zero while opening.
        let heartbeat = Heartbeat::from_valid_millis(self.interval_millis, self.timeout_millis);
        (self.interval_millis > 0).then_some(heartbeat)
    }

    /// Returns the latest round trip time, from a ping of this side to the first pong after it. It saturates at 71
    /// minutes.
    ///
    /// The protocol does not match pongs to pings. A pong that was on its way before the ping was sent makes one value
    /// too short.
    #[must_use]
    pub fn rtt(&self) -> Option<Duration> {
        (self.rtt_micros <= MAX_RTT_MICROS).then(|| Duration::from_micros(u64::from(self.rtt_micros)))
    }

    /// Returns the time of the peer's last sign of life, or the start if there has been none.
    #[must_use]
    pub fn last_seen(&self) -> Instant {
        self.last_seen
    }

    /// Returns the time at which the machine ended, if it has.
    pub(crate) fn ended_at(&self) -> Option<Instant> {
        (self.phase == Phase::Ended).then_some(self.mark)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    pub(crate) fn is_opening(&self) -> bool {
        self.phase == Phase::Opening
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Returns whether the machine is open, so that heartbeats run.
    pub(crate) fn is_running(&self) -> bool {
        self.phase < Phase::Closing
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(0).saturating_add(Duration::from_millis(millis))
    }

    /// Pings every 10 ms and waits 2 ms.
    fn brisk() -> Heartbeat {
        Heartbeat::from_millis(10, 2).unwrap()
    }

    #[test]
    fn a_pause_never_brings_the_deadline_forward() {
        let server = Machine::eio4_server(brisk(), Liveness::AnyPacket, at(0));
        let client = Machine::eio3_client(brisk(), at(0));
        for mut machine in [server, client] {
            assert_eq!(machine.handle_timeout(at(10)), Some(Due::Ping));
            assert_eq!(machine.handle_packet(at(11), PacketType::Message), Reaction::None);
            assert_eq!(machine.poll_timeout(), Some(at(23)));
            machine.handle_reading_paused(at(12), Duration::from_millis(12));
            machine.handle_reading_resumed(at(13));
            assert_eq!(machine.poll_timeout(), Some(at(25)));
        }
    }

    #[test]
    fn a_ping_that_leaves_late_has_its_whole_timeout_and_measures_from_then() {
        let server = Machine::eio4_server(brisk(), Liveness::ExtendOnce, at(0));
        let client = Machine::eio3_client(brisk(), at(0));
        for mut machine in [server, client] {
            machine.handle_ping_sent(at(5));
            assert_eq!(machine.poll_timeout(), Some(at(10)), "no pong is awaited");
            assert_eq!(machine.handle_timeout(at(10)), Some(Due::Ping));
            machine.handle_ping_sent(at(15)); // after its deadline, and before anybody has judged it
            assert_eq!(machine.poll_timeout(), Some(at(17)));
            assert_eq!(machine.handle_packet(at(16), PacketType::Pong), Reaction::Answered);
            assert_eq!(machine.rtt(), Some(Duration::from_millis(1)));
            assert_eq!(machine.poll_timeout(), Some(at(26)));
        }
    }

    #[test]
    fn a_ping_that_leaves_late_takes_away_nothing_that_a_packet_has_allowed() {
        let mut machine = Machine::eio4_server(brisk(), Liveness::AnyPacket, at(0));
        assert_eq!(machine.handle_timeout(at(10)), Some(Due::Ping));
        assert_eq!(machine.handle_packet(at(11), PacketType::Message), Reaction::None);
        machine.handle_ping_sent(at(20));
        assert_eq!(machine.poll_timeout(), Some(at(23)));
        machine.handle_ping_sent(at(22));
        assert_eq!(machine.poll_timeout(), Some(at(24)));
        // Nor does it after a pause.
        machine.handle_reading_paused(at(23), Duration::from_millis(12));
        machine.handle_ping_sent(at(24));
        assert_eq!(machine.poll_timeout(), Some(at(35)), "the deadline of the stall");
        machine.handle_reading_resumed(at(25));
        assert_eq!(machine.poll_timeout(), Some(at(37)));
    }

    #[test]
    fn the_first_packet_after_a_ping_that_leaves_late_extends_also_if_it_leaves_during_a_pause() {
        for pauses in [false, true] {
            let mut machine = Machine::eio4_server(brisk(), Liveness::ExtendOnce, at(0));
            assert_eq!(machine.handle_timeout(at(10)), Some(Due::Ping));
            assert_eq!(machine.handle_packet(at(11), PacketType::Message), Reaction::None);
            if pauses {
                machine.handle_reading_paused(at(11), Duration::from_millis(12));
            }
            machine.handle_ping_sent(at(12));
            machine.handle_reading_resumed(at(12));
            assert_eq!(machine.poll_timeout(), Some(at(14)));
            assert_eq!(machine.handle_packet(at(13), PacketType::Message), Reaction::None);
            assert_eq!(machine.poll_timeout(), Some(at(15)));
        }
    }

    #[test]
    fn a_cap_of_the_timeout_is_rounded_up_and_one_beyond_32_bits_changes_nothing() {
        let beyond_32_bits = Duration::from_millis(u64::from(u32::MAX) + 2);
        let second = Duration::from_secs(1);
        for (cap, timeout) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(5), 5),
            (Duration::new(0, 5_000_001), 6),
            (Duration::new(0, 5_000_999), 6),
            (second.saturating_sub(Duration::from_nanos(1)), 1_000),
            (beyond_32_bits, 2_000),
            (Duration::MAX, 2_000),
        ] {
            let mut client = Machine::eio4_client_opening(at(0), at(10));
            client.cap_timeout(cap);
            client.open(at(1), Heartbeat::from_millis(10, 2_000).unwrap());
            assert_eq!(client.heartbeat(), Heartbeat::from_millis(10, timeout).ok(), "{cap:?}");
        }
    }

    #[test]
    fn what_is_printed_for_people_names_the_rules_and_shows_no_addresses_of_functions() {
        let machine = Machine::eio4_server(brisk(), Liveness::AnyPacket, at(0));
        let printed = format!("{machine:?}");
        assert!(printed.contains("rules: Rules,") && !printed.contains("0x"), "{printed}");
    }

    #[test]
    fn after_a_pause_an_unanswered_ping_has_its_whole_timeout() {
        let server = Machine::eio4_server(brisk(), Liveness::ExtendOnce, at(0));
        let client = Machine::eio3_client(brisk(), at(0));
        for mut machine in [server, client] {
            assert_eq!(machine.handle_timeout(at(10)), Some(Due::Ping));
            machine.handle_reading_paused(at(11), Duration::from_millis(12));
            machine.handle_reading_resumed(at(20));
            assert_eq!(machine.poll_timeout(), Some(at(22)));
        }
    }
}
