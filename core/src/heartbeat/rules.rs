//! The building blocks of the rules of each revision.

use super::{MAX_RTT_MICROS, Machine, Phase, Reaction};
use crate::Liveness;
use crate::packet::PacketType;
use crate::time::Instant;

/// The reactions of one revision and role. Each constructor has its own table, so that only the rules in use are
/// linked.
pub(super) struct Rules {
    /// Starts the first deadlines, when the session has opened.
    pub(super) opened: fn(&mut Machine, Instant),
    /// Lets silence count anew, when a stalled application reads again.
    pub(super) resumed: fn(&mut Machine, Instant),
    /// Handles a packet other than `close`.
    pub(super) packet: fn(&mut Machine, Instant, PacketType) -> Reaction,
}

impl core::fmt::Debug for Rules {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Rules")
    }
}

impl Machine {
    pub(super) fn interval_micros(&self) -> u64 {
        u64::from(self.interval_millis).saturating_mul(1_000)
    }

    pub(super) fn sum_millis(&self) -> u32 {
        self.interval_millis.saturating_add(self.timeout_millis)
    }

    pub(super) fn next_deadline(&self) -> Instant {
        match self.phase {
            Phase::Closing | Phase::PingDueStalled => self.timer.min(self.mark),
            _ => self.timer,
        }
    }

    /// Allows the peer to be silent for `millis` from now, unless silence does not count at all.
    pub(super) fn allow_silence(&mut self, now: Instant, millis: u32) {
        if !self.stalled {
            self.timer = now.add_millis(millis);
        }
    }

    /// Handles a packet that counts as a sign of life by itself: the peer may be silent for an interval and a timeout
    /// from now. While a ping is due next, the timeout of that ping comes later anyway.
    pub(super) fn count_packet(&mut self, now: Instant) {
        if let Phase::Awaiting | Phase::Listening | Phase::Closing = self.phase {
            self.extended = true;
            self.allow_silence(now, self.sum_millis());
        }
    }

    /// Waits for the peer's pings: the start of a role that does not ping itself, and its start anew after a pause.
    pub(super) fn listen(&mut self, now: Instant) {
        self.phase = Phase::Listening;
        self.allow_silence(now, self.sum_millis());
    }

    /// The start of a role that pings.
    pub(super) fn begin_pinging(&mut self, now: Instant) {
        self.schedule_ping(now.add_millis(self.interval_millis));
    }

    /// Continues a role that pings after a pause. Silence may last as long as was allowed before the pause.
    pub(super) fn resume_pinging(&mut self, now: Instant) {
        match self.phase {
            Phase::PingDueStalled => {
                self.phase = Phase::PingDue;
                self.timer = self.mark;
            }
            Phase::Awaiting if self.extended && self.liveness != Liveness::ExtendOnce => {
                self.count_packet(now);
            }
            Phase::Awaiting => self.allow_silence(now, self.timeout_millis),
            _ => {}
        }
    }

    pub(super) fn schedule_ping(&mut self, due: Instant) {
        if self.stalled {
            self.phase = Phase::PingDueStalled;
            self.mark = due;
        } else {
            self.phase = Phase::PingDue;
            self.timer = due;
        }
    }

    /// Measures the awaited pong. Returns its exact round trip time in microseconds.
    #[expect(clippy::cast_possible_truncation, reason = "compared with the maximum in the same line")]
    pub(super) fn measure(&mut self, now: Instant) -> u64 {
        let micros = now.micros_since(self.mark);
        self.rtt_micros = micros.min(MAX_RTT_MICROS.into()) as u32;
        micros
    }
}
