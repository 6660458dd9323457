//! Whether eio itself was stopped: a laptop that sleeps, or a process that is suspended, answers no pings.

use core::time::Duration;

/// How often to compare the clocks.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// Compares two clocks with the time that should have passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Naps {
    /// The monotonic clock, which stands still while a machine sleeps, and the wall clock, which does not.
    last: Option<[Duration; 2]>,
    longest: Duration,
}

impl Naps {
    /// Compares the clocks. Call this at least once in a [`TICK`], and when the session has ended.
    pub(crate) fn observe(&mut self, monotonic: Duration, wall: Duration) {
        if let Some(last) = self.last {
            let passed = [monotonic, wall].into_iter().zip(last).map(|(now, last)| now.saturating_sub(last));
            let nap = passed.max().unwrap_or_default().saturating_sub(TICK);
            self.longest = self.longest.max(nap);
        }
        self.last = Some([monotonic, wall]);
    }

    /// Forgets the naps so far: the session has survived them.
    pub(crate) fn forget(&mut self) {
        self.longest = Duration::ZERO;
    }

    /// Returns the longest time for which eio did not run.
    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What two looks at the clocks show that are this long apart.
    pub(in crate::connect) fn between_looks(time: Duration) -> Naps {
        let mut naps = Naps::default();
        naps.observe(Duration::ZERO, Duration::ZERO);
        naps.observe(time, time);
        naps
    }

    #[test]
    fn a_suspended_process_and_a_machine_that_slept_are_noticed() {
        let after = |monotonic_s, wall_s| {
            let mut naps = Naps::default();
            let [mut monotonic, mut wall] = [Duration::from_secs(9), Duration::from_hours(400_000)];
            for _ in 0..10 {
                naps.observe(monotonic, wall);
                monotonic += TICK;
                wall += TICK;
            }
            naps.observe(monotonic + Duration::from_secs(monotonic_s), wall + Duration::from_secs(wall_s));
            naps.longest().as_secs()
        };
        assert_eq!(after(0, 0), 0);
        assert_eq!(after(60, 60), 60, "a suspended process");
        assert_eq!(after(0, 3_600), 3_600, "a machine that slept");
    }

    #[test]
    fn a_clock_that_is_set_back_is_no_nap() {
        let mut naps = Naps::default();
        for wall in [5_000, 5_001, 1_000, 1_001] {
            naps.observe(Duration::from_secs(wall % 10), Duration::from_secs(wall));
        }
        assert_eq!(naps.longest(), Duration::from_millis(500), "a second between two looks");
    }
}
