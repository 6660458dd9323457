//! Building a server, running it, and its handle.

mod http;

use core::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::request::Parts;
use ::http::{Request, Response};
use eio_core::settings::{Settings, SettingsError};
use eio_core::{Heartbeat, Liveness};
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

use crate::accept;
use crate::broadcast::{Broadcast, PreparedMessage};
use crate::config::{Config, HttpConfig};
use crate::connection;
use crate::cors::Cors;
use crate::hub::Hub;
use crate::limits::HandshakeLimiter;
use crate::listener::Listener;
use crate::mailbox::Limits;
use crate::message::Message;
use crate::observer::Observer;
use crate::origins::AllowedOrigins;
use crate::polling::separator;
use crate::service::EngineService;
use crate::shutdown::{self, CutOff};
use crate::socket::{Disconnect, Sender, Socket};
use crate::state::{Outgoing, Revision};

/// The shortest idle time that can be announced.
const MIN_IDLE: Duration = Duration::from_secs(1);

/// Settings of a [`Server`]. Each setter says its default.
pub struct ServerBuilder {
    config: Config,
    /// What was asked for and is not in the configuration, because it cannot be.
    unfit: Option<SettingsError>,
    allowed_origins: Option<AllowedOrigins>,
    handshakes: Option<(u32, Duration)>,
}

/// Why settings are no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The path must begin with a slash.
    #[error("the path {0:?} does not begin with a slash")]
    Path(String),
    /// A path that stands in no request.
    #[error("no request has the path {0:?}: expected a path alone, in the form that it has on the wire")]
    ImpossiblePath(String),
    /// Neither polling nor WebSocket.
    #[error("no transport is enabled: expected polling, websocket or both")]
    NoTransport,
    /// A setting of the core outside its bounds.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// The initial packet is text that polling in revision 4 cannot carry: see
    /// [`SendErrorKind::Separator`](crate::SendErrorKind::Separator).
    #[error("the initial packet has U+001E at byte {at}, which separates packets on polling: send bytes")]
    InitialPacket {
        /// Where in the text.
        at: usize,
    },
    /// A limit of zero, which would refuse everything.
    #[error("{0} is zero: expected at least 1")]
    Zero(&'static str),
    /// An idle time that could not be announced.
    #[error("idle_timeout is {} ms: expected at least 1000", .0.as_millis())]
    IdleTimeout(Duration),
    /// A request head of less than hyper's buffer.
    #[error("max_request_head is {0} bytes: expected at least 8192")]
    RequestHead(usize),
    /// Credentials for [any](crate::Cors::any) origin, which no browser takes.
    #[error("cors: credentials are not allowed for any origin, expected a list of origins")]
    CredentialsForAnyOrigin,
    /// [`Cors::origins`](crate::Cors::origins) of no origin, which allows nobody.
    #[error("cors: the list of origins is empty, expected at least one, or no cors at all")]
    CorsForNobody,
}

