//! Building a server, running it, and its handle.

mod accept;
pub(crate) mod config;
mod connection;
pub(crate) mod http_settings;
pub(crate) mod hub;
pub(crate) mod listener;
pub(crate) mod polling;
pub(crate) mod service;
pub(crate) mod shutdown;
mod surplus;

use core::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::request::Parts;
use ::http::{Request, Response};
use eio_core::settings::{ServerSettings, SettingsError};
use eio_core::{Heartbeat, Liveness, Revision};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::http::cors::Cors;
use crate::http::limits::HandshakeLimiter;
use crate::http::origins::AllowedOrigins;
use crate::server::config::{Config, HttpConfig};
use crate::server::hub::Hub;
use crate::server::listener::Listener;
use crate::server::polling::separator;
use crate::server::service::EngineService;
use crate::server::shutdown::CutOff;
use crate::session::broadcast::{Broadcast, PreparedMessage};
use crate::session::mailbox::Limits;
use crate::session::observer::Observer;
use crate::session::socket::{Disconnect, Sender, Socket};
use crate::session::state::Outgoing;
use crate::wire::message::Message;

/// The shortest idle time that can be announced.
const MIN_IDLE: Duration = Duration::from_secs(1);

/// The settings of a [`Server`]. Each setter documents its default.
pub struct ServerBuilder {
    config: Config,
    /// What was asked for and is not in the configuration, because it cannot be.
    unfit: Option<SettingsError>,
    allowed_origins: Option<AllowedOrigins>,
    handshakes: Option<(u32, Duration)>,
}

/// Errors from [`ServerBuilder::build`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The path does not begin with a slash.
    #[error("the path {0:?} does not begin with a slash")]
    Path(String),
    /// The path cannot occur in a request.
    #[error("the path {0:?} cannot occur in a request: expected only a path, encoded as requests encode it")]
    ImpossiblePath(String),
    /// Neither polling nor WebSocket is enabled.
    #[error("no transport is enabled: expected polling, websocket or both")]
    NoTransport,
    /// A setting of the core is outside its bounds.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// The initial packet is text that polling in revision 4 cannot carry: see
    /// [`SendErrorKind::Separator`](crate::SendErrorKind::Separator).
    #[error("the initial packet has U+001E at byte {at}, which separates packets on polling: send bytes")]
    InitialPacket {
        /// The position of U+001E in the text, in bytes.
        at: usize,
    },
    /// A limit is zero, which would refuse everything.
    #[error("{0} is zero: expected at least 1")]
    Zero(&'static str),
    /// The idle time is too short to announce.
    #[error("idle_timeout is {} ms: expected at least 1000", .0.as_millis())]
    IdleTimeout(Duration),
    /// The limit on a request's head is smaller than hyper's buffer.
    #[error("max_request_head is {0} bytes: expected at least 8192")]
    RequestHead(usize),
    /// Credentials are allowed for [any](crate::Cors::any) origin, which no browser accepts.
    #[error("cors: Cors::any() cannot be combined with credentials: list the origins")]
    CredentialsForAnyOrigin,
    /// [`Cors::origins`](crate::Cors::origins) has an empty list, which allows nobody.
    #[error("cors: the list of origins is empty, expected at least one, or no cors at all")]
    CorsForNobody,
}

