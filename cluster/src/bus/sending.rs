//! The sending half of a bus: what waits to be published, which subjects are wanted, and what is lost. It never waits.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use crate::bus::Bus;
use crate::bus::port::Port;
use crate::bus::state::{BusState, Limits, OVERHEAD, Shared, State};
use crate::bus::subject::Subject;
use crate::metrics;
use crate::sync::{MutexGuard, spawn};
use crate::targets;

/// What receives the messages of the bus, in the bus's task.
pub(crate) trait Receive: Send + Sync {
    /// Takes a message. It must not block.
    fn receive(&self, payload: Bytes);
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
    /// Those of them that the server has refused.
    pub refused: usize,
}

/// Why a message was not published. It is counted in [`BusStatus::lost`], and while the bus is connected, the log has the first
/// one of each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPublished {
    /// The bus is not connected.
    #[error("the bus is not connected")]
    Down,
    /// The messages that wait for the bus have reached the limit of their number or of their bytes.
    #[error("the queue of the bus is full")]
    Full,
    /// The name of the node has other than one to four characters of those that the sid of a session has.
    #[error("no node can have this name")]
    InvalidNode,
    /// The message alone is longer than a message may be.
    #[error("the message has {len} bytes: expected at most {max}")]
    TooLong {
        /// The message's length in bytes, with what the cluster adds.
        len: usize,
        /// The longest message.
        max: usize,
    },
}

/// How many bytes signs of life may take above the bound of the queue.
const SIGNS: usize = 64 * 1024;

/// The handle by which a node publishes and subscribes. Cloning returns another one; when the last is dropped, the bus ends.
#[derive(Clone)]
pub(crate) struct Sending {
    handle: Arc<Handle>,
}

struct Handle(Arc<Shared>);

impl core::fmt::Debug for Sending {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Sending {
    /// Starts a bus in a task of its own.
    pub(crate) fn start(bus: Box<impl Bus + ?Sized>, limits: Limits, receive: Arc<dyn Receive>) -> Self {
        let (sending, port) = Self::open(limits, receive);
        spawn(bus.run(port));
        sending
    }

    /// Makes both halves.
    pub(crate) fn open(limits: Limits, receive: Arc<dyn Receive>) -> (Self, Port) {
        let shared = Arc::new(Shared::new(limits));
        let sending = Self { handle: Arc::new(Handle(Arc::clone(&shared))) };
        (sending, Port::new(shared, receive))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.0
    }

    pub(crate) fn limits(&self) -> Limits {
        self.shared().limits
    }

    /// Puts a message into the queue, or refuses it. Never waits.
    pub(crate) fn publish(&self, subject: Subject, payload: Bytes) -> Result<(), NotPublished> {
        self.shared().publish(self.shared().lock(), subject, payload)
    }

    /// Counts a message that has no subject to which it could be published.
    pub(crate) fn refuse(&self, why: NotPublished) -> NotPublished {
        Shared::refuse(self.shared().lock(), why)
    }

    /// Publishes a sign of life before everything that waits but other signs, if the bus is up. Up to [`SIGNS`] it may be above
    /// the bound of the queue: a node that has much to say still says that it lives.
    pub(crate) fn publish_first(&self, subject: Subject, payload: Bytes) {
        let (cost, limit) = (payload.len() + OVERHEAD, self.limits().queued.saturating_add(SIGNS));
        let mut state = self.shared().lock();
        if state.bus != BusState::Up || state.closing || state.queued.saturating_add(cost) > limit {
            return;
        }
        state.queued += cost;
        state.signs.push_back((subject, payload));
        drop(state);
        self.shared().work.notify_one();
        self.shared().signed.notify_one();
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
        if !wanted {
            // Nobody need wait for its confirmation any more, which may never come.
            self.shared().confirmed.notify_waiters();
        }
    }

    /// Waits until a subscription is confirmed, as [`Watcher::subscribed`] does.
    pub(crate) async fn subscribed(&self, subject: &Subject) {
        self.watcher().subscribed(subject).await;
    }

    /// Returns what waits for changes of the bus, and does not keep it from ending.
    pub(crate) fn watcher(&self) -> Watcher {
        Watcher { shared: Arc::clone(self.shared()), watched: self.shared().watched.subscribe(), outages: 0 }
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
            refused: state.count_refused(),
        }
    }

