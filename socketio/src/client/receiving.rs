//! What the server sends.

use std::sync::Arc;

use bytestring::ByteString;

use crate::args::RawArgs;
use crate::client::disconnect::{Disconnect, DisconnectReason};
use crate::client::error::JoinError;
use crate::client::inbox::Item;
use crate::client::namespace::{Namespace, Out, Phase};
use crate::client::refused::Refused;
use crate::client::shared::{Shared, State};
use crate::packet::{Body, Packet};
use crate::targets;

/// The server's consent: the id of the socket, and what recovers it.
#[derive(serde::Deserialize)]
struct Consent {
    sid: String,
    pid: Option<String>,
}

impl Shared {
    /// Handles a packet of the open session.
    pub(super) fn receive(self: &Arc<Self>, packet: Packet) {
        let mut state = self.lock();
        let name = packet.namespace;
        match packet.body {
            Body::Connect(args) => self.receive_consent(&mut state, &name, &args),
            Body::ConnectError(args) => self.receive_refusal(&mut state, &name, &args),
            Body::Disconnect => self.receive_disconnect(&mut state, &name),
            Body::Event { name: event, args, id } => self.receive_event(&mut state, &name, event, args, id),
            Body::Ack { id, args } => {
                let waiting = state.namespaces.get_mut(&name).and_then(|namespace| namespace.acks.take(id));
                drop(state);
                if let Some(waiting) = waiting {
                    // Nobody may wait any more.
                    let _ = waiting.send(Ok(args));
                }
            }
        }
    }

    fn receive_consent(self: &Arc<Self>, state: &mut State, name: &ByteString, args: &RawArgs) {
        let is_root = self.settings.is_old && name == "/";
        let Some(session) = &mut state.session else { return };
        session.has_root |= is_root;
        session.is_in_root |= is_root;
        if let Some(farewell) = session.leaving.remove(name) {
            state.take_leave(name, farewell);
            self.start(state, name);
        } else if let Some(namespace) = state.namespaces.get(name)
            && matches!(namespace.phase, Phase::Connecting { .. })
        {
            match args.first::<Consent>() {
                _ if self.settings.is_old => self.let_in(state, name, None),
                Ok(Consent { sid, pid }) => self.let_in(state, name, Some((sid.into(), pid.map(Into::into)))),
                Err(_) => self.refuse(state, name, JoinError::OldServer),
            }
        }
        if is_root {
            self.start_all(state);
        }
    }

    fn receive_refusal(self: &Arc<Self>, state: &mut State, name: &ByteString, args: &RawArgs) {
        let refused = Refused::read(args);
        let is_root = self.settings.is_old && name == "/";
        let Some(session) = &mut state.session else { return };
        session.has_root |= is_root;
        let was_leaving = session.leaving.remove(name).is_some();
        let phase = state.namespaces.get(name).map(|namespace| namespace.phase.clone());
        match phase {
            _ if was_leaving => self.start(state, name),
            Some(Phase::Connected) if self.settings.is_old => {
                let bytes = refused.byte_len();
                self.tell(state, name, Some(Item::Error { refused, bytes }));
            }
            Some(Phase::Connected | Phase::Connecting { .. }) => {
                self.refuse(state, name, JoinError::Refused(refused));
            }
            _ => {}
        }
        if is_root {
            self.start_all(state);
        }
    }

    fn receive_disconnect(&self, state: &mut State, name: &ByteString) {
        let (Some(session), Some(namespace)) = (&mut state.session, state.namespaces.get_mut(name)) else {
            return;
        };
        if !matches!(namespace.phase, Phase::Connected) {
            return;
        }
        if self.settings.is_old && name == "/" {
            // The server joins a client to it only once.
            session.note_left(name);
        }
        let end = Disconnect::new(DisconnectReason::ServerDisconnect);
        let given_up = namespace.put_out(Out::Disconnected(end.clone()));
        let (logged, reason) = (name.clone(), end.as_str());
        state.later(
            move || tracing::debug!(target: targets::CLIENT, namespace = %logged, reason, "disconnected"),
        );
        state.give_up(name, given_up);
        self.tell(state, name, Some(Item::Disconnected(end)));
        state.wake_task();
    }

    /// Delivers an event. Those that a server sends before its consent, because the client has missed them, are events
    /// like others.
    fn receive_event(
        &self,
        state: &mut State,
        name: &ByteString,
        event: ByteString,
        args: RawArgs,
        id: Option<u64>,
    ) {
        let Some(namespace) = state.namespaces.get_mut(name) else { return };
        if !matches!(namespace.phase, Phase::Connected | Phase::Connecting { .. }) {
            return;
        }
        if id.is_none() {
            namespace.recovery.note(&args);
        }
        let ends = namespace.ends;
        self.deliver(state, name, Item::Event { name: event, args, id, ends });
    }

    /// Begins to join all namespaces that wait, in the order in which the application has named them.
    pub(super) fn start_all(self: &Arc<Self>, state: &mut State) {
        let is_waiting = |namespace: &&Namespace| matches!(namespace.phase, Phase::Waiting);
        let waiting = state.namespaces.values().filter(is_waiting);
        let mut names: Vec<_> =
            waiting.map(|namespace| (namespace.number, namespace.target.name.clone())).collect();
        names.sort_unstable_by_key(|(number, _)| *number);
        for (_, name) in names {
            self.start(state, &name);
        }
    }
}
