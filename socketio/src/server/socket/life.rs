//! The life of a socket, as its connection and its namespace see it.

use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use crate::acks::Acks;
use crate::args::RawArgs;
use crate::server::disconnect::{Disconnect, Reason};
use crate::server::link::Link;
use crate::server::recovery::{Before, Trail};
use crate::server::socket::{Inner, Phase, Socket, Stage, Values};
use crate::server::space::{Kept, Space};
use crate::sync::MutexGuard;

impl Socket {
    pub(crate) fn space(&self) -> &Arc<Space> {
        &self.shared.space
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.shared.link
    }

    /// Returns how far the socket is, or `None` if it has ended.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.lock().phase.stage()
    }

    /// Sets what the client says about its session before, and whether the socket is to be recovered by that.
    pub(crate) fn set_before(&self, before: Option<Before>, recovered: bool) {
        let mut inner = self.lock();
        if let Phase::Joining { before: place } = &mut inner.phase {
            *place = before.map(Box::new);
            inner.recovered = recovered;
        }
    }

    /// Returns what the client says about its session before, until the socket has joined or ended.
    pub(crate) fn before(&self) -> Option<Before> {
        match &self.lock().phase {
            Phase::Joining { before } => before.as_deref().cloned(),
            _ => None,
        }
    }

    /// Notes that the middlewares let the socket join. Returns `false` if it has ended meanwhile.
    pub(crate) fn note_joined(&self) -> bool {
        let mut inner = self.lock();
        if !matches!(inner.phase, Phase::Joining { .. }) {
            return false;
        }
        inner.phase = Phase::Joined;
        true
    }

    /// Ends the socket: nothing is sent to it any more, its answers fail, and it is in no room. Returns how far it
    /// was, or `None` if it had ended before.
    pub(crate) fn end_with(&self, reason: Reason, session: Option<eio_tokio::Disconnect>) -> Option<Stage> {
        self.end_and(reason, session, |_| {})
    }

    /// Ends the socket as [`end_with`](Self::end_with) does. `tell` tells the client, before its connection knows of the end: the
    /// client may join again from then on, and must not take this end for that of its next socket.
    pub(super) fn end_and(
        &self,
        reason: Reason,
        session: Option<eio_tokio::Disconnect>,
        tell: impl FnOnce(Stage),
    ) -> Option<Stage> {
        let mut inner = self.lock();
        let stage = inner.phase.stage()?;
        // A socket that has not joined tells nobody.
        let told = matches!(stage, Stage::Joining);
        // An event was refused to a client that is too slow, whatever ended its session then.
        let is_recoverable = reason.is_recoverable() && !self.link().is_slow();
        if !is_recoverable {
            inner.trail = None;
        }
        let (telling, being_told) = inner.trail.is_some().then(|| watch::channel(())).unzip();
        let end = Box::new(Disconnect { reason, session });
        let unanswered = core::mem::take(&mut inner.acks);
        inner.phase = Phase::Ended { end, rooms: None, told, telling };
        drop(inner);
        drop(unanswered);
        let kept =
            being_told.map(|told| Kept::new(self.id().clone(), self.auth().clone(), self.values(), told));
        let noting = Noting { socket: self, rooms: self.space().remove(self, kept) };
        self.link().server.exit(self.space());
        tell(stage);
        drop(noting);
        Some(stage)
    }

    /// Ends a socket in whose place another one joins, which tells the application what happens from now on. Returns `false`
    /// if it has ended meanwhile.
    pub(crate) fn give_way(&self) -> bool {
        let mut inner = self.lock();
        if !matches!(inner.phase, Phase::Joining { .. }) {
            return false;
        }
        let end = Disconnect { reason: Reason::ServerNamespaceDisconnect, session: None };
        inner.phase = Phase::Ended { end: Box::new(end), rooms: Some(Vec::new()), told: true, telling: None };
        true
    }

    /// Returns whether the socket has ended, the client has been told, and the rooms that it was in are known: another thread may
    /// be about to see to that, and reports the end afterwards.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.lock().phase, Phase::Ended { rooms: Some(_), .. })
    }

    /// Returns how the socket ended, once: to whoever tells the application.
    pub(crate) fn take_end(&self) -> Option<Disconnect> {
        match &mut self.lock().phase {
            Phase::Ended { end, told, .. } => {
                (!core::mem::replace(told, true)).then(|| Disconnect::clone(end))
            }
            _ => None,
        }
    }

    /// Notes that the handlers of the end have started, so that the client may come back.
    pub(crate) fn note_told(&self) {
        let telling = match &mut self.lock().phase {
            Phase::Ended { telling, .. } => telling.take(),
            _ => None,
        };
        drop(telling);
    }

    /// Forgets the rooms that the socket was in.
    pub(crate) fn forget_rooms(&self) {
        if let Phase::Ended { rooms, .. } = &mut self.lock().phase {
            *rooms = Some(Vec::new());
        }
    }

    /// Runs `code` on the answers that the socket waits for, unless it has ended.
    pub(crate) fn with_acks<T>(&self, code: impl FnOnce(&mut Acks<RawArgs>) -> T) -> Option<T> {
        let mut inner = self.lock();
        matches!(inner.phase, Phase::Joined).then(|| code(&mut inner.acks))
    }

    /// Returns what the application has stored, if anything.
    pub(crate) fn stored(&self) -> Option<Arc<Values>> {
        self.lock().values.clone()
    }

    /// Returns the place for what the application stores.
    pub(crate) fn values(&self) -> Arc<Values> {
        Arc::clone(self.lock().values.get_or_insert_default())
    }

    /// Sets the place for what the application stores: that of the socket before this one.
    pub(crate) fn set_values(&self, values: Arc<Values>) {
        self.lock().values = Some(values);
    }

    pub(crate) fn trail(&self) -> Option<Trail> {
        self.lock().trail.clone()
    }

    pub(crate) fn set_trail(&self, trail: Option<Trail>) {
        self.lock().trail = trail;
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes the rooms that a socket was in, with which its connection knows of the end: also if the application's parser panics.
struct Noting<'a> {
    socket: &'a Socket,
    rooms: Vec<Arc<str>>,
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        if let Phase::Ended { rooms, .. } = &mut self.socket.lock().phase {
            *rooms = Some(core::mem::take(&mut self.rooms));
        }
    }
}

