//! The checks notice machines that break the rules: each flaw, in an otherwise right machine, fails its story.

use super::*;

/// How a machine is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    /// Rule 2: it has not ended, and nothing will wake it.
    NoDeadline,
    /// Rule 3: its deadline stays where it was.
    StaysDue,
    /// Rule 3: an early call does what the deadline's call should.
    FiresEarly,
    /// Rule 4: it believes a clock that goes backwards.
    BelievesTheClock,
    /// Rule 6: a new period counts from the missed deadline.
    MakesUp,
    /// Rule 7: a second cause changes its end.
    EndsTwice,
    /// Rule 7: it goes on writing after its end.
    WritesAfterEnd,
    /// Its period depends on the epoch of its clock.
    KnowsTheEpoch,
}

/// Beats every ten microseconds until it is told to stop.
#[derive(Clone, Debug)]
struct Metronome {
    flaw: Flaw,
    latest: Instant,
    next: Instant,
    beats: u32,
    ending: Option<u32>,
}

impl Metronome {
    fn new(flaw: Flaw, now: Instant) -> Self {
        let mut metronome = Self { flaw, latest: now, next: now, beats: 0, ending: None };
        metronome.restart(now);
        metronome
    }

    fn now(&mut self, now: Instant) -> Instant {
        self.latest = if self.flaw == Flaw::BelievesTheClock { now } else { now.max(self.latest) };
        self.latest
    }

    fn restart(&mut self, now: Instant) {
        let far = self.flaw == Flaw::KnowsTheEpoch && now.as_micros() > 1 << 40;
        let period = core::time::Duration::from_micros(if far { 11 } else { 10 });
        self.next = now.saturating_add(period);
    }

    /// Puts the next beat off.
    fn touch(&mut self, now: Instant) {
        let now = self.now(now);
        self.restart(now);
    }

    fn stop(&mut self, cause: u32) {
        if self.ending.is_none() || self.flaw == Flaw::EndsTwice {
            self.ending = Some(cause);
            self.beats = 0;
        }
        if self.flaw == Flaw::WritesAfterEnd {
            self.beats = 1;
        }
    }
}

impl Subject for Metronome {
    type Output = ();
    type Ending = u32;
    type Look = ();

    fn poll_timeout(&self) -> Option<Instant> {
        let silent = self.flaw == Flaw::NoDeadline && self.beats > 0;
        (self.ending.is_none() && !silent).then_some(self.next)
    }

    fn handle_timeout(&mut self, now: Instant) {
        let now = self.now(now);
        if self.ending.is_none() && (self.next <= now || self.flaw == Flaw::FiresEarly) {
            self.beats += 1;
            match self.flaw {
                Flaw::StaysDue => {}
                Flaw::MakesUp => self.restart(self.next),
                _ => self.restart(now),
            }
        }
    }

    fn poll_transmit(&mut self) -> Option<()> {
        self.beats = self.beats.checked_sub(1)?;
        Some(())
    }

    fn ending(&self) -> Option<u32> {
        self.ending
    }

    fn may_follow_end((): ()) -> bool {
        false
    }

    fn look(&self, _: Instant, _: u64) {}
}

/// A story that touches every rule.
fn live(flaw: Flaw) {
    let scene = Scene::default();
    let mut lanes = Lanes::new(&scene, "metronome", &EPOCHS, 0, |now| Metronome::new(flaw, now));
    lanes.handle_timeout(10);
    assert_eq!(lanes.poll_transmit(), Some(()));
    lanes.call(15, Metronome::touch);
    lanes.handle_timeout(25);
    assert_eq!(lanes.poll_transmit(), Some(()));
    assert_eq!(lanes.poll_transmit(), None);
    lanes.call(30, |metronome, _| metronome.stop(1));
    lanes.call(31, |metronome, _| metronome.stop(2));
    assert_eq!(lanes.poll_transmit(), None);
}

#[test]
fn a_machine_that_keeps_the_rules_passes() {
    live(Flaw::None);
}

/// Each flaw, and what the failure says about it.
#[test]
fn each_flaw_is_noticed() {
    for (flaw, says) in [
        (Flaw::NoDeadline, "rules 2 and 3"),
        (Flaw::StaysDue, "rules 2 and 3"),
        (Flaw::FiresEarly, "rule 3"),
        (Flaw::BelievesTheClock, "rule"),
        (Flaw::MakesUp, "rules 2 and 3"),
        (Flaw::EndsTwice, "rule 7"),
        (Flaw::WritesAfterEnd, "rule 7"),
        (Flaw::KnowsTheEpoch, "by epoch"),
    ] {
        let failure = std::panic::catch_unwind(|| live(flaw)).expect_err("a failure");
        let words = failure.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(words.contains(says), "{flaw:?}: {words}");
    }
}
