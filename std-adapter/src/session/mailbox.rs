//! The mailbox between a session's task and its application: messages in both directions, requests such as closing, and
//! the wakers of waiting callers.

#[cfg(test)]
mod tests;

use core::task::{Context, Poll, Waker};

use crate::session::limits::{Limits, Room};
use crate::session::outbox::{Outbox, narrow};
use crate::session::queue::Queue;
use crate::session::requests::Requests;
use crate::session::waiting::remember;
use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;

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

/// The wakers to call once the lock is released. Each flag is set only if somebody waits.
#[derive(Clone, Copy, Debug, Default)]
struct Wake {
    task: bool,
    reader: bool,
    /// Whether to wake callers that wait for room in the outbox, for the opening, until messages have been passed on, for
    /// the end, or for a pass.
    waiters: bool,
}

/// Both queues of one session. An empty queue owns no memory.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct Mailbox {
    inbox: Queue<Message>,
    /// The bytes of the messages in the inbox and of those that are lent.
    inbox_bytes: usize,
    pub(crate) outbox: Outbox,
    /// How many messages the application has [received](Self::receive) ahead. They count as unread until it asks for more.
    lent: u32,
    /// Whether a caller waits for room in the outbox, or until messages have been passed on.
    progress_awaited: bool,
    /// Whether the inbox is full, so that the task does not read.
    is_full: bool,
    application: Application,
    /// Whether the session has ended, so that nothing more is sent.
    ended: bool,
    /// Whether the application or a handle has requested the close. Messages are refused from then on.
    closes: bool,
    requests: Requests,
    /// How many passes callers have asked to wait for. The counts of passes wrap around.
    passes_requested: u16,
    /// How many of these the present pass makes, because it began after they were requested.
    passes_begun: u16,
    passes_made: u16,
    reader: Option<Waker>,
    task: Option<Waker>,
    /// Whether the task waits to be woken.
    is_parked: bool,
    /// Whether the application runs in the task, and will do so before the task's pass is over.
    is_application_next: bool,
    /// Whether something has changed since the task began its pass.
    has_changed: bool,
    /// Whether messages were sent or a close was requested since the task last took such requests.
    has_requests: bool,
    wake: Wake,
}

impl Mailbox {
    /// Returns how much may be put into the inbox before it is full.
    pub(crate) fn room(&self, limits: &Limits) -> Room {
        Room::new(
            limits.inbox_messages.saturating_sub(self.unread()),
            limits.inbox_bytes.saturating_sub(self.inbox_bytes),
        )
    }

    /// Puts received messages into the inbox. Returns whether the inbox has just become full. Leaves messages that will
    /// never be read in `messages`: drop them without the lock.
    pub(crate) fn deliver(&mut self, messages: &mut Queue<Message>, limits: &Limits) -> bool {
        if self.application == Application::Gone || messages.is_empty() {
            return false;
        }
        self.inbox_bytes += messages.iter().map(Message::len).sum::<usize>();
        self.inbox.append(messages);
        self.wake_reader();
        let full = self.unread() >= limits.inbox_messages || self.inbox_bytes >= limits.inbox_bytes;
        if full {
            // The application may have made room before, and the task does not know it yet.
            self.requests.resume = false;
        }
        full && !core::mem::replace(&mut self.is_full, true)
    }

    /// Returns the number of messages that the application has not read.
    fn unread(&self) -> usize {
        self.inbox.len() + widen(self.lent)
    }

    /// Returns whether no message waits for the application, besides those that are lent to it.
    #[cfg(feature = "stream")]
    pub(crate) fn is_inbox_empty(&self) -> bool {
        self.inbox.is_empty()
    }

    /// Returns the next message for the application, which has read all that were lent to it. Lends the rest to `ahead` if
    /// they are few: the application then takes them without the lock.
    pub(crate) fn receive(&mut self, ahead: &mut Queue<Message>, limits: &Limits) -> Option<Taken> {
        if core::mem::take(&mut self.lent) > 0 {
            self.inbox_bytes = self.inbox.iter().map(Message::len).sum();
        }
        let message = self.inbox.pop_front()?;
        self.inbox_bytes -= message.len();
        // Lent messages count as unread for too long, so that the inbox may be full too early. It must not be much.
        if !self.inbox.is_empty()
            && !self.is_full
            && self.inbox.len() <= limits.inbox_messages / 4
            && self.inbox_bytes <= limits.inbox_bytes / 4
        {
            core::mem::swap(ahead, &mut self.inbox);
            self.lent = narrow(ahead.len());
        }
        // Reading does not resume at the first free place, so that each wake-up can read several messages.
        let half_empty =
            self.inbox.len() <= limits.inbox_messages / 2 && self.inbox_bytes <= limits.inbox_bytes / 2;
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
        remember(&mut self.reader, cx);
    }

    /// Notes that the application is gone, so that incoming messages are discarded. Returns the unread messages, which must
    /// be dropped without the lock, and whether the inbox had been full.
    #[must_use]
    pub(crate) fn abandon(&mut self) -> (Discarded, bool) {
        self.application = Application::Gone;
        self.inbox_bytes = 0;
        self.lent = 0;
        let was_full = self.is_full;
        if was_full {
            self.resume();
        }
        (Discarded(core::mem::take(&mut self.inbox), self.take_unwanted()), was_full)
    }

