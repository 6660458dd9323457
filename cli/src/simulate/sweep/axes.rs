//! Which intervals and timeouts a sweep tries.

use core::time::Duration;

use eio_core::Heartbeat;

use super::super::scenario::Scenario;

/// The intervals and timeouts of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Axes {
    pub(crate) intervals: Vec<Duration>,
    pub(crate) timeouts: Vec<Duration>,
    /// How exactly the sweep looks for intervals and timeouts between these. `None`: it does not.
    pub(crate) interval_step: Option<Duration>,
    pub(crate) timeout_step: Option<Duration>,
}

/// In units of the scale.
const INTERVALS: [u32; 10] = [1, 2, 5, 10, 15, 20, 25, 30, 45, 60];
const TIMEOUTS: [u32; 12] = [2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 90, 120];
/// For a detection within 75 units or fewer.
const FINE_TIMEOUTS: [u32; 13] = [2, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60];

/// The most settings of a table that can be read.
const MAX_SETTINGS: usize = 1_000;

/// The longest detection that is looked for if none is given.
const USUAL: Duration = Duration::from_mins(2);

impl Axes {
    /// Returns the given intervals and timeouts, sorted. Where none are given, they are chosen for the scenario, and for
    /// a detection `within` this time.
    pub(crate) fn new(
        intervals: &[Duration],
        timeouts: &[Duration],
        scenario: &Scenario,
        within: Option<Duration>,
    ) -> Self {
        // A packet that is lost at the beginning of an outage can come late by twice its length.
        let reach = within.unwrap_or_else(|| USUAL.max(scenario.longest_spell() * 4));
        let scale = scale(reach);
        let step = scale.min(Duration::from_secs(1));
        let in_reach = |numbers: &[u32]| -> Vec<Duration> {
            let times = numbers.iter().map(|number| scale * *number);
            // Any interval and any timeout of these are a heartbeat.
            times.filter(|time| *time < reach && *time <= Heartbeat::MAX_SUM / 2).collect()
        };
        let is_fine = within.is_some_and(|within| within <= scale * 75);
        let chosen = in_reach(if is_fine { &FINE_TIMEOUTS } else { &TIMEOUTS });
        Self {
            intervals: given(intervals).unwrap_or_else(|| in_reach(&INTERVALS)),
            timeouts: given(timeouts).unwrap_or(chosen),
            interval_step: intervals.is_empty().then_some(step),
            timeout_step: timeouts.is_empty().then_some(step),
        }
    }
}

impl Axes {
    /// Returns the longest interval that a sweep can try.
    pub(crate) fn longest_interval(&self, within: Option<Duration>) -> Duration {
        // Between the intervals that were chosen, it looks for the longest one that is in time.
        let looked_for = within.filter(|_| self.interval_step.is_some());
        self.intervals.last().copied().max(looked_for).unwrap_or_default()
    }

    /// Checks that every interval and timeout is a heartbeat.
    pub(crate) fn check(&self) -> Result<(), String> {
        for interval in &self.intervals {
            for timeout in &self.timeouts {
                Heartbeat::new(*interval, *timeout).map_err(|error| {
                    error
                        .to_string()
                        .replace("pingInterval", "--intervals")
                        .replace("pingTimeout", "--timeouts")
                })?;
            }
        }
        let settings = self.intervals.len() * self.timeouts.len();
        if settings > MAX_SETTINGS {
            return Err(format!("the sweep has {settings} settings: expected at most {MAX_SETTINGS}"));
        }
        Ok(())
    }
}

fn given(times: &[Duration]) -> Option<Vec<Duration>> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.dedup();
    (!times.is_empty()).then_some(times)
}

/// Returns a round time of which the times within reach are small multiples.
fn scale(reach: Duration) -> Duration {
    let millis = match reach.as_millis() {
        ..200 => 1,
        200..2_000 => 10,
        2_000..20_000 => 100,
        20_000..150_000 => 1_000,
        _ => return longest_scale(reach),
    };
    Duration::from_millis(millis)
}

/// Returns the longest of 2 s, 5 s, 10 s, 20 s and so on of which 60 are within reach.
fn longest_scale(reach: Duration) -> Duration {
    let powers = (0..6).map(|power| 10_u32.pow(power));
    let scales = powers.flat_map(|power| [2, 5, 10].map(|digit| Duration::from_secs(1) * (digit * power)));
    scales.take_while(|scale| *scale * 60 <= reach).last().unwrap_or(Duration::from_secs(2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::scenario::Fleet;

    fn axes(within: Option<u64>, tunnel: &str) -> Axes {
        let tunnels = vec![tunnel.parse().unwrap()];
        let fleet = Fleet { tunnels, ..Fleet::default() };
        let scenario = Scenario::new(None, None, vec![fleet]).unwrap();
        Axes::new(&[], &[], &scenario, within.map(Duration::from_millis))
    }

    fn seconds(times: &[Duration]) -> Vec<f64> {
        times.iter().map(Duration::as_secs_f64).collect()
    }

    #[test]
    fn the_axes_reach_as_far_as_the_question() {
        let train = axes(Some(60_000), "30s/5m");
        assert_eq!(seconds(&train.intervals), [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 45.0]);
        assert_eq!(train.timeouts.last(), Some(&Duration::from_secs(55)));
        assert_eq!(train.timeout_step, Some(Duration::from_secs(1)));
        let machine = axes(Some(1_500), "100ms/1m");
        assert_eq!(seconds(&machine.intervals)[..3], [0.01, 0.02, 0.05]);
        assert_eq!(machine.timeout_step, Some(Duration::from_millis(10)));
        let ferry = axes(None, "10m/1h");
        assert_eq!(ferry.timeouts.last(), Some(&Duration::from_mins(30)), "twice ten minutes, and more");
        assert_eq!(ferry.timeout_step, Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_is_chosen_is_a_heartbeat() {
        let fortnight = 14 * 24 * 3_600_000;
        for axes in [axes(Some(fortnight), "30s/5m"), axes(None, "84h/100h")] {
            assert_eq!(axes.check(), Ok(()), "{axes:?}");
            assert!(axes.intervals.len() > 5 && axes.timeouts.len() > 5, "{axes:?}");
        }
    }

    #[test]
    fn given_times_are_sorted_and_not_refined() {
        let scenario = Scenario::new(None, None, vec![Fleet::default()]).unwrap();
        let times = [20, 5, 20].map(Duration::from_secs);
        let axes = Axes::new(&times, &[], &scenario, None);
        assert_eq!((seconds(&axes.intervals), axes.interval_step), (vec![5.0, 20.0], None));
        assert!(axes.timeout_step.is_some());
    }
}
