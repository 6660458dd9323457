//! Messages between a session's task and its application: two bounded queues, and the wakers of both sides.

use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Received messages that wait for the application before reading stops.
    pub(crate) inbox_messages: usize,
    /// The bytes of those; the message that reaches the limit still goes in.
    pub(crate) inbox_bytes: usize,
    /// Sent messages that wait for a transport.
    pub(crate) outbox_messages: usize,
    /// The bytes of those; the message that reaches the limit still goes in.
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

/// What taking a message out of the inbox has come to.
pub(crate) enum Taken {
    Message(Message),
    /// The same, and there is room again: reading may go on.
    MessageAndRoom(Message),
}

/// Whether anybody reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Application {
    /// It will begin.
    #[default]
    Awaited,
    There,
    /// Nobody will read.
    Gone,
}

/// Both queues of one session. An empty queue owns no memory.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct Mailbox {
    inbox: VecDeque<Message>,
    inbox_bytes: usize,
    outbox: VecDeque<Outgoing>,
    outbox_bytes: usize,
    /// So many messages at the front of the outbox are being written by a WebSocket.
    in_writing: usize,
    /// The inbox is full, so nothing is read.
    paused: bool,
    application: Application,
    /// The session has ended: nothing is sent any more.
    ended: bool,
    reader: Option<Waker>,
    /// The reader is to be woken.
    reader_woken: bool,
    task: Option<Waker>,
    /// Something changed since the task's pass began.
    dirty: bool,
}

impl Mailbox {
    /// A message for the application; `true` when that has just made the inbox full.
    pub(crate) fn deliver(&mut self, message: Message, limits: &Limits) -> bool {
        if let Application::Gone = self.application {
            return false;
        }
        self.inbox_bytes += message.len();
        self.inbox.push_back(message);
        self.wake_reader();
        let full = self.inbox.len() >= limits.inbox_messages || self.inbox_bytes >= limits.inbox_bytes;
        full && !core::mem::replace(&mut self.paused, true)
    }

    /// The next message for the application.
    pub(crate) fn take(&mut self, limits: &Limits) -> Option<Taken> {
        let message = self.inbox.pop_front()?;
        self.inbox_bytes -= message.len();
        // Not at the first free place, so that there is something to read for every wake-up.
        let half_empty =
            self.inbox.len() <= limits.inbox_messages / 2 && self.inbox_bytes <= limits.inbox_bytes / 2;
        let resumed = self.paused && half_empty;
        if self.inbox.is_empty() {
            self.inbox = VecDeque::new();
        }
        if resumed {
            self.paused = false;
            return Some(Taken::MessageAndRoom(message));
        }
        Some(Taken::Message(message))
    }

    /// Waits for the next message, or for the end.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        self.reader_woken = false;
        remember(&mut self.reader, cx);
    }

    /// What still comes in goes nowhere. Returns what was not read, to be dropped elsewhere, and whether reading had
    /// stopped and may go on.
    #[must_use]
    pub(crate) fn abandon(&mut self) -> (VecDeque<Message>, bool) {
        self.application = Application::Gone;
        self.inbox_bytes = 0;
        self.forget_unsent();
        (core::mem::take(&mut self.inbox), core::mem::take(&mut self.paused))
    }

    /// The application has what it reads by.
    pub(crate) fn listen(&mut self) {
        self.application = Application::There;
    }

    /// Whether the application has yet to begin.
    pub(crate) fn awaits_application(&self) -> bool {
        self.application == Application::Awaited
    }

    /// The session has ended. What was not sent is kept for an application that may ask for it.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.forget_unsent();
    }

    /// Handles that outlive both the session and its application keep no messages.
    fn forget_unsent(&mut self) {
        if self.ended && self.application == Application::Gone {
            drop(self.take_unsent());
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) fn has_room(&self, limits: &Limits) -> bool {
        self.outbox.len() < limits.outbox_messages && self.outbox_bytes < limits.outbox_bytes
    }

    pub(crate) fn post(&mut self, outgoing: Outgoing) {
        self.outbox_bytes += outgoing.message().len();
        self.outbox.push_back(outgoing);
    }

    /// Goes out before all others.
    pub(crate) fn post_first(&mut self, outgoing: Outgoing) {
        self.outbox_bytes += outgoing.message().len();
        self.outbox.push_front(outgoing);
    }

    /// What a request with data carries next.
    pub(crate) fn next_outgoing(&self) -> Option<&Outgoing> {
        self.outbox.front()
    }

    /// A request with data takes the next message.
    pub(crate) fn pop_outgoing(&mut self) -> Option<Outgoing> {
        let outgoing = self.outbox.pop_front()?;
        self.outbox_bytes -= outgoing.message().len();
        if self.outbox.is_empty() {
            self.outbox = VecDeque::new();
        }
        Some(outgoing)
    }

    /// A WebSocket begins with the next message, which stays here until it is [`written`](Self::written).
    pub(crate) fn begin_writing(&mut self) -> Option<Outgoing> {
        let outgoing = self.outbox.get(self.in_writing)?.clone();
        self.in_writing += 1;
        Some(outgoing)
    }

    /// The WebSocket has handed the oldest messages to the kernel. Returns their bytes.
    pub(crate) fn written(&mut self, messages: usize) -> usize {
        let messages = messages.min(self.in_writing);
        self.in_writing -= messages;
        let bytes = self.outbox.drain(..messages).map(|outgoing| outgoing.message().len()).sum();
        self.outbox_bytes -= bytes;
        if self.outbox.is_empty() {
            self.outbox = VecDeque::new();
        }
        bytes
    }

    /// What the answer to a poll carries: the oldest messages, at most so many.
    pub(crate) fn take_outgoing(&mut self, at_most: usize) -> Vec<Outgoing> {
        if self.outbox.len() > at_most {
            let taken: Vec<_> = self.outbox.drain(..at_most).collect();
            self.outbox_bytes -= taken.iter().map(|outgoing| outgoing.message().len()).sum::<usize>();
            return taken;
        }
        self.outbox_bytes = 0;
        core::mem::take(&mut self.outbox).into()
    }

    /// How many messages no transport has taken as a whole.
    pub(crate) fn outgoing(&self) -> usize {
        self.outbox.len()
    }

    /// What the application sent and nobody will.
    pub(crate) fn take_unsent(&mut self) -> Vec<Message> {
        self.in_writing = 0;
        self.take_outgoing(usize::MAX).into_iter().map(Outgoing::into_message).collect()
    }

    /// The task looks at everything now.
    pub(crate) fn begin_pass(&mut self) {
        self.dirty = false;
        self.task = None;
    }

    /// Whether something changed since the pass began; if not, the task will be woken when it does.
    pub(crate) fn end_pass(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.dirty {
            return Poll::Ready(());
        }
        remember(&mut self.task, cx);
        Poll::Pending
    }

    pub(crate) fn wake_task(&mut self) {
        self.dirty = true;
        if let Some(waker) = self.task.take() {
            waker.wake();
        }
    }

    /// The reader is woken once the lock is released: its waker may be of other people's making.
    pub(crate) fn wake_reader(&mut self) {
        self.reader_woken = true;
    }

    /// The reader's waker, if there is a reason to wake it.
    #[must_use]
    pub(crate) fn take_woken_reader(&mut self) -> Option<Waker> {
        if core::mem::take(&mut self.reader_woken) { self.reader.take() } else { None }
    }
}

/// Keeps the waker of whoever waits now.
pub(crate) fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}
