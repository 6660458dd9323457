//! What happened within a few seconds.

use core::time::Duration;

use serde_json::{Value, json};

use crate::duration::precise_millis;

/// The reasons for which a server ends sessions. Any other is counted as `other`.
const REASONS: [&str; 6] = [
    "ping timeout",
    "transport close",
    "transport error",
    "parse error",
    "forced close",
    "application stalled",
];

/// How many bounds each power of ten has.
const PER_DECADE: [u32; 5] = [10, 16, 25, 40, 63];

/// How many powers of ten there are: from 10 µs to 63 s.
const DECADES: usize = 7;

/// The longest round trip of each class, in microseconds. Those that are longer than all of them have a class of their own.
pub(super) const BOUNDS: [u32; PER_DECADE.len() * DECADES] = bounds();

const fn bounds() -> [u32; PER_DECADE.len() * DECADES] {
    let mut bounds = [0; PER_DECADE.len() * DECADES];
    let (mut at, mut decade) = (0, 1);
    while at < bounds.len() {
        bounds[at] = PER_DECADE[at % PER_DECADE.len()] * decade;
        at += 1;
        if at.is_multiple_of(PER_DECADE.len()) {
            decade *= 10;
        }
    }
    bounds
}

#[derive(Clone)]
pub(super) struct Bucket {
    /// The start of its time, as a multiple of its width.
    pub(super) index: u64,
    /// The version of the latest change.
    pub(super) version: u64,
    open: Open,
    ends: [u32; REASONS.len() + 1],
    round_trips: [u32; BOUNDS.len() + 1],
    longest: Duration,
}

/// How many sessions were open.
#[derive(Clone)]
struct Open {
    first: u32,
    least: u32,
    most: u32,
    last: u32,
}

impl Bucket {
    pub(super) fn new(index: u64, open: u32) -> Self {
        Self {
            index,
            version: 0,
            open: Open { first: open, least: open, most: open, last: open },
            ends: [0; REASONS.len() + 1],
            round_trips: [0; BOUNDS.len() + 1],
            longest: Duration::ZERO,
        }
    }

    pub(super) fn sessions(&mut self, open: u32) {
        let Open { first, least, most, .. } = self.open;
        self.open = Open { first, least: least.min(open), most: most.max(open), last: open };
    }

    pub(super) fn end(&mut self, reason: &str) {
        let at = REASONS.iter().position(|known| *known == reason).unwrap_or(REASONS.len());
        self.ends[at] = self.ends[at].saturating_add(1);
    }

    pub(super) fn round_trip(&mut self, rtt: Duration) {
        let class = BOUNDS.partition_point(|bound| Duration::from_micros(u64::from(*bound)) < rtt);
        self.round_trips[class] = self.round_trips[class].saturating_add(1);
        self.longest = self.longest.max(rtt);
    }

    /// Returns what happened. Of the reasons and the classes of round trips, only those that occurred are in it.
    pub(super) fn to_json(&self) -> Value {
        let Open { first, least, most, last } = self.open;
        let reasons = REASONS.into_iter().chain(["other"]);
        let ends = reasons.zip(self.ends).filter(|(_, count)| *count > 0);
        let classes = self.round_trips.iter().enumerate().filter(|(_, count)| **count > 0);
        json!({
            "at": self.index,
            "open": [first, least, most, last],
            "ends": ends.map(|(reason, count)| (reason.to_owned(), count.into())).collect::<serde_json::Map<_, _>>(),
            "round_trips": classes.map(|(class, count)| json!([class, count])).collect::<Vec<_>>(),
            "longest_ms": precise_millis(self.longest),
        })
    }
}

#[cfg(test)]
mod tests {
    use eio_core::DisconnectReason;

    use super::*;

    #[test]
    fn a_round_trip_is_in_the_class_whose_bound_is_the_first_that_is_not_shorter() {
        let class = |micros: u64| {
            let mut bucket = Bucket::new(0, 0);
            bucket.round_trip(Duration::from_micros(micros));
            bucket.round_trips.iter().position(|count| *count == 1).unwrap()
        };
        assert_eq!([class(0), class(10), class(11), class(16)], [0, 0, 1, 1]);
        assert_eq!([class(1_000), class(1_001), class(1_600)], [10, 11, 11]);
        assert_eq!([class(63_000_000), class(63_000_001)], [BOUNDS.len() - 1, BOUNDS.len()]);
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn every_reason_of_a_servers_session_has_a_count_of_its_own() {
        let mut bucket = Bucket::new(0, 0);
        for reason in [
            DisconnectReason::LocalClose,
            DisconnectReason::PeerClose,
            DisconnectReason::TransportReset,
            DisconnectReason::TransportError,
            DisconnectReason::WrongDirection,
            DisconnectReason::PingTimeout,
            DisconnectReason::ApplicationStalled,
            DisconnectReason::OpenTimeout,
        ] {
            bucket.end(reason.as_str());
        }
        bucket.end("parse error");
        assert_eq!(
            bucket.to_json()["ends"],
            json!({
                "ping timeout": 1, "transport close": 2, "transport error": 2, "parse error": 1, "forced close": 1,
                "application stalled": 1, "other": 1,
            })
        );
    }
}
