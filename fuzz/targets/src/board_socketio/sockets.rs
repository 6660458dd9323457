//! The two ways to use Socket.IO on a board, as one: a `Socket` that has its client for itself, and `Namespaces`.

use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

use eio_embassy::socketio::{
    Alone, Namespaces, NoRecovery, Pending, Recover, Recovery, Socket, SocketError, State, refusal,
};

use super::expected::Heard;
use crate::fakes::Task;
use crate::stream::{Reader, Writer};

/// The namespace of a board that has only one.
pub(super) const ALONE: &str = "/a";

/// How long an answer may take.
pub(super) const ANSWER: Duration = Duration::from_millis(150);

/// An event or an answer to send.
#[derive(Clone, Copy, Debug)]
pub(super) enum Letter<'l> {
    Event(&'l str),
    Question(&'l str),
    Answer(u64),
    /// What tells it from others, and its attachments.
    Photo(u32, &'l [&'l [u8]]),
}

/// What a call returns when it is polled as long as something wakes it, and then dropped.
pub(super) type Called<T> = Poll<Result<T, SocketError>>;

/// A board that has joined namespaces, or is about to.
pub(super) trait Sockets {
    /// Receives what arrives next, with its namespace.
    fn recv(&mut self) -> Called<(String, Heard)>;

    /// Sends on a namespace. A question returns what its answer is known by.
    fn send(&mut self, namespace: &str, letter: Letter<'_>) -> Called<Option<Pending>>;

    /// Asks to join a namespace. Returns `None` if this board does not.
    fn join(&mut self, namespace: &'static str) -> Option<Called<()>>;

    fn leave(&mut self, namespace: &str) -> Option<Called<()>>;

    /// Waits for the answer to a question, and passes on what comes before it.
    fn answer(&mut self, pending: Pending, other: &mut dyn FnMut(Heard)) -> Option<Called<Heard>>;
}

/// Polls a call as long as something wakes it, and drops it.
fn poll<T>(call: impl Future<Output = T>) -> Poll<T> {
    Task::new().poll(pin!(call))
}

fn send_on<S: State>(
    socket: &mut Socket<'_, '_, Reader, Writer, S>,
    letter: Letter<'_>,
) -> Called<Option<Pending>> {
    match letter {
        Letter::Event(args) => poll(socket.emit("e", args)).map_ok(|()| None),
        Letter::Question(args) => poll(socket.emit_with_timeout("q", args, ANSWER)).map_ok(Some),
        Letter::Answer(id) => poll(socket.ack(id, "")).map_ok(|()| None),
        Letter::Photo(number, attachments) => {
            poll(socket.emit_binary("p", &number.to_string(), attachments)).map_ok(|()| None)
        }
    }
}

impl<M: Recover> Sockets for Socket<'_, '_, Reader, Writer, Alone<M>> {
    fn recv(&mut self) -> Called<(String, Heard)> {
        let heard = match poll(async { self.recv().await.map(Heard::new) }) {
            // `Namespaces` receives these.
            Poll::Ready(Err(SocketError::Refused)) => {
                Poll::Ready(Ok(Heard::Refused(refusal(self.client()).to_owned())))
            }
            Poll::Ready(Err(SocketError::Disconnected)) => Poll::Ready(Ok(Heard::Disconnected)),
            heard => heard,
        };
        heard.map_ok(|heard| (ALONE.to_owned(), heard))
    }

    fn send(&mut self, _: &str, letter: Letter<'_>) -> Called<Option<Pending>> {
        send_on(self, letter)
    }

    fn join(&mut self, _: &'static str) -> Option<Called<()>> {
        None
    }

    fn leave(&mut self, _: &str) -> Option<Called<()>> {
        None
    }

    fn answer(&mut self, pending: Pending, other: &mut dyn FnMut(Heard)) -> Option<Called<Heard>> {
        Some(poll(async {
            let answer = self.answer(pending, |incoming| other(Heard::new(incoming))).await?;
            Ok(Heard::Answer(pending.id(), answer.args.as_str().to_owned(), answer.attachments))
        }))
    }
}

/// What is kept for a namespace's next session, and how it is asked for with it.
pub(super) trait Joins<'c>: Recover + Sized {
    fn join(
        self,
        namespaces: &mut Namespaces<'c, '_, Reader, Writer, 2, Self>,
        namespace: &'static str,
    ) -> Called<()>;
}

impl<'c> Joins<'c> for NoRecovery {
    fn join(
        self,
        namespaces: &mut Namespaces<'c, '_, Reader, Writer, 2, Self>,
        namespace: &'static str,
    ) -> Called<()> {
        poll(namespaces.join(namespace, ""))
    }
}

impl<'c> Joins<'c> for &'c mut Recovery {
    fn join(
        self,
        namespaces: &mut Namespaces<'c, '_, Reader, Writer, 2, Self>,
        namespace: &'static str,
    ) -> Called<()> {
        poll(namespaces.join_with_recovery(namespace, "{\"token\":1}", self))
    }
}

/// `Namespaces` with two places, and what may be kept for those that are still to be joined.
pub(super) struct Many<'c, 'b, M> {
    pub(super) namespaces: Namespaces<'c, 'b, Reader, Writer, 2, M>,
    pub(super) kept: Vec<M>,
}

impl<'c, M: Joins<'c>> Sockets for Many<'c, '_, M> {
    fn recv(&mut self) -> Called<(String, Heard)> {
        poll(async {
            let (namespace, incoming) = self.namespaces.recv().await?;
            Ok((namespace.to_owned(), Heard::new(incoming)))
        })
    }

    fn send(&mut self, namespace: &str, letter: Letter<'_>) -> Called<Option<Pending>> {
        match self.namespaces.socket(namespace) {
            Ok(mut socket) => send_on(&mut socket, letter),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn join(&mut self, namespace: &'static str) -> Option<Called<()>> {
        Some(self.kept.pop()?.join(&mut self.namespaces, namespace))
    }

    fn leave(&mut self, namespace: &str) -> Option<Called<()>> {
        Some(poll(self.namespaces.leave(namespace)))
    }

    fn answer(&mut self, _: Pending, _: &mut dyn FnMut(Heard)) -> Option<Called<Heard>> {
        None
    }
}
