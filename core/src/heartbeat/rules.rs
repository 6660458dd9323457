//! What the rules of the generations are written in.

use super::{MAX_RTT_MICROS, Machine, Phase, Reaction};
use crate::packet::PacketType;
use crate::time::Instant;

/// How a generation and role react. One table per constructor, so that only the rules in use are linked.
pub(super) struct Rules {
    /// This role sends the pings.
    pub(super) pings: bool,
    /// A packet other than `close` came in.
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

    /// The peer may be silent for so long from now, unless silence is not judged at all.
    pub(super) fn allow_silence(&mut self, now: Instant, millis: u32) {
        if !self.stalled {
            self.timer = now.add_millis(millis);
        }
    }

    /// A packet came in that counts as life by itself: the peer may be silent for an interval and a timeout from now.
    /// While a ping is due next, its own timeout comes later anyway.
    pub(super) fn count_packet(&mut self, now: Instant) {
        if let Phase::Awaiting | Phase::Listening | Phase::Closing = self.phase {
            self.extended = true;
            self.allow_silence(now, self.sum_millis());
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

    /// The awaited pong: how many microseconds it took, exactly.
    #[expect(clippy::cast_possible_truncation, reason = "compared with the maximum in the same line")]
    pub(super) fn measure(&mut self, now: Instant) -> u64 {
        let micros = now.micros_since(self.mark);
        self.rtt_micros = micros.min(MAX_RTT_MICROS.into()) as u32;
        micros
    }
}
