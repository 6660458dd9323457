//! One machine run at several epochs of its clock at once, with the rules that every machine keeps checked at every
//! call. What it does must not depend on the epoch.

use core::fmt::Debug;

use eio_core::Instant;

use super::clock::Reading;
use super::scene::Scene;

/// The epochs that every story runs at, in microseconds.
pub const EPOCHS: [u64; 3] = [0, 1, 1 << 63];

/// Up to here, 2^42 µs below the last instant, a deadline is always later than now.
pub const LAST_NOW: u64 = u64::MAX - (1 << 42);

/// How far ahead a machine is tried: a year.
const FAR: u64 = 365 * 24 * 3_600 * 1_000_000;

/// A machine with one deadline.
pub(crate) trait Subject: Clone + Debug {
    /// What it wants written.
    type Output: Copy + PartialEq + Debug;
    /// How it ended.
    type Ending: Copy + PartialEq + Debug;
    /// Everything else that can be seen from outside, with times counted from `epoch`.
    type Look: PartialEq + Debug;

    fn poll_timeout(&self) -> Option<Instant>;
    fn handle_timeout(&mut self, now: Instant);
    fn poll_transmit(&mut self) -> Option<Self::Output>;
    fn ending(&self) -> Option<Self::Ending>;
    /// Whether this may still be written after the end.
    fn may_follow_end(output: Self::Output) -> bool;
    fn look(&self, now: Instant, epoch: u64) -> Self::Look;
}

/// A machine at several epochs.
#[derive(Clone, Debug)]
pub(crate) struct Lanes<S: Subject> {
    scene: Scene,
    name: &'static str,
    copies: Vec<(u64, S)>,
    /// The latest reading that was handed in.
    latest: Reading,
    ending: Option<S::Ending>,
    written_after_end: u32,
}

/// All that can be seen of a machine from outside.
#[derive(Debug, PartialEq)]
struct Sight<Output, Ending, Look> {
    deadline: Option<Reading>,
    ending: Option<Ending>,
    outputs: [Option<Output>; 4],
    look: Look,
}

type SightOf<S> = Sight<<S as Subject>::Output, <S as Subject>::Ending, <S as Subject>::Look>;

fn sight<S: Subject>(machine: &S, now: Instant, epoch: u64) -> SightOf<S> {
    let mut drained = machine.clone();
    Sight {
        deadline: machine.poll_timeout().map(|deadline| reading(deadline, epoch)),
        ending: machine.ending(),
        outputs: core::array::from_fn(|_| drained.poll_transmit()),
        look: machine.look(now, epoch),
    }
}

/// `instant`, counted from `epoch`.
pub(crate) fn reading(instant: Instant, epoch: u64) -> Reading {
    instant.as_micros().wrapping_sub(epoch).cast_signed()
}

fn at(epoch: u64, reading: Reading) -> Instant {
    Instant::from_micros(epoch.saturating_add_signed(reading))
}

fn earlier(now: Instant) -> [Instant; 2] {
    [0, now.as_micros().saturating_sub(1)].map(Instant::from_micros)
}

impl<S: Subject> Lanes<S> {
    #[track_caller]
    pub(crate) fn new(
        scene: &Scene,
        name: &'static str,
        epochs: &[u64],
        now: Reading,
        new: impl Fn(Instant) -> S,
    ) -> Self {
        let copies: Vec<_> = epochs.iter().map(|&epoch| (epoch, new(at(epoch, now)))).collect();
        let lanes =
            Self { scene: scene.clone(), name, copies, latest: now, ending: None, written_after_end: 0 };
        lanes.check();
        lanes
    }

    /// Hands something in, at all epochs; their answers must agree.
    #[track_caller]
    pub(crate) fn call<R: PartialEq + Debug>(
        &mut self,
        now: Reading,
        call: impl Fn(&mut S, Instant) -> R,
    ) -> R {
        self.check_backwards_call(now, &call);
        self.latest = self.latest.max(now);
        let mut answers = self.copies.iter_mut().map(|(epoch, machine)| call(machine, at(*epoch, now)));
        let answer = answers.next().expect("at least one epoch");
        for other in answers {
            if other != answer {
                self.scene.fail(self.name, format_args!("answers {answer:?} or {other:?}, by epoch"));
            }
        }
        self.check();
        self.remember_ending();
        answer
    }

    /// The deadline's call. The answer of the deadline itself is in `poll_transmit` and `ending`.
    #[track_caller]
    pub(crate) fn handle_timeout(&mut self, now: Reading) {
        self.call(now, S::handle_timeout);
        if let Some(deadline) = self.poll_timeout()
            && deadline <= self.latest
        {
            self.scene.fail(self.name, format_args!("is due again at {deadline}, just after its deadline"));
        }
    }

    #[track_caller]
    pub(crate) fn poll_transmit(&mut self) -> Option<S::Output> {
        let mut outputs = self.copies.iter_mut().map(|(_, machine)| machine.poll_transmit());
        let output = outputs.next().expect("at least one epoch");
        for other in outputs {
            if other != output {
                self.scene.fail(self.name, format_args!("yields {output:?} or {other:?}, by epoch"));
            }
        }
        if let Some(output) = output
            && self.ending.is_some()
        {
            self.written_after_end += 1;
            if !S::may_follow_end(output) || self.written_after_end > 1 {
                self.scene.fail(self.name, format_args!("rule 7: yields {output:?} after its end"));
            }
        }
        output
    }

    pub(crate) fn poll_timeout(&self) -> Option<Reading> {
        let (epoch, machine) = self.first();
        machine.poll_timeout().map(|deadline| reading(deadline, *epoch))
    }

