//! Leaving namespaces.

use std::sync::Arc;

use bytestring::ByteString;
use tokio::time::timeout;

use crate::client::disconnect::{Disconnect, DisconnectReason};
use crate::client::inbox::Item;
use crate::client::manager::CLOSING_TIME;
use crate::client::namespace::{Farewell, Key, Out, Phase};
use crate::client::outbox::Outgoing;
use crate::client::retries::Unanswered;
use crate::client::shared::{Mark, Shared, State};
use crate::errors::EmitError;
use crate::packet::{Body, Packet};
use crate::targets;

/// Calls a function when it is dropped, also with a future that nobody awaits any more.
pub(super) struct OnDrop<F: FnMut()>(pub(super) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Shared {
    /// Leaves a namespace once the events that it sends until they are answered have been answered or given up, and waits
    /// until that has been passed on.
    pub(super) async fn leave_in_order(self: &Arc<Self>, key: &Key) {
        let mut mark = None;
        let leaves = OnDrop(|| mark = self.leave(key));
        let unanswered = self.lock().unanswered(Some(key));
        if !unanswered.is_empty() {
            // The inbox, from which nobody receives any more, may have kept it from being joined.
            self.start(&mut self.lock(), &key.name);
        }
        self.answered(unanswered).await;
        drop(leaves);
        if let Some(mark) = mark {
            self.passed(mark).await;
        }
    }

    /// Waits until these events have been answered or given up, or for too long.
    async fn answered(&self, unanswered: Unanswered) {
        if !unanswered.is_empty() {
            let over = self.until(|state| unanswered.is_over(state).then_some(()));
            // Whoever leaves now loses what is still on its way.
            let _ = timeout(CLOSING_TIME, over).await;
        }
    }

    /// Leaves a namespace. Returns what tells when that has been passed on.
    pub(super) fn leave(&self, key: &Key) -> Option<Mark> {
        let mut state = self.lock();
        state.get(key)?;
        let mut namespace = state.namespaces.remove(&key.name)?;
        let mut given_up = namespace.give_up();
        given_up.events += namespace.parcels.unheard();
        state.give_up(&key.name, given_up);
        if namespace.inbox.is_full() {
            state.note_room();
        }
        state.end_phase(&key.name, &namespace.phase, namespace.farewell.clone());
        state.note_change();
        state.wake_task();
        let mark = state.mark();
        drop(state);
        namespace.parcels.added.notify_one();
        mark
    }

    /// Writes the packet that tells the server that the client leaves a namespace.
    pub(super) fn farewell(&self, name: &ByteString) -> Farewell {
        let packet = Packet { namespace: name.clone(), body: Body::Disconnect };
        self.settings.parser.encode(&packet).map(Outgoing::control)
    }

    /// Leaves all namespaces, which stay out, once the events that they send until they are answered have been answered or
    /// given up. Waits until the connection has closed, or somebody joins again.
    pub(super) async fn close(&self) {
        let leaves = OnDrop(|| self.leave_all());
        let unanswered = self.lock().unanswered(None);
        self.answered(unanswered).await;
        drop(leaves);
        self.until(|state| (state.runtime.is_none() || state.is_wanted()).then_some(())).await;
    }

    fn leave_all(&self) {
        let mut state = self.lock();
        let names: Vec<ByteString> = state.namespaces.keys().cloned().collect();
        for name in names {
            let Some(namespace) = state.namespaces.get_mut(&name) else { continue };
            if namespace.is_out() {
                let given_up = namespace.give_up();
                state.give_up(&name, given_up);
                continue;
            }
            let (phase, was_joining) = (namespace.phase.clone(), namespace.is_joining);
            let farewell = namespace.farewell.clone();
            let dropped = namespace.away.len();
            let end = Disconnect { dropped, ..Disconnect::new(DisconnectReason::ClientDisconnect) };
            let given_up = namespace.put_out(Out::Disconnected(end.clone()));
            state.give_up(&name, given_up);
            state.end_phase(&name, &phase, farewell);
            self.tell(&mut state, &name, (!was_joining).then_some(Item::Disconnected(end)));
        }
        // Those who send until they are answered give up, too.
        state.note_change();
        state.wake_task();
    }
}

impl State {
    /// Ends what the server knows of a namespace that was in this phase.
    fn end_phase(&mut self, name: &ByteString, phase: &Phase, farewell: Farewell) {
        match phase {
            Phase::Connected => self.take_leave(name, farewell),
            // An old server joins every client to `/`, and a request to leave would come too early.
            Phase::Connecting { .. } => {
                if let Some(session) = &mut self.session {
                    session.leaving.insert(name.clone(), farewell);
                }
            }
            Phase::Waiting | Phase::Asking | Phase::Out(_) => {}
        }
    }

    /// Tells the server that the client leaves a namespace.
    pub(super) fn take_leave(&mut self, name: &ByteString, farewell: Farewell) {
        let Some(session) = &mut self.session else { return };
        session.note_left(name);
        if let Err(error) = farewell.map_err(EmitError::from).and_then(|farewell| self.transmit(farewell)) {
            let name = name.clone();
            self.later(move || {
                tracing::error!(target: targets::CLIENT, namespace = %name, %error, "the server is not told of the leave");
            });
        }
    }

    /// Notes that the server's answer to a request to join, which was given up, is to be taken back.
    pub(super) fn owe_farewell(&mut self, name: &ByteString) {
        if let (Some(session), Some(namespace)) = (&mut self.session, self.namespaces.get(name)) {
            session.leaving.insert(name.clone(), namespace.farewell.clone());
        }
    }
}
