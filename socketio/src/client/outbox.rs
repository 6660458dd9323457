//! What waits to be sent: on the connection, and on a namespace while the client is away.

use std::collections::VecDeque;

use eio_tokio::{ClientSender, Message, SendErrorKind, TrySendBatchError};

use crate::errors::EmitError;
use crate::parser::Encoded;

/// How many events may wait, and how many bytes of them. The event that reaches the limit is still accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) count: usize,
    pub(super) bytes: usize,
}

impl Limit {
    pub(super) fn is_reached(self, count: usize, bytes: usize) -> bool {
        count >= self.count || bytes >= self.bytes
    }
}

/// A packet to send.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    /// The number of the [namespace](crate::client::namespace::Namespace) that an event belongs to. Other packets are of
    /// use only on the connection that they were made for.
    pub(super) event_of: Option<u64>,
    /// The number that the answer repeats.
    pub(super) id: Option<u64>,
    /// They are sent as one unit: nothing may come between a packet and its attachments.
    messages: Vec<Message>,
    bytes: usize,
}

/// The reason why the session did not take a packet.
pub(super) enum NotTaken {
    /// Its outbox is full.
    Full(Outgoing),
    /// It has ended, or is about to.
    Over(Outgoing),
    Refused(Outgoing, EmitError),
}

impl Outgoing {
    pub(super) fn event(namespace: u64, id: Option<u64>, encoded: Encoded) -> Self {
        Self { event_of: Some(namespace), id, ..Self::control(encoded) }
    }

    pub(super) fn control(encoded: Encoded) -> Self {
        let bytes = encoded.byte_len();
        Self { event_of: None, id: None, messages: encoded.into_messages().collect(), bytes }
    }

    /// Sends the packet if the session has room now.
    pub(super) fn try_send(mut self, sender: &ClientSender) -> Result<(), NotTaken> {
        let (messages, kind) = match sender.try_send_batch(std::mem::take(&mut self.messages)) {
            Ok(()) => return Ok(()),
            Err(TrySendBatchError::Full(messages)) => (messages, None),
            Err(TrySendBatchError::Refused(error)) => (error.messages, Some(error.kind)),
            Err(_) => return Err(NotTaken::Over(self)),
        };
        self.messages = messages;
        Err(match kind {
            None => NotTaken::Full(self),
            Some(SendErrorKind::Session(_)) => NotTaken::Over(self),
            Some(kind) => NotTaken::Refused(self, kind.into()),
        })
    }

    /// Sends the packet as soon as the session has room. Returns the error if the session refuses it, and waits for ever if
    /// the session is over.
    pub(super) async fn send(self, sender: &ClientSender) -> Result<(), EmitError> {
        match sender.send_batch(self.messages).await {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind, SendErrorKind::Session(_)) => std::future::pending().await,
            Err(error) => Err(error.kind.into()),
        }
    }

    /// Sends the packet if the transport takes it at once. Returns whether it was sent.
    pub(super) fn send_volatile(self, sender: &ClientSender) -> bool {
        sender.send_batch_volatile(self.messages)
    }
}

/// A queue of packets that knows its size in bytes.
#[derive(Debug, Default)]
pub(super) struct Packets {
    queue: VecDeque<Outgoing>,
    bytes: usize,
}

impl Packets {
    pub(super) fn is_full(&self, limit: Limit) -> bool {
        limit.is_reached(self.queue.len(), self.bytes)
    }

    pub(super) fn push(&mut self, packet: Outgoing) {
        self.bytes += packet.bytes;
        self.queue.push_back(packet);
    }

    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        let packet = self.queue.pop_front()?;
        self.bytes -= packet.bytes;
        Some(packet)
    }

    /// Removes the event whose answer nobody waits for any more.
    pub(super) fn remove(&mut self, id: u64) {
        self.queue.retain(|packet| packet.id != Some(id));
        self.bytes = self.queue.iter().map(|packet| packet.bytes).sum();
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u64> {
        self.queue.iter().filter_map(|packet| packet.id)
    }

    /// Puts the packets before these, as far as there is room, and returns how many there was no room for.
    pub(super) fn prepend(&mut self, earlier: VecDeque<Outgoing>, limit: Limit) -> usize {
        let later = std::mem::take(self);
        let mut dropped = 0;
        for packet in earlier.into_iter().chain(later.queue) {
            if self.is_full(limit) {
                dropped += 1;
            } else {
                self.push(packet);
            }
        }
        dropped
    }
}

/// The packets that wait for the session, which takes them in their order. Once one waits, events are refused: those that wait
/// were emitted while the client was away, and have a limit of their own.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Packets,
    /// How many of the packets are no events, and how many bytes these have.
    others: (usize, usize),
    /// The packets that were put into the outbox, and those of them that have left it. The counts wrap around.
    pushed: u64,
    left: u64,
}

