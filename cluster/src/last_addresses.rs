//! Where nodes were that are gone without a word.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eio_core::Instant;

use crate::members::MAX_NODES;

/// How long an address is kept.
const KEPT: Duration = Duration::from_hours(24);

/// The last addresses of nodes that are gone by silence. Such a node may have lost its bus only: it lives then, and so do its
/// sessions.
#[derive(Debug, Default)]
pub(crate) struct LastAddresses(BTreeMap<Arc<str>, Last>);

#[derive(Debug)]
struct Last {
    incarnation: u64,
    address: Arc<str>,
    gone_at: Instant,
}

impl Last {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.gone_at) < KEPT
    }
}

impl LastAddresses {
    /// Keeps the address of a node that is gone. Of too many, the oldest one is forgotten.
    pub(crate) fn keep(&mut self, now: Instant, name: &Arc<str>, incarnation: u64, address: Arc<str>) {
        if self.0.len() >= MAX_NODES {
            self.0.retain(|_, last| last.is_fresh(now));
        }
        if self.0.len() >= MAX_NODES
            && let Some((oldest, _)) = self.0.iter().min_by_key(|(_, last)| last.gone_at)
        {
            let oldest = Arc::clone(oldest);
            self.0.remove(&oldest);
        }
        self.0.insert(Arc::clone(name), Last { incarnation, address, gone_at: now });
    }

    /// Forgets the address of a name that is there again.
    pub(crate) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Forgets the address of a node that says that it leaves. Another start of the same node says nothing about this one.
    pub(crate) fn forget_start(&mut self, name: &str, incarnation: u64) {
        if self.0.get(name).is_some_and(|last| last.incarnation == incarnation) {
            self.0.remove(name);
        }
    }

    pub(crate) fn get(&self, now: Instant, name: &str) -> Option<&Arc<str>> {
        self.0.get(name).filter(|last| last.is_fresh(now)).map(|last| &last.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: u64) -> Instant {
        Instant::from_micros(hours * 3_600_000_000)
    }

    fn keep(last: &mut LastAddresses, hours: u64, name: &str, incarnation: u64) {
        last.keep(at(hours), &name.into(), incarnation, format!("http://{name}").into());
    }

    #[test]
    fn an_address_is_kept_for_a_day_or_until_the_node_is_there_again_or_leaves() {
        let mut last = LastAddresses::default();
        keep(&mut last, 1, "a7", 1);
        assert_eq!(last.get(at(24), "a7").map(|address| &**address), Some("http://a7"));
        assert_eq!(last.get(at(25), "a7"), None);
        assert_eq!(last.get(at(1), "b2"), None);
        last.forget_start("a7", 2);
        assert!(last.get(at(1), "a7").is_some(), "an older start of it has left");
        last.forget_start("a7", 1);
        assert_eq!(last.get(at(1), "a7"), None);
        keep(&mut last, 1, "a7", 3);
        last.forget("a7");
        assert_eq!(last.get(at(1), "a7"), None);
    }

    #[test]
    fn the_number_of_addresses_has_a_bound_and_the_oldest_go_first() {
        let mut last = LastAddresses::default();
        for number in 0..=MAX_NODES as u64 {
            keep(&mut last, u64::from(number > 0), &format!("{number:04}"), number);
        }
        assert_eq!(last.0.len(), MAX_NODES);
        assert_eq!(last.get(at(1), "0000"), None);
        assert!(last.get(at(1), "0001").is_some());
        // All of these are too old to be worth a place.
        keep(&mut last, 30, "a7", 1);
        assert_eq!(last.0.len(), 1);
    }
}
