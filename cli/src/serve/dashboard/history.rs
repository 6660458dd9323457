//! What the page shows of the past hour: how many sessions were open, how sessions ended, and how long round trips took.
//!
//! Everything is summed up in buckets of fixed widths, and their number is limited: the history takes at most 60 KiB,
//! whether there is one session or ten thousand, after a minute and after a year.

mod bucket;

use core::time::Duration;
use std::collections::VecDeque;

use serde_json::{Value, json};

use self::bucket::{BOUNDS, Bucket};
use crate::duration::millis;

/// The width and the number of the buckets: of the past five minutes, and of the past hour.
const SCALES: [(Duration, u64); 2] = [(Duration::from_secs(2), 150), (Duration::from_secs(30), 120)];

/// The past, at each scale.
pub(super) struct History {
    /// How many sessions are open.
    open: u32,
    scales: [Scale; SCALES.len()],
}

/// The buckets of one width. There is none for a time in which nothing happened.
#[derive(Clone)]
struct Scale {
    width: Duration,
    length: u64,
    /// From the oldest to the newest.
    buckets: VecDeque<Bucket>,
}

/// What the page gets, taken out of the lock.
pub(super) struct Snapshot {
    now: Duration,
    /// Whether the page has nothing yet.
    is_first: bool,
    scales: [Scale; SCALES.len()],
}

impl Default for History {
    fn default() -> Self {
        let scales = SCALES.map(|(width, length)| {
            let capacity = usize::try_from(length).unwrap_or_default();
            Scale { width, length, buckets: VecDeque::with_capacity(capacity) }
        });
        Self { open: 0, scales }
    }
}

impl History {
    /// Notes how many sessions are open now. `version` is that of the dashboard after the change, as for the other
    /// methods.
    pub(super) fn sessions(&mut self, version: u64, now: Duration, open: usize) {
        let open = u32::try_from(open).unwrap_or(u32::MAX);
        self.change(version, now, |bucket| bucket.sessions(open));
        self.open = open;
    }

    /// Notes that a session has ended.
    pub(super) fn end(&mut self, version: u64, now: Duration, reason: &str) {
        self.change(version, now, |bucket| bucket.end(reason));
    }

    /// Notes how long a round trip took.
    pub(super) fn round_trip(&mut self, version: u64, now: Duration, rtt: Duration) {
        self.change(version, now, |bucket| bucket.round_trip(rtt));
    }

    fn change(&mut self, version: u64, now: Duration, change: impl Fn(&mut Bucket)) {
        for scale in &mut self.scales {
            change(scale.bucket(version, now, self.open));
        }
    }

    /// Returns the buckets that have changed since this version, or all of them.
    pub(super) fn since(&self, seen: Option<u64>, now: Duration) -> Snapshot {
        let since = seen.unwrap_or(0);
        let scales = self.scales.each_ref().map(|scale| {
            let oldest = scale.oldest(scale.index(now));
            let buckets =
                scale.buckets.iter().filter(|bucket| bucket.version > since && bucket.index >= oldest);
            Scale { width: scale.width, length: scale.length, buckets: buckets.cloned().collect() }
        });
        Snapshot { now, is_first: seen.is_none(), scales }
    }
}

impl Scale {
    /// Returns the number of the bucket of a time, counted from the start of the clock.
    fn index(&self, now: Duration) -> u64 {
        millis(now) / millis(self.width)
    }

    /// Returns the oldest bucket that is shown while the bucket `newest` is the newest.
    fn oldest(&self, newest: u64) -> u64 {
        (newest + 1).saturating_sub(self.length)
    }

    /// Returns the bucket of this time, in which something changes. `open` sessions were open before.
    fn bucket(&mut self, version: u64, now: Duration, open: u32) -> &mut Bucket {
        // A thread may have read the clock before another one, and come later.
        let newest = self.buckets.back().map_or(0, |bucket| bucket.index);
        let index = self.index(now).max(newest);
        if self.buckets.is_empty() || index > newest {
            let oldest = self.oldest(index);
            while self.buckets.front().is_some_and(|bucket| bucket.index < oldest) {
                self.buckets.pop_front();
            }
            self.buckets.push_back(Bucket::new(index, open));
        }
        let at = self.buckets.len() - 1;
        let bucket = &mut self.buckets[at];
        bucket.version = version;
        bucket
    }
}

