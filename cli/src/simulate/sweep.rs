//! A sweep: many intervals and timeouts in the same scenario, and between them the shortest timeout that is safe.

mod axes;

use core::time::Duration;

pub(crate) use self::axes::Axes;
use super::answer::{Answer, Cell};
use super::cost::Cost;
use super::units::Unit;

/// What a sweep found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sweep {
    pub(crate) within: Option<Duration>,
    pub(crate) timeouts: Vec<Duration>,
    pub(crate) rows: Vec<Row>,
    /// Found beyond the timeouts of the table, because none of these is safe.
    pub(crate) beyond: Option<Cell>,
}

/// The settings with one interval.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) interval: Duration,
    /// One for each timeout.
    pub(crate) cells: Vec<Cell>,
    /// The shortest timeout from which on no session of two living ends was ended.
    pub(crate) shortest: Option<Cell>,
}

impl Row {
    /// Returns what the heartbeats cost with this interval: with the shortest safe timeout, or else the longest one.
    pub(crate) fn cost(&self) -> Cost {
        self.shortest.as_ref().or(self.cells.last()).map(|cell| cell.summary.cost).unwrap_or_default()
    }
}

/// An interval and a timeout.
pub(crate) type Pair = (Duration, Duration);

/// How many sessions are simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Those of the scenario.
    Try,
    /// More of them, because a few sessions can be lucky.
    Check,
}

/// Simulates settings: returns what each of them did, in the same order.
pub(crate) type Simulate<'a> = dyn FnMut(&[Pair], Effort) -> Vec<Cell> + 'a;

/// How often an interval is made shorter to be in time.
const ATTEMPTS: u32 = 3;

impl Sweep {
    /// Tries all settings of the axes, then looks between them. A death can be noticed by `delay` later than the
    /// rules say.
    pub(crate) fn new(
        axes: &Axes,
        within: Option<Duration>,
        delay: Duration,
        simulate: &mut Simulate<'_>,
    ) -> Self {
        let mut sweep = Self {
            within,
            timeouts: axes.timeouts.clone(),
            rows: rows(&axes.intervals, axes, simulate),
            beyond: None,
        };
        if let (Some(step), Some(within)) = (axes.interval_step, within) {
            sweep.look_between_intervals(axes, step, within.saturating_sub(delay), simulate);
        }
        if axes.timeout_step.is_some() && sweep.rows.iter().all(|row| row.shortest.is_none()) {
            sweep.beyond = sweep.look_beyond(axes, simulate);
        }
        sweep
    }

    /// Adds the longest interval that is in time: with its timeout, it is not above `reach`.
    fn look_between_intervals(
        &mut self,
        axes: &Axes,
        step: Duration,
        reach: Duration,
        simulate: &mut Simulate<'_>,
    ) {
        for _ in 0..ATTEMPTS {
            let least = self.rows.iter().filter_map(|row| row.shortest).map(|cell| cell.timeout).min();
            let longest = self.answer().cheapest.map_or(Duration::ZERO, |cell| cell.interval);
            let tried = self.rows.iter().map(|row| row.interval).filter(|interval| *interval > longest);
            // Intervals that were tried in vain are too long.
            let too_long = tried.min().unwrap_or(Duration::MAX);
            let Some(least) = least else { return };
            let interval = floor(
                reach.saturating_sub(least).min(too_long.saturating_sub(Duration::from_micros(1))),
                step,
            );
            if interval <= longest {
                return;
            }
            self.rows.extend(rows(&[interval], axes, simulate));
            self.rows.sort_by_key(|row| row.interval);
        }
    }

    /// Looks for a safe timeout that is longer than those of the table.
    fn look_beyond(&self, axes: &Axes, simulate: &mut Simulate<'_>) -> Option<Cell> {
        const DOUBLINGS: u32 = 6;
        let (interval, last) = (self.rows.first()?.interval, *axes.timeouts.last()?);
        let timeouts = (0..=DOUBLINGS).map(|power| last * (1 << power)).collect();
        let found = rows(&[interval], &Axes { timeouts, ..axes.clone() }, simulate);
        found.first().and_then(|row| row.shortest)
    }

