//! What heartbeats cost: bytes on the wire, and time in which the radio of a client is awake.

use core::time::Duration;

use super::report::HEADERS;

/// What was counted while sessions were open and both ends lived.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    /// How long the sessions were open, summed up.
    pub(crate) open: Duration,
    pub(crate) heartbeats: u64,
    /// Segments of TCP in both directions, with what was sent again.
    pub(crate) segments: u64,
    /// Their bytes, without the headers of TCP and IP.
    pub(crate) bytes: u64,
    /// How often the client's radio woke up for a heartbeat.
    pub(crate) wake_ups: u64,
    /// How long it was awake.
    pub(crate) awake: Duration,
}

impl Cost {
    pub(crate) fn add(&mut self, other: Self) {
        self.open += other.open;
        self.heartbeats += other.heartbeats;
        self.segments += other.segments;
        self.bytes += other.bytes;
        self.wake_ups += other.wake_ups;
        self.awake += other.awake;
    }

    /// Returns how many hours the sessions were open, summed up.
    pub(crate) fn hours(&self) -> f64 {
        self.open.as_secs_f64() / 3_600.0
    }

    /// Returns a number of events for each hour of a session.
    fn per_hour(&self, count: f64) -> f64 {
        if self.open.is_zero() { 0.0 } else { count / self.hours() }
    }

    #[expect(clippy::cast_precision_loss, reason = "for reading")]
    pub(crate) fn heartbeats_per_hour(&self) -> f64 {
        self.per_hour(self.heartbeats as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "for reading")]
    pub(crate) fn wire_bytes_per_hour(&self) -> f64 {
        self.per_hour(self.bytes as f64 + self.segments as f64 * HEADERS)
    }

    #[expect(clippy::cast_precision_loss, reason = "for reading")]
    pub(crate) fn wake_ups_per_hour(&self) -> f64 {
        self.per_hour(self.wake_ups as f64)
    }

    /// Returns for how many minutes of an hour the radio is awake.
    pub(crate) fn awake_minutes_per_hour(&self) -> f64 {
        self.per_hour(self.awake.as_secs_f64() / 60.0)
    }
}

/// A radio that wakes up for a packet, and sleeps some time after the last one. A network releases an idle connection,
/// and the radio with it, by an inactivity timer that its operator chooses; on LTE it is usually about 10 s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Radio {
    tail: Duration,
    awake_until: Option<Duration>,
    wake_ups: u64,
    awake: Duration,
}

impl Radio {
    pub(crate) fn new(tail: Duration) -> Self {
        Self { tail, awake_until: None, wake_ups: 0, awake: Duration::ZERO }
    }

    /// Notes a packet. Times do not go back.
    pub(crate) fn packet(&mut self, at: Duration) {
        let until = at + self.tail;
        match self.awake_until {
            Some(before) if at <= before => self.awake += until.saturating_sub(before),
            _ => {
                self.wake_ups += 1;
                self.awake += self.tail;
            }
        }
        self.awake_until = Some(until);
    }

    /// Returns how often it woke up and how long it was awake, until `end`.
    pub(crate) fn until(self, end: Duration) -> (u64, Duration) {
        let cut = self.awake_until.map_or(Duration::ZERO, |until| until.saturating_sub(end));
        (self.wake_ups, self.awake.saturating_sub(cut))
    }
}

/// Rounds to a tenth.
pub(crate) fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn radio(tail: u64, packets: &[u64], end: u64) -> (u64, u64) {
        let mut radio = Radio::new(Duration::from_secs(tail));
        for at in packets {
            radio.packet(Duration::from_secs(*at));
        }
        let (wake_ups, awake) = radio.until(Duration::from_secs(end));
        (wake_ups, awake.as_secs())
    }

    #[test]
    fn packets_within_the_tail_keep_the_radio_awake_and_later_ones_wake_it_again() {
        assert_eq!(radio(10, &[0, 25, 50], 100), (3, 30));
        assert_eq!(radio(10, &[0, 5, 10, 15], 100), (1, 25));
        assert_eq!(radio(10, &[0, 25], 27), (2, 12), "nothing counts after the end");
        assert_eq!(radio(10, &[], 27), (0, 0));
    }
}
