//! The check before a session ends for silence, for both roles (rule 5).
//!
//! A runtime that did not run for a while may not know which bytes have arrived at its sockets. So the check reads from the
//! socket itself before a session ends. If there is no socket to read and the deadline passed a while ago, the runtime
//! first gets a few turns, in which it reads the bytes that have arrived.

use core::time::Duration;

use eio_core::Instant;
use tokio::runtime::Handle;
use tokio::task::coop;

use crate::wire::clock::LATE;

/// The length of one turn.
const TURN: Duration = Duration::from_millis(5);

/// How many turns the runtime gets before a late expiry.
const TURNS: u8 = 4;

/// The upper bound for the minimum total length of the turns. They last at least as long as the stall did, up to this
/// bound, because handling the bytes that arrived during a stall takes time.
pub(crate) const ENOUGH: Duration = Duration::from_secs(1);

fn is_in_time(late: Duration, backlog: Backlog) -> bool {
    late <= LATE && backlog != Backlog::Unread
}

/// The work that the runtime has not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backlog {
    /// There is no known work.
    None,
    /// Tasks wait for their turn. One of them may hold a sign of life.
    Tasks,
    /// The current task has left bytes unread, or has used up its share of the runtime, which then reports nothing as ready.
    Unread,
}

impl Backlog {
    /// Returns the work that the current task can know about.
    fn look(unread: bool) -> Self {
        if unread || !coop::has_budget_remaining() {
            return Self::Unread;
        }
        match Handle::try_current() {
            Ok(runtime) if runtime.metrics().global_queue_depth() > 0 => Self::Tasks,
            _ => Self::None,
        }
    }
}

/// The turns before a late expiry. There are hardly ever any, so this usually stores nothing.
#[derive(Debug, Default)]
pub(crate) struct SilenceCheck(Option<Box<Turns>>);

#[derive(Debug)]
struct Turns {
    count: u8,
    /// The end of the current turn.
    until: Instant,
    /// When the first turn began, and how late that was.
    began: Instant,
    stall: Duration,
}

impl SilenceCheck {
    /// Returns whether the session's clock may move to `now`. That sends packets that are due at its `deadline`, and ends
    /// an expired session. Everything that the runtime has reported must have been read before.
    ///
    /// A session that [is expired](eio_core::ServerSession::is_expired) must wait while bytes of its peer may be unread.
    /// `ask` reads from the socket itself and returns whether the session is still expired, or `None` if there is no socket
    /// to read. `unread` says that reading stopped at its limit, so that there may be more to read.
    pub(crate) fn permits(
        &mut self,
        now: Instant,
        deadline: Option<Instant>,
        is_expired: bool,
        unread: bool,
        ask: impl FnOnce() -> Option<bool>,
    ) -> bool {
        if self.is_running(now) {
            return false;
        }
        let due = deadline.filter(|deadline| *deadline <= now);
        let has_to_wait = match due {
            Some(deadline) if is_expired => {
                let late = now.saturating_duration_since(deadline);
                match ask() {
                    Some(still_expired) => !still_expired,
                    None => self.extend(now, late, Backlog::look(unread)),
                }
            }
            _ => false,
        };
        if !has_to_wait {
            self.end();
        }
        due.is_some() && !has_to_wait
    }

    /// Returns when to check a session with this deadline again: not before the current turn is over.
    pub(crate) fn put_off(&self, deadline: Option<Instant>) -> Option<Instant> {
        deadline.map(|deadline| self.until().map_or(deadline, |until| deadline.max(until)))
    }

    /// Returns whether there are no turns.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    /// Returns whether the current turn is not over yet.
    fn is_running(&self, now: Instant) -> bool {
        self.until().is_some_and(|until| now < until)
    }

    /// Returns the end of the current turn.
    fn until(&self) -> Option<Instant> {
        self.0.as_ref().map(|turns| turns.until)
    }

    /// Ends the turns, because the decision has been made or is no longer needed.
    fn end(&mut self) {
        self.0 = None;
    }

    /// Returns whether an expiry that is noticed `late` must wait for another turn.
    fn extend(&mut self, now: Instant, late: Duration, backlog: Backlog) -> bool {
        if self.0.is_none() && is_in_time(late, backlog) {
            return false;
        }
        let turns =
            self.0.get_or_insert_with(|| Box::new(Turns { count: 0, until: now, began: now, stall: late }));
        // A turn in which the runtime was late again proves nothing, and does not count. But there must be a limit, because
        // otherwise no dead peer would be noticed under permanent overload.
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
        let mut check = SilenceCheck::default();
        let mut now = 0;
        while check.extend(at(now), ms(late + now), backlog) {
            assert_eq!(check.until(), Some(at(now + 5)));
            assert!(check.is_running(at(now + 4)) && !check.is_running(at(now + 5)));
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

    /// Never asked.
    fn nothing() -> Option<bool> {
        unreachable!("there is no verdict to ask about")
    }

    #[test]
    fn what_is_due_but_ends_nothing_happens_at_once() {
        let mut check = SilenceCheck::default();
        assert!(!check.permits(at(9), Some(at(10)), false, false, nothing));
        assert!(check.permits(at(10), Some(at(10)), false, false, nothing));
        assert!(check.permits(at(7_000), Some(at(10)), false, false, nothing));
        assert!(!check.permits(at(7_000), None, false, false, nothing));
    }

    #[tokio::test]
    async fn a_verdict_waits_while_the_socket_brings_evidence() {
        let mut check = SilenceCheck::default();
        assert!(!check.permits(at(10), Some(at(10)), true, false, || Some(false)));
        assert!(check.permits(at(10), Some(at(10)), true, false, || Some(true)));
        // However late it is: the socket itself has nothing to say.
        assert!(check.permits(at(7_000), Some(at(10)), true, false, || Some(true)));
        assert_eq!(check.put_off(Some(at(8_000))), Some(at(8_000)));
    }

    #[tokio::test]
    async fn a_verdict_in_time_waits_for_what_was_left_unread() {
        let mut check = SilenceCheck::default();
        assert!(!check.permits(at(10), Some(at(10)), true, true, || None));
        assert!(check.permits(at(15), Some(at(15)), false, false, nothing));
        // The socket itself was read to its end.
        assert!(check.permits(at(20), Some(at(20)), true, true, || Some(true)));
    }

    #[tokio::test]
    async fn without_a_socket_to_ask_a_late_verdict_waits_for_turns() {
        let mut check = SilenceCheck::default();
        assert!(!check.permits(at(30), Some(at(10)), true, false, || None));
        assert_eq!(check.put_off(Some(at(10))), Some(at(35)));
        assert_eq!(check.put_off(Some(at(40))), Some(at(40)));
        assert_eq!(check.put_off(None), None);
        assert!(!check.permits(at(34), Some(at(10)), true, false, nothing));
        assert!(!check.permits(at(35), Some(at(10)), true, false, || None));
        // Evidence came: nothing is due any more, and the turns are over.
        assert!(!check.permits(at(40), Some(at(50)), false, false, nothing));
        assert_eq!(check.put_off(Some(at(50))), Some(at(50)));
    }
}
