//! Where the HTTP requests of a session and the session's task meet.
//!
//! A poll waits in its slot until the task puts an answer there. A request with data puts its payload into its slot, and
//! waits until the task has handled it. Of each kind there is at most one request at a time. A session that has ended, or
//! that has moved to a WebSocket, answers its requests itself: its task may be gone.

use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use bytes::Bytes;
use eio_core::DisconnectReason;
use eio_core::packet::Packet;
use hyper::upgrade::OnUpgrade;

use crate::server::session::ServerSide;
use crate::session::end::Disconnect;
use crate::session::mailbox::remember;
use crate::session::shared::{Inner, Shared};
use crate::wire::outgoing::Outgoing;
use crate::wire::transport::Transport;

/// The answer to a poll: the session's own packets, a close packet last, and the messages that go before it.
pub(crate) struct PollAnswer {
    pub(crate) controls: Vec<Packet<'static>>,
    pub(crate) messages: VecDeque<Outgoing>,
}

/// The payload of a request with data.
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    /// `application/octet-stream`: the binary framing of revision 3.
    pub(crate) is_binary: bool,
}

/// How far the poll has come.
#[derive(Default)]
enum PollSlot {
    #[default]
    Free,
    /// It waits for an answer.
    Waiting,
    Answered(Box<PollAnswer>),
    /// The answer is on its way out.
    Leaving,
}

/// How far the request with data has come.
#[derive(Default)]
enum PostSlot {
    #[default]
    Free,
    /// Its payload is awaited, or waits for room in the inbox.
    Receiving,
    /// The task has yet to handle its payload.
    Received,
    /// The task has handled the payload: whether all of it were packets.
    Handled(bool),
}

/// A request that ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Its client went away.
    Aborted,
    /// Code of the application, the log or the metrics panicked while it was answered.
    Panicked,
    /// Another request of the same kind was under way.
    Overlap,
    /// Its content type is not one of the revision's.
    ContentType,
}

/// What HTTP requests share with the session's task. It is part of every session, so rare things are boxed.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct Slots {
    poll: PollSlot,
    poll_waker: Option<Waker>,
    is_poll_woken: bool,
    post: PostSlot,
    post_waker: Option<Waker>,
    is_post_woken: bool,
    /// The payload that the task has yet to handle. Its request may be gone.
    payload: Option<Box<Payload>>,
    /// The first request that failed since the task looked last.
    failure: Option<Failure>,
    /// A WebSocket request with this session's sid, for the task to take up.
    candidate: Option<OnUpgrade>,
    is_upgrading: bool,
    has_tried_upgrade: bool,
    /// A WebSocket that the session has no use for is being closed.
    has_surplus: bool,
    /// The application has returned, panicked, or was cut off.
    pub(crate) application_over: bool,
}

impl Slots {
    /// The requests' wakers, if there is a reason to call them.
    pub(crate) fn take_woken(&mut self) -> [Option<Waker>; 2] {
        let poll = if core::mem::take(&mut self.is_poll_woken) { self.poll_waker.take() } else { None };
        let post = if core::mem::take(&mut self.is_post_woken) { self.post_waker.take() } else { None };
        [poll, post]
    }

    pub(crate) fn wake_requests(&mut self) {
        self.is_poll_woken = true;
        self.is_post_woken = true;
    }

    /// The inbox has room again: a request with data may go on.
    pub(crate) fn wake_post(&mut self) {
        self.is_post_woken = true;
    }

    /// Whether a poll waits for an answer.
    pub(crate) fn has_poll(&self) -> bool {
        matches!(self.poll, PollSlot::Waiting)
    }

    /// Answers the poll that waits.
    pub(crate) fn answer_poll(&mut self, answer: PollAnswer) {
        self.poll = PollSlot::Answered(Box::new(answer));
        self.is_poll_woken = true;
    }

    /// Whether a payload is still coming in.
    pub(crate) fn is_receiving(&self) -> bool {
        matches!(self.post, PostSlot::Receiving)
    }

    pub(crate) fn take_payload(&mut self) -> Option<Box<Payload>> {
        self.payload.take()
    }

    /// The payload was handled, and this is whether all of it were packets.
    pub(crate) fn handle_payload_done(&mut self, accepted: bool) {
        if let PostSlot::Received = self.post {
            self.post = PostSlot::Handled(accepted);
        }
        self.is_post_woken = true;
    }

    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    pub(crate) fn take_candidate(&mut self) -> Option<OnUpgrade> {
        self.candidate.take()
    }

