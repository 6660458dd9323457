//! Leaving namespaces.

use bytestring::ByteString;
use tokio::time::timeout;

use crate::client::disconnect::{Disconnect, DisconnectReason};
use crate::client::inbox::Item;
use crate::client::manager::CLOSING_TIME;
use crate::client::namespace::{Key, Out, Phase};
use crate::client::outbox::Outgoing;
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
    pub(super) async fn leave_in_order(&self, key: &Key) {
        let mut mark = None;
        let leaves = OnDrop(|| mark = self.leave(key));
        self.answered(Some(key)).await;
        drop(leaves);
        if let Some(mark) = mark {
            self.passed(mark).await;
        }
    }

    /// Waits until the events of a namespace, or of all, have been answered or given up, or for too long.
    async fn answered(&self, of: Option<&Key>) {
        let unanswered = self.lock().unanswered(of);
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
        let namespace = state.namespaces.remove(&key.name)?;
        if namespace.inbox.is_full() {
            state.note_room();
        }
        match namespace.phase {
            Phase::Connected => self.take_leave(&mut state, &key.name),
            // An old server joins every client to `/`, and a request to leave would come too early.
            Phase::Connecting { .. } => {
                if let Some(session) = &mut state.session {
                    session.leaving.insert(key.name.clone());
                }
            }
            Phase::Waiting | Phase::Asking | Phase::Out(_) => {}
        }
        state.note_change();
        state.wake_task();
        let mark = state.mark();
        drop(state);
        let events = namespace.parcels.unheard();
        if events > 0 {
            tracing::warn!(target: targets::CLIENT, namespace = %key.name, events, "events were given up with their namespace");
        }
        namespace.parcels.added.notify_one();
        mark
    }

    /// Tells the server that the client leaves a namespace.
    pub(super) fn take_leave(&self, state: &mut State, name: &ByteString) {
        let Some(session) = &mut state.session else { return };
        session.note_left(name);
        let packet = Packet { namespace: name.clone(), body: Body::Disconnect };
        let encoded = self.settings.parser.encode(&packet).map_err(EmitError::from);
        if let Err(error) = encoded.and_then(|encoded| state.transmit(Outgoing::control(encoded))) {
            tracing::error!(target: targets::CLIENT, namespace = %name, %error, "the server is not told of the leave");
        }
    }

    /// Leaves all namespaces, which stay out, once the events that they send until they are answered have been answered or
    /// given up. Waits until the connection has closed, or somebody joins again.
    pub(super) async fn close(&self) {
        let leaves = OnDrop(|| self.leave_all());
        self.answered(None).await;
        drop(leaves);
        self.until(|state| (state.runtime.is_none() || state.is_wanted()).then_some(())).await;
    }

    fn leave_all(&self) {
        let mut state = self.lock();
        let names: Vec<ByteString> = state.namespaces.keys().cloned().collect();
        for name in names {
            let Some(namespace) = state.namespaces.get_mut(&name) else { continue };
            if namespace.is_out() {
                continue;
            }
            let (phase, was_joining) = (namespace.phase.clone(), namespace.is_joining);
            let end = Disconnect::new(DisconnectReason::ClientDisconnect);
            namespace.put_out(Out::Disconnected(end.clone()));
            if matches!(phase, Phase::Connected) {
                self.take_leave(&mut state, &name);
            }
            self.tell(&mut state, &name, (!was_joining).then_some(Item::Disconnected(end)));
        }
        if let Some(session) = &mut state.session {
            session.leaving.clear();
        }
        state.wake_task();
    }
}
