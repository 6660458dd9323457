//! The state that a session's task shares with the session's application, its handles, and its HTTP requests.
//!
//! The task owns the session. All others see a copy of its state, the [`View`], and reach the task through the
//! [`Mailbox`]. One mutex guards both. It is held only to move messages and wakers: never while bytes are read, decoded or
//! written, and never while a callback runs.

use core::ops::{Deref, DerefMut};
use core::task::{Context, Poll, ready};
use std::sync::PoisonError;

use eio_core::Instant;
use eio_core::handshake::Transport;

use crate::session::end::Disconnect;
use crate::session::kind::Kind;
use crate::session::last_taken::LastTaken;
use crate::session::machine::Machine as _;
use crate::session::mailbox::{Mailbox, Taken};
use crate::session::queue::Queue;
use crate::session::requests::Requests;
use crate::session::send::{SendError, SendErrorKind, TrySendError};
use crate::session::waiting::{self, until};
use crate::wire::close_frame::CloseFrame;
use crate::wire::message::Message;
use crate::wire::outgoing::Outgoing;
use crate::wire::payload::separator;
use crate::wire::sync::{Mutex, MutexGuard, Notify};

/// One session, as its task, application, handles and requests share it.
pub(crate) struct Shared<K: Kind> {
    /// The values that do not change while the session lives.
    pub(crate) context: K::Context,
    /// Signalled when the session opens, when the outbox has room again or messages have been passed on, when the session
    /// ends, and when the task has finished a pass that a caller [waits](Self::wait_for_pass) for.
    pub(crate) changed: Notify,
    /// When the application last took a message of a full inbox, also one that it had received ahead.
    pub(crate) last_taken: LastTaken,
    inner: Mutex<Inner<K>>,
}

/// The state behind the mutex.
pub(crate) struct Inner<K: Kind> {
    pub(crate) mail: Mailbox,
    pub(crate) view: View<K::Session>,
    pub(crate) slots: K::Slots,
}

/// The session's state at its task's last pass.
pub(crate) struct View<S> {
    pub(crate) session: S,
    /// When the pass began.
    now: Instant,
    pub(crate) transport: Transport,
    /// Whether messages have to wait, because the transport takes no more for now.
    pub(crate) is_stuck: bool,
    /// How many messages have been passed on: to the kernel, or by HTTP requests that are over.
    pub(crate) passed: u32,
    /// How the session ended. Set after the end was reported to observers, and after the last message went into the inbox.
    pub(crate) end: Option<Box<Disconnect>>,
}

/// The locked state. Wakers run application code, so they are called once the lock is released.
pub(crate) struct Locked<'a, K: Kind> {
    shared: &'a Shared<K>,
    /// Some until the drop.
    inner: Option<MutexGuard<'a, Inner<K>>>,
}

impl<K: Kind> Deref for Locked<'_, K> {
    type Target = Inner<K>;

    fn deref(&self) -> &Inner<K> {
        self.inner.as_ref().expect("held until the drop")
    }
}

impl<K: Kind> DerefMut for Locked<'_, K> {
    fn deref_mut(&mut self) -> &mut Inner<K> {
        self.inner.as_mut().expect("held until the drop")
    }
}

impl<K: Kind> Locked<'_, K> {
    /// Releases the lock, and wakes those that have a reason.
    #[cold]
    fn wake(&mut self) {
        let Some(mut inner) = self.inner.take() else { return };
        let [poll, post] = K::take_woken(&mut inner.slots);
        let mut wakers = [inner.mail.take_woken_task(), inner.mail.take_woken_reader(), poll, post];
        let everybody = inner.mail.take_woken_waiters();
        drop(inner);
        for waker in wakers.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
        if everybody {
            self.shared.changed.notify_waiters();
        }
    }
}

impl<K: Kind> Drop for Locked<'_, K> {
    #[inline]
    fn drop(&mut self) {
        // Most changes wake nobody.
        if self.mail.has_woken() || K::has_woken(&self.slots) {
            self.wake();
        }
    }
}

impl<K: Kind> Shared<K> {
    pub(crate) fn new(
        context: K::Context,
        session: K::Session,
        transport: Transport,
        slots: K::Slots,
    ) -> Self {
        let now = K::clock(&context).now();
        let view = View { session, now, transport, is_stuck: false, passed: 0, end: None };
        let inner = Inner { mail: Mailbox::default(), view, slots };
        Self { context, changed: Notify::new(), last_taken: LastTaken::default(), inner: Mutex::new(inner) }
    }

