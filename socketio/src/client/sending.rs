//! What the application sends.

use tokio::sync::oneshot;

use crate::args::RawArgs;
use crate::client::namespace::{Answer, Key, Phase};
use crate::client::outbox::Outgoing;
use crate::client::shared::{Shared, State};
use crate::errors::EmitError;
use crate::packet::{Body, Packet};

/// The reason why an event was not taken.
pub(super) enum NotPosted {
    /// There may be room later.
    Yet(EmitError),
    Ever(EmitError),
}

impl From<NotPosted> for EmitError {
    fn from(not_posted: NotPosted) -> Self {
        match not_posted {
            NotPosted::Yet(error) | NotPosted::Ever(error) => error,
        }
    }
}

impl Shared {
    /// Writes an event.
    pub(super) fn event(
        &self,
        key: &Key,
        name: &str,
        args: RawArgs,
        id: Option<u64>,
    ) -> Result<Outgoing, EmitError> {
        let packet =
            Packet { namespace: key.name.clone(), body: Body::Event { name: name.into(), args, id } };
        Ok(Outgoing::event(key.number, id, self.settings.parser.encode(&packet)?))
    }

    /// Takes an event for the connection, or to be kept while the client is away. Leaves it in `packet` if there is no
    /// room.
    pub(super) fn post(&self, key: &Key, packet: &mut Option<Outgoing>) -> Result<(), NotPosted> {
        self.post_in(&mut self.lock(), key, packet)
    }

    fn post_in(&self, state: &mut State, key: &Key, packet: &mut Option<Outgoing>) -> Result<(), NotPosted> {
        let has_room = state.outbox.is_empty();
        let Some(namespace) = state.get(key) else { return Err(NotPosted::Ever(EmitError::Disconnected)) };
        match (&namespace.phase, self.settings.away) {
            (Phase::Out(_), _) => return Err(NotPosted::Ever(EmitError::Disconnected)),
            (Phase::Connected, _) if has_room => {
                if let Some(packet) = packet.take() {
                    state.transmit(packet).map_err(NotPosted::Ever)?;
                }
            }
            (Phase::Connected, _) => return Err(NotPosted::Yet(EmitError::Full)),
            (_, None) => return Err(NotPosted::Yet(EmitError::Disconnected)),
            (_, Some(limit)) if namespace.away.is_full(limit) => return Err(NotPosted::Yet(EmitError::Full)),
            (_, Some(_)) => {
                if let Some(packet) = packet.take() {
                    namespace.away.push(packet);
                }
            }
        }
        Ok(())
    }

    /// Takes an event that wants an answer, and returns its number and the answer to come.
    pub(super) fn ask(
        &self,
        key: &Key,
        name: &str,
        args: RawArgs,
    ) -> Result<(u64, oneshot::Receiver<Answer>), NotPosted> {
        let never = NotPosted::Ever;
        let id = self.lock().next_ack();
        let mut packet = Some(self.event(key, name, args, Some(id)).map_err(never)?);
        let mut state = self.lock();
        // The answer may be on its way as soon as the event is taken.
        let answer = state.get(key).ok_or(never(EmitError::Disconnected))?.acks.insert(id);
        let posted = self.post_in(&mut state, key, &mut packet);
        if posted.is_err()
            && let Some(namespace) = state.get(key)
        {
            namespace.acks.forget(id);
        }
        posted.map(|()| (id, answer))
    }

    /// Takes an event that wants an answer as soon as there is room for it.
    pub(super) async fn ask_when_room(
        &self,
        key: &Key,
        name: &str,
        args: RawArgs,
    ) -> Result<(u64, oneshot::Receiver<Answer>), EmitError> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match self.ask(key, name, args.clone()) {
                Ok(asked) => return Ok(asked),
                Err(NotPosted::Yet(_)) => changed.await,
                Err(NotPosted::Ever(error)) => return Err(error),
            }
        }
    }

    /// Takes an event as soon as there is room for it.
    pub(super) async fn post_when_room(&self, key: &Key, packet: Outgoing) -> Result<(), EmitError> {
        let mut packet = Some(packet);
        self.until(|state| match self.post_in(state, key, &mut packet) {
            Ok(()) => Some(Ok(())),
            Err(NotPosted::Yet(_)) => None,
            Err(NotPosted::Ever(error)) => Some(Err(error)),
        })
        .await
    }

    /// Sends an event if the transport takes it at once. Returns whether it did.
    pub(super) fn post_volatile(&self, key: &Key, packet: Outgoing) -> bool {
        let mut state = self.lock();
        let is_connected =
            state.get(key).is_some_and(|namespace| matches!(namespace.phase, Phase::Connected));
        match &state.session {
            Some(session) if is_connected && state.outbox.is_empty() => packet.send_volatile(&session.sender),
            _ => false,
        }
    }

    /// Answers an event that arrived when the namespace had been disconnected `ends` times.
    pub(super) fn answer(&self, key: &Key, ends: u64, id: u64, args: RawArgs) -> Result<(), EmitError> {
        let packet = Packet { namespace: key.name.clone(), body: Body::Ack { id, args } };
        let packet = Outgoing::control(self.settings.parser.encode(&packet)?);
        let mut state = self.lock();
        let asks_still = state
            .get(key)
            .is_some_and(|namespace| matches!(namespace.phase, Phase::Connected) && namespace.ends == ends);
        if asks_still && state.session.is_some() {
            state.transmit(packet)
        } else {
            Err(EmitError::Disconnected)
        }
    }
}
