//! The mailbox between a session's task and its application: messages in both directions, requests such as closing, and
//! the wakers of waiting callers.

use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use eio_core::packet::Packet;

use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::{Outgoing, total_len};

/// The limits of the queues.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Received messages that wait for the application before reading stops.
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

/// The result of taking a message out of the inbox.
pub(crate) enum Taken {
    Message(Message),
    /// The inbox was full, and reading may go on.
    MessageAndRoom(Message),
}

/// The state of the inbox's reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Application {
    /// The application has not started yet.
    #[default]
    Awaited,
    Reading,
    /// The application has dropped its socket.
    Gone,
}

/// The requests to the task since its last pass.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "requests that do not depend on each other")]
pub(crate) struct Requests {
    pub(crate) close: bool,
    /// The content of the close frame.
    pub(crate) close_frame: Option<CloseFrame>,
    /// Application code panicked: close the session as panicked.
    pub(crate) panicked: bool,
    /// End the session without waiting for the peer.
    pub(crate) cut_off: bool,
    /// The inbox has room again.
    pub(crate) resume: bool,
}

/// The wakers to call once the lock is released.
#[derive(Debug, Default)]
struct Wake {
    task: bool,
    reader: bool,
    /// Whether to wake callers that wait for room in the outbox, for the opening, for the end, or for a pass.
    waiters: bool,
}

/// Both queues of one session. An empty queue owns no memory.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct Mailbox {
    inbox: VecDeque<Message>,
    inbox_bytes: usize,
    /// The messages that no transport has taken completely.
    outbox: VecDeque<Outgoing>,
    outbox_bytes: usize,
    /// The number of messages at the front of the outbox that a WebSocket is writing.
    in_writing: usize,
    /// Whether the inbox is full, so that the task does not read.
    is_full: bool,
    application: Application,
    /// Whether the session has ended, so that nothing more is sent.
    ended: bool,
    /// Whether the application or a handle has requested the close. Messages are refused from then on.
    closes: bool,
    requests: Requests,
    /// How many passes callers have asked to wait for.
    passes_requested: u32,
    /// How many of these the present pass makes, because it began after they were requested.
    passes_begun: u32,
    passes_made: u32,
    reader: Option<Waker>,
    task: Option<Waker>,
    /// Whether something has changed since the task began its pass.
    has_changed: bool,
    /// Whether messages were sent or a close was requested since the task last took such requests.
    has_requests: bool,
    wake: Wake,
}

impl Mailbox {
    /// Puts a received message into the inbox. Returns whether the inbox has just become full. Returns the message as an
    /// error if it will never be read: drop it without the lock.
    pub(crate) fn deliver(&mut self, message: Message, limits: &Limits) -> Result<bool, Message> {
        if self.application == Application::Gone {
            return Err(message);
        }
        self.inbox_bytes += message.len();
        self.inbox.push_back(message);
        self.wake_reader();
        let full = self.inbox.len() >= limits.inbox_messages || self.inbox_bytes >= limits.inbox_bytes;
        Ok(full && !core::mem::replace(&mut self.is_full, true))
    }

    /// Returns the next message for the application.
    pub(crate) fn receive(&mut self, limits: &Limits) -> Option<Taken> {
        let message = self.inbox.pop_front()?;
        self.inbox_bytes -= message.len();
        // Reading does not resume at the first free place, so that each wake-up can read several messages.
        let half_empty =
            self.inbox.len() <= limits.inbox_messages / 2 && self.inbox_bytes <= limits.inbox_bytes / 2;
        if self.inbox.is_empty() {
            self.inbox = VecDeque::new();
        }
        if self.is_full && half_empty {
            self.resume();
            return Some(Taken::MessageAndRoom(message));
        }
        Some(Taken::Message(message))
    }

    fn resume(&mut self) {
        self.is_full = false;
        self.requests.resume = true;
        self.wake_task();
    }

