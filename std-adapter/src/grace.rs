//! Patience after a stall.
//!
//! A runtime that did not run for a while may not know yet what its sockets hold. So when an expiry is noticed late,
//! the verdict waits for a few turns of the runtime: evidence that is there will have been read by then.

use core::time::Duration;

use eio_core::Instant;
use tokio::runtime::Handle;
use tokio::task::coop;

/// A wake-up this late means that the runtime was stalled.
const LATE: Duration = Duration::from_millis(10);

/// How long one turn is.
const TURN: Duration = Duration::from_millis(5);

/// How many turns a late expiry is given.
const TURNS: u8 = 4;

/// For how long turns go on at least: as long as the stall was, but no longer than this. What came in during a stall
/// takes its time to be worked off.
const ENOUGH: Duration = Duration::from_secs(1);

/// What the runtime has yet to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backlog {
    /// Nothing that is known of.
    None,
    /// Tasks wait for their turn, among them perhaps one that holds evidence.
    Tasks,
    /// The present task has used up its share of the runtime, and so finds nothing ready, whatever there is.
    Unread,
}

impl Backlog {
    /// What the present task can know of its runtime.
    pub(crate) fn look() -> Self {
        if !coop::has_budget_remaining() {
            return Self::Unread;
        }
        match Handle::try_current() {
            Ok(runtime) if runtime.metrics().global_queue_depth() > 0 => Self::Tasks,
            _ => Self::None,
        }
    }
}

/// The turns that a late expiry has been given. Nearly always there are none, and nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct Grace(Option<Box<Turns>>);

#[derive(Debug)]
struct Turns {
    count: u8,
    /// When the present one is over.
    until: Instant,
    /// When the first one began, and how late that was.
    began: Instant,
    stall: Duration,
}

impl Grace {
    /// Whether the present turn is not over yet.
    pub(crate) fn is_running(&self, now: Instant) -> bool {
        self.until().is_some_and(|until| now < until)
    }

    /// When the present turn is over.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.0.as_ref().map(|turns| turns.until)
    }

    /// There is nothing to judge, or it was judged.
    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// Whether an expiry that is noticed `late` has to wait for another turn.
    pub(crate) fn extend(&mut self, now: Instant, late: Duration, backlog: Backlog) -> bool {
        if self.0.is_none() && late <= LATE && backlog != Backlog::Unread {
            return false;
        }
        let turns =
            self.0.get_or_insert_with(|| Box::new(Turns { count: 0, until: now, began: now, stall: late }));
        // A turn in which the runtime was behind again proves nothing, and is not counted. But without an end to this
        // patience, no dead peer would be noticed under a load that is always too high.
        if backlog == Backlog::None && now.saturating_duration_since(turns.until) <= LATE {
            turns.count = turns.count.saturating_add(1);
        }
        turns.until = now.saturating_add(TURN);
        let waited = now.saturating_duration_since(turns.began);
        (turns.count <= TURNS || waited < turns.stall.min(ENOUGH)) && waited < turns.stall.max(ENOUGH)
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

    /// Extends in even steps until the verdict, and says when that was.
    fn verdict(step: u64, late: u64, backlog: Backlog) -> u64 {
        let mut grace = Grace::default();
        let mut now = 0;
        while grace.extend(at(now), ms(late + now), backlog) {
            assert_eq!(grace.until(), Some(at(now + 5)));
            assert!(grace.is_running(at(now + 4)) && !grace.is_running(at(now + 5)));
            now += step;
        }
        now
    }

    #[test]
    fn an_expiry_in_time_is_believed_at_once() {
        assert_eq!(verdict(5, 10, Backlog::None), 0);
        assert_eq!(verdict(5, 10, Backlog::Tasks), 0);
    }

    #[test]
    fn a_late_one_waits_for_four_turns_and_for_as_long_as_the_stall_was_up_to_a_second() {
        assert_eq!(verdict(5, 11, Backlog::None), 20);
        assert_eq!(verdict(5, 400, Backlog::None), 400);
        assert_eq!(verdict(5, 7_000, Backlog::None), 1_000);
    }

    #[test]
    fn turns_in_which_the_runtime_was_behind_do_not_count_until_patience_ends() {
        for (step, backlog) in [(50, Backlog::None), (5, Backlog::Tasks), (5, Backlog::Unread)] {
            // Late again in every turn, or with a backlog.
            assert_eq!(verdict(step, 500, backlog), 1_000);
            assert_eq!(verdict(step, 7_000, backlog), 7_000);
        }
    }

    #[test]
    fn what_could_not_be_read_is_not_judged_even_in_time() {
        assert_eq!(verdict(5, 0, Backlog::Unread), 1_000);
    }
}
