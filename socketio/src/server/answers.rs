//! The answers of many clients.

use core::fmt;
use core::marker::PhantomData;
use core::pin::Pin;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use std::vec;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use crate::args::{FromArgs, RawArgs};
use crate::errors::AckError;
use crate::parser::Encoded;
use crate::server::acknowledgement::Asked;
#[cfg(feature = "cluster")]
use crate::server::cluster::answers::FarAnswers;
use crate::server::rooms::Member as _;
use crate::server::socket::Socket;
use crate::server::socket_id::SocketId;

type Answer = Pin<Box<dyn Future<Output = (Socket, Result<RawArgs, AckError>)> + Send>>;

/// The answers to an event that was sent to many sockets: see [`Audience::emit_with_ack`](crate::Audience::emit_with_ack).
/// Each addressed socket is in it once, with its answer or the reason why there is none.
///
/// In a cluster, a node that dies before it has said whom it has asked leaves sockets that nobody knows: `missing` names
/// such nodes.
#[must_use = "answers are lost if nobody reads them"]
pub struct Answers<T> {
    pending: FuturesUnordered<Answer>,
    deadline: Option<Instant>,
    /// The sockets that have not answered.
    awaited: HashMap<usize, Socket>,
    /// Those of them that are still to be told about, once the time is over.
    late: vec::IntoIter<Socket>,
    #[cfg(feature = "cluster")]
    far: Option<FarAnswers>,
    /// What [`all`](Answers::all) has taken and not returned.
    collected: VecDeque<(Responder, Result<RawArgs, AckError>)>,
    answer: PhantomData<fn() -> T>,
}

/// A socket that was asked: one of this server, or one of another node.
#[derive(Clone, Debug)]
pub struct Responder {
    id: SocketId,
    at: At,
}

#[derive(Clone, Debug)]
enum At {
    Here(Socket),
    #[cfg(feature = "cluster")]
    Node(std::sync::Arc<str>),
}

impl Responder {
    fn here(socket: Socket) -> Self {
        Self { id: socket.id().clone(), at: At::Here(socket) }
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn far(id: SocketId, node: std::sync::Arc<str>) -> Self {
        Self { id, at: At::Node(node) }
    }

    /// Returns the identifier of the socket.
    #[must_use]
    pub fn id(&self) -> &SocketId {
        &self.id
    }

    /// Returns the socket, if it is one of this server.
    #[must_use]
    pub fn socket(&self) -> Option<&Socket> {
        match &self.at {
            At::Here(socket) => Some(socket),
            #[cfg(feature = "cluster")]
            At::Node(_) => None,
        }
    }

    /// Returns the name of the node that has the socket, if it is another one.
    #[cfg(feature = "cluster")]
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        match &self.at {
            At::Here(_) => None,
            At::Node(node) => Some(node),
        }
    }
}

