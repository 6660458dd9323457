//! The server: what it listens on, how requests reach sessions, and its handle.

mod accept;
mod admission;
mod application;
pub(crate) mod audience;
#[cfg(feature = "axum")]
pub mod axum;
pub(crate) mod broadcast;
pub(crate) mod builder;
mod callbacks;
mod candidate;
mod config;
mod connection;
pub(crate) mod decision;
mod ended;
mod ending;
mod events;
mod extension;
mod first_ping;
pub(crate) mod group_changes;
mod groups;
pub(crate) mod incident;
mod kind;
pub(crate) mod layer;
pub(crate) mod listener;
mod membership;
pub(crate) mod observer;
mod polling;
mod protocols;
mod refusals;
mod registered;
mod registry;
mod requests;
pub(crate) mod service;
mod session;
mod session_config;
mod session_set;
mod sessions;
pub(crate) mod shutdown;
mod slots;
pub(crate) mod socket;
mod surplus;
#[cfg(feature = "tls")]
pub(crate) mod tls;
mod upgrade;
mod websocket;

use core::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use eio_core::Heartbeat;
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::server::connection::{Answers, Routed};
use crate::server::listener::Listener;
use crate::server::service::EngineService;
use crate::server::sessions::ServerShared;
use crate::server::shutdown::CutOff;
use crate::server::socket::{Sender, Socket};
use crate::web::timed_body::TimedBody;
use crate::wire::node::Node;
use crate::wire::session_id::SessionId;

/// A server, which accepts connections and counts, finds and closes sessions. Cloning returns another handle to the
/// same server.
#[derive(Clone)]
pub struct Server {
    shared: Arc<ServerShared>,
}

impl Server {
    fn new(shared: ServerShared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Returns the service to mount into a router.
    #[must_use]
    pub fn service(&self) -> EngineService {
        EngineService::new(Arc::clone(&self.shared))
    }

    /// Serves every connection that `listener` accepts, until the server is shut down and its last session has ended.
    /// It still accepts connections while it shuts down, because polling clients fetch their remaining messages on new
    /// connections. Then it waits for the applications and connections, as [`shutdown`](Self::shutdown) does and no longer
    /// than that.
    ///
    /// The owner of a listener on a Unix socket binds it and cleans it up: the permissions of the socket's file decide
    /// who may connect, and the file remains when the listener is dropped. Clients have no address there. For the
    /// clients of a reverse proxy, see
    /// [`TrustedProxies::and_without_address`](crate::TrustedProxies::and_without_address).
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use eio_tokio::{Client, Server};
    /// use tokio::net::UnixListener;
    ///
    /// let directory = std::env::temp_dir().join(format!("eio-{}", std::process::id()));
    /// std::fs::create_dir_all(&directory)?;
    /// let path = directory.join("engine.sock");
    ///
    /// let server = Server::builder(|_socket| async {}).build()?;
    /// let listener = UnixListener::bind(&path)?;
    /// tokio::spawn(async move { server.serve(listener).await });
    ///
    /// let client = Client::builder("http://localhost").unix_socket(&path).build()?;
    /// println!("{:?}", client.connect().await?.handshake());
    /// std::fs::remove_dir_all(&directory)?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    ///
    /// If accepting fails, most likely because the process is out of descriptors, the server tries again ten times a
    /// second. A warning and [`Observer::cannot_accept`](crate::Observer::cannot_accept) report this once, and its end is reported in the same way.
    /// Meanwhile, connections that have not sent a request get one second to do so.
    ///
    /// # Errors
    /// Returns no error at present.
    pub async fn serve(&self, listener: impl Listener) -> std::io::Result<()> {
        self.serve_by(listener, self.service()).await
    }

    /// Serves connections as [`serve`](Self::serve) does, with a service that also answers other requests and passes
    /// those of sessions to [`service`](Self::service). The service is usually a router.
    ///
    /// All limits of [`serve`](Self::serve) apply. For the other requests, the [request
    /// timeout](crate::ServerBuilder::request_timeout) has these meanings:
    ///
    /// - While the service reads a body, each piece must come within the request timeout. Otherwise, reading fails with
    ///   [`TimedBodyError::Late`](crate::TimedBodyError::Late), which axum's extractors answer with status 400.
    /// - The server drops a connection if an answer that has begun produces no further part, or the client has not taken the
    ///   whole of a part, for longer than twice the request timeout. An endless answer must therefore send something from time
    ///   to time.
    ///
    /// The server does not limit how long the service takes until it answers, or how long a whole body takes. A layer such
    /// as `TimeoutLayer` of tower-http does. A service that never answers keeps its connection until the client closes it.
    ///
    /// # Errors
    /// The same as for [`serve`](Self::serve).
    pub async fn serve_with<L, S, B>(&self, listener: L, service: S) -> std::io::Result<()>
    where
        L: Listener,
        S: Service<Request<TimedBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: http_body::Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let request_timeout = self.shared.http.request_timeout;
        self.serve_by(listener, Routed { service, request_timeout }).await
    }

