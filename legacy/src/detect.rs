//! How long a dead peer can go unnoticed in Socket.IO 0.9: the worst cases, computed from the settings.
//!
//! The questions and the meaning of each answer are those of [`eio_core::detect`]. In Socket.IO 0.9, the echo counts as
//! the client's heartbeat.
//!
//! Hi, Ht, Ct and Pd are the heartbeat interval, heartbeat timeout, close timeout and polling duration. The results for
//! the defaults (25 s, 60 s, 60 s, 20 s) are in parentheses:
//!
//! | session | after the last heartbeat | after the last packet | after death |
//! |---|---|---|---|
//! | [`server`] | Hi + Ht (85 s) | Hi + Ht (85 s) | Ht to Hi + Ht (60 to 85 s) |
//! | [`polling_server`] | Pd + Ct (80 s) | Pd + Ct (80 s) | Ct to Pd + Ct (60 to 80 s) |
//! | [`client`] | unbounded | min(Ht, Ct) (60 s) | min(Ht, Ct) − Hi to min(Ht, Ct) (35 to 60 s) |
//! | [`polling_client`] | unbounded | Ct (60 s) | Ct − Pd to Ct (40 to 60 s) |
//!
//! A server on WebSocket with heartbeats off has no row and no timers: it would never notice that its client is dead.
//! Its clients can still detect a dead server, because they have the close timeout.
//!
//! ```
//! use core::time::Duration;
//! use eio_legacy::detect;
//!
//! let server = detect::server(Duration::from_secs(25), Duration::from_secs(60));
//! assert_eq!(server.after_heartbeat, Some(Duration::from_secs(85)));
//! ```

use core::time::Duration;

use eio_core::detect::Detection;
use eio_core::internal::{detection, difference, sum};

/// Computes the times for a server on WebSocket with heartbeats. It sends a heartbeat at most Hi after the
/// previous echo, and waits Ht.
///
/// ```
/// use core::time::Duration;
/// use eio_legacy::detect;
///
/// let server = detect::server(Duration::from_secs(25), Duration::from_secs(60));
/// assert_eq!(server.after_death_max, Duration::from_secs(85));
/// ```
#[must_use]
pub const fn server(heartbeat_interval: Duration, heartbeat_timeout: Duration) -> Detection {
    let longest = sum(heartbeat_interval, heartbeat_timeout);
    detection(Some(longest), longest, heartbeat_timeout)
}

/// Computes the times for a server on polling, where only polls count. It holds each poll for at most Pd, and
/// waits Ct for the next one.
///
/// ```
/// use core::time::Duration;
/// use eio_legacy::detect;
///
/// let server = detect::polling_server(Duration::from_secs(20), Duration::from_secs(60));
/// assert_eq!(server.after_packet, Duration::from_secs(80));
/// ```
#[must_use]
pub const fn polling_server(polling_duration: Duration, close_timeout: Duration) -> Detection {
    let longest = sum(polling_duration, close_timeout);
    detection(Some(longest), longest, close_timeout)
}

/// Computes the times for a client on WebSocket. Any packet gives the server another Ht and another Ct.
/// Until the first packet, only Ht counts: a server that dies right after the handshake is noticed after Ht, even if Ct is
/// shorter.
///
/// `heartbeat_interval` is a setting of the server and is not transmitted. `heartbeat_timeout` is `None` if the
/// handshake says that heartbeats are off. Then the server may die at any time before the close timeout, and the
/// interval has no meaning.
///
/// ```
/// use core::time::Duration;
/// use eio_legacy::detect;
///
/// let seconds = Duration::from_secs;
/// let client = detect::client(seconds(25), Some(seconds(60)), seconds(60));
/// assert_eq!(client.after_packet, seconds(60));
/// assert_eq!(client.after_death_min, seconds(35));
/// ```
#[must_use]
pub const fn client(
    heartbeat_interval: Duration,
    heartbeat_timeout: Option<Duration>,
    close_timeout: Duration,
) -> Detection {
    match heartbeat_timeout {
        Some(heartbeat_timeout) => {
            // The shorter of the two: `Ord::min` is not const.
            let longest = difference(close_timeout, difference(close_timeout, heartbeat_timeout));
            detection(None, longest, difference(longest, heartbeat_interval))
        }
        None => detection(None, close_timeout, Duration::ZERO),
    }
}

/// Computes the times for a client on polling. Any packet gives the server another Ct, and at least one packet
/// comes every Pd.
///
/// ```
/// use core::time::Duration;
/// use eio_legacy::detect;
///
/// let client = detect::polling_client(Duration::from_secs(20), Duration::from_secs(60));
/// assert_eq!(client.after_death_min, Duration::from_secs(40));
/// assert_eq!(client.after_death_max, Duration::from_secs(60));
/// ```
#[must_use]
pub const fn polling_client(polling_duration: Duration, close_timeout: Duration) -> Detection {
    detection(None, close_timeout, difference(close_timeout, polling_duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn times(after_heartbeat: Option<u64>, after_packet: u64, after_death: (u64, u64)) -> Detection {
        assert_eq!(after_death.1, after_packet);
        detection(after_heartbeat.map(s), s(after_packet), s(after_death.0))
    }

    #[test]
    fn a_0_9_server_waits_for_the_echo_or_for_the_next_poll() {
        assert_eq!(server(s(25), s(60)), times(Some(85), 85, (60, 85)));
        assert_eq!(polling_server(s(20), s(60)), times(Some(80), 80, (60, 80)));
    }

    #[test]
    fn a_0_9_client_obeys_the_shorter_of_its_timeouts() {
        assert_eq!(client(s(25), Some(s(60)), s(60)), times(None, 60, (35, 60)));
        assert_eq!(client(s(25), Some(s(40)), s(60)), times(None, 40, (15, 40)));
        assert_eq!(client(s(25), Some(s(60)), s(20)), times(None, 20, (0, 20)));
        assert_eq!(client(s(25), None, s(60)), times(None, 60, (0, 60)));
        assert_eq!(polling_client(s(20), s(60)), times(None, 60, (40, 60)));
        assert_eq!(polling_client(s(70), s(60)), times(None, 60, (0, 60)));
    }

    /// Hi = 0.3 s and Ht = 0.6 s, as measured on the reference implementations, which take up to 3 ms longer.
    #[test]
    fn the_bounds_are_those_measured_on_the_reference() {
        let ms = Duration::from_millis;
        assert_eq!(server(ms(300), ms(600)).after_death_max, ms(900));
        assert_eq!(client(ms(300), Some(ms(600)), ms(800)).after_packet, ms(600));
    }

    #[test]
    fn the_longest_settings_saturate() {
        assert_eq!(server(Duration::MAX, Duration::MAX).after_packet, Duration::MAX);
        let client = client(Duration::MAX, Some(Duration::MAX), Duration::MAX);
        assert_eq!(client.after_packet, Duration::MAX);
    }
}
