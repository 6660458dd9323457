//! When something is the case: once, from some time on, or every so often.

use core::time::Duration;

use crate::time::{LONGEST, Micros, NEVER, micros};

/// Spells of time: when a link is cut, a program stalls, or a device sleeps.
///
/// ```
/// use core::time::Duration;
/// use eio_sim::Spells;
///
/// let seconds = Duration::from_secs;
/// // A tunnel of 30 s every five minutes, the first one after a minute.
/// let tunnels = Spells::every(seconds(300), seconds(30)).starting_at(seconds(60));
/// assert!(!tunnels.contains(seconds(59)));
/// assert!(tunnels.contains(seconds(60)));
/// assert!(!tunnels.contains(seconds(90)));
/// assert!(tunnels.contains(seconds(389)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spells(Vec<Spell>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Spell {
    first: Micros,
    /// From the beginning of one to the beginning of the next; [`NEVER`]: there is only one.
    period: Micros,
    lasting: Micros,
    /// None begins then or later.
    until: Micros,
}

impl Spells {
    /// Returns no spell at all.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns one spell that begins at `from` and ends `lasting` later.
    #[must_use]
    pub fn once(from: Duration, lasting: Duration) -> Self {
        Self(vec![Spell { first: micros(from), period: NEVER, lasting: micros(lasting), until: NEVER }])
    }

    /// Returns one spell that begins at `from` and does not end.
    #[must_use]
    pub fn from(from: Duration) -> Self {
        Self::once(from, Duration::MAX)
    }

    /// Returns a spell of `lasting` at the beginning of every `period`, the first one at time zero.
    ///
    /// # Panics
    /// Panics if `period` is below a microsecond.
    #[must_use]
    pub fn every(period: Duration, lasting: Duration) -> Self {
        let period = micros(period);
        assert!(period > 0, "a period of zero");
        Self(vec![Spell { first: 0, period, lasting: micros(lasting), until: NEVER }])
    }

    /// Returns these spells, moved so that they begin `first` later.
    #[must_use]
    pub fn starting_at(mut self, first: Duration) -> Self {
        for spell in &mut self.0 {
            spell.first = spell.first.saturating_add(micros(first)).min(LONGEST);
        }
        self
    }

    /// Returns these spells, of which none begins at `end` or later.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_sim::Spells;
    ///
    /// let seconds = Duration::from_secs;
    /// let spells = Spells::every(seconds(10), seconds(3)).until(seconds(20));
    /// assert!(spells.contains(seconds(12)));
    /// assert!(!spells.contains(seconds(20)));
    /// ```
    #[must_use]
    pub fn until(mut self, end: Duration) -> Self {
        for spell in &mut self.0 {
            spell.until = spell.until.min(micros(end));
        }
        self
    }

    /// Returns these spells and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Returns whether `at` lies in one of them. A spell contains its beginning, and not its end.
    #[must_use]
    pub fn contains(&self, at: Duration) -> bool {
        self.at(micros(at)).is_some()
    }

    /// Whether there is no spell at all.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The spell at `now`: its beginning and its end.
    pub(crate) fn at(&self, now: Micros) -> Option<(Micros, Micros)> {
        self.0.iter().filter_map(|spell| spell.at(now)).max_by_key(|(_, until)| *until)
    }

    /// How much of the time before `now` they take. Those that overlap count twice.
    pub(crate) fn total(&self, now: Micros) -> Micros {
        self.0.iter().map(|spell| spell.total(now)).fold(0, Micros::saturating_add)
    }
}

impl Spell {
    fn at(&self, now: Micros) -> Option<(Micros, Micros)> {
        let since = now.checked_sub(self.first)?;
        if self.lasting >= self.period {
            return Some((self.first, self.end_of_all())).filter(|(_, end)| now < *end);
        }
        let begun = since - since % self.period;
        let from = self.first + begun;
        (since - begun < self.lasting && from < self.until).then(|| (from, from + self.lasting))
    }

    fn total(&self, now: Micros) -> Micros {
        if self.lasting >= self.period {
            return now.min(self.end_of_all()).saturating_sub(self.first);
        }
        let since = now.saturating_sub(self.first);
        let (begun, all) = (since / self.period, self.until.saturating_sub(self.first).div_ceil(self.period));
        if begun >= all {
            return all * self.lasting;
        }
        begun * self.lasting + (since % self.period).min(self.lasting)
    }

    /// When spells without a gap between them end. Together they are one.
    fn end_of_all(&self) -> Micros {
        let Some(open) = self.until.checked_sub(self.first).filter(|open| *open > 0) else {
            return self.first;
        };
        let last = self.first.saturating_add((open - 1) / self.period * self.period);
        last.saturating_add(self.lasting).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_spell_contains_its_beginning_and_not_its_end() {
        let once = Spells::once(seconds(5), seconds(2));
        let found: Vec<_> = (0..10).filter(|second| once.contains(seconds(*second))).collect();
        assert_eq!(found, [5, 6]);
    }

    #[test]
    fn a_spell_for_good_does_not_end() {
        let cut = Spells::from(seconds(5));
        assert!(!cut.contains(seconds(4)));
        assert!(cut.contains(seconds(1_000_000_000)));
    }

    #[test]
    fn spells_without_a_gap_are_one() {
        for lasting in [seconds(2), seconds(7), Duration::MAX] {
            let all = Spells::every(seconds(2), lasting).starting_at(seconds(5));
            assert_eq!(all.at(micros(seconds(4))), None);
            assert_eq!(all.at(micros(seconds(100))), Some((micros(seconds(5)), LONGEST)));
            assert_eq!(all.total(micros(seconds(100))), micros(seconds(95)));
        }
        // The last one begins at 9 s.
        let some = Spells::every(seconds(2), seconds(7)).starting_at(seconds(5)).until(seconds(11));
        assert_eq!(some.at(micros(seconds(15))), Some((micros(seconds(5)), micros(seconds(16)))));
        assert_eq!(some.at(micros(seconds(16))), None);
        assert_eq!(some.total(micros(seconds(100))), micros(seconds(11)));
        let none = Spells::every(seconds(2), seconds(7)).starting_at(seconds(5)).until(seconds(5));
        assert_eq!((none.at(micros(seconds(6))), none.total(micros(seconds(6)))), (None, 0));
    }

    #[test]
    fn spells_that_come_back_are_summed_up() {
        let sleeps = Spells::every(seconds(10), seconds(3)).starting_at(seconds(2));
        let totals: Vec<_> =
            [0, 2, 4, 5, 11, 13, 16].map(|at| sleeps.total(micros(seconds(at))) / 1_000_000).into();
        assert_eq!(totals, [0, 0, 2, 3, 3, 4, 6]);
        let few = sleeps.until(seconds(12));
        let totals: Vec<_> = [4, 11, 16, 99].map(|at| few.total(micros(seconds(at))) / 1_000_000).into();
        assert_eq!(totals, [2, 3, 3, 3]);
    }
}