#[cfg(test)]
mod tests {
    use eio_tokio::{Client, DisconnectReason, Transport};

    use super::*;
    use crate::{Namespace, Recovery, Server, WhenFull};

    #[tokio::test(start_paused = true)]
    async fn a_client_to_which_an_event_was_refused_is_not_waited_for_whatever_has_ended_its_session() {
        for when_full in [WhenFull::Refuse, WhenFull::Close] {
            let namespace = Namespace::<()>::new();
            let builder = Server::builder().recovery(Recovery::new()).when_full(when_full);
            let server = builder.namespace("/", namespace).build().unwrap();
            let engine = server.engine().clone();
            let client =
                Client::builder("http://server.test").path("/socket.io/").transports([Transport::WebSocket]);
            let client = client.connector(move |_, _| {
                let (ours, theirs) = tokio::io::duplex(4_096);
                let engine = engine.clone();
                tokio::spawn(async move { engine.serve_connection(theirs, None).await });
                core::future::ready(std::io::Result::Ok(ours))
            });
            let mut client = client.build().unwrap().connect().await.unwrap();
            client.send("0").await.unwrap();
            client.recv().await.unwrap();
            let socket = server.of("/").sockets().pop().unwrap();
            socket.link().note_full();
            socket.end_with(Reason::Session(DisconnectReason::PingTimeout), None);
            assert_eq!(socket.trail().is_some(), when_full == WhenFull::Refuse);
        }
    }
}