impl ServerBuilder {
    /// The periods of the heartbeat. Default: a ping every 25 s, answered within 20 s.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.config.settings = self.config.settings.with_heartbeat(heartbeat);
        self
    }

    /// Takes all settings of the core at once, as they may come from a configuration file (feature `serde`):
    /// heartbeat, liveness, payload limits and timeouts. Setters called later change single ones.
    ///
    /// ```
    /// use eio_core::settings::Settings;
    /// use eio_tokio::Server;
    ///
    /// let settings = Settings::DEFAULT.with_max_payload(65_536)?;
    /// let server = Server::builder(|_socket| async {}).settings(settings).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.config.settings = settings;
        self.unfit = None;
        self
    }

    /// Brings the first ping of every session forward by a random time of up to `jitter`, so that clients that
    /// connect together, as after a restart, are not pinged together for ever. It never comes later than an interval.
    /// Default: zero.
    #[must_use]
    pub fn first_ping_jitter(mut self, jitter: Duration) -> Self {
        self.config.first_ping_jitter = jitter;
        self
    }

    /// Which packets count as a sign of life. Default: [`Liveness::ExtendOnce`].
    #[must_use]
    pub fn liveness(mut self, liveness: Liveness) -> Self {
        self.config.settings = self.config.settings.with_liveness(liveness);
        self
    }

    /// Where the server answers: at this path, with a slash at its end or without (clients have an option for that,
    /// `addTrailingSlash`), and at every path below it. Default: `/engine.io/`; Socket.IO clients ask at `/socket.io/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.config.path = path.into();
        if !self.config.path.ends_with('/') {
            self.config.path.push('/');
        }
        self
    }

    /// Which transports may open a session. Default: both.
    #[must_use]
    pub fn transports(mut self, polling: bool, websocket: bool) -> Self {
        self.config.polling = polling;
        self.config.websocket = websocket;
        self
    }

    /// Whether a session may move from polling to WebSocket; if not, requests to do so are refused. Default: yes.
    #[must_use]
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.config.allow_upgrades = allow;
        self
    }

    /// Whether clients of revision 3 (Socket.IO 1 and 2) are served too. Default: no.
    #[must_use]
    pub fn eio3(mut self, allow: bool) -> Self {
        self.config.eio3 = allow;
        self
    }

    /// The largest request body, and the largest WebSocket message, in bytes. Default: 1,000,000.
    #[must_use]
    pub fn max_payload(self, bytes: u32) -> Self {
        self.set(|settings| settings.with_max_payload(bytes))
    }

    /// How long an upgrade may take. Default: 10 s.
    #[must_use]
    pub fn upgrade_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.with_upgrade_timeout(timeout))
    }

    /// How long a closing session may take to deliver what was sent before. Default: 30 s.
    #[must_use]
    pub fn close_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.with_close_timeout(timeout))
    }

    /// How long an application may leave its inbox full before its session ends as stalled. Default: the session's
    /// ping interval plus its ping timeout.
    #[must_use]
    pub fn app_stall_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.with_app_stall_timeout(timeout))
    }

    /// How long a request's head, its body, and `allow_request` may each take. A body that takes longer ends its session
    /// with status 408. Also how long [`serve`](Server::serve) keeps a connection that has never asked for anything, and
    /// half as long as it keeps one that does not take its answer. Default: 30 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self
    }

    /// How long [`serve`](Server::serve) keeps a connection between two requests. At least 1 s. Default: 75 s, which is
    /// longer than load balancers keep their own end.
    ///
    /// Answers on HTTP/1 announce it in whole seconds, as `Keep-Alive: timeout=75`, and the connection is kept 2 s
    /// longer than that, for a request that is on its way. Where a session lives on polling, its connections are kept,
    /// and announced, for ping interval plus ping timeout at least, and stay open for as long as the session needs them:
    /// a request with a heartbeat never meets a connection that is about to close. HTTP/2 connections are kept as long,
    /// and announce their end when it comes (RFC 9113 section 6.8).
    ///
    /// A connection whose next request has begun is given the [request timeout](Self::request_timeout) to finish it.
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

    /// How many sessions may be open at once; more get status 503. Default: 1,000,000.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.config.max_sessions = sessions;
        self
    }

    /// How many connections of [`serve`](Server::serve) may be open at once, WebSockets included; more wait until one
    /// ends. While they do, a connection that has not sent the head of a request is closed after 1 s instead of the
    /// [request timeout](Self::request_timeout). At least 1. Default: as many as the process has descriptors for, with
    /// the same short time once it runs out of them.
    ///
    /// Leave some of the process's descriptors to the rest of the application. A session on polling has two connections
    /// now and then.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.max_connections = Some(connections);
        self
    }

    /// How many connections of [`serve`](Server::serve) one address may have open at once, WebSockets included; an IPv6
    /// network of 64 bits counts as one address. More are closed as they come, unanswered. At least 1. Default: no
    /// limit.
    ///
    /// What counts is the address of the connection itself. Those of [trusted proxies](Self::trusted_proxies), and those
    /// that have none, are not limited. A browser opens up to six for polling, and many people may share one address.
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

    /// How many received messages, and how many bytes of them, wait for the application before the server stops
    /// reading. Default: 256 messages, 1 MiB; the message or the request that reaches the limit still goes in.
    #[must_use]
    pub fn inbox(mut self, messages: usize, bytes: usize) -> Self {
        self.config.limits.inbox_messages = messages;
        self.config.limits.inbox_bytes = bytes;
        self
    }

    /// How many sent messages, and how many bytes of them, wait for a transport before `send` waits and `try_send`
    /// refuses. Default: 256 messages, 1 MiB; the message that reaches the limit still goes in.
    #[must_use]
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.config.limits.outbox_messages = messages;
        self.config.limits.outbox_bytes = bytes;
        self
    }

    /// How many packets the answer to a poll carries at most; the others follow in the next answer, at once and in order,
    /// a close packet behind them all. At least 1. Default: 16, which is all that python-engineio's client takes: it ends
    /// the session at an answer with more.
    ///
    /// What comes from clients is limited in bytes, by [`max_payload`](Self::max_payload), and against payloads made of
    /// nothing but empty packets by [`Settings::max_packets`], which is a thousand times as many.
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

    /// A message that every session receives right behind its handshake. Default: none.
    ///
    /// Text with U+001E is refused by [`build`](Self::build) unless polling is off: polling in revision 4 cannot carry
    /// it.
    #[must_use]
    pub fn initial_packet(mut self, message: impl Into<Message>) -> Self {
        self.config.initial_packet = Some(message.into());
        self
    }

    /// Asks about every new session; an error refuses it, and this message is told: with status 403 as a part of the
    /// protocol's JSON on polling, with status 400 as the body on WebSocket, as the reference answers. (Browsers show a page
    /// neither status nor body of a refused WebSocket.) An answer that takes longer than a
    /// [request may take](Self::request_timeout) is a refusal with status 503. Default: all are allowed.
    #[must_use]
    pub fn allow_request<F, R>(mut self, allow: F) -> Self
    where
        F: Fn(&Parts) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.config.allow_request = Some(Arc::new(move |parts| Box::pin(allow(parts))));
        self
    }

    /// Chooses a session's own periods by its opening request; `None` takes the server's.
    #[must_use]
    pub fn heartbeat_for<F>(mut self, choose: F) -> Self
    where
        F: Fn(&Parts) -> Option<Heartbeat> + Send + Sync + 'static,
    {
        self.config.choose_heartbeat = Some(Arc::new(choose));
        self
    }

    /// Runs `clean_up` once for every session, after everything else: once the session has ended, and once its
    /// application has returned, has panicked, or was cut off by [`shutdown`](Server::shutdown). What must happen at the
    /// end of every session belongs here, because a panic skips the end of the application. Default: nothing runs.
    ///
    /// The future runs in the session's own task, and `shutdown` waits for it. It does not run when the runtime is
    /// dropped before, nor under `panic = "abort"` after a panic.
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

    /// Watches every session. Default: nobody.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.config.observer = Some(Arc::new(observer));
        self
    }

    /// Changes a setting of the core, which knows its bounds. The first one outside of them is what `build` says.
    fn set(mut self, change: impl FnOnce(Settings) -> Result<Settings, SettingsError>) -> Self {
        match change(self.config.settings) {
            Ok(settings) => self.config.settings = settings,
            Err(error) => self.unfit = self.unfit.or(Some(error)),
        }
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`BuildError`] says which setting cannot be.
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

