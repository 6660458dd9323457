//! Patience after a stall.
//!
//! A runtime that did not run for a while may not know yet what its sockets hold. So when an expiry is noticed late,
//! the verdict waits for a few turns of the runtime: evidence that is there will have been read by then.

use core::time::Duration;

use eio_core::Instant;

/// A wake-up this late means that the runtime was stalled.
const LATE: Duration = Duration::from_millis(10);

/// How long one turn is.
const TURN: Duration = Duration::from_millis(5);

/// How many turns a late expiry is given.
const TURNS: u8 = 4;

/// A runtime that never comes to rest gets so long to read what it has, or as long as it was stalled. Without an end
/// to this patience, no dead peer would be noticed under a load that is always too high.
const PATIENCE: Duration = Duration::from_secs(1);

/// The turns that a late expiry has been given.
#[derive(Debug, Default)]
pub(crate) struct Grace {
    turns: u8,
    until: Option<Instant>,
    /// When patience ends.
    end: Option<Instant>,
}

impl Grace {
    /// Whether the present turn is not over yet.
    pub(crate) fn is_running(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// When the present turn is over.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// There is nothing to judge, or it was judged.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }

    /// Whether an expiry that is noticed `late` has to wait for another turn. `unread` says that the transport may
    /// hold more than could be read in this turn, whether it is late or not.
    pub(crate) fn extend(&mut self, now: Instant, late: Duration, unread: bool) -> bool {
        if self.turns == 0 && late <= LATE && !unread {
            return false;
        }
        let end = *self.end.get_or_insert_with(|| now.saturating_add(late.max(PATIENCE)));
        // A turn in which the runtime was stalled again proves nothing, and is not counted.
        let stalled = self.until.is_some_and(|until| now.saturating_duration_since(until) > LATE);
        if !unread && !stalled || self.turns == 0 {
            self.turns += 1;
        }
        self.until = Some(now.saturating_add(TURN).min(end));
        self.turns <= TURNS && now < end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn an_expiry_in_time_is_believed_at_once() {
        assert!(!Grace::default().extend(at(1_000), ms(10), false));
    }

    #[test]
    fn a_late_one_waits_for_four_turns_of_five_milliseconds() {
        let mut grace = Grace::default();
        let mut now = 1_000;
        for _ in 0..4 {
            assert!(grace.extend(at(now), ms(11), false));
            assert_eq!(grace.until(), Some(at(now + 5)));
            assert!(grace.is_running(at(now + 4)));
            now += 5;
            assert!(!grace.is_running(at(now)));
        }
        assert!(!grace.extend(at(now), ms(31), false));
    }

    #[test]
    fn a_turn_in_which_the_runtime_stalled_again_does_not_count_until_patience_ends() {
        for (late, patience) in [(500, 1_000), (7_000, 7_000)] {
            let mut grace = Grace::default();
            let mut now = 0;
            while grace.extend(at(now), ms(late + now), false) {
                now += 50;
            }
            assert_eq!(now, patience);
        }
    }

    #[test]
    fn what_could_not_all_be_read_is_not_judged_until_patience_ends() {
        let mut grace = Grace::default();
        let mut now = 0;
        while grace.extend(at(now), ms(now), true) {
            now += 5;
        }
        assert_eq!(now, 1_000);
    }
}
