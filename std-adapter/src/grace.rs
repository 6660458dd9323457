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

/// How many when the runtime goes on stalling: a machine that is always late must still end its sessions.
const MOST_TURNS: u8 = 100;

/// The turns that a late expiry has been given.
#[derive(Debug, Default)]
pub(crate) struct Grace {
    /// Those in which the runtime was in time.
    turns: u8,
    /// All of them.
    all: u8,
    until: Option<Instant>,
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

    /// Whether an expiry that is noticed `late` has to wait for another turn.
    pub(crate) fn extend(&mut self, now: Instant, late: Duration) -> bool {
        if self.all == 0 && late <= LATE {
            return false;
        }
        // A turn in which the runtime was stalled again proves nothing.
        if self.until.is_none_or(|until| now.saturating_duration_since(until) <= LATE) {
            self.turns += 1;
        }
        self.all += 1;
        self.until = Some(now.saturating_add(TURN));
        self.turns <= TURNS && self.all <= MOST_TURNS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    #[test]
    fn an_expiry_in_time_is_believed_at_once() {
        assert!(!Grace::default().extend(at(1_000), Duration::from_millis(10)));
    }

    #[test]
    fn a_late_one_waits_for_four_turns_of_five_milliseconds() {
        let mut grace = Grace::default();
        let mut now = 1_000;
        for _ in 0..4 {
            assert!(grace.extend(at(now), Duration::from_millis(11)));
            assert_eq!(grace.until(), Some(at(now + 5)));
            assert!(grace.is_running(at(now + 4)));
            now += 5;
            assert!(!grace.is_running(at(now)));
        }
        assert!(!grace.extend(at(now), Duration::from_millis(31)));
    }

    #[test]
    fn turns_in_which_the_runtime_stalled_again_count_little() {
        let mut grace = Grace::default();
        assert!(grace.extend(at(1_000), Duration::from_millis(500)));
        for stall in 1..100 {
            assert!(grace.extend(at(1_000 + stall * 1_000), Duration::from_secs(1)));
        }
        assert!(!grace.extend(at(101_000), Duration::from_secs(1)), "but not for ever");
    }
}
