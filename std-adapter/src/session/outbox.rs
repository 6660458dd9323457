//! The messages that were sent and that no transport has taken.

use eio_core::packet::Packet;

use crate::session::limits::Limits;
use crate::session::queue::Queue;
use crate::wire::outgoing::{Outgoing, total_len};

/// The outbox of one session. An empty one owns no memory.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// The messages, except for older ones that a WebSocket is writing.
    messages: Queue<Outgoing>,
    /// The bytes of the messages, including those that a WebSocket is writing.
    bytes: usize,
    /// How many messages have been sent. This count and the next one wrap around.
    sent: u32,
    /// How many of them a transport has taken: a WebSocket has written them, or an HTTP request carries them.
    taken: u32,
}

impl Outbox {
    pub(crate) fn has_room(&self, limits: &Limits) -> bool {
        self.unsent() < limits.outbox_messages && self.bytes < limits.outbox_bytes
    }

    /// Puts a message behind all others.
    pub(crate) fn push(&mut self, outgoing: Outgoing) {
        self.sent = self.sent.wrapping_add(1);
        self.bytes += outgoing.message().len();
        self.messages.push_back(outgoing);
    }

    /// Puts a message before all others. It takes the number before theirs.
    pub(crate) fn push_first(&mut self, outgoing: Outgoing) {
        self.taken = self.taken.wrapping_sub(1);
        self.bytes += outgoing.message().len();
        self.messages.push_front(outgoing);
    }

    /// Moves the messages to `writing`, for a WebSocket. They count as unsent until they are [taken](Self::note_taken).
    pub(crate) fn begin_writing(&mut self, writing: &mut Queue<Outgoing>) {
        writing.append(&mut self.messages);
    }

    /// Notes that a transport has taken the oldest `messages`.
    pub(crate) fn note_taken(&mut self, messages: usize, bytes: usize) {
        self.taken = self.taken.wrapping_add(narrow(messages));
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Takes back the messages that a WebSocket has not written completely. They are the oldest ones.
    pub(crate) fn end_writing(&mut self, writing: &mut Queue<Outgoing>) {
        writing.append(&mut self.messages);
        core::mem::swap(writing, &mut self.messages);
        self.taken = self.sent.wrapping_sub(narrow(self.messages.len()));
    }

    /// The packets of the messages that an HTTP request may carry, the oldest first.
    pub(crate) fn packets(&self) -> impl Iterator<Item = Packet<'_>> {
        self.messages.iter().map(Outgoing::packet)
    }

    /// Takes the oldest messages for an HTTP request, at most `at_most`.
    pub(crate) fn take_first(&mut self, at_most: usize) -> Queue<Outgoing> {
        let taken = self.messages.take_first(at_most);
        self.note_taken(taken.len(), total_len(taken.iter()));
        taken
    }

    /// Puts messages back that a request did not send. They are the next ones again.
    pub(crate) fn put_back(&mut self, mut messages: Queue<Outgoing>) {
        self.taken = self.taken.wrapping_sub(narrow(messages.len()));
        self.bytes += total_len(messages.iter());
        messages.append(&mut self.messages);
        self.messages = messages;
    }

    /// Takes the messages of a session that has ended. They still count as unsent.
    pub(crate) fn take_all(&mut self) -> Queue<Outgoing> {
        self.bytes = 0;
        core::mem::take(&mut self.messages)
    }

    /// Returns the number of messages that no transport has taken.
    pub(crate) fn unsent(&self) -> usize {
        usize::try_from(self.sent.wrapping_sub(self.taken)).unwrap_or(usize::MAX)
    }

    /// Returns how many messages have been sent, which is the number of the last one.
    pub(crate) fn sent(&self) -> u32 {
        self.sent
    }

    /// Returns how many of them a transport has taken.
    pub(crate) fn taken(&self) -> u32 {
        self.taken
    }
}

/// A number of messages as their counts hold it. Each message takes more memory than a byte, so it always fits.
pub(crate) fn narrow(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::Message;

    #[test]
    fn unsent_messages_are_counted_also_where_their_numbers_wrap_around() {
        let message = |text: &str| Outgoing::Message(Message::text(text));
        let mut outbox = Outbox { sent: u32::MAX, taken: u32::MAX, ..Outbox::default() };
        for _ in 0..3 {
            outbox.push(message("x"));
        }
        assert_eq!((outbox.unsent(), outbox.sent()), (3, 2));
        outbox.push_first(message("first"));
        assert_eq!((outbox.unsent(), outbox.sent(), outbox.bytes), (4, 2, 8));
        let taken = outbox.take_first(3);
        assert_eq!((outbox.unsent(), outbox.taken(), outbox.bytes), (1, 1, 1));
        outbox.put_back(taken);
        assert_eq!((outbox.unsent(), outbox.taken(), outbox.bytes), (4, u32::MAX - 1, 8));
        let mut writing = Queue::default();
        outbox.begin_writing(&mut writing);
        outbox.note_taken(2, 6);
        assert_eq!((outbox.unsent(), outbox.taken(), outbox.bytes), (2, 0, 2));
        drop(writing.take_first(2));
        outbox.end_writing(&mut writing);
        assert_eq!((outbox.unsent(), outbox.messages.len()), (2, 2));
    }

    #[test]
    fn there_is_room_below_each_limit() {
        let limits = Limits { outbox_messages: 3, outbox_bytes: 10, ..Limits::DEFAULT };
        let has_room = |texts: &[&str]| {
            let mut outbox = Outbox::default();
            for text in texts {
                outbox.push(Outgoing::Message(Message::text(*text)));
            }
            outbox.has_room(&limits)
        };
        assert!(has_room(&["", ""]) && !has_room(&["", "", ""]));
        assert!(has_room(&["123456789"]) && !has_room(&["1234567890"]));
    }
}
