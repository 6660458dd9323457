//! The state that the connections and requests of one server share.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::net::SocketAddr;
use std::sync::Arc;

use eio_core::handshake::Transport;
use tokio::sync::Notify;

use crate::carrier::gate::Gate;
use crate::server::callbacks::ServerCallbacks;
use crate::server::config::HttpConfig;
use crate::server::events;
use crate::server::observer::{Observer, RefusedRequest};
use crate::server::session_config::SessionConfig;
use crate::server::sessions::Sessions;
use crate::web::respond::Refusal;

/// The state that the connections and requests of one server share.
pub(crate) struct ServerShared {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) http: HttpConfig,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) gate: Arc<Gate>,
    /// The number of connections of [`Server::serve`](crate::Server::serve) that carry HTTP.
    connections: AtomicUsize,
    /// Signalled when the last of them ends.
    disconnected: Notify,
}

impl ServerShared {
    pub(crate) fn new(sessions: SessionConfig, callbacks: ServerCallbacks, http: HttpConfig) -> Self {
        Self {
            observer: callbacks.observer.clone(),
            sessions: Arc::new(Sessions::new(sessions, Box::new(callbacks))),
            gate: Gate::new(http.max_connections, http.max_connections_per_address),
            http,
            connections: AtomicUsize::new(0),
            disconnected: Notify::new(),
        }
    }

    /// Counts a connection for as long as it carries HTTP.
    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        self.connections.fetch_add(1, Ordering::SeqCst);
        Connected(Arc::clone(self))
    }

    /// Returns the number of connections that carry HTTP.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until all sessions, applications and connections have ended. The connections have then delivered the answers
    /// that ended the last sessions.
    pub(crate) async fn quiet(&self) {
        loop {
            self.sessions.applications_ended().await;
            let disconnected = self.disconnected.notified();
            tokio::pin!(disconnected);
            // Registered before the check, so that an end in between is not missed.
            disconnected.as_mut().enable();
            if self.connections() > 0 {
                disconnected.await;
            } else if self.sessions.has_finished() {
                return;
            }
        }
    }

    /// Reports to the observer, the log and the metrics that a request was refused.
    pub(crate) fn refused(&self, refusal: &Refusal, transport: Transport, peer: Option<SocketAddr>) {
        let refused = RefusedRequest {
            transport,
            peer,
            status: refusal.status(transport),
            code: refusal.code(),
            message: refusal.message(),
        };
        events::tell_refused(&refused, self.observer.as_deref());
    }
}

/// One connection that carries HTTP.
pub(crate) struct Connected(Arc<ServerShared>);

impl Drop for Connected {
    fn drop(&mut self) {
        if self.0.connections.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.disconnected.notify_waiters();
        }
    }
}
