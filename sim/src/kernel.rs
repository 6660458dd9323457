//! The clock by which a kernel sets the timers of TCP.

use crate::host::Host;
use crate::peer::Peer;
use crate::time::{LONGEST, Micros, NEVER};

/// The clock of one side's kernel. It shows the true time, less all the time in which the machine has slept.
///
/// The clock of the side's programs is another one: that one drifts, and may run on in sleep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelClock<'a>(Option<(&'a Host, &'a Peer)>);

impl<'a> KernelClock<'a> {
    /// The clock of a machine that never sleeps.
    pub(crate) const AWAKE: Self = Self(None);

    pub(crate) const fn of(host: &'a Host, peer: &'a Peer) -> Self {
        // It is asked at each step, and most machines never sleep.
        if host.never_sleeps() && peer.asleep_until == 0 { Self::AWAKE } else { Self(Some((host, peer))) }
    }

    /// What it shows at the true time `at`. A time before the last sleep but one that a test asked for is not known any more.
    pub(crate) fn reading(self, at: Micros) -> Micros {
        self.0.map_or(at, |(host, peer)| at.saturating_sub(peer.slept_in_all(host, at)))
    }

    /// When it shows `reading`, in true time, if the machine does not fall asleep between `now` and then.
    pub(crate) fn shows_at(self, now: Micros, reading: Micros) -> Micros {
        let from = self.wakes(now);
        if from == NEVER { NEVER } else { from.saturating_add(reading.saturating_sub(self.reading(from))) }
    }

    /// When the sleep ends in which the machine is at `now`; `now` if it does not sleep.
    pub(crate) fn wakes(self, now: Micros) -> Micros {
        match self.asleep(now) {
            None => now,
            Some((_, until)) if until >= LONGEST => NEVER,
            Some((_, until)) => until,
        }
    }

    pub(crate) fn is_asleep(self, at: Micros) -> bool {
        self.asleep(at).is_some()
    }

    fn asleep(self, at: Micros) -> Option<(Micros, Micros)> {
        self.0.and_then(|(host, peer)| peer.asleep(host, at))
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::ids::HostId;
    use crate::spells::Spells;

    #[test]
    fn it_stands_still_in_planned_sleeps_and_in_others() {
        const SECOND: Micros = 1_000_000;
        let sensor = Spells::every(Duration::from_mins(1), Duration::from_secs(50));
        let host = Host::new().sleeps(sensor.starting_at(Duration::from_secs(10)));
        let mut peer = Peer::new(HostId::PERFECT);
        peer.sleep(&host, 5 * SECOND, 15 * SECOND);
        let clock = KernelClock::of(&host, &peer);
        let readings: Vec<_> =
            [4, 5, 12, 60, 65, 70, 130].map(|at| clock.reading(at * SECOND) / SECOND).into();
        assert_eq!(readings, [4, 5, 5, 5, 10, 15, 25]);
        let woken: Vec<_> = [4, 5, 15, 60, 70].map(|at| clock.wakes(at * SECOND) / SECOND).into();
        assert_eq!(woken, [4, 15, 60, 60, 120]);
        let shown: Vec<_> = [60, 65, 80].map(|now| clock.shows_at(now * SECOND, 12 * SECOND) / SECOND).into();
        assert_eq!(shown, [67, 67, 120], "the last one is past");
        assert_eq!(clock.shows_at(80 * SECOND, 18 * SECOND) / SECOND, 123);
        assert_eq!(clock.shows_at(80 * SECOND, NEVER), NEVER);
    }

    #[test]
    fn a_machine_that_does_not_wake_up_shows_no_later_time() {
        let host = Host::new().sleeps(Spells::from(Duration::from_secs(1)));
        let peer = Peer::new(HostId::PERFECT);
        let clock = KernelClock::of(&host, &peer);
        assert_eq!(clock.shows_at(0, 2_000_000), 2_000_000, "it has to ask again then");
        assert_eq!(clock.shows_at(2_000_000, 2_000_000), NEVER);
    }
}
