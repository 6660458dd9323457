//! What connects a client with a server.

use core::time::Duration;

use crate::random::Random;
use crate::side::Side;
use crate::spells::Spells;
use crate::tcp::Tcp;
use crate::time::{Micros, NEVER, micros};

/// A link between a client and a server: how long a segment takes, and which ones are lost.
///
/// It is the same in both directions, unless [`cut_to_server`](Self::cut_to_server) or
/// [`cut_to_client`](Self::cut_to_client) says otherwise. Any number of sessions may share it. They share its cuts, not
/// its bandwidth: each has that for itself.
///
/// ```
/// use core::time::Duration;
/// use eio_sim::{Link, Spells};
///
/// let seconds = Duration::from_secs;
/// let mobile = Link::new(Duration::from_millis(40))
///     .jitter(Duration::from_millis(30))
///     .loss_per_million(5_000)
///     .bytes_per_second(128_000 / 8)
///     .cut(Spells::every(seconds(300), seconds(30)));
/// # drop(mobile);
/// ```
#[derive(Clone, Debug)]
pub struct Link {
    delay: Micros,
    jitter: Micros,
    loss_per_million: u32,
    bytes_per_second: u32,
    burst: Micros,
    cuts: [Spells; 2],
    tcp: Tcp,
}

impl Link {
    /// Creates a link on which a segment takes `delay` in either direction, so that a round trip takes twice that.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self {
            delay: micros(delay),
            jitter: 0,
            loss_per_million: 0,
            bytes_per_second: 0,
            burst: 0,
            cuts: [Spells::none(), Spells::none()],
            tcp: Tcp::LINUX,
        }
    }

    /// Returns this link, with segments that take `delay` in either direction.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = micros(delay);
        self
    }

    /// Returns this link, with segments that take up to `most` longer. Their order is kept.
    #[must_use]
    pub const fn jitter(mut self, most: Duration) -> Self {
        self.jitter = micros(most);
        self
    }

    /// Returns this link, with so many of a million segments lost at random: 10,000 are 1 %.
    #[must_use]
    pub const fn loss_per_million(mut self, segments: u32) -> Self {
        self.loss_per_million = segments;
        self
    }

    /// Returns this link with a bandwidth, which every session has for itself in each direction.
    ///
    /// A segment that is sent while another one is being sent waits behind it, also if it is a heartbeat behind a large
    /// message.
    #[must_use]
    pub const fn bytes_per_second(mut self, bytes: u32) -> Self {
        self.bytes_per_second = bytes;
        self
    }

    /// Returns this link, with segments that arrive only at whole multiples of `period`, as over a radio that sleeps in
    /// between.
    #[must_use]
    pub const fn bursts(mut self, period: Duration) -> Self {
        self.burst = micros(period);
        self
    }

    /// Returns this link, cut in both directions during further `spells`.
    ///
    /// What is sent meanwhile is lost, and nobody is told. TCP repeats it. What is under way when a cut begins arrives.
    #[must_use]
    pub fn cut(self, spells: Spells) -> Self {
        self.cut_to_server(spells.clone()).cut_to_client(spells)
    }

    /// Returns this link, cut only on the way to the server during further `spells`.
    #[must_use]
    pub fn cut_to_server(mut self, spells: Spells) -> Self {
        self.add_cut(Side::Server, spells);
        self
    }

    /// Returns this link, cut only on the way to the client during further `spells`.
    #[must_use]
    pub fn cut_to_client(mut self, spells: Spells) -> Self {
        self.add_cut(Side::Client, spells);
        self
    }

    /// Returns this link with other timers at both of its ends.
    #[must_use]
    pub const fn tcp(mut self, tcp: Tcp) -> Self {
        self.tcp = tcp;
        self
    }

    /// Returns whether what is sent at `at` towards this side is lost to a cut.
    #[must_use]
    pub fn is_cut(&self, towards: Side, at: Duration) -> bool {
        self.cuts[towards.index()].contains(at)
    }

    /// Adds cuts on the way to one side. [`World::link_mut`](crate::World::link_mut) gives access to a link in use.
    pub fn add_cut(&mut self, towards: Side, spells: Spells) {
        let cuts = &mut self.cuts[towards.index()];
        *cuts = core::mem::take(cuts).and(spells);
    }

    /// Removes all cuts on the way to one side.
    pub fn clear_cuts(&mut self, towards: Side) {
        self.cuts[towards.index()] = Spells::none();
    }

    pub(crate) const fn senders(&self) -> &Tcp {
        &self.tcp
    }

    /// How long a segment takes at least.
    pub(crate) const fn one_way(&self) -> Micros {
        self.delay
    }

    /// When a segment without data arrives that is sent at `now`; [`NEVER`] if it is lost.
    pub(crate) fn carry_empty(&self, towards: Side, now: Micros, random: &mut Random) -> Micros {
        if self.loses(towards, now, random) { NEVER } else { self.arrives(now, random) }
    }

    /// When `bytes` arrive that are sent at `now`; [`NEVER`] if they are lost.
    pub(crate) fn carry(
        &self,
        towards: Side,
        now: Micros,
        bytes: u32,
        lane: &mut Lane,
        random: &mut Random,
    ) -> Micros {
        let mut left = now;
        if self.bytes_per_second > 0 {
            left = now.max(lane.busy_until);
            left += u64::from(bytes) * 1_000_000 / u64::from(self.bytes_per_second);
            lane.busy_until = left;
        }
        if self.loses(towards, now, random) {
            return NEVER;
        }
        lane.last_arrival = self.arrives(left, random).max(lane.last_arrival);
        lane.last_arrival
    }

    fn loses(&self, towards: Side, now: Micros, random: &mut Random) -> bool {
        self.cuts[towards.index()].at(now).is_some()
            || (self.loss_per_million > 0 && random.below(1_000_000) < u64::from(self.loss_per_million))
    }

    fn arrives(&self, left: Micros, random: &mut Random) -> Micros {
        let jitter = if self.jitter > 0 { random.below(self.jitter + 1) } else { 0 };
        let arrival = left + self.delay + jitter;
        if self.burst > 0 { arrival.next_multiple_of(self.burst) } else { arrival }
    }
}

