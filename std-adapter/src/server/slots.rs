//! The slots through which a session's HTTP requests and its task exchange answers and payloads.
//!
//! A poll waits in its slot until the task puts an answer there. A POST puts its payload into its slot, and waits until the
//! task has handled it. There is at most one request of each kind at a time. The requests of a session that has ended, or
//! has moved to a WebSocket, are answered without its task, which may be gone.

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

/// The payload of a POST.
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    /// Whether the content type is `application/octet-stream`, the binary framing of revision 3.
    pub(crate) is_binary: bool,
}

/// The state of the poll.
#[derive(Default)]
enum PollSlot {
    #[default]
    Free,
    /// The poll waits for an answer.
    Waiting,
    Answered(Box<PollAnswer>),
    /// The answer is being written.
    Leaving,
}

/// The state of the POST.
#[derive(Default)]
enum PostSlot {
    #[default]
    Free,
    /// The payload is being received, or waits for room in the inbox.
    Receiving,
    /// The payload has been received, and the task has not handled it yet.
    Received,
    /// The task has handled the payload. The flag says whether all of it were packets.
    Handled(bool),
}

/// The reason why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The client went away.
    Aborted,
    /// Code of the application, the log or the metrics panicked while the request was answered.
    Panicked,
    /// Another request of the same kind was in flight.
    Overlap,
    /// The revision does not allow the content type.
    ContentType,
}

/// The state that HTTP requests share with the session's task. Every session has one, so rare parts are boxed.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(crate) struct Slots {
    poll: PollSlot,
    poll_waker: Option<Waker>,
    is_poll_woken: bool,
    post: PostSlot,
    post_waker: Option<Waker>,
    is_post_woken: bool,
    /// The payload that the task has not handled yet. Its request may be gone.
    payload: Option<Box<Payload>>,
    /// The first failure of a request since the task's last pass.
    failure: Option<Failure>,
    /// A WebSocket request with this session's sid, for the task.
    candidate: Option<OnUpgrade>,
    is_upgrading: bool,
    has_tried_upgrade: bool,
    /// Whether a WebSocket that the session does not need is being closed.
    has_surplus: bool,
    /// Whether the application has returned, panicked, or was cut off.
    pub(crate) application_over: bool,
}

impl Slots {
    /// Takes the wakers of the requests that have a reason to be woken.
    pub(crate) fn take_woken(&mut self) -> [Option<Waker>; 2] {
        let poll = if core::mem::take(&mut self.is_poll_woken) { self.poll_waker.take() } else { None };
        let post = if core::mem::take(&mut self.is_post_woken) { self.post_waker.take() } else { None };
        [poll, post]
    }

    pub(crate) fn wake_requests(&mut self) {
        self.is_poll_woken = true;
        self.is_post_woken = true;
    }

    /// Marks a POST to be woken, because the inbox has room again.
    pub(crate) fn wake_post(&mut self) {
        self.is_post_woken = true;
    }

    /// Returns whether a poll waits for an answer.
    pub(crate) fn has_poll(&self) -> bool {
        matches!(self.poll, PollSlot::Waiting)
    }

    /// Answers the waiting poll.
    pub(crate) fn answer_poll(&mut self, answer: PollAnswer) {
        self.poll = PollSlot::Answered(Box::new(answer));
        self.is_poll_woken = true;
    }

    /// Returns whether a payload is still being received.
    pub(crate) fn is_receiving(&self) -> bool {
        matches!(self.post, PostSlot::Receiving)
    }

    pub(crate) fn take_payload(&mut self) -> Option<Box<Payload>> {
        self.payload.take()
    }

    /// Notes that the payload was handled. `accepted` says whether all of it were packets.
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

    /// Returns whether a request of the session or an upgrade is in progress.
    pub(crate) fn is_busy(&self) -> bool {
        self.has_poll() || !matches!(self.post, PostSlot::Free) || self.is_upgrading
    }

    /// Begins to close a WebSocket that the session does not need. Returns `false` if one is already being closed.
    pub(crate) fn begin_surplus(&mut self) -> bool {
        !core::mem::replace(&mut self.has_surplus, true)
    }

    pub(crate) fn end_surplus(&mut self) {
        self.has_surplus = false;
    }
}

impl Inner<ServerSide> {
    /// Reports a failed request to the task. Does nothing for a session on a WebSocket, whose remaining requests do not
    /// matter.
    fn fail(&mut self, failure: Failure) {
        if self.view.transport == Transport::Polling {
            self.slots.failure.get_or_insert(failure);
            self.mail.wake_task();
        }
    }

    /// Returns whether a WebSocket request with this session's sid would be the first one. That belongs to the handshake
    /// that opened the session; further ones count as separate handshakes.
    pub(crate) fn expects_upgrade(&self) -> bool {
        self.view.transport == Transport::Polling && !self.slots.has_tried_upgrade
    }
}

impl Shared<ServerSide> {
    /// Offers a WebSocket request with this session's sid to the task. Returns it if the session cannot move now.
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
                self.looked().await;
            }
        }
        self.lock().view.end.is_none()
    }

    fn is_due(&self) -> bool {
        let now = self.now();
        self.lock().view.session.poll_timeout().is_some_and(|due| due <= now)
    }

    /// Begins a poll. Returns `None` and ends the session if another poll is in flight.
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

    /// Begins a POST. Returns `None` and ends the session if another POST is in flight.
    pub(crate) fn begin_post(&self) -> Option<PostInFlight<'_>> {
        let mut inner = self.lock();
        if !matches!(inner.slots.post, PostSlot::Free) {
            inner.fail(Failure::Overlap);
            return None;
        }
        inner.slots.post = PostSlot::Receiving;
        Some(PostInFlight { shared: self, is_received: false })
    }

    /// Returns whether a closing session has only its close packet left to deliver, and no request that could carry it.
    pub(crate) fn has_only_close_left(&self) -> bool {
        let inner = self.lock();
        inner.view.transport == Transport::Polling && !inner.slots.is_busy() && inner.mail.unsent() == 0
    }
}

/// The poll that is being answered. A session has at most one. The next poll can begin once it is dropped.
pub(crate) struct PendingPoll<'a> {
    shared: &'a Shared<ServerSide>,
    /// Whether the poll has been answered. If the client goes away before that, the content of the answer is lost.
    pub(crate) is_answered: bool,
}

impl PendingPoll<'_> {
    /// Returns the answer once there is something to send.
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
            // The session has moved to a WebSocket.
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

/// The POST that is being read. A session has at most one. The next POST can begin once it is dropped.
pub(crate) struct PostInFlight<'a> {
    shared: &'a Shared<ServerSide>,
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
        self.poll_unless(cx, |inner| {
            inner.slots.payload.is_some() || (inner.mail.is_full() && inner.view.session.is_open())
        })
    }

    /// Passes the payload to the task, and waits until the task has handled it. Returns whether all of it were packets.
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

    /// Ready once the inbox has room or the session has ended. The request is answered only then.
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
