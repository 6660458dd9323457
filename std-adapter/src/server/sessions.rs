//! The sessions of one server, and the state that they share with its connections and requests.

use core::pin::Pin;
use core::sync::atomic::Ordering;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use eio_core::handshake::Transport;
use eio_core::{DisconnectReason, Heartbeat, Instant, Revision, ServerSession};
use http::Extensions;

use crate::carrier::gate::Gate;
use crate::server::config::HttpConfig;
use crate::server::ended::{End, Ended};
use crate::server::first_ping::first_ping;
use crate::server::incident::Incident;
use crate::server::registry::Registry;
use crate::server::session_config::SessionConfig;
use crate::server::session_set::Identified;
use crate::server::slots::Slots;
use crate::session::departing::Awaited;
use crate::session::end::Disconnect;
use crate::session::engine::Engine;
use crate::session::happening::Happening;
use crate::session::shared::Shared;
use crate::web::head::Head;
use crate::web::unknown_session::UnknownSession;
use crate::wire::clock::Clock;
use crate::wire::node::Node;
use crate::wire::session_id::SessionId;
use crate::wire::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Notify, signalled_until};

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

    /// Returns whether somebody wants to know why a request was refused.
    fn wants_refusals(&self) -> bool;

    /// Tells observer, log and metrics of an event outside of a session.
    fn tell_incident(&self, incident: &Incident<'_>);
}

impl Identified for Session {
    fn id(&self) -> &SessionId {
        &self.context.id
    }
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
    pub(crate) server: Arc<ServerShared>,
}

impl ServerContext {
    /// Returns the sessions of the server, this one among them.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.server.sessions
    }

    /// Creates a session that opens on `transport`. `heartbeat` replaces the server's periods, if it is set.
    pub(crate) fn start(self, heartbeat: Option<Heartbeat>, transport: Transport) -> Engine<ServerKind> {
        let heartbeat = heartbeat.unwrap_or(self.sessions().config.settings.heartbeat());
        let session = self.session(heartbeat, self.sessions().clock.now());
        let shared = Arc::new(Shared::new(self, session.clone(), transport, Slots::default()));
        Engine::new(shared, session, transport, ())
    }

    /// Creates the core's session, whose heartbeat counts from `now`.
    pub(crate) fn session(&self, heartbeat: Heartbeat, now: Instant) -> ServerSession {
        let config = &self.sessions().config;
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

/// The state that the sessions, connections and requests of one server share.
pub(crate) struct ServerShared {
    pub(crate) sessions: Sessions,
    pub(crate) http: HttpConfig,
    pub(crate) gate: Arc<Gate>,
    /// What others keep with the server.
    pub(crate) extensions: Mutex<Extensions>,
    /// The number of connections that a shutdown waits for: those of [`Server::serve`](crate::Server::serve) that carry HTTP,
    /// and the closing WebSockets of sessions that have ended.
    connections: AtomicUsize,
    /// How many connections were dropped, since the server began to close, whose clients had not taken an answer.
    unanswered: AtomicUsize,
    /// Signalled when the last of them ends.
    disconnected: Notify,
}

impl ServerShared {
    pub(crate) fn new(sessions: SessionConfig, callbacks: Box<dyn Callbacks>, http: HttpConfig) -> Self {
        Self {
            sessions: Sessions::new(sessions, callbacks),
            gate: Gate::new(http.max_connections, http.max_connections_per_address),
            http,
            extensions: Mutex::default(),
            connections: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
            disconnected: Notify::new(),
        }
    }

    /// Counts a connection that a shutdown waits for.
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Ordering::SeqCst);
        Connected(Arc::clone(self))
    }

    /// Lets a shutdown wait until the future is dropped. It is ready when the shutdown has stopped waiting.
    pub(crate) fn await_connection(self: &Arc<Self>) -> Awaited {
        let connected = self.connected();
        Box::pin(async move { connected.0.sessions.given_up().await })
    }

    /// Returns the number of connections that a shutdown waits for.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Notes that a connection is dropped. `is_answering` says that its client has not taken the whole of an answer.
    pub(crate) fn note_dropped(&self, is_answering: bool) {
        if is_answering && self.sessions.is_closing() {
            self.unanswered.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Returns how many connections were dropped, since the server began to close, whose clients had not taken an answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::SeqCst)
    }

    /// Waits until everything has ended, or the shutdown has stopped waiting.
    pub(crate) async fn finished(&self) {
        tokio::select! {
            () = self.quiet() => {}
            () = self.sessions.given_up() => {}
        }
    }

    /// Waits until all sessions, applications and connections have ended. The connections have then delivered the answers
    /// that ended the last sessions, and the messages before their ends.
    pub(crate) async fn quiet(&self) {
        loop {
            self.sessions.applications_ended().await;
            signalled_until(&self.disconnected, || self.connections() == 0).await;
            if self.sessions.has_finished() {
                return;
            }
        }
    }

    /// Tells the observer, the log and the metrics of an event outside of a session.
    pub(crate) fn tell(&self, incident: &Incident<'_>) {
        self.sessions.callbacks.tell_incident(incident);
    }
}