/// One direction of a link, as one session uses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane {
    /// When the last byte leaves the sender.
    busy_until: Micros,
    /// When the last segment arrives: none overtakes another.
    last_arrival: Micros,
}

impl Lane {
    pub(crate) const NEW: Self = Self { busy_until: 0, last_arrival: 0 };

    pub(crate) const fn busy_until(&self) -> Micros {
        self.busy_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carry(link: &Link, now: Micros, bytes: u32, lane: &mut Lane) -> Micros {
        link.carry(Side::Server, now, bytes, lane, &mut Random::new(1))
    }

    #[test]
    fn segments_wait_for_each_other_on_a_slow_link() {
        let link = Link::new(Duration::from_millis(10)).bytes_per_second(1_000);
        let mut lane = Lane::NEW;
        assert_eq!(carry(&link, 0, 500, &mut lane), 510_000);
        assert_eq!(carry(&link, 100_000, 100, &mut lane), 610_000);
        assert_eq!(carry(&link, 900_000, 100, &mut lane), 1_010_000);
    }

    #[test]
    fn jitter_keeps_the_order() {
        let link = Link::new(Duration::ZERO).jitter(Duration::from_millis(50));
        let mut lane = Lane::NEW;
        let mut random = Random::new(3);
        let arrivals: Vec<_> = (0..1_000_u64)
            .map(|now| link.carry(Side::Client, now * 1_000, 1, &mut lane, &mut random))
            .collect();
        assert!(arrivals.is_sorted());
        assert!(arrivals.iter().zip(0..).any(|(arrival, now)| *arrival > now * 1_000 + 40_000));
    }

    #[test]
    fn losses_are_as_frequent_as_asked_for() {
        let link = Link::new(Duration::ZERO).loss_per_million(100_000);
        let mut random = Random::new(5);
        let lost = (0..10_000).filter(|now| link.carry_empty(Side::Server, *now, &mut random) == NEVER);
        assert!((900..1_100).contains(&lost.count()));
    }

    #[test]
    fn a_cut_of_one_direction_leaves_the_other() {
        let mut link = Link::new(Duration::ZERO).cut_to_server(Spells::from(Duration::from_secs(1)));
        assert!(link.is_cut(Side::Server, Duration::from_secs(1)));
        assert!(!link.is_cut(Side::Client, Duration::from_secs(1)));
        link.clear_cuts(Side::Server);
        assert!(!link.is_cut(Side::Server, Duration::from_secs(1)));
    }
}