    /// Returns every setting that was found or tried, and is shown.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.rows.iter().flat_map(|row| row.cells.iter().chain(&row.shortest)).chain(&self.beyond)
    }

    /// Returns the unit of its times.
    pub(crate) fn unit(&self) -> Unit {
        Unit::of(self.timeouts.iter().copied().chain(self.rows.iter().map(|row| row.interval)))
    }

    pub(crate) fn answer(&self) -> Answer<'_> {
        Answer::of(self.cells(), self.within)
    }
}

/// Tries these intervals with all timeouts of the axes, and finds the shortest safe timeout of each.
fn rows(intervals: &[Duration], axes: &Axes, simulate: &mut Simulate<'_>) -> Vec<Row> {
    let pairs: Vec<Pair> = intervals
        .iter()
        .flat_map(|interval| axes.timeouts.iter().map(move |timeout| (*interval, *timeout)))
        .collect();
    let cells = simulate(&pairs, Effort::Try);
    let mut rows: Vec<Row> = intervals
        .iter()
        .zip(cells.chunks(axes.timeouts.len().max(1)))
        .map(|(interval, cells)| Row {
            interval: *interval,
            cells: cells.to_vec(),
            shortest: first_safe(cells).map(|(_, cell)| *cell),
        })
        .collect();
    settle(&mut rows, simulate);
    if let Some(step) = axes.timeout_step {
        let mut searches: Vec<Search> = rows.iter().filter_map(Search::of).collect();
        search(&mut searches, step, simulate);
        for found in searches {
            for row in rows.iter_mut().filter(|row| row.interval == found.safe.interval) {
                row.shortest = Some(found.safe);
            }
        }
    }
    for row in &mut rows {
        let safe_from = row.shortest.map_or(Duration::MAX, |cell| cell.timeout);
        for cell in &mut row.cells {
            cell.is_lucky = cell.summary.false_ends == 0 && !cell.is_untried() && cell.timeout < safe_from;
        }
    }
    rows
}

/// Tries the shortest safe timeout of each row in more sessions, and then the next one if it was only lucky.
fn settle(rows: &mut [Row], simulate: &mut Simulate<'_>) {
    let mut open: Vec<&mut Row> = rows.iter_mut().filter(|row| row.shortest.is_some()).collect();
    while !open.is_empty() {
        let pairs: Vec<Pair> =
            open.iter().filter_map(|row| Some((row.interval, row.shortest?.timeout))).collect();
        let checked = simulate(&pairs, Effort::Check);
        for (row, cell) in open.iter_mut().zip(checked) {
            for same in row.cells.iter_mut().filter(|same| same.timeout == cell.timeout) {
                *same = cell;
            }
            row.shortest = first_safe(&row.cells).map(|(_, cell)| *cell);
        }
        // The others are done: what was checked is safe, or nothing is.
        let is_open = |row: &Row, timeout| row.shortest.is_some_and(|cell| cell.timeout > timeout);
        let rest = open.into_iter().zip(&pairs).filter(|(row, (_, timeout))| is_open(row, *timeout));
        open = rest.map(|(row, _)| row).collect();
    }
}

/// Returns the first setting from which on all are safe, and the one before it.
fn first_safe(cells: &[Cell]) -> Option<(Option<&Cell>, &Cell)> {
    let unsafe_ones = cells.iter().rposition(|cell| !cell.is_safe()).map_or(0, |last| last + 1);
    let before = unsafe_ones.checked_sub(1).and_then(|before| cells.get(before));
    cells.get(unsafe_ones).map(|cell| (before, cell))
}

/// The search for the shortest safe timeout of an interval: between one that is not safe and one that is.
struct Search {
    too_short: Duration,
    safe: Cell,
}

impl Search {
    fn of(row: &Row) -> Option<Self> {
        let (before, safe) = first_safe(&row.cells)?;
        Some(Self { too_short: before.map_or(Duration::ZERO, |cell| cell.timeout), safe: *safe })
    }

    /// Returns the multiple of the step in the middle, if there is one between the two.
    fn middle(&self, step: Duration) -> Option<Pair> {
        let middle = floor((self.too_short + self.safe.timeout) / 2, step);
        (middle > self.too_short && !middle.is_zero()).then_some((self.safe.interval, middle))
    }
}