impl ServerBuilder {
    /// Sets the periods of the heartbeat. Default: a ping every 25 s, answered within 20 s.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.config.settings = self.config.settings.with_heartbeat(heartbeat);
        self
    }

    /// Sets all settings of the core at once, for example from a configuration file (feature `serde`): heartbeat,
    /// liveness, payload limits and timeouts. Setters that you call later change single settings.
    ///
    /// ```
    /// use eio_core::settings::ServerSettings;
    /// use eio_tokio::Server;
    ///
    /// let settings = ServerSettings::DEFAULT.with_max_payload(65_536)?;
    /// let server = Server::builder(|_socket| async {}).settings(settings).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn settings(mut self, settings: ServerSettings) -> Self {
        self.config.settings = settings;
        self.unfit = None;
        self
    }

    /// Brings the first ping of every session forward by a random time of up to `jitter`. Clients that connect
    /// together, for example after a restart, are then not always pinged together. The first ping never comes later
    /// than one interval. Default: zero.
    #[must_use]
    pub fn first_ping_jitter(mut self, jitter: Duration) -> Self {
        self.config.first_ping_jitter = jitter;
        self
    }

    /// Sets which packets count as a sign of life. Default: [`Liveness::ExtendOnce`].
    #[must_use]
    pub fn liveness(mut self, liveness: Liveness) -> Self {
        self.config.settings = self.config.settings.with_liveness(liveness);
        self
    }

    /// Sets the path at which the server answers. The server also answers at this path without the slash at its end
    /// (clients have an option for that, `addTrailingSlash`), and at every path below it. Default: `/engine.io/`.
    /// Socket.IO clients use `/socket.io/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.config.path = path.into();
        if !self.config.path.ends_with('/') {
            self.config.path.push('/');
        }
        self
    }

    /// Sets which transports may open a session. Default: both.
    #[must_use]
    pub fn transports(mut self, polling: bool, websocket: bool) -> Self {
        self.config.polling = polling;
        self.config.websocket = websocket;
        self
    }

    /// Sets whether a session may upgrade from polling to WebSocket. If not, the server refuses requests to upgrade.
    /// Default: yes.
    #[must_use]
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.config.allow_upgrades = allow;
        self
    }

    /// Sets whether the server also serves clients of revision 3 (Socket.IO 1 and 2). Default: no.
    #[must_use]
    pub fn eio3(mut self, allow: bool) -> Self {
        self.config.eio3 = allow;
        self
    }

    /// Sets the size of the largest request body, and of the largest WebSocket message, in bytes. Default: 1,000,000.
    #[must_use]
    pub fn max_payload(self, bytes: u32) -> Self {
        self.set(|settings| settings.with_max_payload(bytes))
    }

    /// Sets how long an upgrade may take. Default: 10 s.
    #[must_use]
    pub fn upgrade_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.with_upgrade_timeout(timeout))
    }

    /// Sets how long a closing session may take to deliver the messages that were sent before. Default: 30 s.
    #[must_use]
    pub fn close_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.with_close_timeout(timeout))
    }

    /// Sets how long an application may leave its inbox full before its session ends as stalled. Default: the session's
    /// ping interval plus its ping timeout.
    #[must_use]
    pub fn app_stall_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.with_app_stall_timeout(timeout))
    }

    /// Sets how long a request's head, its body, and `allow_request` may each take. A body that takes longer ends its
    /// session with status 408. [`serve`](Server::serve) also keeps a connection that has never sent a request for this
    /// long, and a connection that does not take its answer for twice this long. Default: 30 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self
    }

    /// Sets how long [`serve`](Server::serve) keeps a connection between two requests. At least 1 s. Default: 75 s,
    /// which is longer than load balancers keep their own end.
    ///
    /// Answers on HTTP/1 announce the time in whole seconds, as `Keep-Alive: timeout=75`. The server keeps the
    /// connection 2 s longer than that, for a request that is on its way. If a session uses polling, the server keeps
    /// its connections, and announces so, for at least ping interval plus ping timeout. They stay open as long as the
    /// session needs them: a request with a heartbeat never meets a connection that is about to close. HTTP/2
    /// connections are kept for the same time, and announce their end when it comes (RFC 9113 section 6.8).
    ///
    /// A connection whose next request has begun gets the [request timeout](Self::request_timeout) to finish it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use eio_tokio::Server;
    ///
    /// let server = Server::builder(|_socket| async {}).idle_timeout(Duration::from_secs(620)).build()?;
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.config.idle_timeout = timeout;
        self
    }

    /// Sets how many sessions may be open at once. Further ones get status 503 with `Retry-After: 5`. Default:
    /// 1,000,000.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.config.max_sessions = sessions;
        self
    }

    /// Sets how many connections of [`serve`](Server::serve) may be open at once, WebSockets included. Further ones
    /// wait until a connection ends. While connections wait, the server closes a connection after 1 s, instead of the
    /// [request timeout](Self::request_timeout), if it has not sent the head of a request. Answers that belong to no
    /// session then announce 1 s instead of the [idle timeout](Self::idle_timeout). What an earlier answer announced
    /// still holds. At least 1. Default: as many as the process has descriptors for, with the same short times once it
    /// runs out of them.
    ///
    /// Leave some of the process's descriptors to the rest of the application. A session on polling sometimes has two
    /// connections.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = Some(connections);
        self
    }

    /// Sets how many connections of [`serve`](Server::serve) one address may have open at once, WebSockets included. An
    /// IPv6 network of 64 bits counts as one address. The server closes further ones as they come, without an answer.
    /// At least 1. Default: no limit.
    ///
    /// The address is that of the connection itself. Connections from [trusted proxies](Self::trusted_proxies), and
    /// those without an address, have no limit. A browser opens up to six connections for polling, and many people may
    /// share one address.
    ///
    /// ```
    /// use eio_tokio::Server;
    ///
    /// let server = Server::builder(|_socket| async {})
    ///     .max_connections(10_000)
    ///     .max_connections_per_address(100)
    ///     .build()?;
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.config.max_connections_per_address = Some(connections);
        self
    }

    /// Sets how many received messages, and how many bytes of them, wait for the application before the server stops
    /// reading. Default: 256 messages, 1 MiB. The message or request that reaches the limit is still accepted.
    #[must_use]
    pub fn inbox(mut self, messages: usize, bytes: usize) -> Self {
        self.config.limits.inbox_messages = messages;
        self.config.limits.inbox_bytes = bytes;
        self
    }

    /// Sets how many sent messages, and how many bytes of them, wait for a transport before `send` waits and `try_send`
    /// refuses. Default: 256 messages, 1 MiB. The message that reaches the limit is still accepted.
    #[must_use]
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.config.limits.outbox_messages = messages;
        self.config.limits.outbox_bytes = bytes;
        self
    }

    /// Sets how many packets the answer to a poll carries at most. The others follow in the next answer, at once and in
    /// order; a close packet comes after all of them. At least 1. Default: 16, which is the most that python-engineio's
    /// client accepts: it ends the session at an answer with more.
    ///
    /// [`max_payload`](Self::max_payload) limits the data from clients in bytes. [`ServerSettings::max_packets`], which is a
    /// thousand times as many, protects against payloads that consist of empty packets only.
    ///
    /// ```
    /// use eio_tokio::Server;
    ///
    /// // No client of this server minds.
    /// let server = Server::builder(|_socket| async {}).max_packets_per_payload(usize::MAX).build()?;
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn max_packets_per_payload(mut self, packets: usize) -> Self {
        self.config.max_packets_per_payload = packets;
        self
    }

    /// Sets a message that every session receives directly after its handshake. Default: no message.
    ///
    /// [`build`](Self::build) refuses text with U+001E unless polling is off, because polling in revision 4 cannot
    /// carry it.
    #[must_use]
    pub fn initial_packet(mut self, message: impl Into<Message>) -> Self {
        self.config.initial_packet = Some(message.into());
        self
    }

    /// Sets a function that allows or refuses every new session. An error refuses the session and carries the message
    /// for the client. As in the reference, the answer is status 403 with the message as a part of the protocol's JSON
    /// on polling, and status 400 with the message as the body on WebSocket. (Browsers show a page neither status nor
    /// body of a refused WebSocket.) If the function takes longer than a [request may take](Self::request_timeout), the
    /// server refuses the session with status 503 and `Retry-After: 5`. Default: all sessions are allowed.
    #[must_use]
    pub fn allow_request<F, R>(mut self, allow: F) -> Self
    where
        F: Fn(&Parts) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.config.allow_request = Some(Arc::new(move |parts| Box::pin(allow(parts))));
        self
    }

    /// Sets a function that chooses a session's own periods from its opening request. `None` selects the server's
    /// periods.
    #[must_use]
    pub fn heartbeat_for<F>(mut self, choose: F) -> Self
    where
        F: Fn(&Parts) -> Option<Heartbeat> + Send + Sync + 'static,
    {
        self.config.choose_heartbeat = Some(Arc::new(choose));
        self
    }

    /// Runs `clean_up` once for every session, after everything else: after the session has ended, and after its
    /// application has returned, has panicked, or was cut off by [`shutdown`](Server::shutdown). Put the work that must
    /// happen at the end of every session here, because a panic skips the end of the application. Default: nothing
    /// runs.
    ///
    /// The future runs in the session's own task, and `shutdown` waits for it. It does not run if the runtime is
    /// dropped before, or after a panic under `panic = "abort"`.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use std::sync::{Arc, Mutex};
    ///
    /// use eio_tokio::{Server, SessionId, Socket};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// let online: Arc<Mutex<HashMap<SessionId, String>>> = Arc::default();
    /// let (arriving, leaving) = (Arc::clone(&online), Arc::clone(&online));
    /// let server = Server::builder(move |mut socket: Socket| {
    ///     arriving.lock().unwrap().insert(socket.id(), "somebody".to_owned());
    ///     async move {
    ///         while let Ok(message) = socket.recv().await {
    ///             let number: u32 = message.as_text().unwrap().parse().unwrap(); // a panic, for "seven"
    ///             println!("{number}");
    ///         }
    ///     }
    /// })
    /// .on_disconnect(move |session, end| {
    ///     let leaving = Arc::clone(&leaving);
    ///     async move {
    ///         leaving.lock().unwrap().remove(&session.id());
    ///         println!("{end}"); // forced close: this side's application panicked ..
    ///     }
    /// })
    /// .build()?;
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("ws://{}", listener.local_addr()?);
    /// # let serving = tokio::spawn({ let server = server.clone(); async move { server.serve(listener).await } });
    /// # let mut socket = eio_tokio::Client::builder(url).build()?.connect().await?;
    /// # assert_eq!(online.lock().unwrap().len(), 1);
    /// # socket.send("seven").await?;
    /// # while socket.recv().await.is_ok() {}
    /// # server.shutdown(std::time::Duration::from_secs(5)).await;
    /// # serving.await??;
    /// # assert!(online.lock().unwrap().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_disconnect<F, R>(mut self, clean_up: F) -> Self
    where
        F: Fn(Sender, Disconnect) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.config.on_disconnect = Some(Arc::new(move |session, end| Box::pin(clean_up(session, end))));
        self
    }

    /// Sets an observer of every session. Default: no observer.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.config.observer = Some(Arc::new(observer));
        self
    }

    /// Changes a setting of the core, which knows its bounds. The first one outside of them is what `build` says.
    fn set(mut self, change: impl FnOnce(ServerSettings) -> Result<ServerSettings, SettingsError>) -> Self {
        match change(self.config.settings) {
            Ok(settings) => self.config.settings = settings,
            Err(error) => self.unfit = self.unfit.or(Some(error)),
        }
        self
    }

    /// Checks the settings and returns the server.
    ///
    /// # Errors
    /// Returns a [`BuildError`] that names the invalid setting.
    pub fn build(self) -> Result<Server, BuildError> {
        let mut config = self.config;
        if !config.path.starts_with('/') {
            return Err(BuildError::Path(config.path));
        }
        if !stands_in_requests(&config.path) {
            return Err(BuildError::ImpossiblePath(config.path));
        }
        let http = &mut config.http;
        if http.cors.as_ref().is_some_and(Cors::is_contradictory) {
            return Err(BuildError::CredentialsForAnyOrigin);
        }
        if http.cors.as_ref().is_some_and(Cors::is_empty) {
            return Err(BuildError::CorsForNobody);
        }
        if http.max_head < connection::MIN_HEAD {
            return Err(BuildError::RequestHead(http.max_head));
        }
        let from_cors = || http.cors.as_ref().map(Cors::allowed_origins);
        http.allowed_origins = self.allowed_origins.or_else(from_cors).unwrap_or(AllowedOrigins::Any);
        if !config.polling && !config.websocket {
            return Err(BuildError::NoTransport);
        }
        let initial = config.initial_packet.as_ref().filter(|_| config.polling);
        if let Some(at) = initial.and_then(|message| separator(Revision::V4, message)) {
            return Err(BuildError::InitialPacket { at });
        }
        if let Some(error) = self.unfit {
            return Err(error.into());
        }
        if config.idle_timeout < MIN_IDLE {
            return Err(BuildError::IdleTimeout(config.idle_timeout));
        }
        let limits = [
            ("max_sessions", config.max_sessions as u64),
            ("max_connections", config.max_connections.map_or(1, |limit| limit as u64)),
            (
                "max_connections_per_address",
                config.max_connections_per_address.map_or(1, |limit| limit as u64),
            ),
            ("inbox messages", config.limits.inbox_messages as u64),
            ("inbox bytes", config.limits.inbox_bytes as u64),
            ("outbox messages", config.limits.outbox_messages as u64),
            ("outbox bytes", config.limits.outbox_bytes as u64),
            ("max_packets_per_payload", config.max_packets_per_payload as u64),
            ("the number of headers of max_request_head", config.http.max_headers as u64),
            ("handshakes_per_address", self.handshakes.map_or(1, |(count, _)| count.into())),
            ("the period of handshakes_per_address", self.handshakes.map_or(1, |(_, period)| micros(period))),
        ];
        if let Some((name, _)) = limits.into_iter().find(|(_, limit)| *limit == 0) {
            return Err(BuildError::Zero(name));
        }
        config.http.handshakes = self.handshakes.map(|(count, period)| HandshakeLimiter::new(count, period));
        Ok(Server { hub: Arc::new(Hub::new(config)) })
    }
}

