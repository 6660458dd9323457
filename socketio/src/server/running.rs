//! The handlers of one connection that have started and not ended.

use core::pin::Pin;
use core::task::{Context, Poll};

use bytestring::ByteString;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::server::guard::guarded;
use crate::server::handler::{HandlerFuture, Replied, Verdict};
use crate::server::socket::Socket;
use crate::targets;

/// The handlers that wait for something.
#[derive(Default)]
pub(crate) struct Running {
    /// `None` while none waits, because an idle connection should not own the memory of a set.
    waiting: Option<FuturesUnordered<Handling>>,
    /// The bytes of the events whose handlers wait.
    bytes: usize,
}

/// What a handler is for.
pub(crate) enum Task {
    Middleware {
        next: usize,
    },
    /// The client may come back as soon as the handlers of its end have started.
    Admit,
    Connect,
    Event {
        name: ByteString,
        id: Option<u64>,
        bytes: usize,
    },
    Disconnecting,
    Disconnect,
}

/// A handler and what comes after it.
pub(crate) struct Handling {
    socket: Socket,
    /// `None` once the handler has ended.
    work: Option<(Task, Work)>,
}

/// The future of a handler.
pub(crate) enum Work {
    Decides(HandlerFuture<Verdict>),
    Replies(HandlerFuture<Replied>),
}

/// What a handler has left.
pub(crate) enum Outcome {
    Verdict(Verdict),
    Replied(Replied),
    /// The handler panicked, with this message.
    Panicked(String),
}

/// A handler that has ended.
pub(crate) struct Done {
    pub(crate) socket: Socket,
    pub(crate) task: Task,
    pub(crate) outcome: Outcome,
}

impl Running {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Returns whether another event may be handled.
    pub(crate) fn has_room(&self, (handlers, bytes): (usize, usize)) -> bool {
        self.waiting.as_ref().map_or(0, FuturesUnordered::len) < handlers && self.bytes < bytes
    }

    /// Polls a handler that has just been called. Keeps it if it has to wait.
    pub(crate) fn start(
        &mut self,
        socket: Socket,
        task: Task,
        work: Work,
        cx: &mut Context<'_>,
    ) -> Option<Done> {
        let bytes = task.bytes();
        let mut handling = Handling { socket, work: Some((task, work)) };
        if let Poll::Ready(done) = Pin::new(&mut handling).poll(cx) {
            return Some(done);
        }
        self.bytes += bytes;
        self.waiting.get_or_insert_default().push(handling);
        None
    }

    /// Drops the handlers that wait. Returns the sockets whose `on_disconnecting` was among them.
    pub(crate) fn cut_off(&mut self) -> Vec<Socket> {
        let Some(waiting) = self.waiting.take() else { return Vec::new() };
        let is_leaving = |handling: &&Handling| matches!(handling.work, Some((Task::Disconnecting, _)));
        waiting.iter().filter(is_leaving).map(|handling| handling.socket.clone()).collect()
    }

    /// Returns the next handler that has ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Done> {
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        match waiting.poll_next_unpin(cx) {
            Poll::Ready(Some(done)) => {
                if waiting.is_empty() {
                    self.waiting = None;
                }
                self.bytes = self.bytes.saturating_sub(done.task.bytes());
                Poll::Ready(done)
            }
            _ => Poll::Pending,
        }
    }
}

impl Task {
    /// Returns how many bytes of events the handler holds.
    fn bytes(&self) -> usize {
        match self {
            Self::Event { bytes, .. } => *bytes,
            _ => 0,
        }
    }
}

impl Work {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Outcome> {
        match self {
            Self::Decides(future) => future.as_mut().poll(cx).map(Outcome::Verdict),
            Self::Replies(future) => future.as_mut().poll(cx).map(Outcome::Replied),
        }
    }
}

impl Future for Handling {
    type Output = Done;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        let Some((task, mut work)) = self.work.take() else { return Poll::Pending };
        let outcome = match guarded(|| work.poll(cx)) {
            Ok(Poll::Pending) => {
                self.work = Some((task, work));
                return Poll::Pending;
            }
            Ok(Poll::Ready(outcome)) => outcome,
            Err(message) => Outcome::Panicked(message),
        };
        // What the handler holds is dropped by code of the application, too.
        let outcome = guarded(|| drop(work)).map_or_else(Outcome::Panicked, |()| outcome);
        Poll::Ready(Done { socket: self.socket.clone(), task, outcome })
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        if let Some((_, work)) = self.work.take()
            && let Err(panic) = guarded(|| drop(work))
        {
            tracing::error!(target: targets::SOCKET, socket = %self.socket.id(), %panic, "a handler that was cut off panicked");
        }
    }
}