    /// Locks the state. A panic of application code elsewhere does not poison the session.
    pub(crate) fn lock(&self) -> Locked<'_, K> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Locked { shared: self, inner: Some(inner) }
    }

    pub(crate) fn now(&self) -> Instant {
        K::clock(&self.context).now()
    }

    /// Sends a message as soon as the outbox has room.
    pub(crate) fn send(&self, message: Message) -> impl Future<Output = Result<(), SendError>> {
        waiting::send(&self.changed, message, |message| self.try_send(Outgoing::Message(message)))
    }

    /// Puts a message into the outbox, if the session accepts it and the outbox has room.
    pub(crate) fn try_send(&self, outgoing: Outgoing) -> Result<(), TrySendError> {
        self.send_if(outgoing, |inner| inner.mail.finds_room(K::limits(&self.context))).map(drop)
    }

    /// Puts a message into the outbox, if the session accepts it and `has_room` is true. Returns the message's number.
    #[inline]
    pub(crate) fn send_if(
        &self,
        outgoing: Outgoing,
        has_room: impl FnOnce(&mut Inner<K>) -> bool,
    ) -> Result<u32, TrySendError> {
        let mut inner = self.lock();
        let now = inner.now(&self.context);
        let refusal = match inner.why_not(now, outgoing.message(), &self.context) {
            Some(kind) => Some(kind),
            None if has_room(&mut inner) => {
                inner.mail.post(outgoing);
                return Ok(inner.mail.outbox.sent());
            }
            None => None,
        };
        drop(inner);
        let message = outgoing.into_message();
        Err(match refusal {
            Some(kind) => TrySendError::Refused(SendError { message, kind }),
            None => TrySendError::Full(message),
        })
    }

    /// Returns the next message for the application, or how the session ended once the application has taken all messages.
    /// `ahead` are the messages that the application has received ahead.
    #[inline]
    pub(crate) fn poll_recv(
        &self,
        ahead: &mut Queue<Message>,
        cx: &Context<'_>,
    ) -> Poll<Result<Message, Disconnect>> {
        let message = match ahead.pop_front() {
            Some(message) => message,
            None => ready!(self.poll_inbox(ahead, cx))?,
        };
        // The application's turn may have been long, so this is not the time of the task's pass.
        self.last_taken.note(|| self.now());
        Poll::Ready(Ok(message))
    }

    fn poll_inbox(&self, ahead: &mut Queue<Message>, cx: &Context<'_>) -> Poll<Result<Message, Disconnect>> {
        let mut inner = self.lock();
        match inner.mail.receive(ahead, K::limits(&self.context)) {
            Some(Taken::Message(message)) => return Poll::Ready(Ok(message)),
            Some(Taken::MessageAndRoom(message)) => {
                K::wake_requests(&mut inner.slots);
                return Poll::Ready(Ok(message));
            }
            None => {}
        }
        if let Some(end) = &inner.view.end {
            return Poll::Ready(Err(Disconnect::clone(end)));
        }
        inner.mail.wait(cx);
        Poll::Pending
    }

    /// Waits for the end.
    #[cfg(feature = "client")]
    pub(crate) fn ended(&self) -> impl Future<Output = Disconnect> {
        self.until(|inner| inner.view.end.as_deref().cloned())
    }

    /// Waits for the end, and until nothing of the session is left to wait for.
    pub(crate) fn closed(&self) -> impl Future<Output = Disconnect> {
        self.until(|inner| inner.over().cloned())
    }

    /// Calls `look` now and after every change, until it returns a value.
    pub(crate) fn until<T>(
        &self,
        mut look: impl FnMut(&mut Inner<K>) -> Option<T> + Unpin,
    ) -> impl Future<Output = T> {
        until(&self.changed, move || look(&mut self.lock()))
    }

    /// Waits until the task has finished a pass that began after this call. Returns at once if the session has ended.
    pub(crate) async fn wait_for_pass(&self) {
        let pass = self.lock().mail.request_pass();
        self.until(|inner| (inner.view.end.is_some() || inner.mail.has_made(pass)).then_some(())).await;
    }

    /// Asks the task to close the session. `frame` is the content of the close frame, if a WebSocket carries the session.
    pub(crate) fn close(&self, frame: Option<CloseFrame>) {
        self.lock().mail.request_close(frame);
    }

    /// Asks the task to close the session because application code panicked.
    pub(crate) fn application_panicked(&self) {
        self.lock().mail.request_close_after_panic();
    }

    /// Asks the task to end the session without waiting for the peer.
    pub(crate) fn cut_off(&self) {
        self.lock().mail.request_cut_off();
    }

    /// Handles that the application has dropped its socket: closes the session, and discards messages that still arrive.
    pub(crate) fn abandon(&self) {
        let unread = {
            let mut inner = self.lock();
            let (unread, has_room) = inner.mail.abandon();
            if has_room {
                K::wake_requests(&mut inner.slots);
            }
            unread
        };
        // The memory of messages, and its `Drop`, may belong to the application.
        drop(unread);
        if std::thread::panicking() {
            self.application_panicked();
        } else {
            self.close(None);
        }
    }

    /// Returns the messages that were never written, once the session has ended.
    pub(crate) fn take_unsent(&self) -> Vec<Message> {
        let mut inner = self.lock();
        if inner.view.end.is_none() {
            return Vec::new();
        }
        let unsent = inner.mail.outbox.take_all();
        drop(inner);
        unsent.into_iter().map(Outgoing::into_message).collect()
    }

    /// Returns whether the session has ended and its inbox is empty.
    #[cfg(feature = "stream")]
    pub(crate) fn is_exhausted(&self) -> bool {
        let inner = self.lock();
        inner.view.end.is_some() && inner.mail.is_inbox_empty()
    }

    pub(crate) fn end(&self) -> Option<Disconnect> {
        self.lock().view.end.as_deref().cloned()
    }

    pub(crate) fn transport(&self) -> Transport {
        self.lock().view.transport
    }
}

