//! The places for TLS handshakes that are under way, and who gets one when all are taken.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::carrier::gate::{Gate, Permit};
use crate::wire::sync::{Mutex, MutexGuard};

/// How long a handshake keeps its place while others wait for one. It is enough for a client that answers.
const PRESSURE: Duration = Duration::from_secs(1);

/// Which part of the places one address may hold.
const SHARE: usize = 10;

/// The handshakes of one listener.
pub(crate) struct Places {
    limit: usize,
    /// Counts the handshakes of each address.
    gate: Arc<Gate>,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    next: u64,
    /// The handshakes under way, in the order in which they began.
    by_age: BTreeMap<u64, Holder>,
}

struct Holder {
    since: Instant,
    _permit: Permit,
    /// Tells the handshake, by being dropped, that it has lost its place.
    _lost: oneshot::Sender<()>,
}

/// The place of one handshake. Dropping it makes room for another one.
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    lost: oneshot::Receiver<()>,
}

impl Places {
    /// Makes as many places. Zero counts as one.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let limit = limit.max(1);
        let gate = Gate::new(None, Some((limit / SHARE).max(1)));
        Arc::new(Self { limit, gate, held: Mutex::default() })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place. If all are taken, the oldest handshake loses its own as soon as it has had its time.
    ///
    /// Returns `None` at once if this address holds its share. Only one caller may wait.
    pub(crate) async fn enter(places: &Arc<Self>, peer: Option<SocketAddr>) -> Option<Place> {
        let (permit, _) = Gate::enter(&places.gate, peer)?;
        while let Some(oldest) = places.oldest_if_full() {
            tokio::select! {
                biased;
                () = places.gate.freed() => {}
                () = tokio::time::sleep_until(oldest + PRESSURE) => places.displace_oldest(),
            }
        }
        let (sender, lost) = oneshot::channel();
        let mut held = places.held();
        let number = held.next;
        held.next += 1;
        held.by_age.insert(number, Holder { since: Instant::now(), _permit: permit, _lost: sender });
        drop(held);
        Some(Place { places: Arc::clone(places), number, lost })
    }

    /// Returns since when the oldest handshake has its place, if all are taken.
    fn oldest_if_full(&self) -> Option<Instant> {
        let held = self.held();
        if held.by_age.len() < self.limit {
            return None;
        }
        held.by_age.first_key_value().map(|(_, holder)| holder.since)
    }

    /// Takes the place from the oldest handshake. It is free at once, even if the handshake's task has yet to notice.
    fn displace_oldest(&self) {
        // Dropped after the lock is free, because that wakes the task.
        let oldest = self.held().by_age.pop_first();
        drop(oldest);
    }
}

impl Place {
    /// Waits until the place is lost to another handshake.
    pub(crate) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.lost).poll(cx).map(|_| ())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let holder = self.places.held().by_age.remove(&self.number);
        // Tells who waits for a place, which must find the lock free.
        drop(holder);
    }
}
