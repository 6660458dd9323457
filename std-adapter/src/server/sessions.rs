//! The registry of one server's sessions, and the state that they share.

use core::borrow::Borrow;
use core::hash::{Hash, Hasher};
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::server::events;
use crate::server::session::{ServerContext, ServerSide, Session};
use crate::server::session_config::SessionConfig;
use crate::session::engine::Engine;
use crate::wire::clock::Clock;
use crate::wire::session_id::SessionId;

/// The sessions' settings, their clock, and the registry in which requests find them.
pub(crate) struct Sessions {
    pub(crate) config: SessionConfig,
    pub(crate) clock: Clock,
    /// Signalled when the server begins to close, when its last session ends, and when its last application ends.
    emptied: Notify,
    closing: AtomicBool,
    /// Whether applications that are still running are dropped.
    cutting: AtomicBool,
    /// Whether the shutdown has stopped waiting.
    given_up: AtomicBool,
    registry: Mutex<Registry>,
}

/// The sessions that have not ended, or whose applications have not.
#[derive(Default)]
struct Registry {
    open: HashSet<ById>,
    /// The sessions that have ended and whose applications have not.
    ending: HashSet<ById>,
}

impl Sessions {
    pub(crate) fn new(config: SessionConfig) -> Self {
        Self {
            config,
            clock: Clock::start(),
            emptied: Notify::new(),
            closing: AtomicBool::new(false),
            cutting: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            registry: Mutex::default(),
        }
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Session>> {
        self.registry().open.get(&SessionId::parse(id)?).map(|found| Arc::clone(&found.0))
    }

    pub(crate) fn len(&self) -> usize {
        self.registry().open.len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.registry().open.iter().map(|session| Arc::clone(&session.0)).collect()
    }

    /// Returns whether one more session may open.
    pub(crate) fn has_room(&self) -> bool {
        self.has_room_beside(self.len())
    }

    fn has_room_beside(&self, sessions: usize) -> bool {
        sessions < self.config.max_sessions && !self.is_closing()
    }

    /// Registers a session. Returns `None` if the server is full or closing.
    pub(crate) fn register(&self, engine: Engine<ServerSide>) -> Option<Registered> {
        let mut registry = self.registry();
        if !self.has_room_beside(registry.open.len()) {
            return None;
        }
        let session = Arc::clone(&engine.shared);
        registry.open.insert(ById(Arc::clone(&session)));
        Some(Registered { session, engine: Some(engine) })
    }

    /// Returns whether messages and heartbeats are reported to anybody.
    pub(crate) fn is_watched(&self) -> bool {
        events::is_anybody_listening(self.config.observer.as_ref())
    }

    pub(crate) fn begin_close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.emptied.notify_waiters();
    }

    /// Waits until the server shuts down and has no session left.
    pub(crate) async fn drained(&self) {
        self.emptied_until(|| self.is_closing() && self.len() == 0).await;
    }

    /// Waits until the sessions' applications have ended as well, or the shutdown has stopped waiting.
    pub(crate) async fn finished(&self) {
        self.emptied_until(|| self.given_up.load(Ordering::SeqCst) || self.has_finished()).await;
    }

    /// Waits until the sessions' applications have ended as well.
    pub(crate) async fn applications_ended(&self) {
        self.emptied_until(|| self.has_finished()).await;
    }

    /// Returns whether every session and every application has ended.
    pub(crate) fn has_finished(&self) -> bool {
        let registry = self.registry();
        registry.open.is_empty() && registry.ending.is_empty()
    }

    /// Drops the applications that are still running.
    pub(crate) fn cut_applications(&self) {
        self.cutting.store(true, Ordering::SeqCst);
        for session in self.ending() {
            session.lock().mail.wake_task();
        }
    }

    pub(crate) fn cuts_applications(&self) -> bool {
        self.cutting.load(Ordering::SeqCst)
    }

    /// Drops the connections, and stops waiting.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
        self.emptied.notify_waiters();
    }

    /// Waits until the shutdown has stopped waiting.
    pub(crate) async fn given_up(&self) {
        self.emptied_until(|| self.given_up.load(Ordering::SeqCst)).await;
    }

    async fn emptied_until(&self, is_so: impl Fn() -> bool) {
        loop {
            // Registered before the check, so that an end in between is not missed.
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

    /// Removes a session that has ended, so that requests do not find it. Its application may still be running.
    pub(crate) fn session_ended(&self, id: SessionId) {
        let mut registry = self.registry();
        if let Some(session) = registry.open.take(&id) {
            registry.ending.insert(session);
        }
        shrink(&mut registry.open);
    }

    /// Wakes the callers that wait for the end of the last session, after the end of a session has become visible.
    pub(crate) fn wake_if_emptied(&self) {
        if self.is_closing() && self.len() == 0 {
            self.emptied.notify_waiters();
        }
    }

    /// Removes a session that has ended together with its application.
    pub(crate) fn application_ended(&self, id: SessionId) {
        let mut registry = self.registry();
        let session = registry.ending.take(&id);
        shrink(&mut registry.ending);
        let emptied = registry.ending.is_empty();
        drop(registry);
        drop(session);
        if emptied && self.is_closing() {
            self.emptied.notify_waiters();
        }
    }

    /// Returns the sessions that have ended and whose applications are still running.
    pub(crate) fn ending(&self) -> Vec<Arc<Session>> {
        self.registry().ending.iter().map(|session| Arc::clone(&session.0)).collect()
    }
}

/// Frees memory of the registry after a wave of sessions.
#[expect(clippy::mutable_key_type, reason = "a session's identifier never changes")]
fn shrink(sessions: &mut HashSet<ById>) {
    if sessions.len() < sessions.capacity() / 8 {
        let room = sessions.len() * 2;
        sessions.shrink_to(room);
    }
}

/// A registered session whose task has not been spawned yet. If it is dropped, the session is removed as if it had never
/// existed.
pub(crate) struct Registered {
    session: Arc<Session>,
    engine: Option<Engine<ServerSide>>,
}

impl Registered {
    /// Hands the session over to its task.
    pub(crate) fn hand_over(mut self) -> Option<Engine<ServerSide>> {
        self.engine.take()
    }
}

impl core::ops::Deref for Registered {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let Some(mut engine) = self.engine.take() else { return };
        let now = engine.now();
        engine.session.handle_transport_error(now);
        if let Some(end) = engine.take_end() {
            // Its opening was not reported to observers.
            let ServerContext { id, sessions, .. } = &self.session.context;
            sessions.session_ended(*id);
            engine.show_end(end);
            sessions.wake_if_emptied();
            sessions.application_ended(*id);
        }
    }
}

/// A session, found by its identifier.
struct ById(Arc<Session>);

impl Borrow<SessionId> for ById {
    fn borrow(&self) -> &SessionId {
        &self.0.context.id
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.context.id.hash(hasher);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.context.id == other.0.context.id
    }
}

impl Eq for ById {}
