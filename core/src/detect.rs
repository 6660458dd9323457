//! How long a dead peer can go unnoticed: the worst cases, computed from the settings.
//!
//! A peer is dead when nothing from it arrives any more and nothing reports its end: a pulled cable, an empty battery,
//! a black hole on the way. (When the connection itself ends, the session ends at once.) The functions answer three
//! questions:
//!
//! - [`after_heartbeat`](Detection::after_heartbeat): how long after the peer's last *heartbeat* can the session still
//!   be open? It is unbounded (`None`) if other packets can postpone the end without limit. An awaited pong and a ping
//!   count as the peer's heartbeat. The opening of the session counts as the first heartbeat.
//! - [`after_packet`](Detection::after_packet): how long after its last *packet of any type*?
//! - [`after_death_min`](Detection::after_death_min), [`after_death_max`](Detection::after_death_max): how long after
//!   it died? The time is longest if the peer died right after its last packet, and shortest if it died right before
//!   its next heartbeat was due. The shortest time assumes a peer that answered at once. A peer that dies with an
//!   answer overdue is noticed earlier, by as much as the answer was late.
//!
//! A ping may have to wait until the peer lets it go: on polling by a poll, by an upgrade, or by answering a post, and on a
//! WebSocket by taking the message before it. That counts as the peer's heartbeat and as a packet, too.
//!
//! I is `ping_interval` and T is `ping_timeout`. The results for the defaults (25 s, 20 s) are in parentheses:
//!
//! | session | after the last heartbeat | after the last packet | after death |
//! |---|---|---|---|
//! | [`eio4_server`], [`PongOnly`](Liveness::PongOnly) | I + T (45 s) | I + T (45 s) | T to I + T (20 to 45 s) |
//! | [`eio4_server`], [`ExtendOnce`](Liveness::ExtendOnce) | I + 2T (65 s) | I + T (45 s) | T to I + T (20 to 45 s) |
//! | [`eio4_server`], [`AnyPacket`](Liveness::AnyPacket) | unbounded | I + T (45 s) | T to I + T (20 to 45 s) |
//! | [`eio4_client`] | I + T (45 s) | I + T (45 s) | T to I + T (20 to 45 s) |
//! | [`eio3_server`], `PongOnly` and `ExtendOnce` | I + T (45 s) | I + T (45 s) | T to I + T (20 to 45 s) |
//! | [`eio3_server`], `AnyPacket` | unbounded | I + T (45 s) | T to I + T (20 to 45 s) |
//! | [`eio3_client`] | unbounded | I + T (45 s) | T to I + T (20 to 45 s) |
//!
//! The crate `eio-legacy` computes the times for Socket.IO 0.9.
//!
//! The numbers leave out everything that is not a setting: the time on the wire, the caller's scheduling, and an
//! application that does not read. They also hold during an upgrade, which cancels no deadline here, and while a post or a
//! message is arriving: it is a packet once it is whole, unless the caller reports the parts
//! ([`handle_activity`](crate::ServerSession::handle_activity)) and any packet counts.
//! [`largest_message`] answers the opposite question: how much a live peer may send without being taken for dead.
//!
//! ```
//! use core::time::Duration;
//! use eio_core::{Heartbeat, Liveness, detect};
//!
//! let server = detect::eio4_server(Heartbeat::DEFAULT, Liveness::ExtendOnce);
//! assert_eq!(server.after_heartbeat, Some(Duration::from_secs(65)));
//! assert_eq!(server.after_packet, Duration::from_secs(45));
//! assert_eq!(server.after_death_min, Duration::from_secs(20));
//! assert_eq!(server.after_death_max, Duration::from_secs(45));
//! ```

use core::time::Duration;

use crate::{Heartbeat, Liveness};

/// How long a dead peer can go unnoticed. The [module](self) explains each number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Detection {
    /// The longest time from the peer's last heartbeat to the end of the session. `None` means that other packets can
    /// postpone the end without limit.
    pub after_heartbeat: Option<Duration>,
    /// The longest time from the peer's last packet, of any type, to the end of the session.
    pub after_packet: Duration,
    /// The shortest time from the peer's death to the end of the session, if the peer answered at once while it lived.
    pub after_death_min: Duration,
    /// The longest time from the peer's death to the end of the session.
    pub after_death_max: Duration,
}

/// Computes the times for a server that pings, with a client that answers (Engine.IO revision 4).
///
/// A ping is due at most I after the previous pong, and its answer T later. The first other packet after a ping may
/// restart T ([`ExtendOnce`](Liveness::ExtendOnce)), or any packet may give the client another I + T
/// ([`AnyPacket`](Liveness::AnyPacket)).
///
/// ```
/// use eio_core::{Heartbeat, Liveness, detect};
///
/// // Messages alone keep such a session open.
/// assert_eq!(detect::eio4_server(Heartbeat::DEFAULT, Liveness::AnyPacket).after_heartbeat, None);
/// ```
#[must_use]
pub const fn eio4_server(heartbeat: Heartbeat, liveness: Liveness) -> Detection {
    let silence = silence(heartbeat);
    let after_heartbeat = match liveness {
        Liveness::PongOnly => Some(silence),
        Liveness::ExtendOnce => Some(sum(silence, heartbeat.ping_timeout())),
        Liveness::AnyPacket => None,
    };
    eio(heartbeat, after_heartbeat)
}

