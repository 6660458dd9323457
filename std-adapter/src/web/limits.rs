//! Limits how often one address may open sessions.

use core::hash::BuildHasher as _;
use core::net::IpAddr;
use core::time::Duration;
use std::hash::RandomState;
use std::sync::PoisonError;

use eio_core::Instant;

use crate::carrier::gate::network_of;
use crate::wire::sync::Mutex;

/// The number of places in each of the two tables, which take 1 MiB together.
const PLACES: usize = 1 << 16;

/// Lets each address open a number of sessions at once, and as many again over every period.
///
/// The memory is fixed, however many addresses ask. Keyed hashes, which clients cannot guess, give each address a place
/// in each of two tables. A place holds the time until which its share is used up (the generic cell rate algorithm), and
/// the earlier of both times counts. No address gets more than the limit. Addresses that share only one of their places
/// do not disturb each other. An address gets less than the limit only if attackers from very many networks have filled
/// both of its places.
#[derive(Debug)]
pub(crate) struct HandshakeLimiter {
    hashers: [RandomState; 2],
    places: Mutex<[Box<[u64]>; 2]>,
    /// The microseconds per allowed handshake.
    each: u64,
    /// The microseconds by which an address may be ahead.
    burst: u64,
}

impl HandshakeLimiter {
    /// Allows `count` handshakes at once, and as many again over every `period`.
    pub(crate) fn new(count: u32, period: Duration) -> Self {
        let burst = u64::try_from(period.as_micros()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4);
        let table = || vec![0; PLACES].into_boxed_slice();
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            places: Mutex::new([table(), table()]),
            each: burst.checked_div(u64::from(count)).unwrap_or(burst).max(1),
            burst,
        }
    }

    /// Counts a handshake from this address. Returns how long the address has to wait if it is above the limit.
    ///
    /// All senders without a known address count as one address.
    pub(crate) fn admit(&self, now: Instant, address: Option<IpAddr>) -> Result<(), Duration> {
        let key = address.map(network_of);
        let now = now.as_micros();
        let mut tables = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let mut places: Vec<&mut u64> = tables
            .iter_mut()
            .zip(&self.hashers)
            .filter_map(|(table, hasher)| {
                let hash = usize::try_from(hasher.hash_one(key) % PLACES as u64).unwrap_or_default();
                table.get_mut(hash)
            })
            .collect();
        let used_until = places.iter().map(|place| **place).min().unwrap_or_default().max(now);
        let then = used_until.saturating_add(self.each);
        let ahead = then - now;
        if ahead > self.burst {
            return Err(Duration::from_micros(ahead - self.burst));
        }
        for place in &mut places {
            **place = (**place).max(then);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn address(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn a_burst_is_admitted_and_then_one_at_a_time() {
        let limiter = HandshakeLimiter::new(3, MINUTE);
        let client = address("192.0.2.1");
        for _ in 0..3 {
            assert_eq!(limiter.admit(at(1_000), client), Ok(()));
        }
        assert_eq!(limiter.admit(at(1_000), client), Err(Duration::from_secs(20)));
        assert_eq!(limiter.admit(at(20_999), client), Err(Duration::from_millis(1)));
        assert_eq!(limiter.admit(at(21_000), client), Ok(()));
        assert_eq!(limiter.admit(at(21_000), client), Err(Duration::from_secs(20)));
        assert_eq!(limiter.admit(at(21_000), address("192.0.2.2")), Ok(()));
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let limiter = HandshakeLimiter::new(1, MINUTE);
        assert_eq!(limiter.admit(at(0), address("2001:db8::1")), Ok(()));
        assert!(limiter.admit(at(0), address("2001:db8::2")).is_err());
        assert_eq!(limiter.admit(at(0), address("2001:db8:0:1::1")), Ok(()));
    }

    #[test]
    fn a_mapped_address_is_the_address_it_maps_and_strangers_share_a_place() {
        let limiter = HandshakeLimiter::new(1, MINUTE);
        assert_eq!(limiter.admit(at(0), address("192.0.2.1")), Ok(()));
        assert!(limiter.admit(at(0), address("::ffff:192.0.2.1")).is_err());
        assert_eq!(limiter.admit(at(0), None), Ok(()));
        assert!(limiter.admit(at(0), None).is_err());
    }

    #[test]
    fn thousands_of_attackers_do_not_lock_others_out() {
        let limiter = HandshakeLimiter::new(1, MINUTE);
        for attacker in 0..5_000_u32 {
            let attacker = Some(IpAddr::V4((0x0a00_0000 + attacker).into()));
            let _ = limiter.admit(at(0), attacker);
        }
        let refused = (0..1_000_u32)
            .filter(|guest| limiter.admit(at(0), Some(IpAddr::V4((0xc000_0000 + guest).into()))).is_err())
            .count();
        assert!(refused < 30, "{refused} of 1,000 guests");
    }
}
