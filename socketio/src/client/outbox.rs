//! What waits to be sent: on the connection, and on a namespace while the client is away.
//!
//! One queue feeds the connection, whatever namespace a packet belongs to, and only its front is ever being written. So
//! nothing comes between a packet and its attachments.

use std::collections::VecDeque;

use eio_tokio::Message;

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
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The number of the [namespace](crate::client::namespace::Namespace) that an event belongs to. Other packets are of
    /// use only on the connection that they were made for.
    pub(super) event_of: Option<u64>,
    /// The number that the answer repeats.
    pub(super) id: Option<u64>,
    pub(super) messages: VecDeque<Message>,
    pub(super) bytes: usize,
}

impl Outgoing {
    pub(super) fn event(namespace: u64, id: Option<u64>, encoded: Encoded) -> Self {
        Self { event_of: Some(namespace), id, ..Self::control(encoded) }
    }

    pub(super) fn control(encoded: Encoded) -> Self {
        let messages: VecDeque<Message> = encoded.into_messages().into_iter().collect();
        let bytes = messages.iter().map(Message::len).sum();
        Self { event_of: None, id: None, messages, bytes }
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

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
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

/// The packets that wait for the transport.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Packets,
    /// The messages of the packet that is being written.
    front: VecDeque<Message>,
    /// The packets that were put into the outbox, and those of them that have left it. The counts wrap around.
    pushed: u64,
    left: u64,
}

impl Outbox {
    pub(super) fn push(&mut self, packet: Outgoing) {
        self.pushed = self.pushed.wrapping_add(1);
        self.waiting.push(packet);
    }

    /// Puts messages that belong to a packet of which the transport has taken the first one.
    pub(super) fn push_rest(&mut self, messages: VecDeque<Message>) {
        self.pushed = self.pushed.wrapping_add(1);
        self.front = messages;
        self.note_left();
    }

    pub(super) fn is_full(&self, limit: Limit) -> bool {
        self.waiting.is_full(limit)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty() && self.waiting.is_empty()
    }

    /// Returns the message to send next. Refuses a packet that `check` does not let through, and hands it to `refused`.
    pub(super) fn next<E>(
        &mut self,
        check: impl Fn(&Outgoing) -> Result<(), E>,
        mut refused: impl FnMut(&Outgoing, E),
    ) -> Option<&Message> {
        while self.front.is_empty() {
            let packet = self.waiting.pop()?;
            match check(&packet) {
                Ok(()) => self.front = packet.messages,
                Err(error) => {
                    refused(&packet, error);
                    self.left = self.left.wrapping_add(1);
                }
            }
        }
        self.front.front()
    }

    /// Returns the message to send next, if its packet has begun.
    pub(super) fn front(&self) -> Option<&Message> {
        self.front.front()
    }

    /// Notes that the transport has taken the message that is next.
    pub(super) fn sent(&mut self) {
        self.front.pop_front();
        self.note_left();
    }

    fn note_left(&mut self) {
        if self.front.is_empty() {
            self.left = self.left.wrapping_add(1);
        }
    }

    /// Returns a mark that [`has_passed`](Self::has_passed) once all present packets have left.
    pub(super) fn mark(&self) -> u64 {
        self.pushed
    }

    pub(super) fn has_passed(&self, mark: u64) -> bool {
        self.left.wrapping_sub(mark) <= u64::MAX / 2
    }

    /// Returns the packets that have not begun, and forgets the others: their connection has ended.
    pub(super) fn end(&mut self) -> VecDeque<Outgoing> {
        self.front.clear();
        self.left = self.pushed;
        std::mem::take(&mut self.waiting).queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { count: 3, bytes: 10 };

    fn packet(id: u64, texts: &[&str]) -> Outgoing {
        let messages: VecDeque<Message> = texts.iter().copied().map(Message::from).collect();
        let bytes = messages.iter().map(Message::len).sum();
        Outgoing { event_of: Some(0), id: Some(id), messages, bytes }
    }

    fn drain(outbox: &mut Outbox) -> Vec<Message> {
        let mut sent = Vec::new();
        while let Some(message) = outbox.next(|_| Ok::<_, ()>(()), |_, ()| {}) {
            sent.push(message.clone());
            outbox.sent();
        }
        sent
    }

    #[test]
    fn nothing_comes_between_a_packet_and_its_attachments() {
        let mut outbox = Outbox::default();
        outbox.push(packet(0, &["first", "a", "b"]));
        assert_eq!(outbox.next(|_| Ok::<_, ()>(()), |_, ()| {}), Some(&"first".into()));
        outbox.sent();
        outbox.push(packet(1, &["second"]));
        assert_eq!(drain(&mut outbox), ["a", "b", "second"].map(Message::from));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_mark_has_passed_once_the_packets_before_it_have_left_whole() {
        let mut outbox = Outbox::default();
        assert!(outbox.has_passed(outbox.mark()));
        outbox.push(packet(0, &["first", "a"]));
        let mark = outbox.mark();
        outbox.push(packet(1, &["second"]));
        for passes in [false, true] {
            outbox.next(|_| Ok::<_, ()>(()), |_, ()| {});
            outbox.sent();
            assert_eq!(outbox.has_passed(mark), passes);
        }
        let mark = outbox.mark();
        assert!(!outbox.has_passed(mark));
        outbox.end();
        assert!(outbox.has_passed(mark), "nothing is left to wait for");
    }

    #[test]
    fn a_packet_that_does_not_fit_is_left_out_whole() {
        let mut outbox = Outbox::default();
        for (id, texts) in [(0, ["x", "long"]), (1, ["y", "z"])] {
            outbox.push(packet(id, &texts));
        }
        let mark = outbox.mark();
        let mut refused = Vec::new();
        let check = |packet: &Outgoing| if packet.bytes > 2 { Err("too long") } else { Ok(()) };
        let next = outbox.next(check, |packet, error| refused.push((packet.id, error))).cloned();
        assert_eq!(next, Some("y".into()));
        assert_eq!(refused, [(Some(0), "too long")]);
        drain(&mut outbox);
        assert!(outbox.has_passed(mark));
    }

    #[test]
    fn the_packet_that_reaches_the_limit_is_the_last_one() {
        let mut packets = Packets::default();
        for id in 0..3 {
            assert!(!packets.is_full(LIMIT));
            packets.push(packet(id, &["x"]));
        }
        assert!(packets.is_full(LIMIT), "by their count");
        packets.remove(1);
        assert!(!packets.is_full(LIMIT));
        packets.push(packet(4, &["a long text"]));
        assert!(packets.is_full(LIMIT), "by their bytes");
        assert_eq!(packets.ids().collect::<Vec<_>>(), [0, 2, 4]);
    }

    #[test]
    fn what_was_emitted_earlier_keeps_its_place_and_the_latest_is_dropped() {
        let mut packets = Packets::default();
        packets.push(packet(2, &["x"]));
        packets.push(packet(3, &["x"]));
        let dropped = packets.prepend([packet(0, &["x"]), packet(1, &["x"])].into(), LIMIT);
        assert_eq!((dropped, packets.ids().collect::<Vec<_>>()), (1, vec![0, 1, 2]));
    }
}