    /// Waits for the next message, or for the end.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        self.wake.reader = false;
        remember(&mut self.reader, cx);
    }

    /// Notes that the application is gone, so that incoming messages are discarded. Returns the unread messages, which must
    /// be dropped without the lock, and whether the inbox had been full.
    #[must_use]
    pub(crate) fn abandon(&mut self) -> (Discarded, bool) {
        self.application = Application::Gone;
        self.inbox_bytes = 0;
        let was_full = self.is_full;
        if was_full {
            self.resume();
        }
        (Discarded(core::mem::take(&mut self.inbox), self.take_unwanted()), was_full)
    }

    /// Notes that the application has its socket.
    pub(crate) fn listen(&mut self) {
        self.application = Application::Reading;
    }

    /// Returns whether the application has not started yet.
    pub(crate) fn awaits_application(&self) -> bool {
        self.application == Application::Awaited
    }

    /// Notes that the session has ended. Keeps the unsent messages if an application may still take them, and otherwise
    /// returns them: drop them without the lock.
    #[must_use]
    pub(crate) fn end(&mut self) -> VecDeque<Outgoing> {
        self.ended = true;
        self.wake_reader();
        self.wake_waiters();
        self.take_unwanted()
    }

    /// Takes the messages that no application can take any more. Handles that outlive the session and its application must
    /// not keep them.
    fn take_unwanted(&mut self) -> VecDeque<Outgoing> {
        if self.ended && self.application == Application::Gone { self.take_unsent() } else { VecDeque::new() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn has_room(&self, limits: &Limits) -> bool {
        self.outbox.len() < limits.outbox_messages && self.outbox_bytes < limits.outbox_bytes
    }

    pub(crate) fn post(&mut self, outgoing: Outgoing) {
        self.outbox_bytes += outgoing.message().len();
        self.outbox.push_back(outgoing);
        self.wake_task_for_request();
    }

    /// Puts a message before all others.
    pub(crate) fn post_first(&mut self, outgoing: Outgoing) {
        self.outbox_bytes += outgoing.message().len();
        self.outbox.push_front(outgoing);
    }

    /// Returns the next message for a WebSocket. It stays in the outbox until it is [`written`](Self::written).
    pub(crate) fn begin_writing(&mut self) -> Option<Outgoing> {
        let outgoing = self.outbox.get(self.in_writing)?.clone();
        self.in_writing += 1;
        Some(outgoing)
    }

    /// Removes and returns the oldest messages, which the WebSocket has written completely. Drop them without the lock.
    pub(crate) fn written(&mut self, messages: usize) -> VecDeque<Outgoing> {
        let messages = messages.min(self.in_writing);
        self.in_writing -= messages;
        self.take(messages)
    }

    /// The packets of the messages that an HTTP request may carry, the oldest first.
    pub(crate) fn unsent_packets(&self) -> impl Iterator<Item = Packet<'_>> {
        self.outbox.iter().map(Outgoing::packet)
    }

    /// Takes the oldest messages for an HTTP request, at most `at_most`.
    pub(crate) fn take_outgoing(&mut self, at_most: usize) -> VecDeque<Outgoing> {
        self.take(at_most)
    }

    /// Puts messages back that a request did not send. They are the next ones again.
    pub(crate) fn put_back(&mut self, mut messages: VecDeque<Outgoing>) {
        self.outbox_bytes += total_len(&messages);
        messages.append(&mut self.outbox);
        self.outbox = messages;
    }

    fn take(&mut self, at_most: usize) -> VecDeque<Outgoing> {
        let rest = if at_most < self.outbox.len() { self.outbox.split_off(at_most) } else { VecDeque::new() };
        let taken = core::mem::replace(&mut self.outbox, rest);
        if !taken.is_empty() {
            self.outbox_bytes -= total_len(&taken);
            self.wake_waiters();
        }
        taken
    }

    /// Returns the number of messages that have not been written completely.
    pub(crate) fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// Takes the messages that the application sent and that were never written.
    pub(crate) fn take_unsent(&mut self) -> VecDeque<Outgoing> {
        self.in_writing = 0;
        self.outbox_bytes = 0;
        core::mem::take(&mut self.outbox)
    }

    pub(crate) fn request_close(&mut self, frame: Option<CloseFrame>) {
        if !core::mem::replace(&mut self.closes, true) {
            self.requests.close_frame = frame;
        }
        self.requests.close = true;
        self.wake_task_for_request();
    }

    pub(crate) fn request_close_after_panic(&mut self) {
        self.closes = true;
        self.requests.panicked = true;
        self.wake_task_for_request();
    }

    pub(crate) fn request_cut_off(&mut self) {
        self.closes = true;
        self.requests.cut_off = true;
        self.wake_task_for_request();
    }

    pub(crate) fn is_asked_to_close(&self) -> bool {
        self.closes
    }

    /// Requests a pass, and returns its number.
    pub(crate) fn request_pass(&mut self) -> u32 {
        self.passes_requested = self.passes_requested.wrapping_add(1);
        self.wake_task();
        self.passes_requested
    }

    /// Returns whether the requested pass with this number has been made.
    pub(crate) fn has_made(&self, pass: u32) -> bool {
        self.passes_made.wrapping_sub(pass) <= u32::MAX / 2
    }

    /// Notes that the task has finished a pass: it has read everything, and has handled what was due.
    pub(crate) fn finish_pass(&mut self) {
        if self.passes_made != self.passes_begun {
            self.passes_made = self.passes_begun;
            self.wake_waiters();
        }
    }

    /// Takes the requests to the task, which begins a pass.
    pub(crate) fn begin_pass(&mut self) -> Requests {
        self.has_changed = false;
        self.task = None;
        self.passes_begun = self.passes_requested;
        self.take_requests()
    }

    /// Takes the requests to the task, which will then check for messages to send.
    pub(crate) fn take_requests(&mut self) -> Requests {
        self.has_requests = false;
        core::mem::take(&mut self.requests)
    }

    /// Returns `Pending` if nothing has changed since the task began its pass, and wakes the task when something does.
    pub(crate) fn poll_change(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.has_changed || self.has_requests {
            return Poll::Ready(());
        }
        remember(&mut self.task, cx);
        Poll::Pending
    }

    pub(crate) fn wake_task(&mut self) {
        self.has_changed = true;
        self.wake.task = true;
    }

    /// Wakes the task for a request that it takes after the application's turn.
    fn wake_task_for_request(&mut self) {
        self.has_requests = true;
        self.wake.task = true;
    }

    fn wake_reader(&mut self) {
        self.wake.reader = true;
    }

    pub(crate) fn wake_waiters(&mut self) {
        self.wake.waiters = true;
    }

    #[must_use]
    pub(crate) fn take_woken_task(&mut self) -> Option<Waker> {
        if core::mem::take(&mut self.wake.task) { self.task.take() } else { None }
    }

    #[must_use]
    pub(crate) fn take_woken_reader(&mut self) -> Option<Waker> {
        if core::mem::take(&mut self.wake.reader) { self.reader.take() } else { None }
    }

    #[must_use]
    pub(crate) fn take_woken_waiters(&mut self) -> bool {
        core::mem::take(&mut self.wake.waiters)
    }
}

/// Messages that will never be read or sent.
#[expect(dead_code, reason = "only dropped")]
pub(crate) struct Discarded(VecDeque<Message>, VecDeque<Outgoing>);

/// Stores the waker of the task that waits now.
pub(crate) fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_that_began_before_it_was_requested_does_not_count() {
        let mut mail = Mailbox { passes_requested: u32::MAX, passes_made: u32::MAX, ..Mailbox::default() };
        mail.begin_pass();
        let requested = mail.request_pass();
        mail.finish_pass();
        assert!(!mail.has_made(requested) && !mail.take_woken_waiters());
        mail.begin_pass();
        let late = mail.request_pass();
        mail.finish_pass();
        assert!(mail.has_made(requested) && !mail.has_made(late) && mail.take_woken_waiters());
        mail.begin_pass();
        mail.finish_pass();
        assert!(mail.has_made(late));
    }
}
