//! The handlers of one connection that have started and not ended.

use core::any::Any;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytestring::ByteString;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

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
    Middleware { next: usize },
    Connect,
    Event { name: ByteString, id: Option<u64>, bytes: usize },
    Disconnecting,
    Disconnect,
}

/// A handler and what comes after it.
pub(crate) struct Handling {
    socket: Socket,
    task: Option<Task>,
    future: Work,
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
        future: Work,
        cx: &mut Context<'_>,
    ) -> Option<Done> {
        let mut handling = Handling { socket, task: Some(task), future };
        if let Poll::Ready(done) = Pin::new(&mut handling).poll(cx) {
            return Some(done);
        }
        self.bytes += handling.bytes();
        self.waiting.get_or_insert_default().push(handling);
        None
    }

    /// Drops the handlers that wait. Returns the sockets whose `on_disconnecting` was among them.
    pub(crate) fn cut_off(&mut self) -> Vec<Socket> {
        let Some(waiting) = self.waiting.take() else { return Vec::new() };
        let is_leaving = |handling: &&Handling| matches!(handling.task, Some(Task::Disconnecting));
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
                self.bytes = self.bytes.saturating_sub(bytes(&done.task));
                Poll::Ready(done)
            }
            _ => Poll::Pending,
        }
    }
}

impl Handling {
    /// Drops what the handler holds, under guard: that code is the application's, too.
    fn let_go(&mut self) -> Result<(), String> {
        let nothing = Work::Replies(Box::pin(core::future::pending()));
        let future = core::mem::replace(&mut self.future, nothing);
        guarded(|| drop(future))
    }

    fn bytes(&self) -> usize {
        self.task.as_ref().map_or(0, bytes)
    }
}

fn bytes(task: &Task) -> usize {
    match task {
        Task::Event { bytes, .. } => *bytes,
        _ => 0,
    }
}

impl Future for Handling {
    type Output = Done;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Done> {
        let polled = guarded(|| match &mut self.future {
            Work::Decides(future) => future.as_mut().poll(cx).map(Outcome::Verdict),
            Work::Replies(future) => future.as_mut().poll(cx).map(Outcome::Replied),
        });
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => outcome,
            Err(message) => Outcome::Panicked(message),
        };
        let outcome = self.let_go().map_or_else(Outcome::Panicked, |()| outcome);
        let task = self.task.take().unwrap_or(Task::Disconnect);
        Poll::Ready(Done { socket: self.socket.clone(), task, outcome })
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        if let Err(panic) = self.let_go() {
            tracing::error!(target: targets::SOCKET, socket = %self.socket.id(), %panic, "a handler that was cut off panicked");
        }
    }
}

/// Runs code of the application. The error is the message of its panic.
pub(crate) fn guarded<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(message)
}

/// Returns the message of a panic.
pub(crate) fn message(payload: Box<dyn Any + Send>) -> String {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (None, Some(message)) => message.clone(),
        (None, None) => "not a text".to_owned(),
    };
    // The payload's `Drop` may panic as well.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        core::mem::forget(payload);
    }
    message
}
