//! Which settings of a sweep do what was asked for.

use core::time::Duration;

use super::outcome::Summary;

/// What a setting did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) summary: Summary,
    /// The longest time that a death can go unnoticed: by the rules, and in the simulation.
    pub(crate) noticed_within: Duration,
    /// No session of two living ends was ended, but with a longer timeout some were.
    pub(crate) is_lucky: bool,
}

impl Cell {
    /// Whether no session of two living ends was ended, and not only by luck.
    pub(crate) fn is_safe(&self) -> bool {
        self.summary.false_ends == 0 && !self.is_lucky && !self.is_untried()
    }

    /// Whether no ping arrived in the simulated time, so that nothing could be late.
    pub(crate) fn is_untried(&self) -> bool {
        self.summary.false_ends == 0 && self.summary.cost.heartbeats == 0
    }

    pub(crate) fn keeps(&self, within: Option<Duration>) -> bool {
        self.is_safe() && within.is_none_or(|within| self.noticed_within <= within)
    }
}

/// What a setting did, in all and to each fleet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tried {
    pub(crate) cell: Cell,
    /// In the order of the scenario.
    pub(crate) fleets: Vec<Summary>,
}

/// The settings that a sweep recommends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Answer<'c> {
    /// The shortest detection without a false disconnect.
    pub(crate) shortest: Option<&'c Cell>,
    /// The least traffic without a false disconnect, with a detection within the given time.
    pub(crate) cheapest: Option<&'c Cell>,
}

impl<'c> Answer<'c> {
    pub(crate) fn of(cells: impl IntoIterator<Item = &'c Cell>, within: Option<Duration>) -> Self {
        let safe: Vec<_> = cells.into_iter().filter(|cell| cell.is_safe()).collect();
        // Among equals the longer interval, which costs less.
        let shortest =
            safe.iter().copied().min_by_key(|cell| (cell.noticed_within, core::cmp::Reverse(cell.interval)));
        // Among equals the longer timeout, which leaves more room for what was not simulated.
        let cheapest = within.and_then(|within| {
            let kept = safe.iter().copied().filter(|cell| cell.keeps(Some(within)));
            kept.max_by_key(|cell| (cell.interval, cell.timeout))
        });
        Self { shortest, cheapest }
    }

    /// Returns the setting that answers the question: the cheapest one if a time was given, otherwise the shortest
    /// detection.
    pub(crate) fn best(&self, within: Option<Duration>) -> Option<&'c Cell> {
        if within.is_some() { self.cheapest } else { self.shortest }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::simulate::cost::Cost;

    /// A setting with which pings have arrived.
    pub(in crate::simulate) fn setting(interval: Duration, timeout: Duration, false_ends: u32) -> Cell {
        let summary =
            Summary { false_ends, cost: Cost { heartbeats: 1, ..Cost::default() }, ..Summary::default() };
        Cell { interval, timeout, summary, noticed_within: interval + timeout, is_lucky: false }
    }

    /// The same, in seconds.
    pub(in crate::simulate) fn cell(interval: u64, timeout: u64, false_ends: u32) -> Cell {
        setting(Duration::from_secs(interval), Duration::from_secs(timeout), false_ends)
    }

    pub(in crate::simulate) fn seconds(cell: Option<&Cell>) -> Option<(u64, u64)> {
        cell.map(|cell| (cell.interval.as_secs(), cell.timeout.as_secs()))
    }

    #[test]
    fn the_answer_is_safe_in_time_and_cheap() {
        let cells = [cell(1, 50, 3), cell(1, 52, 0), cell(7, 52, 0), cell(7, 53, 0), cell(10, 52, 0)];
        let within = Some(Duration::from_mins(1));
        let answer = Answer::of(&cells, within);
        assert_eq!(seconds(answer.shortest), Some((1, 52)));
        assert_eq!(seconds(answer.cheapest), Some((7, 53)), "10 s and 52 s are too late");
        assert_eq!(seconds(answer.best(within)), Some((7, 53)));
        assert_eq!(seconds(Answer::of(&cells, None).best(None)), Some((1, 52)));
    }

    #[test]
    fn without_a_safe_setting_there_is_no_answer() {
        let cells = [cell(1, 50, 3), cell(30, 40, 0)];
        let answer = Answer::of(&cells, Some(Duration::from_mins(1)));
        assert_eq!((seconds(answer.shortest), answer.cheapest), (Some((30, 40)), None));
        assert_eq!(Answer::of(&cells[..1], None).shortest, None);
        let untried = Cell { summary: Summary::default(), ..cells[1] };
        assert_eq!(Answer::of(&[untried], None).shortest, None, "nothing could be late");
    }
}
