//! When the first ping of a session is due.

use core::time::Duration;

use eio_core::Heartbeat;

/// Returns when the first ping is due, up to `jitter` before the end of the first interval. Returns `None` without jitter.
pub(crate) fn first_ping(heartbeat: Heartbeat, jitter: Duration) -> Option<Duration> {
    let random = if jitter.is_zero() { return None } else { getrandom::u32().ok()? };
    Some(earlier(heartbeat.ping_interval(), jitter, random))
}

/// Returns a time between `interval - jitter` and `interval`, and not below zero.
fn earlier(interval: Duration, jitter: Duration, random: u32) -> Duration {
    // The product of the longest times has no room in a duration.
    let most = jitter.min(interval);
    interval.saturating_sub(most.mul_f64(f64::from(random) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ping_comes_within_the_jitter_before_the_interval_and_any_jitter_is_allowed() {
        let seconds = Duration::from_secs;
        for (jitter, earliest) in
            [(seconds(5), seconds(20)), (seconds(25), Duration::ZERO), (Duration::MAX, Duration::ZERO)]
        {
            assert_eq!(earlier(seconds(25), jitter, 0), seconds(25));
            assert_eq!(earlier(seconds(25), jitter, u32::MAX), earliest, "{jitter:?}");
        }
    }
}