impl Outbox {
    pub(super) fn push(&mut self, packet: Outgoing) {
        self.pushed = self.pushed.wrapping_add(1);
        self.count(&packet);
        self.waiting.push(packet);
    }

    /// Counts a packet unless it is an event.
    fn count(&mut self, packet: &Outgoing) {
        if packet.event_of.is_none() {
            self.others.0 += 1;
            self.others.1 += packet.bytes;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.queue.is_empty()
    }

    /// Returns whether as many packets wait that are no events.
    pub(super) fn is_full(&self, limit: Limit) -> bool {
        limit.is_reached(self.others.0, self.others.1)
    }

    pub(super) fn first(&self) -> Option<&Outgoing> {
        self.waiting.queue.front()
    }

    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        let packet = self.waiting.pop()?;
        if packet.event_of.is_none() {
            self.others.0 -= 1;
            self.others.1 -= packet.bytes;
        }
        self.left = self.left.wrapping_add(1);
        Some(packet)
    }

    /// Puts back the packet that was taken last.
    pub(super) fn put_back(&mut self, packet: Outgoing) {
        self.left = self.left.wrapping_sub(1);
        self.count(&packet);
        self.waiting.bytes += packet.bytes;
        self.waiting.queue.push_front(packet);
    }

    /// Returns a mark that [`has_passed`](Self::has_passed) once all present packets have left.
    pub(super) fn mark(&self) -> u64 {
        self.pushed
    }

    pub(super) fn has_passed(&self, mark: u64) -> bool {
        self.left.wrapping_sub(mark) <= u64::MAX / 2
    }

    /// Takes all packets: their connection has ended.
    pub(super) fn end(&mut self) -> VecDeque<Outgoing> {
        self.left = self.pushed;
        self.others = (0, 0);
        std::mem::take(&mut self.waiting).queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { count: 3, bytes: 10 };

    fn packet(id: u64, text: &str) -> Outgoing {
        Outgoing::event(0, Some(id), Encoded::new(text.into(), []))
    }

    #[test]
    fn a_mark_has_passed_once_the_packets_before_it_have_left() {
        let mut outbox = Outbox::default();
        assert!(outbox.has_passed(outbox.mark()));
        outbox.push(packet(0, "first"));
        let mark = outbox.mark();
        outbox.push(packet(1, "second"));
        let taken = outbox.pop().unwrap();
        assert!(outbox.has_passed(mark));
        outbox.put_back(taken);
        assert!(!outbox.has_passed(mark));
        let mark = outbox.mark();
        let unsent: Vec<_> = outbox.end().into_iter().map(|packet| packet.id).collect();
        assert_eq!(unsent, [Some(0), Some(1)], "in order");
        assert!(outbox.has_passed(mark), "nothing is left to wait for");
    }

    #[test]
    fn events_do_not_fill_the_outbox_and_other_packets_do() {
        let answer = |text: &str| Outgoing::control(Encoded::new(text.into(), []));
        let mut outbox = Outbox::default();
        for id in 0..5 {
            outbox.push(packet(id, "a long text"));
        }
        outbox.push(answer("x"));
        assert!(!outbox.is_full(LIMIT));
        outbox.push(answer("a long text"));
        assert!(outbox.is_full(LIMIT), "by their bytes");
        for _ in 0..6 {
            outbox.pop();
        }
        let last = outbox.pop().unwrap();
        assert!(!outbox.is_full(LIMIT));
        outbox.put_back(last);
        assert!(outbox.is_full(LIMIT));
        outbox.end();
        for _ in 0..3 {
            assert!(!outbox.is_full(LIMIT));
            outbox.push(answer("x"));
        }
        assert!(outbox.is_full(LIMIT), "by their count");
    }

    #[test]
    fn the_packet_that_reaches_the_limit_is_the_last_one() {
        let mut packets = Packets::default();
        for id in 0..3 {
            assert!(!packets.is_full(LIMIT));
            packets.push(packet(id, "x"));
        }
        assert!(packets.is_full(LIMIT), "by their count");
        packets.remove(1);
        assert!(!packets.is_full(LIMIT));
        packets.push(packet(4, "a long text"));
        packets.pop();
        assert!(packets.is_full(LIMIT), "by their bytes");
        assert_eq!(packets.ids().collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn what_was_emitted_earlier_keeps_its_place_and_the_latest_is_dropped() {
        let mut packets = Packets::default();
        packets.push(packet(2, "x"));
        packets.push(packet(3, "x"));
        let dropped = packets.prepend([packet(0, "x"), packet(1, "x")].into(), LIMIT);
        assert_eq!((dropped, packets.ids().collect::<Vec<_>>()), (1, vec![0, 1, 2]));
    }
}
