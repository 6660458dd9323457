//! The sending half of a bus: what waits to be published, which subjects are wanted, and what is lost. It never waits.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use crate::bus::port::Port;
use crate::bus::subject::Subject;
use crate::bus::{Bus, Command};

/// What receives the messages of the bus, in the bus's task.
pub(crate) trait Receive: Send + Sync {
    /// Takes a message. It must not block.
    fn receive(&self, payload: Bytes);
}

/// Whether a bus is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BusState {
    /// It has not been connected yet.
    Connecting,
    /// It is connected, and has asked for all subscriptions.
    Up,
    /// Its connection is lost, and it tries to connect again.
    Down,
    /// It has ended, and will not connect again.
    Stopped,
}

/// The state of a bus, and what it has carried so far.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusStatus {
    /// Whether it is connected.
    pub state: BusState,
    /// Why it is not, in the bus's words.
    pub cause: Option<String>,
    /// How often the connection was lost.
    pub outages: u64,
    /// The messages that were handed to the bus.
    pub published: u64,
    /// The messages that were not: refused because the bus was down or the queue was full, dropped from the queue when the
    /// connection was lost, or lost by the bus itself, as far as it knows.
    pub lost: u64,
    /// The messages that the bus has brought.
    pub received: u64,
    /// The bytes that wait to be published.
    pub queued: usize,
    /// The subjects to which the node wants to be subscribed.
    pub subscriptions: usize,
}

/// Why a message was not published. It is counted in [`BusStatus::lost`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPublished {
    /// The bus is not connected.
    #[error("the bus is not connected")]
    Down,
    /// The messages that wait for the bus have reached the limit of their number or of their bytes.
    #[error("the queue of the bus is full")]
    Full,
    /// The message alone is longer than a message may be.
    #[error("the message has {len} bytes: expected at most {max}")]
    TooLong {
        /// The message's length in bytes, with what the cluster adds.
        len: usize,
        /// The longest message.
        max: usize,
    },
}

/// The bounds of the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The bytes of all messages that wait, where each counts as [`OVERHEAD`] more than its payload.
    pub(crate) queued: usize,
    /// The longest payload.
    pub(crate) message: usize,
}

/// What a message that waits takes beside its payload. So the bound of the bytes is one of the number as well.
pub(crate) const OVERHEAD: usize = 128;

impl Default for Limits {
    fn default() -> Self {
        Self { queued: 8 * 1024 * 1024, message: 1_000_000 }
    }
}

/// The handle by which a node publishes and subscribes. Cloning returns another one; when the last is dropped, the bus ends.
#[derive(Clone)]
pub(crate) struct Sending {
    handle: Arc<Handle>,
}

struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What both halves share.
pub(crate) struct Shared {
    state: Mutex<State>,
    limits: Limits,
    /// Signalled when there is something to do for the bus.
    pub(crate) work: Notify,
    /// Signalled when a subscription is confirmed.
    pub(crate) confirmed: Notify,
    pub(crate) watched: watch::Sender<BusState>,
}

/// The queue, the subscriptions, and the counts.
pub(crate) struct State {
    pub(crate) bus: BusState,
    pub(crate) cause: Option<String>,
    /// The node wants no more: what is in the queue is still published, if the bus is up.
    pub(crate) closing: bool,
    pub(crate) queue: VecDeque<(Subject, Bytes)>,
    pub(crate) queued: usize,
    pub(crate) subscriptions: HashMap<Subject, Subscription>,
    /// The subjects whose subscription the bus has to look at.
    pub(crate) changed: BTreeSet<Subject>,
    pub(crate) outages: u64,
    pub(crate) published: u64,
    pub(crate) lost: u64,
    /// `lost` when the connection was lost.
    pub(crate) lost_before: u64,
    pub(crate) received: u64,
}

/// The subscription of one subject.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subscription {
    /// The node wants it.
    pub(crate) wanted: bool,
    /// The bus was told to subscribe.
    pub(crate) asked: bool,
    /// The bus has confirmed it.
    pub(crate) confirmed: bool,
}

impl Sending {
    /// Starts a bus in a task of its own.
    pub(crate) fn start(bus: Box<impl Bus + ?Sized>, limits: Limits, receive: Arc<dyn Receive>) -> Self {
        let (sending, port) = Self::open(limits, receive);
        tokio::spawn(bus.run(port));
        sending
    }