    /// Returns whether the task is in a pass in which it has yet to run its application, or is running it.
    pub(crate) fn is_application_next(&self) -> bool {
        self.is_application_next
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
    pub(crate) fn end(&mut self) -> Queue<Outgoing> {
        self.ended = true;
        self.wake_reader();
        self.wake_waiters();
        self.take_unwanted()
    }

    /// Takes the messages that no application can take any more. Handles that outlive the session and its application must
    /// not keep them. Drop them without the lock.
    #[must_use]
    pub(crate) fn take_unwanted(&mut self) -> Queue<Outgoing> {
        if self.ended && self.application == Application::Gone {
            self.outbox.take_all()
        } else {
            Queue::default()
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns whether the outbox has room. If it has not, callers are woken when it has.
    pub(crate) fn finds_room(&mut self, limits: &Limits) -> bool {
        let has_room = self.outbox.has_room(limits);
        self.progress_awaited |= !has_room;
        has_room
    }

    /// Puts a message into the outbox.
    pub(crate) fn post(&mut self, outgoing: Outgoing) {
        self.outbox.push(outgoing);
        self.wake_task_for_request();
    }

    /// Puts messages into the outbox, one behind the other.
    pub(crate) fn post_all(&mut self, messages: impl Iterator<Item = Outgoing>) {
        for outgoing in messages {
            self.outbox.push(outgoing);
        }
        self.wake_task_for_request();
    }

    /// Takes the oldest messages for an HTTP request, at most `at_most`.
    pub(crate) fn take_outgoing(&mut self, at_most: usize) -> Queue<Outgoing> {
        let taken = self.outbox.take_first(at_most);
        self.note_progress();
        taken
    }

    /// Wakes the callers that wait for room, or until messages have been passed on.
    pub(crate) fn note_progress(&mut self) {
        if core::mem::take(&mut self.progress_awaited) {
            self.wake_waiters();
        }
    }

    /// Wakes the present caller when there is room, or when messages have been passed on.
    pub(crate) fn await_progress(&mut self) {
        self.progress_awaited = true;
    }

    pub(crate) fn request_close(&mut self, frame: Option<CloseFrame>) {
        if !core::mem::replace(&mut self.closes, true) {
            self.requests.close_frame = frame;
        }
        self.requests.close = true;
        self.closing();
    }

    pub(crate) fn request_close_after_panic(&mut self) {
        self.closes = true;
        self.requests.panicked = true;
        self.closing();
    }

    pub(crate) fn request_cut_off(&mut self) {
        self.closes = true;
        self.requests.cut_off = true;
        self.closing();
    }

    /// Wakes the task, and the callers that wait for room: their messages are refused now.
    fn closing(&mut self) {
        self.wake_task_for_request();
        self.note_progress();
    }

    pub(crate) fn is_asked_to_close(&self) -> bool {
        self.closes
    }

    /// Requests a pass, and returns its number.
    pub(crate) fn request_pass(&mut self) -> u16 {
        self.passes_requested = self.passes_requested.wrapping_add(1);
        self.wake_task();
        self.passes_requested
    }

    /// Returns whether the requested pass with this number has been made.
    pub(crate) fn has_made(&self, pass: u16) -> bool {
        self.passes_made.wrapping_sub(pass) <= u16::MAX / 2
    }

    /// Notes that the task has finished a pass: it has read everything, and has handled what was due.
    pub(crate) fn finish_pass(&mut self) {
        if self.passes_made != self.passes_begun {
            self.passes_made = self.passes_begun;
            self.wake_waiters();
        }
    }

    /// Takes the requests to the task, which begins a pass. `runs_application` says that the application runs in the task.
    pub(crate) fn begin_pass(&mut self, runs_application: bool) -> Option<Requests> {
        let requests = self.take_requests();
        self.has_changed = false;
        self.is_parked = false;
        self.is_application_next = runs_application;
        self.passes_begun = self.passes_requested;
        requests
    }

    /// Takes the requests to the task, which has run its application and will then check for messages to send.
    #[inline]
    pub(crate) fn take_requests(&mut self) -> Option<Requests> {
        self.has_requests = false;
        self.is_application_next = false;
        self.requests.are_any().then(|| core::mem::take(&mut self.requests))
    }

    /// Returns `Pending` if nothing has changed since the task began its pass, and wakes the task when something does.
    pub(crate) fn poll_change(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.has_changed || self.has_requests {
            return Poll::Ready(());
        }
        remember(&mut self.task, cx);
        self.is_parked = true;
        Poll::Pending
    }

    pub(crate) fn wake_task(&mut self) {
        self.has_changed = true;
        self.wake.task |= self.is_parked;
    }

    /// Wakes the task for a request that it takes after the application's turn.
    fn wake_task_for_request(&mut self) {
        self.has_requests = true;
        self.wake.task |= self.is_parked;
    }

    /// Wakes the reader, unless it is the task's own application, which runs later in the task's present pass.
    fn wake_reader(&mut self) {
        if let Some(reader) = &self.reader {
            let runs_next =
                self.is_application_next && self.task.as_ref().is_some_and(|task| reader.will_wake(task));
            self.wake.reader |= !runs_next;
        }
    }

    pub(crate) fn wake_waiters(&mut self) {
        self.wake.waiters = true;
    }

    /// Returns whether there is anything to wake once the lock is released.
    pub(crate) fn has_woken(&self) -> bool {
        let Wake { task, reader, waiters } = self.wake;
        task | reader | waiters
    }

    #[must_use]
    pub(crate) fn take_woken_task(&mut self) -> Option<Waker> {
        if !core::mem::take(&mut self.wake.task) {
            return None;
        }
        self.is_parked = false;
        self.task.take()
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

fn widen(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Messages that will never be read or sent.
#[expect(dead_code, reason = "only dropped")]
pub(crate) struct Discarded(Queue<Message>, Queue<Outgoing>);
