//! The sessions whose clients are away.

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

use tokio::time::Instant;

use crate::server::recovery::Recovery;
use crate::server::recovery::trail::{Pid, Trail};
use crate::server::rooms::shrink;

/// The sessions whose clients are away, with what is kept of each socket. The one that left first goes first.
pub(super) struct Sessions<K> {
    away: HashMap<Pid, Away<K>>,
    /// The sessions in the order of leaving.
    order: BTreeMap<u64, Pid>,
    saved: u64,
    /// What was kept of sockets and is not any more.
    gone: Vec<K>,
    bytes: usize,
    max_age: Duration,
    max_away: usize,
    max_bytes: usize,
}

/// A session whose client is away.
pub(super) struct Away<K> {
    pub(super) trail: Trail,
    pub(super) kept: K,
    /// The position of the first packet that was logged after it left.
    pub(super) left: u64,
    bytes: usize,
    at: Instant,
    place: u64,
}

impl<K> Sessions<K> {
    pub(super) fn new(settings: &Recovery) -> Self {
        Self {
            away: HashMap::new(),
            order: BTreeMap::new(),
            saved: 0,
            gone: Vec::new(),
            bytes: 0,
            max_age: settings.max_disconnection,
            max_away: settings.max_sessions,
            max_bytes: settings.max_bytes,
        }
    }

    /// Adds a session that has left when the log was at this position. `length` is how many bytes `kept` takes.
    pub(super) fn insert(&mut self, trail: Trail, kept: K, length: usize, left: u64, now: Instant) {
        let (pid, place) = (trail.key(), self.saved);
        let bytes = size_of::<Away<K>>() + trail.byte_len() + length;
        self.saved += 1;
        self.drop_later(pid);
        self.bytes += bytes;
        self.away.insert(pid, Away { trail, kept, left, bytes, at: now, place });
        self.order.insert(place, pid);
        self.trim(now);
    }

    /// Returns a session.
    pub(super) fn get(&self, pid: Pid) -> Option<&Away<K>> {
        self.away.get(&pid)
    }

    /// Removes a session.
    pub(super) fn take(&mut self, pid: Pid) -> Option<Away<K>> {
        let taken = self.away.remove(&pid)?;
        self.bytes -= taken.bytes;
        self.order.remove(&taken.place);
        shrink(&mut self.away);
        Some(taken)
    }

    /// Drops the sessions that are away for too long, and the oldest while there are too many or they take too much. Returns
    /// when the oldest that is left has been away for too long.
    pub(super) fn trim(&mut self, now: Instant) -> Option<Instant> {
        while let Some((_, &oldest)) = self.order.first_key_value() {
            let at = self.away.get(&oldest)?.at;
            let is_old = now.saturating_duration_since(at) > self.max_age;
            if !is_old && self.away.len() <= self.max_away && self.bytes <= self.max_bytes {
                return at.checked_add(self.max_age.saturating_add(Duration::from_nanos(1)));
            }
            self.drop_later(oldest);
        }
        None
    }

    /// Removes a session, if it is there.
    pub(super) fn drop_later(&mut self, pid: Pid) {
        let taken = self.take(pid);
        self.gone.extend(taken.map(|away| away.kept));
    }

    /// Adds to what is not kept any more.
    pub(super) fn give_up(&mut self, kept: K) {
        self.gone.push(kept);
    }

    /// Takes what was kept of sockets and is not any more.
    pub(super) fn take_gone(&mut self) -> Vec<K> {
        core::mem::take(&mut self.gone)
    }

    /// Returns what is kept of each socket.
    #[cfg(feature = "cluster")]
    pub(super) fn kept(&self) -> impl Iterator<Item = &K> {
        self.away.values().map(|away| &away.kept)
    }

    /// Returns whether a client may come back.
    pub(super) fn is_waited_for(&self, now: Instant) -> bool {
        let newest = self.order.last_key_value().and_then(|(_, newest)| self.away.get(newest));
        newest.is_some_and(|away| now.saturating_duration_since(away.at) <= self.max_age)
    }

    #[cfg(test)]
    pub(super) fn usage(&self) -> (usize, usize, usize) {
        (self.away.len(), self.away.capacity(), self.bytes)
    }
}