/// Computes the times for a client that waits for pings (Engine.IO revision 4). Each ping gives the server another I +
/// T; nothing else does.
///
/// ```
/// use core::time::Duration;
/// use eio_core::{Heartbeat, detect};
///
/// let client = detect::eio4_client(Heartbeat::DEFAULT);
/// assert_eq!(client.after_heartbeat, Some(Duration::from_secs(45)));
/// ```
#[must_use]
pub const fn eio4_client(heartbeat: Heartbeat) -> Detection {
    eio(heartbeat, Some(silence(heartbeat)))
}

/// Computes the times for a server that waits for pings (Engine.IO revision 3). Each ping gives the client another I +
/// T. So does any other packet under [`AnyPacket`](Liveness::AnyPacket).
///
/// ```
/// use core::time::Duration;
/// use eio_core::{Heartbeat, Liveness, detect};
///
/// let server = detect::eio3_server(Heartbeat::DEFAULT, Liveness::ExtendOnce);
/// assert_eq!(server.after_heartbeat, Some(Duration::from_secs(45)));
/// ```
#[must_use]
pub const fn eio3_server(heartbeat: Heartbeat, liveness: Liveness) -> Detection {
    let after_heartbeat = match liveness {
        Liveness::PongOnly | Liveness::ExtendOnce => Some(silence(heartbeat)),
        Liveness::AnyPacket => None,
    };
    eio(heartbeat, after_heartbeat)
}

/// Computes the times for a client that pings (Engine.IO revision 3). The answer is due T later, but any packet gives
/// the server another I + T.
///
/// ```
/// use core::time::Duration;
/// use eio_core::{Heartbeat, detect};
///
/// let client = detect::eio3_client(Heartbeat::DEFAULT);
/// assert_eq!(client.after_heartbeat, None);
/// assert_eq!(client.after_packet, Duration::from_secs(45));
/// ```
#[must_use]
pub const fn eio3_client(heartbeat: Heartbeat) -> Detection {
    eio(heartbeat, None)
}

/// Returns the size, in bytes, of the largest message that a link of `bytes_per_second` carries in the time `within`.
///
/// A heartbeat overtakes messages that wait, but not the one that is being written: with `within` = T, this is the
/// largest message that a live peer can send without being taken for dead. Subtract the time that the link needs for
/// other things: a round trip, and, if both sides send large messages at once, half of the time for each direction.
/// Send larger data in pieces. The result is exact: a message of one more byte takes longer than `within`.
///
/// ```
/// use core::time::Duration;
/// use eio_core::{Heartbeat, detect};
///
/// // 9,600 bit/s, ten bits to the byte.
/// assert_eq!(detect::largest_message(960, Heartbeat::DEFAULT.ping_timeout()), 19_200);
/// ```
#[must_use]
pub const fn largest_message(bytes_per_second: u64, within: Duration) -> u64 {
    const NANOS: u64 = NANOS_PER_SEC as u64;
    let nanos = within.subsec_nanos() as u64;
    // Split so that no product below exceeds a u64; the sum is exact, rounded down.
    let whole = (bytes_per_second / NANOS).saturating_mul(nanos);
    let rest = (bytes_per_second % NANOS).saturating_mul(nanos) / NANOS;
    bytes_per_second.saturating_mul(within.as_secs()).saturating_add(whole).saturating_add(rest)
}

/// Returns I + T, the longest silence that Engine.IO's heartbeats allow.
const fn silence(heartbeat: Heartbeat) -> Duration {
    heartbeat.max_silence()
}

const fn eio(heartbeat: Heartbeat, after_heartbeat: Option<Duration>) -> Detection {
    bounds(after_heartbeat, silence(heartbeat), heartbeat.ping_timeout())
}

pub(crate) const fn bounds(
    after_heartbeat: Option<Duration>,
    longest: Duration,
    shortest: Duration,
) -> Detection {
    Detection { after_heartbeat, after_packet: longest, after_death_min: shortest, after_death_max: longest }
}

const NANOS_PER_SEC: u32 = 1_000_000_000;

/// Does what `Duration::saturating_add` does. That method brings a panic into the image, because the compiler cannot
/// tell that the carry is right.
pub(crate) const fn sum(a: Duration, b: Duration) -> Duration {
    let nanos = a.subsec_nanos().saturating_add(b.subsec_nanos());
    let carry = (nanos / NANOS_PER_SEC) as u64;
    let Some(secs) = a.as_secs().checked_add(b.as_secs()) else { return Duration::MAX };
    let Some(secs) = secs.checked_add(carry) else { return Duration::MAX };
    Duration::new(secs, nanos % NANOS_PER_SEC)
}

