//! An outage: a time in which accepting fails. It is reported once, however often accepting fails.

use core::time::Duration;

use eio_core::Instant;

/// How long accepting must succeed until an outage counts as over. A server at its limit accepts a connection whenever
/// another one ends, which does not end the outage.
const CALM: Duration = Duration::from_secs(5);

/// The current outage, if there is one.
#[derive(Debug, Default)]
pub(super) struct Outage(Option<Times>);

#[derive(Clone, Copy, Debug)]
struct Times {
    began: Instant,
    latest: Instant,
}

impl Outage {
    /// Notes that accepting has failed. Returns whether an outage begins.
    pub(super) fn begins(&mut self, now: Instant) -> bool {
        let is_new = self.0.is_none();
        self.0.get_or_insert(Times { began: now, latest: now }).latest = now;
        is_new
    }

    /// Returns when the current outage will be over, unless accepting fails again.
    pub(super) fn over_at(&self) -> Option<Instant> {
        self.0.map(|times| times.latest.saturating_add(CALM))
    }

    /// Returns how long the outage has lasted, if it is over.
    pub(super) fn ends(&mut self, now: Instant) -> Option<Duration> {
        let times = self.0.take_if(|times| times.latest.saturating_add(CALM) <= now)?;
        Some(times.latest.saturating_duration_since(times.began))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn an_outage_begins_once_and_ends_after_five_seconds_without_a_failure() {
        let mut outage = Outage::default();
        assert_eq!((outage.over_at(), outage.ends(at(9))), (None, None));
        assert!(outage.begins(at(10)));
        assert!(!outage.begins(at(12)) && !outage.begins(at(16)));
        assert_eq!(outage.over_at(), Some(at(21)));
        assert_eq!(outage.ends(at(20)), None);
        assert_eq!(outage.ends(at(21)), Some(Duration::from_secs(6)));
        assert!(outage.begins(at(22)));
    }
}
