//! One namespace of a client: whether it is joined, and what waits on it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::acks::Acks;
use crate::args::{EncodeError, RawArgs};
use crate::client::credentials::Credentials;
use crate::client::disconnect::{Disconnect, DisconnectReason};
use crate::client::error::{JoinError, RecvError};
use crate::client::inbox::{Inbox, Item};
use crate::client::outbox::{Limit, Outgoing, Packets};
use crate::client::recovery::Recovery;
use crate::client::retries::Parcels;
use crate::client::target::Target;
use crate::errors::{AckError, EmitError};
use crate::sync::Notify;

/// What names a namespace that an application has joined. After it has left and joined again, the number is another.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: ByteString,
    pub(super) number: u64,
}

/// Where a namespace is on its way to be joined.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// It is joined as soon as a session is open.
    Waiting,
    /// The application is asked for its credentials, or the request is written.
    Asking,
    /// The server has been asked.
    Connecting {
        since: Instant,
    },
    Connected,
    /// It is not joined, and nothing joins it.
    Out(Out),
}

/// Why a namespace is not joined.
#[derive(Clone, Debug)]
pub(super) enum Out {
    Disconnected(Disconnect),
    NotJoined(JoinError),
}

impl From<Out> for RecvError {
    fn from(out: Out) -> Self {
        match out {
            Out::Disconnected(disconnect) => Self::Disconnected(disconnect),
            Out::NotJoined(error) => Self::NotJoined(error),
        }
    }
}

impl From<Out> for JoinError {
    fn from(out: Out) -> Self {
        match out {
            Out::Disconnected(disconnect) => Self::Disconnected(disconnect),
            Out::NotJoined(error) => error,
        }
    }
}

/// What an event that wants an answer gets.
pub(super) type Answer = Result<RawArgs, AckError>;

/// The packet that tells the server that the client leaves a namespace. It is written early, because the parser may be the
/// application's, which does not run while the state is locked.
pub(super) type Farewell = Result<Outgoing, EncodeError>;

/// A namespace that an application has joined, or is joining.
pub(super) struct Namespace {
    pub(super) number: u64,
    pub(super) target: Target,
    pub(super) credentials: Credentials,
    pub(super) phase: Phase,
    /// How often a request to join has begun.
    pub(super) asks: u64,
    /// The [run](crate::client::shared::State::runs) of the connection's task in which the application is being asked for its
    /// credentials.
    pub(super) asked_in: Option<u64>,
    /// What takes back the server's consent.
    pub(super) farewell: Farewell,
    /// Whether the application waits for the first answer, which it is told instead of receiving it.
    pub(super) is_joining: bool,
    /// The consent that the application was told of instead, and its place in the inbox: it goes there if nobody waits any more.
    pub(super) consent: Option<(usize, Item)>,
    /// How much may be in the inbox while the application waits to join again, and cannot receive. Otherwise, a full inbox
    /// keeps the namespace from being joined.
    pub(super) allowance: Option<Limit>,
    /// How often the server has let the client in.
    pub(super) joins: u64,
    /// How often a connection, or the request to join, has ended for the namespace.
    pub(super) ends: u64,
    /// The id of the socket, while it is connected.
    pub(super) id: Option<ByteString>,
    pub(super) recovered: bool,
    pub(super) recovery: Recovery,
    pub(super) inbox: Inbox,
    /// Wakes the application that receives.
    pub(super) reader: Arc<Notify>,
    pub(super) acks: Acks<Answer>,
    /// Events that were emitted while the client was away. They wait until it has joined again, also if it is out meanwhile.
    pub(super) away: Packets,
    /// Whether what waits to be sent is given up: the namespace is out, and the application has closed the client, or cannot join
    /// again.
    pub(super) has_given_up: bool,
    /// Events that are sent until they are answered.
    pub(super) parcels: Parcels,
}

impl Namespace {
    pub(super) fn new(number: u64, target: Target, credentials: Credentials, farewell: Farewell) -> Self {
        Self {
            number,
            target,
            credentials,
            phase: Phase::Waiting,
            asks: 0,
            asked_in: None,
            farewell,
            is_joining: true,
            consent: None,
            allowance: None,
            joins: 0,
            ends: 0,
            id: None,
            recovered: false,
            recovery: Recovery::default(),
            inbox: Inbox::default(),
            reader: Arc::default(),
            acks: Acks::default(),
            away: Packets::default(),
            has_given_up: false,
            parcels: Parcels::default(),
        }
    }

