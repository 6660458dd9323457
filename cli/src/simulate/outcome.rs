//! What became of simulated sessions, counted.

use core::time::Duration;

use super::cost::Cost;

/// What became of one session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fate {
    pub(crate) ending: Ending,
    /// The slowest round trip of a heartbeat.
    pub(crate) slowest: Duration,
    pub(crate) cost: Cost,
}

/// How a session went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Both ends lived, and the session was open, until the simulation was over.
    Open,
    /// It ended although both ends lived.
    False,
    /// One end died, and the other noticed after this time.
    Noticed(Duration),
}

/// What became of all sessions of a simulation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) sessions: u32,
    pub(crate) false_ends: u32,
    /// How long each death went unnoticed, in milliseconds, rounded up.
    noticed: Vec<u32>,
    pub(crate) slowest: Duration,
    pub(crate) cost: Cost,
}

impl Outcome {
    pub(crate) fn add(&mut self, fate: Fate) {
        self.sessions += 1;
        match fate.ending {
            Ending::Open => {}
            Ending::False => self.false_ends += 1,
            Ending::Noticed(after) => {
                self.noticed.push(u32::try_from(after.as_micros().div_ceil(1_000)).unwrap_or(u32::MAX));
            }
        }
        self.slowest = self.slowest.max(fate.slowest);
        self.cost.add(fate.cost);
    }

    /// Adds what became of other sessions.
    pub(crate) fn merge(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.false_ends += other.false_ends;
        self.noticed.extend(other.noticed);
        self.slowest = self.slowest.max(other.slowest);
        self.cost.add(other.cost);
    }

    /// Sorts what was collected, and returns the numbers that are shown.
    pub(crate) fn summary(mut self) -> Summary {
        self.noticed.sort_unstable();
        let deaths = self.noticed.len();
        // The smallest time within which so many of a hundred deaths were noticed.
        let quantile = |percent: usize| {
            let index = (deaths * percent).div_ceil(100).saturating_sub(1);
            self.noticed.get(index).map(|millis| Duration::from_millis(u64::from(*millis)))
        };
        let longest = self.noticed.last().copied().unwrap_or(0).max(1);
        let mut bins = [0; BINS];
        for millis in &self.noticed {
            let bin = u64::from(*millis) * BINS as u64 / u64::from(longest);
            if let Some(count) = usize::try_from(bin).ok().and_then(|bin| bins.get_mut(bin.min(BINS - 1))) {
                *count += 1;
            }
        }
        Summary {
            bins,
            sessions: self.sessions,
            false_ends: self.false_ends,
            deaths: u32::try_from(deaths).unwrap_or(u32::MAX),
            median: quantile(50),
            most: quantile(99),
            longest: quantile(100),
            slowest: self.slowest,
            cost: self.cost,
        }
    }
}

/// In how many equal parts the times from zero to the longest one are counted.
pub(crate) const BINS: usize = 30;

/// The numbers of an [`Outcome`] that are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) sessions: u32,
    /// Sessions that ended although both ends lived.
    pub(crate) false_ends: u32,
    /// Sessions that were open when one of their ends died.
    pub(crate) deaths: u32,
    /// How long deaths went unnoticed: half of them at most so long, 99 of 100, and all. `None` without deaths.
    pub(crate) median: Option<Duration>,
    pub(crate) most: Option<Duration>,
    pub(crate) longest: Option<Duration>,
    /// How many deaths went unnoticed for each part of the longest time.
    pub(crate) bins: [u32; BINS],
    /// The slowest round trip of a heartbeat.
    pub(crate) slowest: Duration,
    pub(crate) cost: Cost,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fate(ending: Ending) -> Fate {
        Fate { ending, slowest: Duration::from_millis(80), cost: Cost::default() }
    }

    #[test]
    fn quantiles_are_times_within_which_that_many_deaths_were_noticed() {
        let mut outcome = Outcome::default();
        for seconds in (1..=200).rev() {
            outcome.add(fate(Ending::Noticed(Duration::from_secs(seconds))));
        }
        outcome.add(fate(Ending::False));
        outcome.add(fate(Ending::Open));
        let summary = outcome.summary();
        assert_eq!((summary.sessions, summary.false_ends, summary.deaths), (202, 1, 200));
        let seconds = [summary.median, summary.most, summary.longest].map(|time| time.unwrap().as_secs());
        assert_eq!(seconds, [100, 198, 200]);
        assert_eq!((summary.bins.iter().sum::<u32>(), summary.bins[0], summary.bins[BINS - 1]), (200, 6, 7));
    }

    #[test]
    fn parts_that_are_merged_are_the_whole() {
        let fates = [Ending::Open, Ending::False, Ending::Noticed(Duration::from_micros(1_500))].map(fate);
        let (mut whole, mut first, mut second) = (Outcome::default(), Outcome::default(), Outcome::default());
        for fate in fates {
            whole.add(fate);
        }
        first.add(fates[2]);
        second.add(fates[0]);
        second.add(fates[1]);
        second.merge(first);
        assert_eq!(second.clone().summary(), whole.summary());
        assert_eq!(second.summary().longest, Some(Duration::from_millis(2)), "rounded up");
    }

    #[test]
    fn without_deaths_there_is_no_time() {
        assert_eq!(Outcome::default().summary().longest, None);
    }
}
