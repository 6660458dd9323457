//! When TCP repeats what was lost: the timers of a sender, as Linux sets them.

use core::time::Duration;

use crate::time::{Micros, NEVER, micros};

/// How patient the senders of a link are. [`Tcp::LINUX`] has the values of a Linux kernel that nobody has tuned.
///
/// ```
/// use core::time::Duration;
/// use eio_sim::{Link, Tcp};
///
/// // `TCP_RTO_MAX_MS`, a socket option since Linux 6.15: after an outage, data comes at most about 5 s late.
/// let tcp = Tcp::LINUX.with_longest_timeout(Duration::from_secs(5));
/// let link = Link::new(Duration::from_millis(20)).tcp(tcp);
/// # drop(link);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    shortest: Micros,
    longest: Micros,
    first: Micros,
    tick: Micros,
    gives_up: Micros,
}

impl Tcp {
    /// The values of Linux:
    ///
    /// - The first timeout is the round trip plus 200 ms (`TCP_RTO_MIN`), or plus four times the deviation of the round
    ///   trips where that is more.
    /// - Each further timeout is twice as long, up to 120 s (`TCP_RTO_MAX`).
    /// - Before the first round trip is known, the timeout is one second (`TCP_TIMEOUT_INIT`).
    /// - Timers fire on a tick of the kernel, at 250 a second. Long ones fire late, by up to an eighth of their length.
    /// - A sender gives up after 924.6 s without an answer (`tcp_retries2` is 15).
    pub const LINUX: Self = Self {
        shortest: 200_000,
        longest: 120_000_000,
        first: 1_000_000,
        tick: 4_000,
        gives_up: 924_600_000,
    };

    /// Returns these values with `time` in the place of 200 ms (`TCP_RTO_MIN_US`, `rto_min` of a route).
    #[must_use]
    pub const fn with_shortest_timeout(mut self, time: Duration) -> Self {
        self.shortest = micros(time);
        self
    }

    /// Returns these values with `time` in the place of 120 s (`TCP_RTO_MAX_MS`).
    #[must_use]
    pub const fn with_longest_timeout(mut self, time: Duration) -> Self {
        self.longest = micros(time);
        self
    }

    /// Returns these values with a kernel that ticks `hertz` times a second (`CONFIG_HZ`: 100, 250, 300 or 1000).
    ///
    /// # Panics
    /// Panics if `hertz` is 0 or above 1,000,000.
    #[must_use]
    pub const fn with_ticks_per_second(mut self, hertz: u32) -> Self {
        assert!(0 < hertz && hertz <= 1_000_000, "ticks per second are between 1 and 1,000,000");
        self.tick = 1_000_000 / hertz as u64;
        self
    }

    /// Returns these values with senders that give up after `time` without an answer (`TCP_USER_TIMEOUT`).
    #[must_use]
    pub const fn with_user_timeout(mut self, time: Duration) -> Self {
        self.gives_up = micros(time);
        self
    }

    pub(crate) const fn gives_up(&self) -> Micros {
        self.gives_up
    }

    /// When a timer fires that is set at `now` for `time`, doubled `backoff` times.
    pub(crate) fn fires(&self, now: Micros, time: Micros, backoff: u8) -> Micros {
        let ticks = time.div_ceil(self.tick) << backoff.min(24);
        wheel(now / self.tick, ticks.min(self.longest / self.tick)) * self.tick
    }
}

/// The tick on which Linux fires a timer that is set at the tick `now` for `delta` of them. A timer is put into a slot of
/// a wheel; the further away, the wider the slots. It never fires early (`kernel/time/timer.c`, `calc_index`).
const fn wheel(now: u64, delta: u64) -> u64 {
    let mut shift = 0;
    while shift < 24 && delta >= 63 << shift {
        shift += 3;
    }
    (((now + delta) >> shift) + 1) << shift
}

/// What a sender knows of the round trips: a smoothed mean and a deviation (RFC 6298).
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundTrips {
    /// Zero: none is known.
    mean: u32,
    deviation: u32,
}

impl RoundTrips {
    pub(crate) const NONE: Self = Self { mean: 0, deviation: 0 };

    pub(crate) fn add(&mut self, sample: Micros) {
        let sample = u32::try_from(sample).unwrap_or(u32::MAX).max(1);
        if self.mean == 0 {
            (self.mean, self.deviation) = (sample, sample / 2);
        } else {
            let off = self.mean.abs_diff(sample);
            self.deviation = self.deviation - self.deviation / 4 + off / 4;
            self.mean = self.mean - self.mean / 8 + sample / 8;
        }
    }

    pub(crate) const fn mean(self) -> Micros {
        self.mean as Micros
    }

    /// The timeout before it is doubled.
    pub(crate) fn timeout(self, tcp: &Tcp) -> Micros {
        if self.mean == 0 {
            return tcp.first;
        }
        self.mean() + tcp.shortest.max(4 * Micros::from(self.deviation))
    }

    /// How long a sender waits before it repeats the last segment to find out whether it was lost; [`NEVER`] while it
    /// cannot know (RFC 8985, tail loss probe).
    pub(crate) fn probe(self, tcp: &Tcp, outstanding: usize) -> Micros {
        match (self.mean, outstanding) {
            (0, _) => NEVER,
            (_, 1) => (2 * self.mean() + tcp.shortest).min(self.timeout(tcp)),
            _ => (2 * self.mean() + 2 * tcp.tick).min(self.timeout(tcp)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_on_ticks_and_late_by_at_most_an_eighth() {
        let tcp = Tcp::LINUX;
        for backoff in 0..9 {
            let time = 204_000 << backoff;
            for now in (0..10_000_000).step_by(123_457) {
                let fires = tcp.fires(now, 204_000, backoff);
                assert_eq!(fires % 4_000, 0);
                assert!(
                    (now + time..=now + time + time / 8 + 4_000).contains(&fires),
                    "{now} {time} {fires}"
                );
            }
        }
    }

    #[test]
    fn a_timeout_grows_to_its_limit_and_no_further() {
        let tcp = Tcp::LINUX.with_longest_timeout(Duration::from_secs(5));
        assert!(tcp.fires(0, 200_000, 40) < 5_700_000);
        assert!(Tcp::LINUX.fires(0, 200_000, 40) >= 120_000_000);
    }

    #[test]
    fn the_first_timeout_is_a_round_trip_and_two_hundred_milliseconds() {
        let mut trips = RoundTrips::NONE;
        assert_eq!(trips.timeout(&Tcp::LINUX), 1_000_000);
        for _ in 0..20 {
            trips.add(60_000);
        }
        assert!((259_900..=260_100).contains(&trips.timeout(&Tcp::LINUX)), "{trips:?}");
    }
}