    /// Lets the bus publish what waits, if it is up, and end.
    pub(crate) fn close(&self) {
        self.shared().close();
    }

    /// Does as [`close`](Self::close), and publishes a last message behind everything else. No sign of life comes behind it. It
    /// may be above the bound of the queue.
    pub(crate) fn close_with(&self, subject: Subject, payload: Bytes) {
        let mut state = self.shared().lock();
        if state.bus == BusState::Up && !state.closing {
            state.queued += payload.len() + OVERHEAD;
            state.queue.push_back((subject, payload));
        }
        state.closing = true;
        drop(state);
        self.shared().work.notify_one();
    }
}

impl Shared {
    fn publish(
        &self,
        mut state: MutexGuard<'_, State>,
        subject: Subject,
        payload: Bytes,
    ) -> Result<(), NotPublished> {
        let (len, cost) = (payload.len(), payload.len().saturating_add(OVERHEAD));
        let refused = if len > self.limits.message {
            NotPublished::TooLong { len, max: self.limits.message }
        } else if state.bus != BusState::Up || state.closing {
            NotPublished::Down
        } else if state.queued.saturating_add(cost) > self.limits.queued {
            NotPublished::Full
        } else {
            state.queue.push_back((subject, payload));
            state.queued += cost;
            drop(state);
            self.work.notify_one();
            return Ok(());
        };
        Err(Self::refuse(state, refused))
    }

    /// Counts a message that is not published. The log has the first one of each connection. While there is none, it says so
    /// once, and not for each message.
    fn refuse(mut state: MutexGuard<'_, State>, why: NotPublished) -> NotPublished {
        state.lost += 1;
        let is_news = why != NotPublished::Down && !core::mem::replace(&mut state.is_refusal_told, true);
        drop(state);
        metrics::LOST.add(1);
        if is_news {
            tracing::warn!(
                target: targets::BUS, cause = %why,
                "a message of this node is not published to other nodes; from now on, such messages are only counted"
            );
        }
        why
    }
}

/// Waits for changes of a bus.
#[derive(Clone)]
pub(crate) struct Watcher {
    shared: Arc<Shared>,
    watched: watch::Receiver<(BusState, u64)>,
    /// The outages until the bus was up.
    outages: u64,
}

impl Watcher {
    /// Waits until the bus is up. Returns `false` if it has stopped.
    pub(crate) async fn up(&mut self) -> bool {
        let waited = self.watched.wait_for(|(bus, _)| matches!(bus, BusState::Up | BusState::Stopped)).await;
        let (bus, outages) = waited.map_or((BusState::Stopped, 0), |now| *now);
        self.outages = outages;
        bus == BusState::Up
    }

    /// Waits until the connection is lost that was there when [`up`](Self::up) returned, also if there is a new one.
    pub(crate) async fn lost(mut self) {
        let before = (BusState::Up, self.outages);
        let _ = self.watched.wait_for(|now| *now != before).await;
    }

    /// Publishes a message when there is room for what can wait, or refuses it. If the future is dropped before, the message is
    /// not published.
    pub(crate) async fn publish(&self, subject: Subject, payload: Bytes) -> Result<(), NotPublished> {
        loop {
            let room = self.shared.room.notified();
            tokio::pin!(room);
            // Registered before the check, so that room in between is not missed.
            room.as_mut().enable();
            {
                let mut state = self.shared.lock();
                if state.bus != BusState::Up || state.closing || self.shared.has_room(&mut state) {
                    return self.shared.publish(state, subject, payload);
                }
            }
            room.await;
        }
    }

    /// Waits until the bus has stopped.
    pub(crate) async fn stopped(mut self) {
        let _ = self.watched.wait_for(|(bus, _)| *bus == BusState::Stopped).await;
    }

    /// Waits until a subscription is confirmed. Returns at once if the subject is not wanted, or the bus has stopped; while
    /// it is down, waits.
    pub(crate) async fn subscribed(&self, subject: &Subject) {
        loop {
            let confirmed = self.shared.confirmed.notified();
            tokio::pin!(confirmed);
            // Registered before the check, so that a confirmation in between is not missed.
            confirmed.as_mut().enable();
            {
                let state = self.shared.lock();
                let subscription = state.subscriptions.get(subject);
                let is_over = subscription.is_none_or(|one| !one.wanted || one.standing.is_decided());
                if is_over || state.bus == BusState::Stopped {
                    return;
                }
            }
            confirmed.await;
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