    async fn serve_by(&self, listener: impl Listener, service: impl Answers) -> std::io::Result<()> {
        accept::serve(Arc::clone(&self.shared), listener, service).await;
        self.shared.finished().await;
        Ok(())
    }

    /// Serves the requests of one connection, such as a TLS connection, until it ends or becomes a WebSocket. `peer` is the
    /// address of the other end, if it has one.
    ///
    /// All limits of [`serve`](Self::serve) apply, and connections of both count together. A connection above
    /// [`max_connections`](crate::ServerBuilder::max_connections) does not wait, because it has been accepted already: it is
    /// dropped unanswered, as one above
    /// [`max_connections_per_address`](crate::ServerBuilder::max_connections_per_address) is.
    pub async fn serve_connection<I>(&self, io: I, peer: Option<SocketAddr>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Some(permit) = accept::admit(&self.shared, peer) {
            connection::serve(Arc::clone(&self.shared), io, peer, self.service(), permit).await;
        }
    }

    /// Returns the number of open sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.sessions.len()
    }

    /// Returns whether no session is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the session with this sid.
    #[must_use]
    pub fn get(&self, sid: &str) -> Option<Sender> {
        self.shared.sessions.find(SessionId::parse(sid)?).map(Sender::new)
    }

    /// Answers the poll that waits in the session with this sid, even if there is nothing to say; its client then sends the next
    /// one at once. Does nothing if no poll waits.
    ///
    /// A proxy that is about to go away calls this for the polls that it passes on, because a poll that is cut off ends its
    /// session.
    pub fn release_poll(&self, sid: &str) {
        if let Some(session) = SessionId::parse(sid).and_then(|id| self.shared.sessions.find(id)) {
            session.release_poll();
        }
    }

    /// Returns the [name of this node](crate::ServerBuilder::node), with which the identifiers of its sessions begin.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.shared.sessions.config.node.as_ref().map(Node::as_str)
    }

    /// Returns the periods of the sessions for which the [admission](crate::Admission::heartbeat) chooses no others.
    #[must_use]
    pub fn heartbeat(&self) -> Heartbeat {
        self.shared.sessions.config.settings.heartbeat()
    }

    /// Returns all sessions that are open now, in no particular order.
    #[must_use]
    pub fn sessions(&self) -> Vec<Sender> {
        self.shared.sessions.all().into_iter().map(Sender::new).collect()
    }

    /// Shuts the server down. It refuses new sessions and closes every open one. Then it waits until all sessions have
    /// delivered the messages that were sent before, their applications have ended, their clients have closed their
    /// WebSockets, and the connections of [`serve`](Self::serve) have delivered their answers.
    ///
    /// A client closes its WebSocket when it has read everything. If the process ended before, the kernel would discard what
    /// is still under way.
    ///
    /// Keep driving the future of [`serve`](Self::serve) meanwhile: it accepts the connections on which polling clients
    /// fetch their remaining messages, and ends by itself. If something else serves, such as a router's own server, it
    /// must accept connections until this method returns.
    ///
    /// Takes at most `limit`, which is divided as follows:
    ///
    /// | after | |
    /// |---|---|
    /// | one second, at most half of it | ends each session on polling that has only its close packet left to send and no request to carry it, and whose last poll is answered completely: a living client would have polled again |
    /// | half of it | ends the remaining sessions, with their unsent messages; their applications see the end |
    /// | three quarters | drops the remaining applications, and runs [`on_disconnect`] for them |
    /// | all of it | drops the remaining connections, and stops waiting |
    ///
    /// A client on polling may take its last answer as slowly as any other. An answer is complete when the kernel has taken all
    /// of it, or another server that this one is mounted in. Once all sessions have ended, it must take some of
    /// it every five seconds: otherwise the server drops its connection before the limit.
    ///
    /// Returns the numbers of sessions, applications and connections that it cut off. If you drop the future, the
    /// server goes on closing, without a limit of its own. A second call waits for the same end, and the limit that
    /// comes first applies.
    ///
    /// An application that waits here for its own server is among those that the method waits for, so it is dropped
    /// after three quarters of `limit`. Spawn a task instead: `tokio::spawn(async move { server.shutdown(limit).await })`.
    ///
    /// [`on_disconnect`]: crate::ServerBuilder::on_disconnect
    pub async fn shutdown(&self, limit: Duration) -> CutOff {
        shutdown::run(&self.shared, limit).await
    }
}

impl Socket {
    /// Returns the server of this session. The handle works as long as it exists, even if it is the last one that the
    /// application has.
    ///
    /// ```
    /// use eio_tokio::Socket;
    ///
    /// async fn chat(mut socket: Socket) {
    ///     let server = socket.server();
    ///     while let Ok(message) = socket.recv().await {
    ///         server.broadcast(message);
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn server(&self) -> Server {
        self.as_sender().server()
    }
}

impl Sender {
    /// Returns the server of this session, as [`Socket::server`] does.
    #[must_use]
    pub fn server(&self) -> Server {
        Server { shared: Arc::clone(&self.shared().context.server) }
    }
}

impl core::fmt::Debug for Server {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server").field("sessions", &self.len()).finish_non_exhaustive()
    }
}
