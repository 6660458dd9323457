//! The answers of many clients.

use core::fmt;
use core::marker::PhantomData;
use core::pin::Pin;
use std::collections::HashMap;
use std::time::Duration;
use std::vec;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use crate::args::{FromArgs, RawArgs};
use crate::errors::AckError;
use crate::parser::Encoded;
use crate::server::acknowledgement::Asked;
use crate::server::rooms::Member as _;
use crate::server::socket::Socket;

type Answer = Pin<Box<dyn Future<Output = (Socket, Result<RawArgs, AckError>)> + Send>>;

/// The answers to an event that was sent to many sockets: see [`Audience::emit_with_ack`](crate::Audience::emit_with_ack).
/// Each addressed socket is in it once, with its answer or the reason why there is none.
#[must_use = "answers are lost if nobody reads them"]
pub struct Answers<T> {
    pending: FuturesUnordered<Answer>,
    deadline: Option<Instant>,
    /// The sockets that have not answered.
    awaited: HashMap<usize, Socket>,
    /// Those of them that are still to be told about, once the time is over.
    late: vec::IntoIter<Socket>,
    answer: PhantomData<fn() -> T>,
}

impl<T> Answers<T> {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            pending: FuturesUnordered::new(),
            deadline: None,
            awaited: HashMap::new(),
            late: Vec::new().into_iter(),
            answer: PhantomData,
        }
        .timeout(timeout)
    }

    /// Sets how long to wait for answers, from now on.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Instant::now().checked_add(timeout);
        self
    }

    /// Sends the event to a socket.
    pub(crate) fn ask(&mut self, socket: Socket, id: u64, encoded: &Encoded) {
        let asked = Asked::new(socket.clone(), id, encoded.clone());
        self.awaited.insert(socket.key(), socket.clone());
        self.pending.push(Box::pin(async move {
            let answer = match asked {
                Ok(asked) => asked.answer().await,
                Err(error) => Err(error.into()),
            };
            (socket, answer)
        }));
    }
}

impl<T: FromArgs> Answers<T> {
    /// Returns the next answer, or `None` after the last one. When the time is over, each socket that has not answered is
    /// there with [`AckError::Timeout`].
    pub async fn next(&mut self) -> Option<(Socket, Result<T, AckError>)> {
        let next = match self.deadline {
            Some(deadline) => timeout_at(deadline, self.pending.next()).await,
            None => Ok(self.pending.next().await),
        };
        let Ok(next) = next else {
            self.pending.clear();
            if !self.awaited.is_empty() {
                self.late = core::mem::take(&mut self.awaited).into_values().collect::<Vec<_>>().into_iter();
            }
            return self.next_late();
        };
        // After the time is over, nothing is pending.
        let Some((socket, answer)) = next else { return self.next_late() };
        self.awaited.remove(&socket.key());
        Some((socket, answer.and_then(|args| Ok(T::from_args(&args)?))))
    }

    fn next_late(&mut self) -> Option<(Socket, Result<T, AckError>)> {
        self.late.next().map(|socket| (socket, Err(AckError::Timeout)))
    }

    /// Returns all answers.
    pub async fn all(mut self) -> Vec<(Socket, Result<T, AckError>)> {
        let mut answers = Vec::with_capacity(self.pending.len());
        while let Some(answer) = self.next().await {
            answers.push(answer);
        }
        answers
    }
}

impl<T> fmt::Debug for Answers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}