    pub(crate) fn ending(&self) -> Option<S::Ending> {
        self.first().1.ending()
    }

    /// Everything else that can be seen now.
    pub(crate) fn look(&self) -> S::Look {
        let (epoch, machine) = self.first();
        machine.look(at(*epoch, self.latest), *epoch)
    }

    /// What it would yield now.
    pub(crate) fn outputs(&self) -> [Option<S::Output>; 4] {
        let mut drained = self.first().1.clone();
        core::array::from_fn(|_| drained.poll_transmit())
    }

    /// One question, asked at all epochs, with the time and the epoch.
    #[track_caller]
    pub(crate) fn ask<R: PartialEq + Debug>(
        &self,
        now: Reading,
        question: impl Fn(&S, Instant, u64) -> R,
    ) -> R {
        let mut answers =
            self.copies.iter().map(|(epoch, machine)| question(machine, at(*epoch, now), *epoch));
        let answer = answers.next().expect("at least one epoch");
        for other in answers {
            if other != answer {
                self.scene.fail(self.name, format_args!("says {answer:?} or {other:?}, by epoch"));
            }
        }
        answer
    }

    fn first(&self) -> &(u64, S) {
        self.copies.first().expect("at least one epoch")
    }

    /// Rule 4: whatever is handed in with an earlier `now` counts as handed in at the latest.
    #[track_caller]
    fn check_backwards_call<R: PartialEq + Debug>(&self, now: Reading, call: &impl Fn(&mut S, Instant) -> R) {
        let (epoch, machine) = self.first();
        let now = at(*epoch, self.latest.max(now));
        // Tells the time and nothing else, unless something is due.
        if machine.poll_timeout().is_some_and(|deadline| deadline <= now) {
            return;
        }
        let mut told = machine.clone();
        told.handle_timeout(now);
        let mut as_latest = told.clone();
        let answer = call(&mut as_latest, now);
        for earlier in earlier(now) {
            let mut as_earlier = told.clone();
            let other = call(&mut as_earlier, earlier);
            if other != answer || sight(&as_earlier, now, *epoch) != sight(&as_latest, now, *epoch) {
                self.scene.fail(
                    self.name,
                    format_args!("rule 4: at {earlier:?} does something else than at {now:?}: {as_earlier:?}, {as_latest:?}"),
                );
            }
        }
    }

    /// Rules 2, 3, 4 and 7, on clones.
    #[track_caller]
    fn check(&self) {
        let (first_epoch, first) = self.first();
        let expected = sight(first, at(*first_epoch, self.latest), *first_epoch);
        for (epoch, machine) in &self.copies {
            let now = at(*epoch, self.latest);
            let seen = sight(machine, now, *epoch);
            if seen != expected {
                self.scene.fail(self.name, format_args!("is {seen:?} or {expected:?}, by epoch"));
            }
        }
        let (epoch, machine) = self.first();
        let now = at(*epoch, self.latest);
        if expected.ending.is_none() != expected.deadline.is_some() {
            self.scene.fail(
                self.name,
                format_args!(
                    "rule 2: has the end {:?} and the deadline {:?}",
                    expected.ending, expected.deadline
                ),
            );
        }
        if self.ending.is_some() && self.ending != expected.ending {
            self.scene.fail(
                self.name,
                format_args!("rule 7: its end was {:?} and is {:?}", self.ending, expected.ending),
            );
        }
        self.check_early_calls(machine, now, *epoch, &expected);
        if let Some(deadline) = machine.poll_timeout() {
            let due = deadline.max(now);
            self.check_progress(machine, due);
            let far = due.as_micros().saturating_add(FAR).min(LAST_NOW.max(due.as_micros()));
            self.check_progress(machine, Instant::from_micros(far));
        }
    }

    /// Rule 3: early and repeated calls do nothing.
    #[track_caller]
    fn check_early_calls(&self, machine: &S, now: Instant, epoch: u64, expected: &SightOf<S>) {
        let mut called = machine.clone();
        let due = match machine.poll_timeout() {
            // Then the latest call itself is due; earlier ones count as the same.
            Some(deadline) if deadline <= now => return,
            Some(deadline) => deadline,
            None => now,
        };
        for early in earlier(now) {
            called.handle_timeout(early);
        }
        called.handle_timeout(now);
        called.handle_timeout(now);
        let between = Instant::from_micros(due.as_micros().saturating_sub(1).max(now.as_micros()));
        if sight(&called, now, epoch) != *expected {
            self.scene.fail(self.name, format_args!("rule 3: an early call made {machine:?} {called:?}"));
        }
        called.handle_timeout(between);
        if called.poll_timeout() != machine.poll_timeout() || called.ending() != machine.ending() {
            self.scene.fail(self.name, format_args!("rule 3: an early call made {machine:?} {called:?}"));
        }
    }

    /// Rule 3: after the deadline's call it has ended or its deadline is later, and repeating it does nothing.
    #[track_caller]
    fn check_progress(&self, machine: &S, now: Instant) {
        let mut called = machine.clone();
        called.handle_timeout(now);
        let next = called.poll_timeout();
        if next.is_some_and(|next| next <= now) || next.is_none() != called.ending().is_some() {
            self.scene
                .fail(self.name, format_args!("rules 2 and 3: {machine:?} does not move on at {now:?}"));
        }
        let ending = called.ending();
        called.handle_timeout(now);
        if called.poll_timeout() != next || called.ending() != ending {
            self.scene.fail(self.name, format_args!("rule 3: a repeated call at {now:?} moves {machine:?}"));
        }
    }

    fn remember_ending(&mut self) {
        self.ending = self.ending.or_else(|| self.ending());
    }
}

#[cfg(test)]
mod tests;
