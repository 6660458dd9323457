//! The bus's end of the queue.

use core::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::bus::Command;
use crate::bus::sending::Receive;
use crate::bus::state::{BusState, Shared, Standing, Work};
use crate::bus::subject::Subject;
use crate::metrics;
use crate::targets;

/// What a [`Bus`](crate::bus::Bus) gets its work from, and tells what happens.
///
/// A port begins as not connected. While it is, messages are refused, and [`next`](Self::next) has nothing to do. When the
/// bus has connected, it calls [`up`](Self::up), and does what `next` returns: first it subscribes to everything that the node
/// wants. When the connection is lost, it calls [`down`](Self::down). If the port is dropped, the bus is stopped for good.
pub struct Port {
    shared: Arc<Shared>,
    receive: Arc<dyn Receive>,
    /// The outage is in the log.
    is_told: bool,
    /// A subscription that was refused on this connection is in the log.
    is_refusal_told: bool,
}

impl Port {
    pub(super) fn new(shared: Arc<Shared>, receive: Arc<dyn Receive>) -> Self {
        Self { shared, receive, is_told: false, is_refusal_told: false }
    }

    /// Waits for something to do, which is never the case while the bus is not up. Returns `None` when the node leaves the
    /// cluster: publish what was handed over before, and end.
    ///
    /// # Cancel safety
    /// This method is cancel safe. If the future is dropped, no command is lost.
    pub async fn next(&mut self) -> Option<Command> {
        self.next_work(true).await.map(|work| work.command)
    }

    /// Returns the next thing to do if there is one: to send in one go what waits.
    pub fn try_next(&mut self) -> Option<Command> {
        self.try_work(true).map(|work| work.command)
    }

    /// Does as [`next`](Self::next), for a bus that tells signs of life apart. While it has no room, there is nothing else to
    /// do for it.
    pub(super) async fn next_work(&mut self, has_room: bool) -> Option<Work> {
        loop {
            // It keeps a signal that comes before it waits.
            let signal = if has_room { &self.shared.work } else { &self.shared.signed }.notified();
            // Nothing is published any more once it is closing, so what is there afterwards is all.
            let is_over = has_room && self.shared.lock().closing;
            let work = self.try_work(has_room);
            if work.is_some() || is_over {
                return work;
            }
            signal.await;
        }
    }

    pub(super) fn try_work(&self, has_room: bool) -> Option<Work> {
        let mut state = self.shared.lock();
        let work = state.next_work(has_room);
        self.shared.note_room(&mut state);
        drop(state);
        if matches!(work, Some(Work { command: Command::Publish { .. }, .. })) {
            metrics::PUBLISHED.add(1);
        }
        work
    }

    /// Says that the bus is connected. Messages are accepted from now on, and each subscription is [asked for](Self::next)
    /// again: at first the two by which the node hears who lives, so that the others hear of it at once however many follow.
    pub fn up(&mut self) {
        let mut state = self.shared.lock();
        if state.bus == BusState::Up {
            return;
        }
        state.connect();
        let (lost, outages) = (state.lost - state.lost_before, state.outages);
        drop(state);
        self.is_told = false;
        self.is_refusal_told = false;
        tracing::info!(target: targets::BUS, lost, "connected to the bus");
        metrics::BUS_UP.set(1);
        self.shared.watched.send_replace((BusState::Up, outages));
        self.shared.work.notify_one();
    }

    /// Says that the connection is lost, or could not be made, and why. The cause is logged and shown in the status, so it
    /// must not contain a password. What waits to be published is dropped, and what comes is refused until the bus is
    /// [up](Self::up) again; both count as lost. Call it for each failed attempt: the log has one warning for each outage.
    pub fn down(&mut self, cause: impl fmt::Display) {
        self.disconnect(BusState::Down, cause.to_string());
    }

    fn disconnect(&mut self, bus: BusState, cause: String) {
        let is_told = core::mem::replace(&mut self.is_told, true);
        if bus == BusState::Stopped {
            tracing::error!(target: targets::BUS, cause, "the bus has stopped: this node is alone from now on");
        } else if is_told {
            tracing::debug!(target: targets::BUS, cause, "still not connected to the bus");
        } else {
            tracing::warn!(target: targets::BUS, cause, "not connected to the bus: other nodes get nothing until it is back");
        }
        let mut state = self.shared.lock();
        if state.bus == BusState::Up {
            state.outages += 1;
            state.lost_before = state.lost;
        }
        state.bus = bus;
        state.cause = Some(cause);
        let (lost, outages) = (state.disconnect(), state.outages);
        self.shared.note_room(&mut state);
        drop(state);
        metrics::BUS_UP.set(0);
        metrics::LOST.add(lost);
        self.shared.watched.send_replace((bus, outages));
    }

    /// Says that the server has confirmed the subscription of a subject. Where a server confirms nothing, say it when the
    /// server has answered something that was sent after the subscription.
    pub fn subscribed(&mut self, subject: &Subject) {
        let mut state = self.shared.lock();
        let Some(one) = state.subscriptions.get_mut(subject) else { return };
        if !one.standing.is_with_server() {
            return;
        }
        one.standing = Standing::Confirmed;
        if !one.wanted {
            state.look_at(subject.clone());
        }
        drop(state);
        self.shared.confirmed.notify_waiters();
        self.shared.work.notify_one();
    }

    /// Says that the server refuses a subscription, and why: a permission is missing, for example. The node does not get what
    /// is published to it, so this is an error in the log, once for each connection, and in the status. Nobody waits for its
    /// confirmation any more.
    pub fn refused(&mut self, subject: &Subject, cause: impl fmt::Display) {
        let mut state = self.shared.lock();
        let Some(one) = state.subscriptions.get_mut(subject) else { return };
        one.standing = Standing::Refused;
        if !one.wanted {
            state.subscriptions.remove(subject);
        }
        drop(state);
        self.shared.confirmed.notify_waiters();
        if !core::mem::replace(&mut self.is_refusal_told, true) {
            tracing::error!(target: targets::BUS, %subject, %cause, "the server refuses a subscription: this node does not get its messages");
        }
    }

    /// Takes a message that has come. Its subject does not matter: the message itself says for whom it is.
    pub fn deliver(&mut self, payload: Bytes) {
        self.shared.lock().received += 1;
        metrics::RECEIVED.add(1);
        self.receive.receive(payload);
    }

    /// Counts messages that were lost behind the queue, such as those in the buffer of a connection that broke, or those
    /// that the server has dropped because this node was too slow.
    pub fn lost(&mut self, messages: u64) {
        self.shared.lock().lost += messages;
        metrics::LOST.add(messages);
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.closing {
            state.bus = BusState::Stopped;
            let (lost, outages) = (state.disconnect(), state.outages);
            self.shared.note_room(&mut state);
            drop(state);
            metrics::BUS_UP.set(0);
            metrics::LOST.add(lost);
            self.shared.watched.send_replace((BusState::Stopped, outages));
        } else {
            drop(state);
            self.disconnect(BusState::Stopped, "its task has ended".to_owned());
        }
        self.shared.confirmed.notify_waiters();
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port").finish_non_exhaustive()
    }
}