    pub(super) fn is_out(&self) -> bool {
        matches!(self.phase, Phase::Out(_))
    }

    /// Begins to join again, if the namespace is out.
    pub(super) fn join_again(&mut self) {
        self.consent = None;
        if self.is_out() {
            self.phase = Phase::Waiting;
            self.is_joining = true;
            self.has_given_up = false;
        }
    }

    /// Returns whether the client reads nothing until the application has received from this namespace.
    pub(super) fn stops_reading(&self) -> bool {
        self.inbox.is_full()
            && match self.phase {
                Phase::Connected => true,
                Phase::Connecting { .. } | Phase::Asking => {
                    self.allowance.is_none_or(|allowance| self.inbox.has_reached(allowance))
                }
                Phase::Waiting | Phase::Out(_) => false,
            }
    }

    /// Returns since when the server has owed the answer to a request to join that the application does not wait for.
    pub(super) fn asked_unwatched(&self) -> Option<Instant> {
        match self.phase {
            Phase::Connecting { since } if !self.is_joining => Some(since),
            _ => None,
        }
    }

    /// Takes the server's consent. Returns what the application is to be told, unless it waits for it.
    pub(super) fn let_in(&mut self, id: ByteString, pid: Option<ByteString>) -> Option<Item> {
        self.phase = Phase::Connected;
        self.joins += 1;
        self.allowance = None;
        self.id = Some(id);
        self.recovered = self.recovery.connected(pid);
        let item = Item::Connected { recovered: self.recovered };
        if std::mem::take(&mut self.is_joining) {
            self.consent = Some((self.inbox.end(), item));
            return None;
        }
        Some(item)
    }

    /// Waits for the next connection. Keeps what was emitted and has not been sent, as far as there is room, and returns
    /// how many events are lost, and the answers to all that were sent, to be given up.
    pub(super) fn wait_again(
        &mut self,
        unsent: VecDeque<Outgoing>,
        limit: Option<Limit>,
    ) -> (usize, Acks<Answer>) {
        self.phase = Phase::Waiting;
        self.ends += 1;
        self.id = None;
        let dropped = match limit {
            Some(limit) => self.away.prepend(unsent, limit),
            None => unsent.len(),
        };
        (dropped, self.take_answers_to_sent())
    }

    /// Leaves the joined state until the application joins again. What waits to be sent stays, unless the application has closed
    /// the client or cannot join again. Returns what is to be given up.
    pub(super) fn put_out(&mut self, out: Out) -> GivenUp {
        let is_closed =
            matches!(&out, Out::Disconnected(Disconnect { reason: DisconnectReason::ClientDisconnect, .. }));
        self.phase = Phase::Out(out);
        self.ends += 1;
        self.is_joining = false;
        self.allowance = None;
        self.id = None;
        let answers = self.take_answers_to_sent();
        if is_closed || self.inbox.is_abandoned() {
            GivenUp { answers, ..self.give_up() }
        } else {
            GivenUp { answers, ..GivenUp::default() }
        }
    }

    /// Gives up what waits to be sent.
    pub(super) fn give_up(&mut self) -> GivenUp {
        self.has_given_up = true;
        let unsent = std::mem::take(&mut self.away);
        let questions: Vec<_> = unsent.ids().filter_map(|id| self.acks.take(id)).collect();
        GivenUp { events: unsent.len() - questions.len(), questions, answers: Acks::default() }
    }

    fn take_answers_to_sent(&mut self) -> Acks<Answer> {
        let unsent: BTreeSet<u64> = self.away.ids().collect();
        self.acks.take_unless(|id| unsent.contains(&id))
    }
}

/// What is given up when a namespace is out.
#[derive(Default)]
#[must_use]
pub(super) struct GivenUp {
    /// The answers to what was sent.
    pub(super) answers: Acks<Answer>,
    /// Those to what was not.
    pub(super) questions: Vec<oneshot::Sender<Answer>>,
    /// How many other events were not sent.
    pub(super) events: usize,
}

impl GivenUp {
    /// Tells who waits for an answer. Their tasks are woken, so the state is not locked.
    pub(super) fn tell(self) {
        drop(self.answers);
        for question in self.questions {
            // Nobody may wait any more.
            let _ = question.send(Err(AckError::Emit(EmitError::Disconnected)));
        }
    }
}