/// One connection that a shutdown waits for.
pub(crate) struct Connected(Arc<ServerShared>);

impl Drop for Connected {
    fn drop(&mut self) {
        if self.0.connections.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.disconnected.notify_waiters();
        }
    }
}

/// The sessions' settings, their clock, and the registry in which requests find them.
pub(crate) struct Sessions {
    pub(crate) config: SessionConfig,
    pub(crate) callbacks: Box<dyn Callbacks>,
    pub(crate) clock: Clock,
    /// Signalled when the server begins to close, when its last session ends, and when its last application ends.
    emptied: Notify,
    /// Signalled when the shutdown stops waiting. Many connections wait for it, which a signal of its own does not wake
    /// before.
    stopped_waiting: Notify,
    closing: AtomicBool,
    /// Whether applications that are still running are dropped.
    cutting: AtomicBool,
    /// Whether the shutdown has stopped waiting.
    given_up: AtomicBool,
    registry: Mutex<Registry<Session>>,
    /// Signalled when a group comes into being or vanishes, if anybody watches the groups.
    pub(crate) groups_changed: Notify,
    ended: Mutex<Ended>,
}

impl Sessions {
    fn new(config: SessionConfig, callbacks: Box<dyn Callbacks>) -> Self {
        Self {
            ended: Mutex::new(Ended::new(config.remember_ended)),
            config,
            callbacks,
            clock: Clock::start(),
            emptied: Notify::new(),
            stopped_waiting: Notify::new(),
            closing: AtomicBool::new(false),
            cutting: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            registry: Mutex::default(),
            groups_changed: Notify::new(),
        }
    }

    /// Locks the registry. Nothing of the application runs while it is locked.
    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry<Session>> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<Arc<Session>> {
        self.registry().open().get(id).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.registry().open().len()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.registry().open().iter().cloned().collect()
    }

    /// Returns whether one more session may open.
    pub(crate) fn has_room(&self) -> bool {
        self.has_room_beside(self.len())
    }

    fn has_room_beside(&self, sessions: usize) -> bool {
        sessions < self.config.max_sessions && !self.is_closing()
    }

    /// Registers a session. Returns `false` if the server is full or closing.
    pub(crate) fn register(&self, session: &Arc<Session>) -> bool {
        let mut registry = self.registry();
        let has_room = self.has_room_beside(registry.open().len());
        if has_room {
            registry.insert(Arc::clone(session));
        }
        has_room
    }

    pub(crate) fn begin_close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.emptied.notify_waiters();
    }

    /// Waits until the server begins to shut down.
    pub(crate) async fn closing(&self) {
        signalled_until(&self.emptied, || self.is_closing()).await;
    }

    /// Waits until the server shuts down and has no session left.
    pub(crate) async fn drained(&self) {
        signalled_until(&self.emptied, || self.is_closing() && self.len() == 0).await;
    }

    /// Waits until the sessions' applications have ended as well.
    pub(crate) async fn applications_ended(&self) {
        signalled_until(&self.emptied, || self.has_finished()).await;
    }

    /// Returns whether every session and every application has ended.
    pub(crate) fn has_finished(&self) -> bool {
        let registry = self.registry();
        registry.open().is_empty() && registry.ending().is_empty()
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
        self.stopped_waiting.notify_waiters();
    }

    /// Waits until the shutdown has stopped waiting.
    pub(crate) async fn given_up(&self) {
        signalled_until(&self.stopped_waiting, || self.given_up.load(Ordering::SeqCst)).await;
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Removes a session that has ended, so that requests do not find it, and remembers how it ended. Its application may
    /// still be running.
    pub(crate) fn session_ended(&self, id: SessionId, reason: DisconnectReason) {
        // A request that no longer finds the session finds its end.
        self.ended().remember(id, End { reason, at: self.clock.now() });
        self.change_groups(|registry| registry.session_ended(id));
    }

    /// Changes the groups of sessions, and tells those who watch groups.
    pub(crate) fn change_groups<T>(&self, change: impl FnOnce(&mut Registry<Session>) -> T) -> T {
        let mut registry = self.registry();
        let changed = change(&mut registry);
        let has_news = registry.groups().has_news();
        drop(registry);
        if has_news {
            self.groups_changed.notify_waiters();
        }
        changed
    }

    /// Returns why there is no session with this identifier.
    pub(crate) fn unknown(&self, id: SessionId) -> UnknownSession {
        let node = self.config.node;
        if id.among_nodes(node).node() != node.as_ref().map(Node::as_str) {
            return UnknownSession::OfAnotherNode;
        }
        let end = self.ended().get(id);
        end.map_or(UnknownSession::NoTrace, |end| UnknownSession::Ended {
            reason: end.reason,
            ago: self.clock.now().saturating_duration_since(end.at),
        })
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
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
        let session = registry.application_ended(id);
        let emptied = registry.ending().is_empty();
        drop(registry);
        drop(session);
        if emptied && self.is_closing() {
            self.emptied.notify_waiters();
        }
    }

    /// Returns the sessions that have ended and whose applications are still running.
    pub(crate) fn ending(&self) -> Vec<Arc<Session>> {
        self.registry().ending().iter().cloned().collect()
    }
}
