//! What a session's task and its application leave for each other: messages both ways, the wish to close, and the wakers
//! of those who wait.

use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Received messages that wait for the application before reading stops.
    pub(crate) inbox_messages: usize,
    /// The bytes of those. The message that reaches the limit still goes in.
    pub(crate) inbox_bytes: usize,
    /// Sent messages that wait for a transport.
    pub(crate) outbox_messages: usize,
    /// The bytes of those. The message that reaches the limit still goes in.
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

/// Whether somebody reads the inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Application {
    /// It has yet to start.
    #[default]
    Awaited,
    Reading,
    /// It has dropped its socket.
    Gone,
}

/// What the task has been asked for since it looked last.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "requests that do not depend on each other")]
pub(crate) struct Requests {
    pub(crate) close: bool,
    /// What the close frame says.
    pub(crate) close_frame: Option<CloseFrame>,
    /// Application code panicked: the session closes, with a reason of its own.
    pub(crate) panicked: bool,
    /// The session ends, whatever the peer makes of it.
    pub(crate) cut_off: bool,
    /// The inbox has room again.
    pub(crate) resume: bool,
    /// Somebody waits until the task has looked at everything.
    pub(crate) look: bool,
}

/// Who is to be woken once the lock is released.
#[derive(Debug, Default)]
struct Wake {
    task: bool,
    reader: bool,
    /// Those who wait for room in the outbox, for the opening, for the end, or for the task's look.
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
    /// This many messages at the front of the outbox are being written by a WebSocket.
    in_writing: usize,
    /// The inbox is full, so the task does not read.
    is_full: bool,
    application: Application,
    /// The session has ended: nothing is sent any more.
    ended: bool,
    /// The application, or a handle, has asked to close. Messages are refused from then on.
    closes: bool,
    requests: Requests,
    /// Somebody waits until the task has looked at everything.
    look: bool,
    reader: Option<Waker>,
    task: Option<Waker>,
    /// Something changed since the task began to look at everything.
    has_changed: bool,
    /// Messages were sent, or the wish to close, since the task took such requests last.
    has_requests: bool,
    wake: Wake,
}

impl Mailbox {
    /// Puts a received message into the inbox. Returns whether that has just made the inbox full, or hands the message
    /// back if nobody will read it: it is to be dropped without the lock.
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

    /// The next message for the application.
    pub(crate) fn receive(&mut self, limits: &Limits) -> Option<Taken> {
        let message = self.inbox.pop_front()?;
        self.inbox_bytes -= message.len();
        // Not at the first free place, so that there is something to read for every wake-up.
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

    /// The application is gone, and messages that come in are discarded. Returns the unread messages, which are to be
    /// dropped without the lock, and whether the inbox had been full.
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

    /// The application has its socket.
    pub(crate) fn listen(&mut self) {
        self.application = Application::Reading;
    }

    /// Whether the application has yet to start.
    pub(crate) fn awaits_application(&self) -> bool {
        self.application == Application::Awaited
    }

    /// The session has ended. What was not sent is kept for an application that may ask for it. Returns what nobody will
    /// ask for, which is to be dropped without the lock.
    #[must_use]
    pub(crate) fn end(&mut self) -> VecDeque<Outgoing> {
        self.ended = true;
        self.wake_reader();
        self.wake_waiters();
        self.take_unwanted()
    }

    /// Handles that outlive both the session and its application keep no messages.
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

    /// Goes out before all others.
    pub(crate) fn post_first(&mut self, outgoing: Outgoing) {
        self.outbox_bytes += outgoing.message().len();
        self.outbox.push_front(outgoing);
    }

    /// A WebSocket starts to write the next message, which stays here until it is [`written`](Self::written).
    pub(crate) fn begin_writing(&mut self) -> Option<Outgoing> {
        let outgoing = self.outbox.get(self.in_writing)?.clone();
        self.in_writing += 1;
        Some(outgoing)
    }

    /// The WebSocket has written the oldest messages completely. Returns them: they are to be dropped without the lock.
    pub(crate) fn written(&mut self, messages: usize) -> VecDeque<Outgoing> {
        let messages = messages.min(self.in_writing);
        self.in_writing -= messages;
        self.take(messages)
    }

    /// The next message that an HTTP request may carry.
    pub(crate) fn next_outgoing(&self) -> Option<&Outgoing> {
        self.outbox.front()
    }

    /// An HTTP request takes the oldest messages, at most this many.
    pub(crate) fn take_outgoing(&mut self, at_most: usize) -> VecDeque<Outgoing> {
        self.take(at_most)
    }

    /// Messages that a request was given did not leave: they are the next ones again.
    pub(crate) fn put_back(&mut self, mut messages: VecDeque<Outgoing>) {
        self.outbox_bytes += messages.iter().map(|outgoing| outgoing.message().len()).sum::<usize>();
        messages.append(&mut self.outbox);
        self.outbox = messages;
    }

    fn take(&mut self, at_most: usize) -> VecDeque<Outgoing> {
        let rest = if at_most < self.outbox.len() { self.outbox.split_off(at_most) } else { VecDeque::new() };
        let taken = core::mem::replace(&mut self.outbox, rest);
        if !taken.is_empty() {
            self.outbox_bytes -= taken.iter().map(|outgoing| outgoing.message().len()).sum::<usize>();
            self.wake_waiters();
        }
        taken
    }

    /// The number of messages that no transport has taken completely.
    pub(crate) fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// Takes the messages that the application sent and no transport took.
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

    pub(crate) fn ask_to_look(&mut self) {
        self.look = true;
        self.wake_task();
    }

    pub(crate) fn is_asked_to_look(&self) -> bool {
        self.look
    }

    /// The task has read everything, and has handled what was due.
    pub(crate) fn looked(&mut self) {
        if core::mem::take(&mut self.look) {
            self.wake_waiters();
        }
    }

    /// The task takes what it has been asked for, and looks at everything from now on.
    pub(crate) fn begin_pass(&mut self) -> Requests {
        self.has_changed = false;
        self.task = None;
        self.take_requests()
    }

    /// The task takes what it has been asked for, and will look for messages to send.
    pub(crate) fn take_requests(&mut self) -> Requests {
        self.has_requests = false;
        let look = self.look;
        Requests { look, ..core::mem::take(&mut self.requests) }
    }

    /// Pending if nothing changed since the task began to look. The task is woken when something does.
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

    /// The same, for what the task looks at again behind the application's turn.
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

/// Messages that nobody will read or send.
#[expect(dead_code, reason = "only dropped")]
pub(crate) struct Discarded(VecDeque<Message>, VecDeque<Outgoing>);

/// Keeps the waker of the task that waits now.
pub(crate) fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => *slot = Some(cx.waker().clone()),
    }
}
