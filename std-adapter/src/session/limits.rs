//! The limits of a session's inbox and outbox.

use crate::wire::message::Message;

/// The limits of the queues.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Received messages that wait for the application before reading stops. Those that it has taken ahead count until it
    /// asks for more: at most a quarter.
    pub(crate) inbox_messages: usize,
    /// The bytes of those messages. The message that reaches the limit is still accepted.
    pub(crate) inbox_bytes: usize,
    /// Sent messages that wait for a transport.
    pub(crate) outbox_messages: usize,
    /// The bytes of those messages. The message that reaches the limit is still accepted.
    pub(crate) outbox_bytes: usize,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        inbox_messages: 256,
        inbox_bytes: 1024 * 1024,
        outbox_messages: 256,
        outbox_bytes: 1024 * 1024,
    };
}

/// How much may at least be put into the inbox before it is full.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    messages: u16,
    bytes: u16,
}

impl Room {
    pub(crate) fn new(messages: usize, bytes: usize) -> Self {
        let [messages, bytes] = [messages, bytes].map(|room| u16::try_from(room).unwrap_or(u16::MAX));
        Self { messages, bytes }
    }

    /// Takes the room for a message. Returns whether there is more.
    pub(crate) fn take(&mut self, message: &Message) -> bool {
        let len = u16::try_from(message.len()).unwrap_or(u16::MAX);
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(len);
        self.messages > 0 && self.bytes > 0
    }
}
