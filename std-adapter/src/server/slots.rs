//! The slots through which a session's HTTP requests and its task exchange answers and payloads.
//!
//! A poll waits in its slot until the task puts an answer there. A POST puts its payload into its slot, and waits until the
//! task has handled it. There is at most one request of each kind at a time. The requests of a session that has ended, or
//! has moved to a WebSocket, are answered without its task, which may be gone.

use core::task::Waker;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use eio_core::packet::Packet;
use eio_core::payload::v3::Framing;
use eio_core::polling::Batch;
use eio_core::session::Control;
use hyper::upgrade::OnUpgrade;

use crate::session::queue::Queue;
use crate::web::activity::Activity;
use crate::wire::outgoing::Outgoing;

/// The answer to a poll.
pub(crate) enum PollAnswer {
    /// What the session has to say, and the messages of the batch.
    Batch(Batch, Queue<Outgoing>),
    /// The session has ended, or has moved to a WebSocket.
    Last(Packet<'static>),
}

/// The payload of a POST.
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    pub(crate) framing: Framing,
}

/// The state of the poll.
#[derive(Default)]
pub(super) enum PollSlot {
    #[default]
    Free,
    /// It came, and the task has yet to hear of it. Scripts get text only.
    Arrived {
        jsonp: bool,
    },
    /// The poll waits for an answer.
    Waiting,
    Answered(Box<PollAnswer>),
    /// The answer is being written.
    Leaving,
    /// An answer without messages is being written. The session has ended, or has moved to a WebSocket.
    LeavingLast,
}

/// The state of the POST.
#[derive(Default)]
pub(super) enum PostSlot {
    #[default]
    Free,
    /// The payload is being received, or waits for room in the inbox.
    Receiving,
    /// The payload has been received, and the task has not taken it yet.
    Received,
    /// The task handles the payload.
    Handling,
    /// The task has handled the payload. The flag says whether all of it were packets.
    Handled(bool),
}

/// The reason why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The client went away.
    Aborted,
    /// The client went away while its poll was being answered: the messages of the answer are lost.
    AnswerLost,
    /// Code of the application, the log or the metrics panicked while the request was answered.
    Panicked,
    /// Another request of the same kind was in flight.
    Overlap,
    /// The revision does not allow the content type.
    ContentType,
}

/// The state that HTTP requests share with the session's task. Every session has one, and most sessions on a WebSocket never
/// see a request, so the state of requests is allocated for the first one.
#[derive(Default)]
pub(crate) struct Slots {
    requests: Option<Box<Requests>>,
    /// Whether the application has returned, panicked, or was cut off.
    pub(crate) application_over: bool,
}

/// The state of a session's HTTP requests.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
pub(super) struct Requests {
    pub(super) poll: PollSlot,
    pub(super) poll_waker: Option<Waker>,
    pub(super) is_poll_woken: bool,
    /// The poll is to be answered, even if there is nothing to say.
    pub(super) is_release_due: bool,
    /// The connection of the latest poll, if that is known.
    pub(super) polled_on: Option<Weak<Activity>>,
    /// The ping or pong of an answer that no poll has taken. It goes over the WebSocket if the session moves there.
    pub(super) owed: Option<Control>,
    pub(super) post: PostSlot,
    pub(super) post_waker: Option<Waker>,
    pub(super) is_post_woken: bool,
    /// The payload that the task has not handled yet. Its request may be gone.
    pub(super) payload: Option<Box<Payload>>,
    /// The first failure of a request since the task's last pass.
    pub(super) failure: Option<Failure>,
    /// A WebSocket request with this session's sid, for the task.
    pub(super) candidate: Option<OnUpgrade>,
    pub(super) is_upgrading: bool,
    pub(super) has_tried_upgrade: bool,
    /// Whether a WebSocket that the session does not need is being closed.
    pub(super) has_surplus: bool,
}

impl Slots {
    pub(super) fn requests(&mut self) -> &mut Requests {
        self.requests.get_or_insert_default()
    }

    /// Returns whether a request has a reason to be woken.
    pub(crate) fn has_woken(&self) -> bool {
        self.requests.as_deref().is_some_and(|requests| requests.is_poll_woken || requests.is_post_woken)
    }

    /// Takes the wakers of the requests that have a reason to be woken.
    pub(crate) fn take_woken(&mut self) -> [Option<Waker>; 2] {
        let Some(requests) = self.requests.as_deref_mut() else { return [None, None] };
        let Requests { is_poll_woken, poll_waker, is_post_woken, post_waker, .. } = requests;
        let poll = if core::mem::take(is_poll_woken) { poll_waker.take() } else { None };
        let post = if core::mem::take(is_post_woken) { post_waker.take() } else { None };
        [poll, post]
    }