    /// Makes both halves.
    pub(crate) fn open(limits: Limits, receive: Arc<dyn Receive>) -> (Self, Port) {
        let state = State {
            bus: BusState::Connecting,
            cause: None,
            closing: false,
            queue: VecDeque::new(),
            queued: 0,
            subscriptions: HashMap::new(),
            changed: BTreeSet::new(),
            outages: 0,
            published: 0,
            lost: 0,
            lost_before: 0,
            received: 0,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            limits,
            work: Notify::new(),
            confirmed: Notify::new(),
            watched: watch::Sender::new(BusState::Connecting),
        });
        let sending = Self { handle: Arc::new(Handle(Arc::clone(&shared))) };
        (sending, Port::new(shared, receive))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.0
    }

    /// Puts a message into the queue, or refuses it. Never waits.
    pub(crate) fn publish(&self, subject: Subject, payload: Bytes) -> Result<(), NotPublished> {
        let limits = self.shared().limits;
        let (len, cost) = (payload.len(), payload.len().saturating_add(OVERHEAD));
        let mut state = self.shared().lock();
        let refused = if len > limits.message {
            Some(NotPublished::TooLong { len, max: limits.message })
        } else if state.bus != BusState::Up || state.closing {
            Some(NotPublished::Down)
        } else if state.queued.saturating_add(cost) > limits.queued {
            Some(NotPublished::Full)
        } else {
            None
        };
        if let Some(refused) = refused {
            state.lost += 1;
            return Err(refused);
        }
        state.queue.push_back((subject, payload));
        state.queued += cost;
        drop(state);
        self.shared().work.notify_one();
        Ok(())
    }

    /// Wants to be subscribed to a subject.
    pub(crate) fn subscribe(&self, subject: Subject) {
        self.want(subject, true);
    }

    /// No longer wants to be subscribed to a subject.
    pub(crate) fn unsubscribe(&self, subject: Subject) {
        self.want(subject, false);
    }

    fn want(&self, subject: Subject, wanted: bool) {
        let mut state = self.shared().lock();
        state.want(subject, wanted);
        drop(state);
        self.shared().work.notify_one();
    }

    /// Waits until a subscription is confirmed. Returns at once if the subject is not wanted, or the bus has stopped; while
    /// it is down, waits.
    pub(crate) async fn subscribed(&self, subject: &Subject) {
        loop {
            let confirmed = self.shared().confirmed.notified();
            tokio::pin!(confirmed);
            // Registered before the check, so that a confirmation in between is not missed.
            confirmed.as_mut().enable();
            {
                let state = self.shared().lock();
                let subscription = state.subscriptions.get(subject);
                let is_over = subscription.is_none_or(|one| one.confirmed || !one.wanted);
                if is_over || state.bus == BusState::Stopped {
                    return;
                }
            }
            confirmed.await;
        }
    }

    pub(crate) fn status(&self) -> BusStatus {
        let state = self.shared().lock();
        BusStatus {
            state: state.bus,
            cause: state.cause.clone(),
            outages: state.outages,
            published: state.published,
            lost: state.lost,
            received: state.received,
            queued: state.queued,
            subscriptions: state.subscriptions.values().filter(|one| one.wanted).count(),
        }
    }

    /// Returns the state of the bus, and its changes.
    pub(crate) fn watch(&self) -> watch::Receiver<BusState> {
        self.shared().watched.subscribe()
    }

    /// Lets the bus publish what waits, if it is up, and end.
    pub(crate) fn close(&self) {
        self.shared().close();
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closing = true;
        self.work.notify_one();
    }
}

impl State {
    /// Returns what the bus has to do next. Subscriptions come before messages, so that a question which is published after
    /// a subscription has its answer there.
    pub(crate) fn next_command(&mut self) -> Option<Command> {
        while let Some(subject) = self.changed.pop_first() {
            let Some(one) = self.subscriptions.get_mut(&subject) else { continue };
            match (one.wanted, one.asked) {
                (true, false) => {
                    one.asked = true;
                    return Some(Command::Subscribe(subject));
                }
                // One that is not confirmed yet is looked at again when it is: a confirmation then always means the last
                // time that the bus was told to subscribe.
                (false, true) if one.confirmed => {
                    self.subscriptions.remove(&subject);
                    return Some(Command::Unsubscribe(subject));
                }
                (true, true) | (false, _) => {}
            }
        }
        let (subject, payload) = self.queue.pop_front()?;
        self.queued -= payload.len() + OVERHEAD;
        self.published += 1;
        Some(Command::Publish { subject, payload })
    }

    fn want(&mut self, subject: Subject, wanted: bool) {
        if !wanted && !self.subscriptions.contains_key(&subject) {
            return;
        }
        self.subscriptions.entry(subject.clone()).or_default().wanted = wanted;
        self.look_at(subject);
    }

    /// Has the bus look at a subscription, if it is up. Otherwise it asks for all when it is.
    pub(crate) fn look_at(&mut self, subject: Subject) {
        let Some(one) = self.subscriptions.get_mut(&subject) else { return };
        if one.wanted || one.asked {
            self.changed.insert(subject);
        } else {
            self.subscriptions.remove(&subject);
            self.changed.remove(&subject);
        }
    }

    /// Returns the subjects that are wanted, as asked for.
    pub(crate) fn ask_for_all(&mut self) -> Vec<Subject> {
        self.changed.clear();
        self.subscriptions.retain(|_, one| one.wanted);
        for one in self.subscriptions.values_mut() {
            *one = Subscription { wanted: true, asked: true, confirmed: false };
        }
        self.subscriptions.keys().cloned().collect()
    }

    /// Forgets what the server knew: the queue is lost, and no subscription is left.
    pub(crate) fn disconnect(&mut self) {
        self.lost += self.queue.len() as u64;
        self.queue = VecDeque::new();
        self.queued = 0;
        self.changed.clear();
        self.subscriptions.retain(|_, one| one.wanted);
        for one in self.subscriptions.values_mut() {
            *one = Subscription { wanted: true, ..Subscription::default() };
        }
    }
}

#[cfg(test)]
impl Sending {
    /// Returns how many subjects the bus has still to look at.
    pub(crate) fn changes(&self) -> usize {
        self.shared().lock().changed.len()
    }
}
