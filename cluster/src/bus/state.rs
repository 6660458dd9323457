//! What both halves of a bus share: the queue, the subscriptions, and the counts.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::PoisonError;

use bytes::Bytes;
use tokio::sync::watch;

use crate::bus::Command;
use crate::bus::subject::Subject;
use crate::sync::{Mutex, MutexGuard, Notify};

/// Whether a bus is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusState {
    /// It has not been connected yet.
    Connecting,
    /// It is connected. Subscriptions may still be on their way.
    Up,
    /// Its connection is lost, and it tries to connect again.
    Down,
    /// It has ended, and will not connect again.
    Stopped,
}

/// The bounds of the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The bytes of all messages that wait, where each counts as [`OVERHEAD`] more than its payload.
    pub(crate) queued: usize,
    /// The longest payload.
    pub(crate) message: usize,
}

impl Limits {
    /// The bytes from which on there is no room for what can wait. So much of it leaves room for what cannot.
    fn patient(self) -> usize {
        self.queued / 4
    }
}

/// What a message that waits takes beside its payload. So the bound of the bytes is one of the number as well.
pub(crate) const OVERHEAD: usize = 128;

impl Default for Limits {
    fn default() -> Self {
        Self { queued: 8 * 1024 * 1024, message: 1_000_000 }
    }
}

/// What both halves share.
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) limits: Limits,
    /// Signalled when there is something to do for the bus.
    pub(crate) work: Notify,
    /// Signalled when there is room for what can wait, if anybody waits for it.
    pub(crate) room: Notify,
    /// Signalled when there is a sign of life among it.
    pub(crate) signed: Notify,
    /// Signalled when a subscription is confirmed.
    pub(crate) confirmed: Notify,
    /// The state, and how often the connection was lost.
    pub(crate) watched: watch::Sender<(BusState, u64)>,
}

/// The queue, the subscriptions, and the counts.
pub(crate) struct State {
    pub(crate) bus: BusState,
    pub(crate) cause: Option<String>,
    /// The node wants no more: what is in the queue is still published, if the bus is up.
    pub(crate) closing: bool,
    /// The signs of life, which go before everything else.
    pub(crate) signs: VecDeque<(Subject, Bytes)>,
    pub(crate) queue: VecDeque<(Subject, Bytes)>,
    /// The bytes of both.
    pub(crate) queued: usize,
    /// Somebody waits until there is room for what can wait.
    pub(crate) is_room_awaited: bool,
    pub(crate) subscriptions: HashMap<Subject, Subscription>,
    /// The subjects whose subscription the bus has to look at, in this order: `<prefix>.all` and `<prefix>.node.<name>`, by
    /// which a node hears who lives, are before all topics.
    pub(crate) changed: BTreeSet<Subject>,
    pub(crate) outages: u64,
    pub(crate) published: u64,
    pub(crate) lost: u64,
    /// `lost` when the connection was lost.
    pub(crate) lost_before: u64,
    /// A message that was refused on this connection is in the log.
    pub(crate) is_refusal_told: bool,
    pub(crate) received: u64,
}

/// The subscription of one subject.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subscription {
    /// The node wants it.
    pub(crate) wanted: bool,
    pub(crate) standing: Standing,
}

/// What the server knows of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing.
    #[default]
    Unknown,
    /// The bus was told to subscribe.
    Asked,
    /// The bus has confirmed it.
    Confirmed,
    /// The server has refused it.
    Refused,
}

impl Standing {
    /// Whether the server has the subscription, or is going to.
    pub(crate) fn is_with_server(self) -> bool {
        matches!(self, Self::Asked | Self::Confirmed)
    }

    /// Whether the server has said what it makes of it.
    pub(crate) fn is_decided(self) -> bool {
        matches!(self, Self::Confirmed | Self::Refused)
    }
}

