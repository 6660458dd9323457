//! A machine: its clock, and when it does not run.

use core::time::Duration;

use eio_core::Instant;

use crate::spells::Spells;
use crate::time::{Micros, NEVER, micros};

/// A machine on which one side of sessions runs: its clock, and when it does not run. Any number of sessions may share
/// it, as they share a server.
///
/// ```
/// use core::time::Duration;
/// use eio_sim::{Host, Spells};
///
/// let seconds = Duration::from_secs;
/// // A sensor with a cheap crystal, which sleeps for 50 s of every minute and keeps its clock running.
/// let sensor = Host::new().drift_ppm(-80).sleeps(Spells::every(seconds(60), seconds(50)));
/// // A server whose event loop is blocked for a second every ten minutes.
/// let server = Host::new().stalls(Spells::every(seconds(600), seconds(1)));
/// # drop((sensor, server));
/// ```
#[derive(Clone, Debug)]
pub struct Host {
    ahead: Micros,
    drift_ppm: i32,
    stalls: Spells,
    sleeps: Spells,
    stops_in_sleep: bool,
    dies_at: Micros,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// Creates a machine that always runs, with a clock that shows the true time.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ahead: 0,
            drift_ppm: 0,
            stalls: Spells::none(),
            sleeps: Spells::none(),
            stops_in_sleep: false,
            dies_at: NEVER,
        }
    }

    /// Returns this machine with a clock that is ahead of the true time.
    #[must_use]
    pub const fn clock_ahead(mut self, by: Duration) -> Self {
        self.ahead = micros(by);
        self
    }

    /// Returns this machine with a clock that gains so many microseconds in a second, or loses them if below zero.
    ///
    /// A usual crystal is within 100 of zero; a microcontroller's internal oscillator within 20,000.
    ///
    /// # Panics
    /// Panics if `ppm` is not above -1,000,000, as the clock would stand still or run backwards.
    #[must_use]
    pub const fn drift_ppm(mut self, ppm: i32) -> Self {
        assert!(ppm > -1_000_000, "a clock runs forwards");
        self.drift_ppm = ppm;
        self
    }

    /// Returns this machine with programs that do not run during further `spells`: a blocked event loop, a collection of
    /// garbage, a debugger. The kernel goes on receiving and acknowledging. Afterwards a program handles all that has
    /// arrived before it looks at its clock.
    #[must_use]
    pub fn stalls(mut self, spells: Spells) -> Self {
        self.stalls = self.stalls.and(spells);
        self
    }

    /// Returns this machine, asleep during further `spells`, which do not overlap: nothing is received, nothing runs, and
    /// TCP's timers stand still. A timer of 60 s fires once the machine has been awake for 60 s.
    #[must_use]
    pub fn sleeps(mut self, spells: Spells) -> Self {
        self.sleeps = self.sleeps.and(spells);
        self
    }

    /// Returns this machine with a clock that stands still in sleep, as `CLOCK_MONOTONIC` does on Linux, or with one that
    /// runs on, as a real-time clock does. It runs on by default.
    #[must_use]
    pub const fn clock_runs_in_sleep(mut self, runs: bool) -> Self {
        self.stops_in_sleep = !runs;
        self
    }

    /// Returns this machine, which dies at that time without a word.
    #[must_use]
    pub const fn dies_at(mut self, at: Duration) -> Self {
        self.dies_at = micros(at);
        self
    }

    pub(crate) const fn death(&self) -> Micros {
        self.dies_at
    }

    /// Until when its programs do not run, at `now`.
    pub(crate) fn stalled(&self, now: Micros) -> Option<Micros> {
        self.stalls.at(now).map(|(_, until)| until)
    }

    /// Since when and until when it sleeps, at `now`.
    pub(crate) fn asleep(&self, now: Micros) -> Option<(Micros, Micros)> {
        self.sleeps.at(now)
    }

    /// How long its clock has run at the true time `now`; `slept` is the sleep that its own spells do not know of.
    pub(crate) fn run(&self, now: Micros, slept: Micros) -> Micros {
        if self.stops_in_sleep {
            now.saturating_sub(self.sleeps.total(now).saturating_add(slept))
        } else {
            now
        }
    }

    /// Whether no sleep is planned.
    pub(crate) const fn never_sleeps(&self) -> bool {
        self.sleeps.is_empty()
    }

    /// How long it has slept before `now`.
    pub(crate) fn slept(&self, now: Micros) -> Micros {
        self.sleeps.total(now)
    }

    /// How long it has not run programs before `now`, as far as its clock counts that.
    pub(crate) fn away(&self, now: Micros) -> Micros {
        let asleep = if self.stops_in_sleep { 0 } else { self.sleeps.total(now) };
        self.stalls.total(now).saturating_add(asleep)
    }

    /// How long it has not run programs before `now`.
    pub(crate) fn idle(&self, now: Micros) -> Micros {
        self.stalls.total(now).saturating_add(self.sleeps.total(now))
    }

    /// By how much its clock is wrong in a second.
    pub(crate) const fn drift(&self) -> Micros {
        self.drift_ppm.unsigned_abs() as Micros
    }

    /// How far its clock gets in a microsecond, at most.
    pub(crate) fn step(&self) -> Micros {
        self.rate().div_ceil(1_000_000)
    }

    pub(crate) const fn stops_in_sleep(&self) -> bool {
        self.stops_in_sleep
    }

    /// What its clock shows once it has run for so long.
    pub(crate) fn reading(&self, run: Micros) -> Instant {
        Instant::from_micros(self.ahead.saturating_add(self.drifted(run)))
    }

    /// How long its clock must have run to show `reading`, at least.
    pub(crate) fn run_until(&self, reading: Instant) -> Micros {
        let wanted = reading.as_micros().saturating_sub(self.ahead);
        if self.drift_ppm == 0 {
            return wanted;
        }
        // Half a year fits into 64 bits, which are divided several times as fast.
        let rate = self.rate();
        match wanted.checked_mul(1_000_000) {
            Some(product) => product.div_ceil(rate),
            None => u64::try_from((u128::from(wanted) * 1_000_000).div_ceil(rate.into())).unwrap_or(NEVER),
        }
    }

    /// How far a clock gets that runs for so long.
    pub(crate) fn drifted(&self, run: Micros) -> Micros {
        if self.drift_ppm == 0 {
            return run;
        }
        let rate = self.rate();
        match run.checked_mul(rate) {
            Some(product) => product / 1_000_000,
            None => u64::try_from(u128::from(run) * u128::from(rate) / 1_000_000).unwrap_or(NEVER),
        }
    }

    /// How far its clock gets in a second.
    fn rate(&self) -> Micros {
        u64::try_from(1_000_000 + i64::from(self.drift_ppm)).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_drifts_shows_a_time_when_asked_to_wake_up_at_it_and_not_before() {
        for ppm in [-500_000, -20_000, -1, 0, 1, 37, 20_000, 3_000_000] {
            let host = Host::new().clock_ahead(Duration::from_secs(7)).drift_ppm(ppm);
            for wanted in (7_000_000..90_000_000_000).step_by(123_456_789) {
                let wanted = Instant::from_micros(wanted);
                let run = host.run_until(wanted);
                assert!(host.reading(run) >= wanted, "{ppm} {wanted:?} {run}");
                assert!(run == 0 || host.reading(run - 1) < wanted, "{ppm} {wanted:?} {run}");
            }
        }
    }

    #[test]
    fn a_clock_stops_in_sleep_or_runs_on() {
        let sleeps = Spells::once(Duration::from_secs(10), Duration::from_secs(5));
        let runs = Host::new().sleeps(sleeps);
        let stops = runs.clone().clock_runs_in_sleep(false);
        assert_eq!(runs.run(20_000_000, 0), 20_000_000);
        assert_eq!(stops.run(20_000_000, 0), 15_000_000);
        assert_eq!(stops.run(20_000_000, 1_000_000), 14_000_000);
    }
}