/// Ends all searches, a round of all of them at a time.
fn search(searches: &mut [Search], step: Duration, simulate: &mut Simulate<'_>) {
    loop {
        let pairs: Vec<Pair> = searches.iter().filter_map(|search| search.middle(step)).collect();
        if pairs.is_empty() {
            return;
        }
        let tried = simulate(&pairs, Effort::Check);
        let open = searches.iter_mut().filter(|search| search.middle(step).is_some());
        for (search, cell) in open.zip(tried) {
            if cell.is_safe() {
                search.safe = cell;
            } else {
                search.too_short = cell.timeout;
            }
        }
    }
}

/// Returns the largest multiple of `step` that is not above `time`.
fn floor(time: Duration, step: Duration) -> Duration {
    let steps = time.as_micros() / step.as_micros().max(1);
    step * u32::try_from(steps).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::answer::tests::{cell, seconds, setting};
    use crate::simulate::scenario::{Fleet, Scenario};

    /// A world in which a timeout is safe from `least` milliseconds on, and seems to be so a little earlier.
    fn sweep(least: u64, lucky: u64, within: Option<u64>, tried: &mut usize) -> Sweep {
        let fleet = Fleet { tunnels: vec!["30s/5m".parse().unwrap()], ..Fleet::default() };
        let scenario = Scenario::new(None, None, vec![fleet]).unwrap();
        let within = within.map(Duration::from_secs);
        let axes = Axes::new(&[], &[], &scenario, within);
        let mut simulate = |pairs: &[Pair], effort| {
            *tried += pairs.len();
            let cell = |(interval, timeout): &Pair| {
                let seems = if effort == Effort::Check { least } else { least.saturating_sub(lucky) };
                let false_ends = u32::from(timeout.as_millis() < u128::from(seems));
                setting(*interval, *timeout, false_ends)
            };
            pairs.iter().map(cell).collect()
        };
        Sweep::new(&axes, within, Duration::from_millis(40), &mut simulate)
    }

    #[test]
    fn the_shortest_safe_timeout_is_found_between_those_of_the_table() {
        let mut tried = 0;
        let sweep = sweep(51_200, 0, Some(60), &mut tried);
        assert!(sweep.rows.iter().all(|row| row.shortest.unwrap().timeout == Duration::from_secs(52)));
        let answer = sweep.answer();
        assert_eq!(seconds(answer.shortest), Some((1, 52)));
        // 8 s and 52 s would be in time only on a link without a delay.
        assert_eq!(seconds(answer.cheapest), Some((7, 52)));
        assert!(tried < 220, "{tried}");
    }

    #[test]
    fn a_timeout_that_was_safe_in_a_few_sessions_only_is_made_longer() {
        let mut tried = 0;
        let sweep = sweep(51_200, 7_000, Some(60), &mut tried);
        assert_eq!(seconds(sweep.answer().cheapest), Some((7, 52)));
        for row in &sweep.rows {
            assert_eq!(row.shortest.unwrap().timeout, Duration::from_secs(52));
            assert!(row.cells.iter().all(|cell| !cell.is_safe() || cell.timeout.as_secs() > 52));
        }
    }

    #[test]
    fn if_every_timeout_is_too_short_a_longer_one_is_found() {
        let mut tried = 0;
        let sweep = sweep(100_500, 0, Some(60), &mut tried);
        assert!(sweep.rows.iter().all(|row| row.shortest.is_none()));
        assert_eq!(seconds(sweep.answer().shortest), Some((1, 101)));
        assert_eq!(sweep.answer().cheapest, None);
        assert_eq!(self::sweep(u64::MAX, 0, Some(60), &mut tried).answer().shortest, None);
    }

    #[test]
    fn a_world_without_trouble_allows_the_shortest_timeout() {
        let mut tried = 0;
        let sweep = sweep(0, 0, None, &mut tried);
        assert_eq!(seconds(sweep.answer().shortest), Some((1, 1)));
    }

    #[test]
    fn what_is_shorter_than_a_failure_is_not_called_safe() {
        let cells = [cell(1, 1, 0), cell(1, 2, 1), cell(1, 3, 0)];
        assert_eq!(first_safe(&cells), Some((Some(&cells[1]), &cells[2])));
        assert_eq!(first_safe(&cells[..2]), None);
    }
}
