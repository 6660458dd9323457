//! The sessions that ended last, so that a late request can be told what became of its session.

use core::hash::BuildHasher as _;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};

use eio_core::{DisconnectReason, Instant};

use crate::wire::session_id::SessionId;

/// The sessions that ended last, at most a certain number. An entry takes about 60 bytes.
pub(crate) struct Ended {
    max: usize,
    /// Identifiers are secrets, so only their hashes are kept. Nobody can choose identifiers whose hashes are equal.
    hasher: RandomState,
    order: VecDeque<u64>,
    ends: HashMap<u64, End>,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) reason: DisconnectReason,
    pub(crate) at: Instant,
}

impl Ended {
    /// Remembers at most so many sessions.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, hasher: RandomState::new(), order: VecDeque::new(), ends: HashMap::new() }
    }

    /// Remembers a session, in place of the one that ended first if there are too many.
    pub(crate) fn remember(&mut self, id: SessionId, end: End) {
        if self.max == 0 {
            return;
        }
        if self.order.len() >= self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.ends.remove(&oldest);
        }
        let hash = self.hasher.hash_one(id);
        self.order.push_back(hash);
        self.ends.insert(hash, end);
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<End> {
        self.ends.get(&self.hasher.hash_one(id)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_ones_are_remembered_and_take_no_more_room_than_they_may() {
        for max in [0, 1, 10] {
            let mut ended = Ended::new(max);
            let ids: Vec<_> = (0..1_000).map(|_| SessionId::random(None).unwrap()).collect();
            for (number, id) in ids.iter().enumerate() {
                assert_eq!(ended.get(*id), None);
                let at = Instant::from_micros(number as u64);
                ended.remember(*id, End { reason: DisconnectReason::PingTimeout, at });
            }
            for (number, id) in ids.iter().enumerate() {
                let at = ended.get(*id).map(|end| end.at.as_micros());
                assert_eq!(at, (number >= 1_000 - max).then_some(number as u64));
            }
            assert!(ended.order.capacity() <= 4 * max && ended.ends.capacity() <= 4 * max);
        }
    }
}
