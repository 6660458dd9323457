//! How an HTTP request of a session waits for the session's task.

use core::task::{Context, Poll};
use std::sync::Arc;

use eio_core::DisconnectReason;
use eio_core::handshake::Transport;
use eio_core::packet::Packet;
use eio_core::session::Control;
use hyper::upgrade::OnUpgrade;

use crate::server::sessions::ServerKind;
use crate::server::slots::{Failure, Payload, PollAnswer, PollSlot, PostSlot};
use crate::session::shared::{Inner, Shared};
use crate::session::waiting::remember;
use crate::web::activity::CameOn;

impl Inner<ServerKind> {
    /// Reports a failed request to the task. Does nothing for a session on a WebSocket, whose remaining requests do not
    /// matter.
    fn fail(&mut self, failure: Failure) {
        if self.view.transport == Transport::Polling {
            self.slots.requests().failure.get_or_insert(failure);
            self.mail.wake_task();
        }
    }

    /// Puts back an answer that no poll takes any more: its messages before all others, and its heartbeat for a WebSocket.
    pub(crate) fn put_back(&mut self, answer: PollAnswer) {
        let PollAnswer::Batch(batch, messages) = answer else { return };
        self.mail.outbox.put_back(messages);
        self.slots.requests().owed = match (batch.has_ping(), batch.has_pong()) {
            (true, _) => Some(Control::Ping),
            (_, true) => Some(Control::Pong),
            _ => None,
        };
    }

    /// Returns whether a WebSocket request with this session's sid would be the first one. That belongs to the handshake
    /// that opened the session; further ones count as separate handshakes.
    pub(crate) fn expects_upgrade(&mut self) -> bool {
        self.view.transport == Transport::Polling && !self.slots.requests().has_tried_upgrade
    }
}

impl Shared<ServerKind> {
    /// Offers a WebSocket request with this session's sid to the task. Returns it if the session cannot move now.
    pub(crate) fn offer_candidate(&self, candidate: OnUpgrade) -> Result<(), OnUpgrade> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if inner.slots.requests().is_upgrading
            || inner.view.transport != Transport::Polling
            || inner.view.end.is_some()
        {
            return Err(candidate);
        }
        inner.slots.requests().is_upgrading = true;
        inner.slots.requests().has_tried_upgrade = true;
        inner.slots.requests().candidate = Some(candidate);
        inner.mail.wake_task();
        Ok(())
    }

    /// Handles what is due, before a request that is not itself a sign of life. It does not wait for the session's timer,
    /// but first lets everything be read that arrived beside the request. Returns `false` if the session has ended.
    pub(crate) async fn catch_up(&self) -> bool {
        if self.is_due() {
            // Continues when the runtime has checked its sockets, and the tasks that this has woken have run.
            tokio::task::yield_now().await;
            // A POST may bring a sign of life. Only the task can read the socket of a WebSocket.
            let may_judge = {
                let inner = self.lock();
                inner.view.transport == Transport::Polling && !inner.slots.is_receiving()
            };
            if may_judge {
                self.wait_for_pass().await;
            }
        }
        self.lock().view.end.is_none()
    }

    /// Returns whether something is due that the task has not handled. A ping that waits for a poll does not count, because the
    /// request may be that poll.
    fn is_due(&self) -> bool {
        let now = self.now();
        let session = &self.lock().view.session;
        session.poll_timeout().is_some_and(|due| due <= now) && !session.has_ping_to_send()
    }

    /// Begins a poll. Returns `None` and ends the session if another poll is in flight.
    pub(crate) fn begin_poll(&self, jsonp: bool, came_on: Option<&CameOn>) -> Option<PendingPoll<'_>> {
        let mut inner = self.lock();
        let requests = inner.slots.requests();
        if !matches!(requests.poll, PollSlot::Free) {
            inner.fail(Failure::Overlap);
            return None;
        }
        requests.poll = PollSlot::Arrived { jsonp };
        requests.polled_on = came_on.map(|CameOn(activity)| Arc::downgrade(activity));
        inner.mail.wake_task();
        Some(PendingPoll { shared: self, is_answered: false })
    }

    /// Has the task answer the poll that waits, if there is one, even if there is nothing to say.
    pub(crate) fn release_poll(&self) {
        let mut inner = self.lock();
        let requests = inner.slots.requests();
        if matches!(requests.poll, PollSlot::Arrived { .. } | PollSlot::Waiting) {
            requests.is_release_due = true;
            inner.mail.wake_task();
        }
    }

    /// Begins a POST. Returns `None` and ends the session if another POST is in flight.
    pub(crate) fn begin_post(&self) -> Option<PostInFlight<'_>> {
        let mut inner = self.lock();
        if !matches!(inner.slots.requests().post, PostSlot::Free) {
            inner.fail(Failure::Overlap);
            return None;
        }
        inner.slots.requests().post = PostSlot::Receiving;
        Some(PostInFlight { shared: self, is_received: false })
    }

    /// Whether a closing session has nothing to deliver but its close packet, and no request that could take it, although its
    /// client has taken the last answer.
    pub(crate) fn has_only_close_left(&self) -> bool {
        let inner = self.lock();
        let is_left = inner.view.transport == Transport::Polling
            && !inner.slots.is_busy()
            && inner.mail.outbox.unsent() == 0;
        let polled_on = inner.slots.polled_on();
        // A connection asks sessions while its own lock is held.
        drop(inner);
        is_left && !polled_on.is_some_and(|activity| activity.is_answering())
    }
}