impl Shared {
    pub(crate) fn new(limits: Limits) -> Self {
        let state = State {
            bus: BusState::Connecting,
            cause: None,
            closing: false,
            signs: VecDeque::new(),
            queue: VecDeque::new(),
            queued: 0,
            is_room_awaited: false,
            subscriptions: HashMap::new(),
            changed: BTreeSet::new(),
            outages: 0,
            published: 0,
            lost: 0,
            lost_before: 0,
            is_refusal_told: false,
            received: 0,
        };
        Self {
            state: Mutex::new(state),
            limits,
            work: Notify::new(),
            room: Notify::new(),
            signed: Notify::new(),
            confirmed: Notify::new(),
            watched: watch::Sender::new((BusState::Connecting, 0)),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether there is room for what can wait. If not, `room` is signalled later.
    pub(crate) fn has_room(&self, state: &mut State) -> bool {
        let has_room = state.queued <= self.limits.patient();
        state.is_room_awaited |= !has_room;
        has_room
    }

    /// Signals that there is room, after something has left the queue.
    pub(crate) fn note_room(&self, state: &mut State) {
        if state.is_room_awaited && state.queued <= self.limits.patient() {
            state.is_room_awaited = false;
            self.room.notify_waiters();
        }
    }

    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }
}

/// What the bus has to do next.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) command: Command,
    /// It is a message that must not wait behind others: a node whose signs do not come in time is gone for the others.
    #[cfg_attr(
        not(feature = "redis"),
        allow(dead_code, reason = "a bus whose messages do not wait for answers")
    )]
    pub(crate) is_sign: bool,
}

impl State {
    /// Returns what the bus has to do next, if it is up. Signs of life come first, and are all there is for a bus that has no
    /// room for more. Subscriptions come before messages, so that a question which is published after
    /// a subscription has its answer there.
    pub(crate) fn next_work(&mut self, has_room: bool) -> Option<Work> {
        if self.bus != BusState::Up {
            return None;
        }
        if let Some(sign) = self.signs.pop_front() {
            return Some(Work { command: self.publish(sign), is_sign: true });
        }
        if !has_room {
            return None;
        }
        let command = self.next_subscription().or_else(|| {
            let message = self.queue.pop_front()?;
            Some(self.publish(message))
        })?;
        Some(Work { command, is_sign: false })
    }

    fn publish(&mut self, (subject, payload): (Subject, Bytes)) -> Command {
        self.queued -= payload.len() + OVERHEAD;
        self.published += 1;
        Command::Publish { subject, payload }
    }

    fn next_subscription(&mut self) -> Option<Command> {
        while let Some(subject) = self.changed.pop_first() {
            let Some(one) = self.subscriptions.get_mut(&subject) else { continue };
            match (one.wanted, one.standing) {
                (true, Standing::Unknown | Standing::Refused) => {
                    one.standing = Standing::Asked;
                    return Some(Command::Subscribe(subject));
                }
                // One that is not confirmed yet is looked at again when it is: a confirmation then always means the last
                // time that the bus was told to subscribe.
                (false, Standing::Confirmed) => {
                    self.subscriptions.remove(&subject);
                    return Some(Command::Unsubscribe(subject));
                }
                (true, Standing::Asked | Standing::Confirmed) | (false, _) => {}
            }
        }
        None
    }

    pub(crate) fn want(&mut self, subject: Subject, wanted: bool) {
        if !wanted && !self.subscriptions.contains_key(&subject) {
            return;
        }
        self.subscriptions.entry(subject.clone()).or_default().wanted = wanted;
        self.look_at(subject);
    }

    /// Has the bus look at a subscription, if it is up. Otherwise it asks for all when it is.
    pub(crate) fn look_at(&mut self, subject: Subject) {
        let Some(one) = self.subscriptions.get_mut(&subject) else { return };
        if one.wanted || one.standing.is_with_server() {
            self.changed.insert(subject);
        } else {
            self.subscriptions.remove(&subject);
            self.changed.remove(&subject);
        }
    }

    /// Has the bus look at all subscriptions, of which a new connection has none.
    pub(crate) fn connect(&mut self) {
        self.bus = BusState::Up;
        self.cause = None;
        self.is_refusal_told = false;
        self.forget_subscriptions();
        self.changed = self.subscriptions.keys().cloned().collect();
    }

    fn forget_subscriptions(&mut self) {
        self.changed.clear();
        self.subscriptions.retain(|_, one| one.wanted);
        for one in self.subscriptions.values_mut() {
            one.standing = Standing::Unknown;
        }
    }

    /// Returns how many subscriptions are wanted that the server has refused.
    pub(crate) fn count_refused(&self) -> usize {
        let refused = |one: &&Subscription| one.wanted && one.standing == Standing::Refused;
        self.subscriptions.values().filter(refused).count()
    }

    /// Forgets what the server knew: the queue is lost, and no subscription is left. Returns how many messages are lost.
    pub(crate) fn disconnect(&mut self) -> u64 {
        let lost = (self.signs.len() + self.queue.len()) as u64;
        self.lost += lost;
        (self.signs, self.queue, self.queued) = (VecDeque::new(), VecDeque::new(), 0);
        self.forget_subscriptions();
        lost
    }
}