    pub(crate) fn wake_requests(&mut self) {
        if let Some(requests) = self.requests.as_deref_mut() {
            requests.is_poll_woken = true;
            requests.is_post_woken = true;
        }
    }

    /// Returns the connection of the latest poll, if it is known and not gone.
    pub(crate) fn polled_on(&self) -> Option<Arc<Activity>> {
        self.requests.as_deref()?.polled_on.as_ref()?.upgrade()
    }

    /// Tells the task once of a poll that came. `Some(true)` for one that gets a script.
    pub(crate) fn take_poll(&mut self) -> Option<bool> {
        let requests = self.requests.as_deref_mut()?;
        let PollSlot::Arrived { jsonp } = requests.poll else { return None };
        requests.poll = PollSlot::Waiting;
        Some(jsonp)
    }

    /// Tells the task once that the poll is to be answered, even if there is nothing to say.
    pub(crate) fn take_release(&mut self) -> bool {
        let requests = self.requests.as_deref_mut();
        requests.is_some_and(|requests| core::mem::take(&mut requests.is_release_due))
    }

    /// Returns whether the last poll is over, so that the task may forget it.
    pub(crate) fn is_poll_over(&self) -> bool {
        let poll = self.requests.as_deref().map(|requests| &requests.poll);
        matches!(poll, None | Some(PollSlot::Free | PollSlot::Arrived { .. }))
    }

    /// Returns whether a poll waits for an answer.
    pub(crate) fn is_polled(&self) -> bool {
        let poll = self.requests.as_deref().map(|requests| &requests.poll);
        matches!(poll, Some(PollSlot::Arrived { .. } | PollSlot::Waiting))
    }

    /// Returns whether messages are on their way in the answer to a poll.
    pub(crate) fn is_answering(&self) -> bool {
        let poll = self.requests.as_deref().map(|requests| &requests.poll);
        matches!(poll, Some(PollSlot::Answered(_) | PollSlot::Leaving))
    }

    /// Answers the waiting poll. Returns the answer if that poll is gone, because its client went away a moment ago.
    pub(crate) fn answer_poll(&mut self, answer: PollAnswer) -> Result<(), PollAnswer> {
        let requests = self.requests();
        let PollSlot::Waiting = requests.poll else { return Err(answer) };
        requests.poll = PollSlot::Answered(Box::new(answer));
        requests.is_poll_woken = true;
        Ok(())
    }

    /// Takes back the answer that the poll has not taken. The poll waits again.
    pub(crate) fn take_back_answer(&mut self) -> Option<PollAnswer> {
        let poll = &mut self.requests.as_deref_mut()?.poll;
        match core::mem::replace(poll, PollSlot::Waiting) {
            PollSlot::Answered(answer) => Some(*answer),
            other => {
                *poll = other;
                None
            }
        }
    }

    /// Takes the ping or pong of an answer that no poll has taken.
    pub(crate) fn take_owed(&mut self) -> Option<Control> {
        self.requests.as_deref_mut()?.owed.take()
    }

    /// Returns whether a payload is still being received.
    pub(crate) fn is_receiving(&self) -> bool {
        self.requests.as_deref().is_some_and(|requests| matches!(requests.post, PostSlot::Receiving))
    }

    pub(crate) fn take_payload(&mut self) -> Option<Box<Payload>> {
        let requests = self.requests.as_deref_mut()?;
        let payload = requests.payload.take()?;
        if let PostSlot::Received = requests.post {
            requests.post = PostSlot::Handling;
        }
        Some(payload)
    }

    /// Notes that the payload was handled. `accepted` says whether all of it were packets. Its request may be gone, and
    /// the next one may have come.
    pub(crate) fn handle_payload_done(&mut self, accepted: bool) {
        let requests = self.requests();
        if let PostSlot::Handling = requests.post {
            requests.post = PostSlot::Handled(accepted);
        }
        requests.is_post_woken = true;
    }

    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.requests.as_deref_mut()?.failure.take()
    }

    pub(crate) fn take_candidate(&mut self) -> Option<OnUpgrade> {
        self.requests.as_deref_mut()?.candidate.take()
    }

    pub(crate) fn end_upgrade(&mut self) {
        self.requests().is_upgrading = false;
    }

    /// Returns whether a request of the session or an upgrade is in progress.
    pub(crate) fn is_busy(&self) -> bool {
        let is_busy = |requests: &Requests| !matches!(requests.post, PostSlot::Free) || requests.is_upgrading;
        self.is_polled() || self.is_answering() || self.requests.as_deref().is_some_and(is_busy)
    }

    /// Begins to close a WebSocket that the session does not need. Returns `false` if one is already being closed.
    pub(crate) fn begin_surplus(&mut self) -> bool {
        !core::mem::replace(&mut self.requests().has_surplus, true)
    }

    pub(crate) fn end_surplus(&mut self) {
        self.requests().has_surplus = false;
    }
}