impl<K: Kind> Inner<K> {
    /// Returns the time. An application that runs in the session's task runs at the time of the task's pass.
    pub(crate) fn now(&self, context: &K::Context) -> Instant {
        if self.mail.is_application_next() { self.view.now } else { K::clock(context).now() }
    }

    /// Begins a pass of the task. `runs_application` says that the application runs in the task.
    pub(crate) fn begin_pass(&mut self, now: Instant, runs_application: bool) -> Option<Requests> {
        self.view.now = now;
        self.mail.begin_pass(runs_application)
    }

    /// Copies the session's state into the view.
    pub(crate) fn show(&mut self, session: &K::Session, transport: Transport) {
        if self.view.session.is_open() && !session.is_open() {
            // A session that closes takes no message any more, neither from requests nor from callers that wait for room.
            K::wake_requests(&mut self.slots);
            self.mail.note_progress();
        }
        self.view.session.clone_from(session);
        self.view.transport = transport;
    }

    /// Returns how the session ended, if nothing of it is left to wait for.
    pub(crate) fn over(&self) -> Option<&Disconnect> {
        self.view.end.as_deref().filter(|end| K::is_over(&self.slots, end))
    }

    /// Returns why the session refuses every message, or `None` if it does not.
    pub(crate) fn refuses_all(&self, now: Instant) -> Option<SendErrorKind> {
        if let Err(error) = self.view.session.check_send(now) {
            return Some(SendErrorKind::Session(error));
        }
        let closed = SendErrorKind::Session(eio_core::session::CheckSendError::Closed);
        self.mail.is_asked_to_close().then_some(closed)
    }

    /// Returns why the session refuses a message, or `None` if it accepts it.
    fn why_not(&self, now: Instant, message: &Message, context: &K::Context) -> Option<SendErrorKind> {
        self.refuses_all(now).or_else(|| self.why_not_this(message, context))
    }

    /// Returns why a session that accepts messages refuses this one, or `None` if it accepts it.
    pub(crate) fn why_not_this(&self, message: &Message, context: &K::Context) -> Option<SendErrorKind> {
        if self.view.transport == Transport::Polling
            && let Some(at) = separator(K::revision(context), message)
        {
            return Some(SendErrorKind::Separator { at });
        }
        K::why_not(context, &self.slots, self.view.transport, message)
    }
}
