//! What has arrived on a namespace and waits for the application.

use std::collections::VecDeque;

use bytestring::ByteString;

use crate::args::RawArgs;
use crate::client::disconnect::Disconnect;
use crate::client::error::JoinError;
use crate::client::outbox::Limit;
use crate::client::refused::Refused;

/// What waits for the application.
#[derive(Debug)]
pub(super) enum Item {
    Event {
        name: ByteString,
        args: RawArgs,
        /// The number to answer with.
        id: Option<u64>,
        /// How often the namespace had been disconnected when the event arrived: the number means nothing after another time.
        ends: u64,
    },
    Connected {
        recovered: bool,
    },
    Disconnected(Disconnect),
    ConnectError(JoinError),
    Error {
        refused: Refused,
        bytes: usize,
    },
}

impl Item {
    fn byte_len(&self) -> usize {
        match self {
            Self::Event { name, args, .. } => name.len() + args.byte_len(),
            Self::Error { bytes, .. } => *bytes,
            _ => 0,
        }
    }
}

/// The inbox of one namespace.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    items: VecDeque<Item>,
    bytes: usize,
    is_full: bool,
    /// Whether the application has dropped its socket, so that nothing is kept.
    is_abandoned: bool,
}

impl Inbox {
    /// Puts an item into the inbox. Returns whether the inbox has just become full.
    pub(super) fn push(&mut self, item: Item, limit: Limit) -> bool {
        self.insert(self.end(), item, limit)
    }

    /// Returns the place behind all that has arrived.
    pub(super) fn end(&self) -> usize {
        self.items.len()
    }

    /// Puts an item at a place that was the [`end`](Self::end), and from before which nobody has received since. Returns whether
    /// the inbox has just become full.
    pub(super) fn insert(&mut self, place: usize, item: Item, limit: Limit) -> bool {
        if self.is_abandoned {
            return false;
        }
        self.bytes += item.byte_len();
        self.items.insert(place, item);
        limit.is_reached(self.items.len(), self.bytes) && !std::mem::replace(&mut self.is_full, true)
    }

    /// Returns the next item, and whether the inbox, which was full, has room again. It has at half of its limit, so that
    /// the connection does not stop and go for each event.
    pub(super) fn pop(&mut self, limit: Limit) -> Option<(Item, bool)> {
        let item = self.items.pop_front()?;
        self.bytes -= item.byte_len();
        if self.items.is_empty() {
            self.items = VecDeque::new();
        }
        let has_room = self.items.len() <= limit.count / 2 && self.bytes <= limit.bytes / 2;
        let resumes = self.is_full && has_room;
        self.is_full &= !has_room;
        Some((item, resumes))
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns whether nobody will receive any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    /// Returns the limit that leaves room for as much as `more`, beside what has arrived.
    pub(super) fn and_more(&self, more: Limit) -> Limit {
        Limit {
            count: self.items.len().saturating_add(more.count),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }

    pub(super) fn has_reached(&self, limit: Limit) -> bool {
        limit.is_reached(self.items.len(), self.bytes)
    }

    /// Forgets everything that has arrived and will arrive. Returns whether the inbox was full.
    pub(super) fn abandon(&mut self) -> bool {
        let was_full = self.is_full;
        *self = Self { is_abandoned: true, ..Self::default() };
        was_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { count: 4, bytes: 100 };

    fn event(text: &str) -> Item {
        Item::Event { name: "e".into(), args: RawArgs::new(text).unwrap(), id: None, ends: 0 }
    }

    #[test]
    fn an_inbox_is_full_at_its_limit_and_has_room_again_at_half() {
        let mut inbox = Inbox::default();
        let became_full: Vec<_> =
            (0..5).map(|_| inbox.push(Item::Connected { recovered: false }, LIMIT)).collect();
        assert_eq!(became_full, [false, false, false, true, false]);
        let resumed: Vec<_> = (0..5).map(|_| inbox.pop(LIMIT).unwrap().1).collect();
        assert_eq!(resumed, [false, false, true, false, false]);
        assert!(inbox.pop(LIMIT).is_none());
    }

    #[test]
    fn bytes_are_limited_as_well() {
        let mut inbox = Inbox::default();
        assert!(!inbox.push(event("short"), LIMIT));
        assert!(inbox.push(event(&"x".repeat(100)), LIMIT));
        assert_eq!(inbox.pop(LIMIT).map(|(_, resumes)| resumes), Some(false));
        assert_eq!(inbox.pop(LIMIT).map(|(_, resumes)| resumes), Some(true));
        assert_eq!(inbox.bytes, 0);
    }

    #[test]
    fn an_abandoned_inbox_is_never_full() {
        let mut inbox = Inbox::default();
        for _ in 0..4 {
            inbox.push(event("x"), LIMIT);
        }
        assert!(inbox.abandon());
        assert!(!inbox.push(event(&"x".repeat(1000)), LIMIT));
        assert!(inbox.pop(LIMIT).is_none());
    }
}
