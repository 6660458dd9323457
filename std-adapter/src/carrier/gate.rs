//! Counts the open connections, in total and per address.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError};

use eio_core::Instant;

use crate::wire::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Notify};

/// How long room counts as short after a connection could not be accepted.
const PRESSURE: Duration = Duration::from_secs(5);

/// How often connections are notified that room is short.
const REMINDER: Duration = Duration::from_secs(1);

/// Counts the connections of a server, WebSockets included.
#[derive(Debug)]
pub(crate) struct Gate {
    limit: Option<usize>,
    limit_per_address: Option<usize>,
    open: AtomicUsize,
    /// The number of connections of each address. Empty without a limit.
    addresses: Mutex<HashMap<IpAddr, usize>>,
    freed: Notify,
    /// Until when room is short, in microseconds.
    short_until: AtomicU64,
    pressed: Notify,
}

impl Gate {
    pub(crate) fn new(limit: Option<usize>, limit_per_address: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            limit,
            limit_per_address,
            open: AtomicUsize::new(0),
            addresses: Mutex::default(),
            freed: Notify::new(),
            short_until: AtomicU64::new(0),
            pressed: Notify::new(),
        })
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the limit if it is reached.
    pub(crate) fn full(&self) -> Option<usize> {
        self.limit.filter(|limit| self.open.load(Ordering::SeqCst) >= *limit)
    }

    /// Returns whether this many open connections leave no room for another one.
    pub(crate) fn is_full_with(&self, open: usize) -> bool {
        self.limit.is_some_and(|limit| open >= limit)
    }

    /// Waits until a connection has ended.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Admits one connection, unless its address has reached its limit. A connection without an address has no limit.
    ///
    /// Returns also how many connections were open before, a number that no other one gets while none ends.
    pub(crate) fn enter(gate: &Arc<Self>, peer: Option<SocketAddr>) -> Option<(Permit, usize)> {
        let mut address = None;
        if let (Some(limit), Some(peer)) = (gate.limit_per_address, peer) {
            let network = network_of(peer.ip());
            let mut addresses = gate.addresses();
            let count = addresses.entry(network).or_default();
            if *count >= limit {
                return None;
            }
            *count += 1;
            address = Some(Box::new(network));
        }
        let before = gate.open.fetch_add(1, Ordering::SeqCst);
        Some((Permit { gate: Arc::clone(gate), address }, before))
    }

    /// Reports that a connection could not be accepted.
    pub(crate) fn press(&self, now: Instant) {
        let until = now.saturating_add(PRESSURE).as_micros();
        let before = Instant::from_micros(self.short_until.load(Ordering::Relaxed));
        if before < Instant::from_micros(until)
            && before <= now.saturating_add(PRESSURE.saturating_sub(REMINDER))
        {
            self.short_until.store(until, Ordering::Relaxed);
            self.pressed.notify_waiters();
        }
    }

    /// Returns whether room is short. Asks for the time only if it has ever been.
    pub(crate) fn is_short(&self, now: impl FnOnce() -> Instant) -> bool {
        let until = self.short_until.load(Ordering::Relaxed);
        until > 0 && now().as_micros() < until
    }

    /// Waits until room becomes short, or is still short after a while.
    pub(crate) fn pressed(&self) -> impl Future<Output = ()> + '_ {
        self.pressed.notified()
    }
}

/// The permit of one connection to be open. Dropping it makes room for another one.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    /// Boxed, because most servers do not count addresses, and every WebSocket holds a permit.
    address: Option<Box<IpAddr>>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(address) = &self.address
            && let Entry::Occupied(mut count) = self.gate.addresses().entry(**address)
        {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
        self.gate.open.fetch_sub(1, Ordering::SeqCst);
        self.gate.freed.notify_one();
    }
}

/// Returns the network that counts as one address: the IPv4 address itself, or an IPv6 network of 64 bits.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1_000)
    }

    fn peer(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 1)
    }

    #[test]
    fn connections_are_counted_together_and_by_address_and_forgotten_when_they_end() {
        let gate = Gate::new(Some(3), Some(2));
        let first = Gate::enter(&gate, Some(peer("192.0.2.1"))).unwrap();
        let second = Gate::enter(&gate, Some(peer("::ffff:192.0.2.1"))).unwrap();
        assert!(Gate::enter(&gate, Some(peer("192.0.2.1"))).is_none());
        assert_eq!(gate.full(), None);
        let third = Gate::enter(&gate, None).unwrap();
        assert_eq!(gate.full(), Some(3));
        drop((first, third));
        assert_eq!(gate.full(), None);
        assert!(Gate::enter(&gate, Some(peer("192.0.2.1"))).is_some());
        drop(second);
        assert!(gate.addresses().is_empty());
    }

    #[test]
    fn of_two_that_come_at_once_for_the_last_place_one_gets_it() {
        let gate = Gate::new(Some(2), None);
        let _first = Gate::enter(&gate, None);
        let [one, other] = [(); 2].map(|()| Gate::enter(&gate, None).unwrap());
        assert_eq!([one.1, other.1].map(|before| gate.is_full_with(before)), [false, true]);
    }

    #[tokio::test]
    async fn room_is_short_for_five_seconds_and_that_is_told_once_a_second() {
        let gate = Gate::new(None, None);
        assert!(!gate.is_short(|| at(0)));
        let mut told = Vec::new();
        for now in (0..3_000).step_by(100) {
            let pressed = gate.pressed();
            tokio::pin!(pressed);
            gate.press(at(now));
            if is_ready(pressed.as_mut()) {
                told.push(now);
            }
        }
        assert_eq!(told, [0, 1_000, 2_000]);
        assert!(gate.is_short(|| at(6_999)) && !gate.is_short(|| at(7_000)));
    }

    fn is_ready(future: core::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        future.poll(&mut core::task::Context::from_waker(core::task::Waker::noop())).is_ready()
    }
}