impl Snapshot {
    pub(super) fn into_json(self) -> Value {
        let scales = self.scales.iter().map(|scale| {
            let buckets: Vec<Value> = scale.buckets.iter().map(Bucket::to_json).collect();
            json!({ "width_ms": millis(scale.width), "length": scale.length, "buckets": buckets })
        });
        let bounds = || BOUNDS.map(|micros| f64::from(micros) / 1_000.0).to_vec();
        json!({
            "now_ms": millis(self.now),
            "bounds_ms": self.is_first.then(bounds),
            "scales": scales.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Returns the buckets of a scale, as the page gets them.
    fn shown(history: &History, scale: usize, seen: Option<u64>, now: Duration) -> Vec<Value> {
        let json = history.since(seen, now).into_json();
        json["scales"][scale]["buckets"].as_array().unwrap().clone()
    }

    #[test]
    fn a_bucket_knows_how_many_sessions_were_open_at_its_start_at_least_at_most_and_at_its_end() {
        let mut history = History::default();
        for (version, millis, open) in [(1, 500, 1), (2, 600, 2), (3, 2_100, 1), (4, 2_200, 5), (5, 2_300, 4)]
        {
            history.sessions(version, Duration::from_millis(millis), open);
        }
        let fine = shown(&history, 0, None, s(10));
        assert_eq!((&fine[0]["at"], &fine[0]["open"]), (&json!(0), &json!([0, 0, 2, 2])));
        assert_eq!((&fine[1]["at"], &fine[1]["open"]), (&json!(1), &json!([2, 1, 5, 4])));
        let coarse = shown(&history, 1, None, s(10));
        assert_eq!((coarse.len(), &coarse[0]["open"]), (1, &json!([0, 0, 5, 4])));
    }

    #[test]
    fn a_page_that_is_opened_later_gets_the_past_hour_and_no_more() {
        let mut history = History::default();
        let day = 24 * 3_600;
        for second in 0..=day {
            history.end(second, s(second), "ping timeout");
        }
        let coarse = shown(&history, 1, None, s(day));
        assert_eq!(coarse.len(), 120);
        // The newest bucket has only begun.
        let sum: u64 = coarse.iter().map(|bucket| bucket["ends"]["ping timeout"].as_u64().unwrap()).sum();
        assert_eq!(sum, 119 * 30 + 1);
        assert_eq!(coarse[0]["at"], day / 30 - 119);
        assert_eq!(shown(&history, 0, None, s(day)).len(), 150);
        // What is older than an hour is not shown, even if nothing has happened since.
        assert_eq!(shown(&history, 1, None, s(day + 1_800)).len(), 60);
        assert_eq!(shown(&history, 1, None, s(day + 3_600)).len(), 0);
    }

    #[test]
    fn a_page_gets_only_the_buckets_that_have_changed() {
        let mut history = History::default();
        for second in [1, 31, 61] {
            history.round_trip(second, s(second), Duration::from_millis(1));
        }
        assert_eq!(shown(&history, 0, Some(31), s(61)).len(), 1);
        history.round_trip(62, s(61), Duration::from_millis(1));
        assert_eq!(shown(&history, 0, Some(61), s(61))[0]["round_trips"], json!([[10, 2]]));
        assert_eq!(shown(&history, 0, Some(62), s(61)).len(), 0);
        assert_eq!(history.since(Some(62), s(61)).into_json()["bounds_ms"], Value::Null);
        assert_eq!(history.since(None, s(61)).into_json()["bounds_ms"][10], 1.0);
    }

    #[test]
    fn a_change_that_comes_late_counts_in_the_newest_bucket() {
        let mut history = History::default();
        history.sessions(1, s(4), 1);
        history.sessions(2, s(3), 2);
        let fine = shown(&history, 0, None, s(4));
        assert_eq!((fine.len(), &fine[0]["open"]), (1, &json!([0, 0, 2, 2])));
    }

    #[test]
    fn the_history_of_any_load_takes_at_most_60_kib() {
        let mut history = History::default();
        for second in 0..7_200_u64 {
            history.sessions(second, s(second), 10_000);
            history.round_trip(second, s(second), Duration::from_millis(second));
        }
        assert!(history.scales.iter().all(|scale| scale.buckets.len() as u64 == scale.length));
        let bytes = history.scales.iter().map(|scale| scale.buckets.capacity() * size_of::<Bucket>());
        let bytes: usize = bytes.sum();
        assert!(bytes <= 60 * 1_024, "{bytes} bytes");
    }
}