    pub(crate) fn end_upgrade(&mut self) {
        self.is_upgrading = false;
    }

    /// Whether a request of the session is under way, or an upgrade.
    pub(crate) fn is_busy(&self) -> bool {
        self.has_poll() || !matches!(self.post, PostSlot::Free) || self.is_upgrading
    }

    /// A WebSocket that the session has no use for is to be closed. Returns `false` when one is being closed already.
    pub(crate) fn begin_surplus(&mut self) -> bool {
        !core::mem::replace(&mut self.has_surplus, true)
    }

    pub(crate) fn end_surplus(&mut self) {
        self.has_surplus = false;
    }
}

impl Inner<ServerSide> {
    /// Tells the task of a request that failed. What a session on WebSocket still has of requests does not matter.
    fn fail(&mut self, failure: Failure) {
        if self.view.transport == Transport::Polling {
            self.slots.failure.get_or_insert(failure);
            self.mail.wake_task();
        }
    }

    /// Whether a WebSocket request with this session's sid would be the first one, which belongs to the handshake that
    /// opened the session. Further ones count as handshakes of their own.
    pub(crate) fn expects_upgrade(&self) -> bool {
        self.view.transport == Transport::Polling && !self.slots.has_tried_upgrade
    }
}

impl Shared<ServerSide> {
    /// Offers a WebSocket request with this session's sid to the task. Returns it when the session cannot move now.
    pub(crate) fn offer_candidate(&self, candidate: OnUpgrade) -> Result<(), OnUpgrade> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if inner.slots.is_upgrading || inner.view.transport != Transport::Polling || inner.view.end.is_some()
        {
            return Err(candidate);
        }
        inner.slots.is_upgrading = true;
        inner.slots.has_tried_upgrade = true;
        inner.slots.candidate = Some(candidate);
        inner.mail.wake_task();
        Ok(())
    }

    /// A request came in that carries no evidence itself. What has become due happens now, without waiting for the
    /// session's timer, once everything that came in beside the request has been read. Returns `false` if the session
    /// has ended.
    pub(crate) async fn catch_up(&self) -> bool {
        if self.is_due() {
            // Comes back when the runtime has asked its sockets, and the tasks that this has woken have run.
            tokio::task::yield_now().await;
            // What a request with data brings may be evidence. The task alone sees the socket of a WebSocket.
            let may_judge = {
                let inner = self.lock();
                inner.view.transport == Transport::Polling && !inner.slots.is_receiving()
            };
            if may_judge {
                self.looked().await;
            }
        }
        self.lock().view.end.is_none()
    }

    fn is_due(&self) -> bool {
        let now = self.now();
        self.lock().view.session.poll_timeout().is_some_and(|due| due <= now)
    }

    /// A poll begins. Returns `None`, and ends the session, if another one is under way.
    pub(crate) fn begin_poll(&self) -> Option<PendingPoll<'_>> {
        let mut inner = self.lock();
        if !matches!(inner.slots.poll, PollSlot::Free) {
            inner.fail(Failure::Overlap);
            return None;
        }
        inner.slots.poll = PollSlot::Waiting;
        inner.mail.wake_task();
        Some(PendingPoll { shared: self, is_answered: false })
    }

    /// A request with data begins. Returns `None`, and ends the session, if another one is under way.
    pub(crate) fn begin_post(&self) -> Option<PostInFlight<'_>> {
        let mut inner = self.lock();
        if !matches!(inner.slots.post, PostSlot::Free) {
            inner.fail(Failure::Overlap);
            return None;
        }
        inner.slots.post = PostSlot::Receiving;
        Some(PostInFlight { shared: self, is_received: false })
    }

    /// Whether a closing session has nothing to deliver but its close packet, and no request that could take it.
    pub(crate) fn owes_only_a_close(&self) -> bool {
        let inner = self.lock();
        inner.view.transport == Transport::Polling && !inner.slots.is_busy() && inner.mail.unsent() == 0
    }
}

/// The poll that is being answered. A session has at most one, and only dropping it makes way for the next.
pub(crate) struct PendingPoll<'a> {
    shared: &'a Shared<ServerSide>,
    /// A client that goes away with its poll unanswered has lost what the answer would have held.
    pub(crate) is_answered: bool,
}

