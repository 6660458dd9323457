//! The packets that were sent in a namespace, as far as they are kept.

use core::time::Duration;
use std::collections::VecDeque;

use tokio::time::Instant;

use crate::server::recovery::Recovery;
use crate::server::recovery::recipients::Recipients;
use crate::server::rooms::surplus;

/// The packets that were sent in a namespace, oldest first. A packet's position tells how many were logged before it, also
/// when those are gone.
pub(super) struct Log<P> {
    entries: VecDeque<Entry<P>>,
    /// The position of the oldest entry.
    first: u64,
    bytes: usize,
    max_age: Duration,
    max_packets: usize,
    max_bytes: usize,
}

/// A packet that was sent.
pub(super) struct Entry<P> {
    /// The number of its offset.
    pub(super) number: u64,
    pub(super) recipients: Recipients,
    pub(super) packet: P,
    bytes: usize,
    at: Instant,
}

impl<P> Log<P> {
    pub(super) fn new(settings: &Recovery) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
            // While a client is away, packets are needed that were sent before anybody noticed.
            max_age: settings.max_disconnection.saturating_mul(2),
            max_packets: settings.max_packets,
            max_bytes: settings.max_bytes,
        }
    }

    /// Adds a packet of this length, and drops the oldest while there are too many.
    pub(super) fn push(
        &mut self,
        number: u64,
        recipients: Recipients,
        packet: P,
        length: usize,
        now: Instant,
    ) {
        let bytes = size_of::<Entry<P>>() + recipients.byte_len() + length;
        self.bytes += bytes;
        self.entries.push_back(Entry { number, recipients, packet, bytes, at: now });
        self.trim(now);
    }

    /// Drops what is too old, too much or too large, oldest first. Returns when the oldest that is left is too old.
    pub(super) fn trim(&mut self, now: Instant) -> Option<Instant> {
        let mut due = None;
        while let Some(oldest) = self.entries.front() {
            let is_old = now.saturating_duration_since(oldest.at) > self.max_age;
            if !is_old && self.entries.len() <= self.max_packets && self.bytes <= self.max_bytes {
                due = oldest.at.checked_add(self.max_age.saturating_add(Duration::from_nanos(1)));
                break;
            }
            self.bytes -= oldest.bytes;
            self.first += 1;
            self.entries.pop_front();
        }
        if let Some(room) = surplus(self.entries.len(), self.entries.capacity()) {
            self.entries.shrink_to(room);
        }
        due
    }

    /// Returns the position of the oldest packet that is kept.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Returns the position that the next packet gets.
    pub(super) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Returns the position of a packet that is kept, and the packet. The work is linear in the log, shortest for the
    /// newest.
    pub(super) fn find(&self, number: u64) -> Option<(u64, &Entry<P>)> {
        let index = self.entries.iter().rposition(|entry| entry.number == number)?;
        Some((self.first + index as u64, self.entries.get(index)?))
    }

    /// Returns all packets from a position on, with their positions, unless some of them are gone.
    pub(super) fn since(&self, start: u64) -> Option<impl Iterator<Item = (u64, &Entry<P>)>> {
        let index = usize::try_from(start.checked_sub(self.first)?).ok()?;
        (index <= self.entries.len()).then(|| (start..).zip(self.entries.range(index..)))
    }

    #[cfg(test)]
    pub(super) fn usage(&self) -> (usize, usize, usize) {
        (self.entries.len(), self.entries.capacity(), self.bytes)
    }
}
