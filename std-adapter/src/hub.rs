//! What all sessions of one server share.

use core::borrow::Borrow;
use core::hash::{Hash, Hasher};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eio_core::upgrade::UpgradeOutcome;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::Config;
use crate::message::Message;
use crate::metrics;
use crate::observer::RefusedRequest;
use crate::respond::Refusal;
use crate::session_id::SessionId;
use crate::socket::{Disconnect, Sender, Transport};
use crate::state::State;

/// Settings, clock and the registry of sessions.
pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    /// Signalled when a server begins to close, when its last session ends, and when its last connection does.
    emptied: Notify,
    /// How many connections of [`Server::serve`](crate::Server::serve) speak HTTP.
    connections: AtomicUsize,
    closing: AtomicBool,
    sessions: Mutex<HashSet<ById>>,
}

impl Hub {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            clock: Clock::start(),
            emptied: Notify::new(),
            connections: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            sessions: Mutex::new(HashSet::new()),
        }
    }

    fn sessions(&self) -> MutexGuard<'_, HashSet<ById>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<State>> {
        self.sessions().get(&SessionId::parse(id)?).map(|found| Arc::clone(&found.0))
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions().len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<State>> {
        self.sessions().iter().map(|session| Arc::clone(&session.0)).collect()
    }

    /// Whether one more session may open.
    pub(crate) fn has_room(&self) -> bool {
        self.has_room_beside(self.len())
    }

    fn has_room_beside(&self, sessions: usize) -> bool {
        sessions < self.config.max_sessions && !self.is_closing()
    }

    /// `false` when the server is full or closing.
    pub(crate) fn insert(&self, state: &Arc<State>) -> bool {
        let mut sessions = self.sessions();
        if !self.has_room_beside(sessions.len()) {
            return false;
        }
        sessions.insert(ById(Arc::clone(state)));
        drop(sessions);
        let transport = state.lock().transport;
        tracing::debug!(sid = %state.id.short(), peer = ?state.peer, transport = transport.as_str(), "session opened");
        metrics::session_opened(transport);
        if let Some(observer) = &self.config.observer {
            observer.opened(&Sender { state: Arc::clone(state) });
        }
        true
    }

    /// A connection speaks HTTP for as long as the guard lives.
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Ordering::SeqCst);
        Connected(Arc::clone(self))
    }

    pub(crate) fn begin_close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.emptied.notify_waiters();
    }

    /// Ready once the server is told to shut down and has no session left.
    pub(crate) async fn drained(&self) {
        self.emptied_until(|| self.is_closing() && self.len() == 0).await;
    }

    /// Ready once the connections have ended too, and with them the answers that ended the last sessions.
    pub(crate) async fn quiet(&self) {
        self.emptied_until(|| self.len() == 0 && self.connections.load(Ordering::SeqCst) == 0).await;
    }

    async fn emptied_until(&self, is_so: impl Fn() -> bool) {
        loop {
            // Registered before the look, so that an end in between is not missed.
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if is_so() {
                return;
            }
            emptied.await;
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// A request was refused.
    pub(crate) fn refused(&self, refusal: &Refusal, transport: Transport, peer: Option<SocketAddr>) {
        let refused = RefusedRequest {
            transport,
            peer,
            status: refusal.status(transport),
            code: refusal.code(),
            message: refusal.message(),
        };
        tracing::debug!(
            transport = transport.as_str(),
            ?peer,
            status = refused.status.as_u16(),
            code = refused.code,
            message = refused.message,
            "request refused"
        );
        metrics::refused(refused.code, transport);
        if let Some(observer) = &self.config.observer {
            observer.refused(&refused);
        }
    }

    pub(crate) fn session_ended(&self, state: &State, end: &Disconnect) {
        let mut sessions = self.sessions();
        sessions.remove(&state.id);
        if sessions.len() < sessions.capacity() / 8 {
            // After a wave of sessions its memory goes back.
            let room = sessions.len() * 2;
            sessions.shrink_to(room);
        }
        if sessions.is_empty() && self.is_closing() {
            self.emptied.notify_waiters();
        }
        drop(sessions);
        tracing::debug!(
            sid = %state.id.short(),
            reason = end.reason.as_str(),
            detail = %end.reason,
            close_code = end.close_frame.as_ref().map(|frame| frame.code().as_u16()),
            close_reason = end.close_frame.as_ref().map(|frame| tracing::field::debug(frame.reason())),
            silent_ms = end.silent_for.as_millis(),
            transport = end.transport.as_str(),
            "session ended"
        );
        metrics::session_ended(end);
        if let Some(observer) = &self.config.observer {
            observer.closed(state.id, end);
        }
    }

    pub(crate) fn upgrade_ended(&self, state: &State, outcome: UpgradeOutcome) {
        tracing::debug!(sid = %state.id.short(), ?outcome, "upgrade ended");
        metrics::upgrade_ended(outcome);
        if let Some(observer) = &self.config.observer {
            observer.upgrade(state.id, outcome);
        }
    }

    pub(crate) fn message_received(&self, state: &State, message: &Message) {
        tracing::trace!(sid = %state.id.short(), bytes = message.len(), "message");
        metrics::message_received(message.len());
        if let Some(observer) = &self.config.observer {
            observer.message(state.id, message);
        }
    }

    pub(crate) fn pinged(&self, state: &State) {
        tracing::trace!(sid = %state.id.short(), "ping");
        metrics::ping_sent();
        if let Some(observer) = &self.config.observer {
            observer.ping(state.id);
        }
    }

    pub(crate) fn heartbeat(&self, state: &State, rtt: Option<Duration>) {
        tracing::trace!(sid = %state.id.short(), ?rtt, "heartbeat");
        metrics::heartbeat_received(rtt);
        if let Some(observer) = &self.config.observer {
            observer.heartbeat(state.id, rtt);
        }
    }
}

/// One connection that speaks HTTP.
pub(crate) struct Connected(Arc<Hub>);

impl Drop for Connected {
    fn drop(&mut self) {
        if self.0.connections.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}

/// A session, found by its identifier.
struct ById(Arc<State>);

impl Borrow<SessionId> for ById {
    fn borrow(&self) -> &SessionId {
        &self.0.id
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.id.hash(hasher);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}