/// Does what `Duration::saturating_sub` does. It exists for the same reason as `sum`.
pub(crate) const fn difference(a: Duration, b: Duration) -> Duration {
    let nanos = a.subsec_nanos().saturating_add(NANOS_PER_SEC).saturating_sub(b.subsec_nanos());
    let borrow = (nanos < NANOS_PER_SEC) as u64;
    let Some(secs) = a.as_secs().checked_sub(b.as_secs()) else { return Duration::ZERO };
    let Some(secs) = secs.checked_sub(borrow) else { return Duration::ZERO };
    Duration::new(secs, nanos % NANOS_PER_SEC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn detection(after_heartbeat: Option<u64>, after_packet: u64, after_death: (u64, u64)) -> Detection {
        Detection {
            after_heartbeat: after_heartbeat.map(s),
            after_packet: s(after_packet),
            after_death_min: s(after_death.0),
            after_death_max: s(after_death.1),
        }
    }

    #[test]
    fn an_eio4_server_has_the_worst_case_of_its_policy() {
        let of = |liveness| eio4_server(Heartbeat::DEFAULT, liveness);
        assert_eq!(of(Liveness::PongOnly), detection(Some(45), 45, (20, 45)));
        assert_eq!(of(Liveness::ExtendOnce), detection(Some(65), 45, (20, 45)));
        assert_eq!(of(Liveness::AnyPacket), detection(None, 45, (20, 45)));
    }

    #[test]
    fn an_eio4_client_counts_pings_only() {
        assert_eq!(eio4_client(Heartbeat::DEFAULT), detection(Some(45), 45, (20, 45)));
    }

    #[test]
    fn an_eio3_server_knows_no_extension() {
        let of = |liveness| eio3_server(Heartbeat::DEFAULT, liveness);
        assert_eq!(of(Liveness::PongOnly), detection(Some(45), 45, (20, 45)));
        assert_eq!(of(Liveness::ExtendOnce), of(Liveness::PongOnly));
        assert_eq!(of(Liveness::AnyPacket), detection(None, 45, (20, 45)));
    }

    #[test]
    fn an_eio3_client_lives_on_any_packet() {
        assert_eq!(eio3_client(Heartbeat::DEFAULT), detection(None, 45, (20, 45)));
    }

    /// I = 300 ms and T = 200 ms, as measured on the reference implementations, which take up to 3 ms longer.
    #[test]
    fn the_bounds_are_those_measured_on_the_reference() {
        let heartbeat = Heartbeat::from_millis(300, 200).unwrap();
        let ms = Duration::from_millis;
        assert_eq!(eio4_server(heartbeat, Liveness::PongOnly).after_heartbeat, Some(ms(500)));
        assert_eq!(eio4_server(heartbeat, Liveness::ExtendOnce).after_heartbeat, Some(ms(700)));
        assert_eq!(eio4_client(heartbeat).after_packet, ms(500));
    }

    #[test]
    fn the_longest_settings_saturate() {
        let longest = Heartbeat::from_millis(1, 0x7fff_fffe).unwrap();
        let detection = eio4_server(longest, Liveness::ExtendOnce);
        assert_eq!(detection.after_heartbeat, Some(Duration::from_millis(0xffff_fffd)));
        assert_eq!(largest_message(u64::MAX, Duration::MAX), u64::MAX);
    }

    #[test]
    fn sums_and_differences_are_those_of_duration() {
        let samples = [0, 1, 999_999_999, 1_000_000_000, 1_000_000_001, 5_500_000_000, u64::MAX]
            .map(Duration::from_nanos);
        let samples = samples.into_iter().chain([
            Duration::MAX,
            Duration::new(u64::MAX, 0),
            Duration::new(u64::MAX, 1),
        ]);
        for a in samples.clone() {
            for b in samples.clone() {
                assert_eq!(sum(a, b), a.saturating_add(b), "{a:?} + {b:?}");
                assert_eq!(difference(a, b), a.saturating_sub(b), "{a:?} - {b:?}");
            }
        }
    }

    #[test]
    fn the_largest_message_is_exact_and_rounded_down() {
        assert_eq!(largest_message(1, Duration::from_millis(1_999)), 1);
        assert_eq!(largest_message(1_000, Duration::from_millis(1_999)), 1_999);
        assert_eq!(largest_message(0, s(20)), 0);
        assert_eq!(largest_message(1_000, Duration::ZERO), 0);
        assert_eq!(largest_message(u64::MAX, Duration::from_nanos(999_999_999)), 18_446_744_055_262_807_541);
        let exact = |rate: u64, nanos: u64| u128::from(rate) * u128::from(nanos) / 1_000_000_000;
        for (rate, nanos) in
            [(3, 333_333_334), (12_345_678_901, 987_654_321), (7_777_777_777_777, 1_000_000_007)]
        {
            assert_eq!(u128::from(largest_message(rate, Duration::from_nanos(nanos))), exact(rate, nanos));
        }
    }
}
