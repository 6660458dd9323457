//! The registry of one server's sessions, and the state that they share.

use core::borrow::Borrow;
use core::hash::{Hash, Hasher};
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eio_core::handshake::Transport;
use eio_core::{Heartbeat, Instant, Revision, ServerSession};
use http::Extensions;
use tokio::sync::Notify;

use crate::server::session_config::SessionConfig;
use crate::server::slots::Slots;
use crate::session::end::Disconnect;
use crate::session::engine::{Engine, Happening};
use crate::session::shared::Shared;
use crate::web::head::Head;
use crate::wire::clock::Clock;
use crate::wire::session_id::SessionId;

/// One session of a server, as its task, application, handles and requests share it.
pub(crate) type Session = Shared<ServerKind>;

/// Code of the application that a session's task polls.
pub(crate) type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The application of a server, and what it wants to be told.
pub(crate) trait Callbacks: Send + Sync {
    /// Starts the application of a session. `head` is the head of the opening request.
    fn start(&self, session: &Arc<Session>, head: Box<Head>) -> Running;

    /// Starts what runs after a session has ended, and its application with it.
    fn clean_up(&self, session: &Arc<Session>, end: Disconnect) -> Option<Running>;

    /// Returns whether there is an observer, or a log that may show messages and heartbeats.
    fn is_watching(&self) -> bool;

    /// Tells observer, log and metrics. Returns `false` if one of them panicked.
    fn tell(&self, session: &Arc<Session>, happening: Happening<'_>) -> bool;
}

/// The sessions of a server.
pub(crate) struct ServerKind;

/// The values that do not change while the session lives.
pub(crate) struct ServerContext {
    pub(crate) id: SessionId,
    pub(crate) revision: Revision,
    /// Whether this client receives binary messages as base64 (`b64=1`).
    pub(crate) base64_only: bool,
    pub(crate) peer: Option<SocketAddr>,
    /// What the application has given the session when it admitted it.
    pub(crate) extensions: Extensions,
    pub(crate) sessions: Arc<Sessions>,
}

impl ServerContext {
    /// Creates a session that opens on `transport`. `heartbeat` replaces the server's periods, if it is set.
    pub(crate) fn start(self, heartbeat: Option<Heartbeat>, transport: Transport) -> Engine<ServerKind> {
        let heartbeat = heartbeat.unwrap_or(self.sessions.config.settings.heartbeat());
        let session = self.session(heartbeat, self.sessions.clock.now());
        let shared = Arc::new(Shared::new(self, session.clone(), transport, Slots::default()));
        Engine::new(shared, session, transport, ())
    }

    /// Creates the core's session, whose heartbeat counts from `now`.
    pub(crate) fn session(&self, heartbeat: Heartbeat, now: Instant) -> ServerSession {
        let config = &self.sessions.config;
        match self.revision {
            Revision::V3 => ServerSession::eio3(heartbeat, config.settings.liveness(), now),
            Revision::V4 => {
                let session = ServerSession::eio4(heartbeat, config.settings.liveness(), now);
                match first_ping(heartbeat, config.first_ping_jitter) {
                    Some(delay) => session.with_first_ping_after(delay),
                    None => session,
                }
            }
        }
    }
}

/// Returns when the first ping is due, up to `jitter` before the end of the first interval. Returns `None` without jitter.
fn first_ping(heartbeat: Heartbeat, jitter: Duration) -> Option<Duration> {
    let random = if jitter.is_zero() { return None } else { getrandom::u32().ok()? };
    let earlier = jitter.mul_f64(f64::from(random) / f64::from(u32::MAX));
    Some(heartbeat.ping_interval().saturating_sub(earlier))
}

/// The sessions' settings, their clock, and the registry in which requests find them.
pub(crate) struct Sessions {
    pub(crate) config: SessionConfig,
    pub(crate) callbacks: Box<dyn Callbacks>,
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
    pub(crate) fn new(config: SessionConfig, callbacks: Box<dyn Callbacks>) -> Self {
        Self {
            config,
            callbacks,
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

    pub(crate) fn find(&self, id: SessionId) -> Option<Arc<Session>> {
        self.registry().open.get(&id).map(|found| Arc::clone(&found.0))
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
    pub(crate) fn register(&self, engine: Engine<ServerKind>) -> Option<Registered> {
        let mut registry = self.registry();
        if !self.has_room_beside(registry.open.len()) {
            return None;
        }
        let session = Arc::clone(&engine.shared);
        registry.open.insert(ById(Arc::clone(&session)));
        Some(Registered { session, engine: Some(engine) })
    }

    pub(crate) fn begin_close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.emptied.notify_waiters();
    }

    /// Waits until the server begins to shut down.
    pub(crate) async fn closing(&self) {
        self.emptied_until(|| self.is_closing()).await;
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
    engine: Option<Engine<ServerKind>>,
}

impl Registered {
    /// Hands the session over to its task.
    pub(crate) fn hand_over(mut self) -> Option<Engine<ServerKind>> {
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
        if let Some(end) = engine.show_state(now) {
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