/// The poll that is being answered. A session has at most one. The next poll can begin once it is dropped.
pub(crate) struct PendingPoll<'a> {
    shared: &'a Shared<ServerKind>,
    /// Whether the poll has been answered. If the client goes away before that, the content of the answer is lost.
    pub(crate) is_answered: bool,
}

impl PendingPoll<'_> {
    /// Returns the answer once there is something to send.
    pub(crate) fn poll_answer(&self, cx: &Context<'_>) -> Poll<PollAnswer> {
        let mut inner = self.shared.lock();
        let inner = &mut *inner;
        if let PollSlot::Answered(_) = inner.slots.requests().poll
            && let PollSlot::Answered(answer) =
                core::mem::replace(&mut inner.slots.requests().poll, PollSlot::Leaving)
        {
            return Poll::Ready(*answer);
        }
        if inner.view.end.is_some() || inner.view.transport != Transport::Polling {
            // The task may be gone. A client that has closed the session needs no close packet.
            inner.slots.requests().poll = PollSlot::LeavingLast;
            return Poll::Ready(PollAnswer::Last(match &inner.view.end {
                Some(end) if end.reason == DisconnectReason::PeerClose => Packet::NOOP,
                _ => Packet::CLOSE,
            }));
        }
        inner.slots.requests().is_poll_woken = false;
        remember(&mut inner.slots.requests().poll_waker, cx);
        Poll::Pending
    }
}

impl Drop for PendingPoll<'_> {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        let poll = core::mem::take(&mut inner.slots.requests().poll);
        inner.slots.requests().poll_waker = None;
        let mut failure = Failure::Aborted;
        match poll {
            PollSlot::Leaving if self.is_answered => inner.pass_on(),
            PollSlot::Leaving => failure = Failure::AnswerLost,
            PollSlot::Answered(answer) => inner.put_back(*answer),
            _ => {}
        }
        if !self.is_answered {
            // Those who wait for an answer with messages wait no longer.
            inner.mail.note_progress();
            inner.fail(if std::thread::panicking() { Failure::Panicked } else { failure });
        }
        let unwanted = inner.mail.take_unwanted();
        drop(inner);
        // The memory of messages, and its `Drop`, may belong to the application.
        drop(unwanted);
    }
}

/// The POST that is being read. A session has at most one. The next POST can begin once it is dropped.
pub(crate) struct PostInFlight<'a> {
    shared: &'a Shared<ServerKind>,
    /// Whether the payload has been received. If the client goes away before that, a part of it is lost.
    pub(crate) is_received: bool,
}

impl PostInFlight<'_> {
    /// Refuses the content type of the request, which ends the session.
    pub(crate) fn refuse_content_type(&mut self) {
        self.is_received = true;
        self.shared.lock().fail(Failure::ContentType);
    }

    /// Ready once the request may be read: the inbox has room and the task has handled the last payload, or the session is
    /// closing or has ended and accepts no more messages.
    pub(crate) fn poll_room_to_receive(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_unless(cx, |inner| inner.slots.requests().payload.is_some() || is_kept_waiting(inner))
    }

    /// Passes the payload to the task, and waits until the task has handled it. Returns whether all of it were packets.
    pub(crate) async fn handled(&mut self, payload: Payload) -> bool {
        self.is_received = true;
        {
            let mut inner = self.shared.lock();
            // The task of a session that has ended may be gone.
            if inner.view.end.is_none() {
                inner.slots.requests().post = PostSlot::Received;
                inner.slots.requests().payload = Some(Box::new(payload));
                inner.mail.wake_task();
            }
        }
        core::future::poll_fn(|cx| {
            self.poll_unless(cx, |inner| {
                let is_unhandled =
                    matches!(inner.slots.requests().post, PostSlot::Received | PostSlot::Handling);
                is_unhandled && inner.view.end.is_none()
            })
        })
        .await;
        let mut inner = self.shared.lock();
        let Inner { slots, view, .. } = &mut *inner;
        match (&slots.requests().post, &view.end) {
            (PostSlot::Handled(accepted), _) => *accepted,
            (_, Some(end)) => end.reason.as_str() != "parse error",
            (_, None) => true,
        }
    }

    /// Ready once the inbox has room, or the session is closing or has ended. The request is answered only then.
    pub(crate) fn poll_room_to_answer(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_unless(cx, |inner| is_kept_waiting(inner))
    }

    fn poll_unless(
        &self,
        cx: &Context<'_>,
        has_to_wait: impl FnOnce(&mut Inner<ServerKind>) -> bool,
    ) -> Poll<()> {
        let mut inner = self.shared.lock();
        if !has_to_wait(&mut inner) {
            return Poll::Ready(());
        }
        inner.slots.requests().is_post_woken = false;
        remember(&mut inner.slots.requests().post_waker, cx);
        Poll::Pending
    }
}

impl Drop for PostInFlight<'_> {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.slots.requests().post = PostSlot::Free;
        inner.slots.requests().post_waker = None;
        if !self.is_received {
            inner.fail(if std::thread::panicking() { Failure::Panicked } else { Failure::Aborted });
        }
    }
}

/// Returns whether a POST has to wait for room in the inbox. A session that closes takes no message any more.
fn is_kept_waiting(inner: &Inner<ServerKind>) -> bool {
    inner.mail.is_full() && inner.view.session.is_open()
}