impl PendingPoll<'_> {
    /// The answer, once there is something to say.
    pub(crate) fn poll_answer(&self, cx: &Context<'_>) -> Poll<PollAnswer> {
        let mut inner = self.shared.lock();
        let inner = &mut *inner;
        if let PollSlot::Answered(_) = inner.slots.poll
            && let PollSlot::Answered(answer) = core::mem::replace(&mut inner.slots.poll, PollSlot::Leaving)
        {
            return Poll::Ready(*answer);
        }
        let without_task = match &inner.view.end {
            Some(Disconnect { reason: DisconnectReason::PeerClose, .. }) => Some(Packet::NOOP),
            Some(_) => Some(Packet::CLOSE),
            // The session moved away from this poll.
            None if inner.view.transport != Transport::Polling => Some(Packet::CLOSE),
            None => None,
        };
        if let Some(packet) = without_task {
            inner.slots.poll = PollSlot::Leaving;
            return Poll::Ready(PollAnswer { controls: vec![packet], messages: VecDeque::new() });
        }
        inner.slots.is_poll_woken = false;
        remember(&mut inner.slots.poll_waker, cx);
        Poll::Pending
    }
}

impl Drop for PendingPoll<'_> {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        let poll = core::mem::take(&mut inner.slots.poll);
        inner.slots.poll_waker = None;
        if let PollSlot::Answered(answer) = poll {
            inner.mail.put_back(answer.messages);
        }
        if !self.is_answered {
            inner.fail(if std::thread::panicking() { Failure::Panicked } else { Failure::Aborted });
        }
    }
}

/// The request with data that is being read. A session has at most one, and only dropping it makes way for the next.
pub(crate) struct PostInFlight<'a> {
    shared: &'a Shared<ServerSide>,
    /// A client that goes away in the middle of its payload has lost a part of it.
    pub(crate) is_received: bool,
}

impl PostInFlight<'_> {
    /// The session ends because of the request.
    pub(crate) fn refuse_content_type(&mut self) {
        self.is_received = true;
        self.shared.lock().fail(Failure::ContentType);
    }

    /// Ready once the request may be read: the inbox has room and the task has handled the last payload, or the session
    /// is closing or has ended, and takes no message any more.
    pub(crate) fn poll_room_to_receive(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_unless(cx, |inner| {
            inner.slots.payload.is_some() || (inner.mail.is_full() && inner.view.session.is_open())
        })
    }

    /// Hands the payload to the task. Ready once that has handled it, with whether all of it were packets.
    pub(crate) async fn handled(&mut self, payload: Payload) -> bool {
        self.is_received = true;
        {
            let mut inner = self.shared.lock();
            inner.slots.post = PostSlot::Received;
            inner.slots.payload = Some(Box::new(payload));
            inner.mail.wake_task();
        }
        core::future::poll_fn(|cx| {
            self.poll_unless(cx, |inner| {
                matches!(inner.slots.post, PostSlot::Received) && inner.view.end.is_none()
            })
        })
        .await;
        let inner = self.shared.lock();
        match (&inner.slots.post, &inner.view.end) {
            (PostSlot::Handled(accepted), _) => *accepted,
            (_, Some(end)) => end.reason.as_str() != "parse error",
            (_, None) => true,
        }
    }

    /// Ready once the inbox has room, or the session has ended: the request is answered no earlier.
    pub(crate) fn poll_room_to_answer(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_unless(cx, |inner| inner.mail.is_full() && inner.view.end.is_none())
    }

    fn poll_unless(
        &self,
        cx: &Context<'_>,
        has_to_wait: impl FnOnce(&Inner<ServerSide>) -> bool,
    ) -> Poll<()> {
        let mut inner = self.shared.lock();
        if !has_to_wait(&inner) {
            return Poll::Ready(());
        }
        inner.slots.is_post_woken = false;
        remember(&mut inner.slots.post_waker, cx);
        Poll::Pending
    }
}

impl Drop for PostInFlight<'_> {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.slots.post = PostSlot::Free;
        inner.slots.post_waker = None;
        if !self.is_received {
            inner.fail(if std::thread::panicking() { Failure::Panicked } else { Failure::Aborted });
        }
    }
}