impl<T> Answers<T> {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            pending: FuturesUnordered::new(),
            deadline: None,
            awaited: HashMap::new(),
            late: Vec::new().into_iter(),
            #[cfg(feature = "cluster")]
            far: None,
            collected: VecDeque::new(),
            answer: PhantomData,
        }
        .timeout(timeout)
    }

    /// Sets how long to wait for answers, from now on. Other nodes have been told of the time that
    /// [`Audience::timeout`](crate::Audience::timeout) sets, so for their sockets, this one can only be shorter.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.deadline = Instant::now().checked_add(timeout);
        self
    }

    /// Sends the event to a socket.
    pub(crate) fn ask(&mut self, socket: Socket, id: u64, encoded: &Encoded, is_volatile: bool) {
        let asked = Asked::new(socket.clone(), id, encoded.clone(), is_volatile);
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

#[cfg(feature = "cluster")]
impl<T> Answers<T> {
    /// Adds the answers that are to come from other nodes.
    pub(crate) fn and(mut self, far: FarAnswers) -> Self {
        self.far = Some(far);
        self
    }

    /// Returns the nodes whose sockets have not all been told about, and why. The sockets of which it is known that they were
    /// asked are among the answers; others may have been asked.
    #[must_use]
    pub fn missing(&self) -> &[crate::MissingNode] {
        self.far.as_ref().map_or(&[], FarAnswers::missing)
    }
}

impl<T: FromArgs> Answers<T> {
    /// Returns the next answer, or `None` after the last one. When the time is over, each socket that has not answered is
    /// there with [`AckError::Timeout`].
    ///
    /// # Cancel safety
    /// This method is cancel safe. If the future is dropped, no answer is lost.
    pub async fn next(&mut self) -> Option<(Responder, Result<T, AckError>)> {
        match self.collected.pop_front() {
            Some(collected) => Some(read(collected)),
            None => self.next_answer().await.map(read),
        }
    }

    /// Returns the next answer that [`all`](Self::all) has not taken. It is cancel safe.
    async fn next_answer(&mut self) -> Option<(Responder, Result<RawArgs, AckError>)> {
        let deadline = self.deadline;
        let next = match deadline {
            Some(deadline) => timeout_at(deadline, self.next_pending()).await,
            None => Ok(self.next_pending().await),
        };
        match next {
            Ok(Some(answer)) => Some(answer),
            // After the time is over, nothing is pending.
            Ok(None) => self.next_late(),
            Err(_) => {
                self.give_up();
                self.next_late()
            }
        }
    }

    /// Returns the next answer that comes, or `None` after the last one. It is cancel safe.
    async fn next_pending(&mut self) -> Option<(Responder, Result<RawArgs, AckError>)> {
        let (pending, awaited) = (&mut self.pending, &mut self.awaited);
        let here = async {
            let (socket, answer) = pending.next().await?;
            awaited.remove(&socket.key());
            Some((Responder::here(socket), answer))
        };
        #[cfg(feature = "cluster")]
        if let Some(far) = &mut self.far {
            return first(here, far.next()).await;
        }
        here.await
    }

    /// Gives up what has not come: the time is over.
    fn give_up(&mut self) {
        self.pending.clear();
        if !self.awaited.is_empty() {
            self.late = core::mem::take(&mut self.awaited).into_values().collect::<Vec<_>>().into_iter();
        }
        #[cfg(feature = "cluster")]
        if let Some(far) = &mut self.far {
            far.give_up();
        }
    }

    fn next_late(&mut self) -> Option<(Responder, Result<RawArgs, AckError>)> {
        if let Some(socket) = self.late.next() {
            return Some((Responder::here(socket), Err(AckError::Timeout)));
        }
        #[cfg(feature = "cluster")]
        if let Some(far) = &mut self.far {
            return far.pop();
        }
        None
    }

    /// Returns all answers.
    ///
    /// # Cancel safety
    /// This method is cancel safe. If the future is dropped, no answer is lost: [`next`](Self::next) returns those that have
    /// come, too.
    pub async fn all(&mut self) -> Vec<(Responder, Result<T, AckError>)> {
        self.collected.reserve(self.pending.len());
        while let Some(answer) = self.next_answer().await {
            self.collected.push_back(answer);
        }
        core::mem::take(&mut self.collected).into_iter().map(read).collect()
    }
}

fn read<T: FromArgs>(
    (responder, answer): (Responder, Result<RawArgs, AckError>),
) -> (Responder, Result<T, AckError>) {
    (responder, answer.and_then(|args| Ok(T::from_args(&args)?)))
}

/// Returns what the one future or the other returns first. `None` counts only if both return it.
#[cfg(feature = "cluster")]
async fn first<T>(one: impl Future<Output = Option<T>>, other: impl Future<Output = Option<T>>) -> Option<T> {
    let (mut one, mut other) = (core::pin::pin!(one), core::pin::pin!(other));
    tokio::select! {
        first = &mut one => match first {
            Some(first) => Some(first),
            None => other.await,
        },
        first = &mut other => match first {
            Some(first) => Some(first),
            None => one.await,
        },
    }
}

impl<T> fmt::Debug for Answers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("pending", &self.pending.len()).finish_non_exhaustive()
    }
}