impl core::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ServerBuilder").finish_non_exhaustive()
    }
}

/// A server, which accepts connections and counts, finds and closes sessions. Cloning returns another handle to the
/// same server.
#[derive(Clone)]
pub struct Server {
    hub: Arc<Hub>,
}

impl Server {
    /// Returns the builder of a server that gives every session to `application`. It runs in the session's own task.
    ///
    /// If the application panics, its session closes with
    /// [`DisconnectReason::ApplicationPanicked`](eio_core::DisconnectReason::ApplicationPanicked). Messages that were
    /// sent before are still delivered, and the log reports the panic. Other sessions are not affected. The same
    /// applies to every callback of the server; a request that waits for the callback gets status 500 as its answer.
    /// Under `panic = "abort"` the process ends instead.
    /// 500. Under `panic = "abort"` the process ends instead.
    pub fn builder<F, R>(application: F) -> ServerBuilder
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        ServerBuilder {
            config: Config {
                path: "/engine.io/".to_owned(),
                settings: ServerSettings::DEFAULT,
                first_ping_jitter: Duration::ZERO,
                request_timeout: Duration::from_secs(30),
                idle_timeout: Duration::from_secs(75),
                max_sessions: 1_000_000,
                max_connections: None,
                max_connections_per_address: None,
                limits: Limits::DEFAULT,
                max_packets_per_payload: 16,
                polling: true,
                websocket: true,
                allow_upgrades: true,
                eio3: false,
                initial_packet: None,
                allow_request: None,
                choose_heartbeat: None,
                observer: None,
                on_disconnect: None,
                http: HttpConfig::default(),
                application: Box::new(move |socket| Box::pin(application(socket))),
            },
            unfit: None,
            allowed_origins: None,
            handshakes: None,
        }
    }

    /// Returns the service to mount into a router.
    #[must_use]
    pub fn service(&self) -> EngineService {
        EngineService::new(Arc::clone(&self.hub))
    }

    /// Serves every connection that `listener` accepts, until the server is shut down and its last session has ended.
    /// It still accepts connections while it shuts down, because polling clients fetch their remaining messages on new
    /// connections. Then it waits for the applications, as [`shutdown`](Self::shutdown) does.
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
    /// second. A warning and [`Observer::cannot_accept`] report this once, and its end is reported in the same way.
    /// Meanwhile, connections that have not sent a request get one second to do so.
    ///
    /// # Errors
    /// Returns no error at present.
    pub async fn serve(&self, listener: impl Listener) -> std::io::Result<()> {
        self.serve_with(listener, self.service()).await
    }

    /// Serves connections as [`serve`](Self::serve) does, with a service that also answers other requests and passes
    /// those of sessions to [`service`](Self::service). The service is usually a router. The server drops a connection
    /// if the service produces no part of an answer, or the client takes none, for longer than twice the [request
    /// timeout](ServerBuilder::request_timeout). An endless answer must therefore send something from time to time.
    ///
    /// # Errors
    /// The same as for [`serve`](Self::serve).
    pub async fn serve_with<L, S, B>(&self, listener: L, service: S) -> std::io::Result<()>
    where
        L: Listener,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: http_body::Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        accept::serve(Arc::clone(&self.hub), listener, service).await;
        self.hub.finished().await;
        Ok(())
    }

    /// Serves the requests of one connection, such as a TLS connection, until it ends or becomes a WebSocket. All
    /// limits of [`serve`](Self::serve) apply. `peer` is the address of the other end, if it has one.
    pub async fn serve_connection<I>(&self, io: I, peer: Option<SocketAddr>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        connection::serve(Arc::clone(&self.hub), io, peer, self.service(), None).await;
    }

    /// Returns the number of open sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hub.len()
    }

    /// Returns whether no session is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the session with this sid.
    #[must_use]
    pub fn get(&self, sid: &str) -> Option<Sender> {
        self.hub.find(sid).map(|state| Sender { state })
    }

    /// Returns all sessions that are open now, in no particular order.
    #[must_use]
    pub fn sessions(&self) -> Vec<Sender> {
        self.hub.all().into_iter().map(|state| Sender { state }).collect()
    }

    /// Sends one message to every session and encodes it once. Returns how many sessions get it, and how many do not,
    /// by reason.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), eio_tokio::BuildError> {
    /// use eio_tokio::{Broadcast, Server};
    ///
    /// let server = Server::builder(|_socket| async {}).build()?;
    /// let Broadcast { sent, full, .. } = server.broadcast("news");
    /// assert_eq!((sent, full), (0, 0)); // nobody is there
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast(&self, message: impl Into<Message>) -> Broadcast {
        let prepared = Arc::new(PreparedMessage::new(message.into()));
        let mut broadcast = Broadcast::default();
        for state in self.hub.all() {
            broadcast.count(state.try_send(Outgoing::Prepared(Arc::clone(&prepared))));
        }
        broadcast
    }

    /// Shuts the server down. It refuses new sessions and closes every open one. Then it waits until all sessions have
    /// delivered the messages that were sent before, their applications have ended, and the connections of
    /// [`serve`](Self::serve) have delivered their answers.
    ///
    /// Keep driving the future of [`serve`](Self::serve) meanwhile: it accepts the connections on which polling clients
    /// fetch their remaining messages, and ends by itself. If something else serves, such as a router's own server, it
    /// must accept connections until this method returns.
    ///
    /// Takes at most `limit`, which is divided as follows:
    ///
    /// | after | |
    /// |---|---|
    /// | one second, at most half of it | ends each session on polling that has only its close packet left to send and no request to carry it: a living client would have polled again |
    /// | half of it | ends the remaining sessions, with their unsent messages; their applications see the end |
    /// | three quarters | drops the remaining applications, and runs [`on_disconnect`] for them |
    /// | all of it | drops the remaining connections, and stops waiting |
    ///
    /// Returns the numbers of sessions, applications and connections that it cut off. If you drop the future, the
    /// server goes on closing, without a limit of its own. A second call waits for the same end, and the limit that
    /// comes first applies.
    ///
    /// [`on_disconnect`]: ServerBuilder::on_disconnect
    pub async fn shutdown(&self, limit: Duration) -> CutOff {
        shutdown::run(&self.hub, limit).await
    }
}

impl core::fmt::Debug for Server {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server").field("sessions", &self.len()).finish_non_exhaustive()
    }
}

fn micros(period: Duration) -> u64 {
    u64::try_from(period.as_micros()).unwrap_or(u64::MAX)
}

/// Whether a request's path can be this one: no query, no fragment, nothing that has to be escaped.
fn stands_in_requests(path: &str) -> bool {
    path.is_ascii()
        && !path.contains(['?', '#'])
        && path.parse::<::http::uri::PathAndQuery>().is_ok_and(|parsed| parsed == path)
}