/// A server: accepts, counts, finds, closes. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Server {
    hub: Arc<Hub>,
}

impl Server {
    /// A server whose every session is given to `application`, which runs in the session's own task.
    ///
    /// If the application panics, its session closes with
    /// [`DisconnectReason::ApplicationPanicked`](eio_core::DisconnectReason::ApplicationPanicked), what was sent before
    /// still goes out, and the log says so. No other session notices. The same holds for every callback of the server;
    /// those that a request waits for are answered with status 500. Under `panic = "abort"` the process ends instead.
    pub fn builder<F, R>(application: F) -> ServerBuilder
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        ServerBuilder {
            config: Config {
                path: "/engine.io/".to_owned(),
                settings: Settings::DEFAULT,
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

    /// The service to mount into a router.
    #[must_use]
    pub fn service(&self) -> EngineService {
        EngineService::new(Arc::clone(&self.hub))
    }

    /// Serves every connection that `listener` accepts, until the server is shut down and its last session has ended:
    /// meanwhile polling clients come on new connections for what is left to them. Then waits for the applications, as
    /// [`shutdown`](Self::shutdown) does.
    ///
    /// A listener on a Unix socket is bound and cleaned up by its owner: who may connect is what the permissions of the
    /// socket's file say, and the file stays behind when the listener is dropped. Clients have no address there; see
    /// [`TrustedProxies::and_without_address`](crate::TrustedProxies::and_without_address) for those of a reverse proxy.
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
    /// When accepting fails, for want of descriptors most likely, it is tried again ten times a second. That is told
    /// once, by a warning and [`Observer::cannot_accept`], and so is its end. Meanwhile connections that have not asked
    /// for anything are given a second for that.
    ///
    /// # Errors
    /// None at present.
    pub async fn serve(&self, listener: impl Listener) -> std::io::Result<()> {
        self.serve_with(listener, self.service()).await
    }

    /// The same for a service that answers other requests too, and hands those of sessions to
    /// [`service`](Self::service): a router, usually. A connection whose answer stands still, taken or given, for longer
    /// than twice the [request timeout](ServerBuilder::request_timeout) is dropped: endless answers say something now
    /// and then.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
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

    /// Serves the requests of one connection, a TLS one for instance, until it ends or becomes a WebSocket. All limits
    /// of [`serve`](Self::serve) hold. `peer` is the other end's address, if it has one.
    pub async fn serve_connection<I>(&self, io: I, peer: Option<SocketAddr>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        connection::serve(Arc::clone(&self.hub), io, peer, self.service(), None).await;
    }

    /// How many sessions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hub.len()
    }

    /// Whether no session is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The session with this sid.
    #[must_use]
    pub fn get(&self, sid: &str) -> Option<Sender> {
        self.hub.find(sid).map(|state| Sender { state })
    }

    /// All sessions that are open now, in no order.
    #[must_use]
    pub fn sessions(&self) -> Vec<Sender> {
        self.hub.all().into_iter().map(|state| Sender { state }).collect()
    }

    /// Sends one message to every session, encoded once. Returns how many get it, and how many do not, and why.
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

    /// Takes no new session, closes every one, and waits until all have delivered what was sent before, their
    /// applications have ended, and the connections of [`serve`](Self::serve) have given their answers.
    ///
    /// Drive the future of [`serve`](Self::serve) meanwhile: it accepts the connections on which polling clients ask for
    /// what is left to them, and ends by itself. Whatever else serves, a router's own server for instance, has to accept
    /// connections until this returns.
    ///
    /// Takes at most `limit`, of which everybody gets a part:
    ///
    /// | after | |
    /// |---|---|
    /// | a second, at most half of it | the sessions on polling end that owe nothing but their close packet, and have no request that could take it: a living client would have polled again |
    /// | half of it | the sessions that are left end, with what they have not sent; their applications see the end |
    /// | three quarters | the applications that are left are dropped, and [`on_disconnect`] runs for them |
    /// | all of it | the connections that are left are dropped, and nothing is waited for any more |
    ///
    /// Returns how much was cut off. Dropping the future leaves the server closing, without a limit of its own. A second
    /// call waits for the same end; whichever limit comes first holds.
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
