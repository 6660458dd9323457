//! Building a server, running it, and its handle.

use core::convert::Infallible;
use core::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use eio_core::payload::DEFAULT_MAX_PACKETS;
use eio_core::session::CLOSE_TIMEOUT;
use eio_core::upgrade::UPGRADE_TIMEOUT;
use eio_core::{Heartbeat, Liveness};
use http::request::Parts;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tower_service::Service;

use crate::broadcast::PreparedMessage;
use crate::config::Config;
use crate::hub::Hub;
use crate::message::Message;
use crate::observer::Observer;
use crate::service::{EngineService, PeerAddr};
use crate::socket::{Sender, Socket};
use crate::state::Outgoing;

/// Settings of a [`Server`]. Each setter says its default.
pub struct ServerBuilder {
    config: Config,
}

/// Why settings are no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The path must begin with a slash.
    #[error("the path {0:?} does not begin with a slash")]
    Path(String),
    /// Neither polling nor WebSocket.
    #[error("no transport is enabled: expected polling, websocket or both")]
    NoTransport,
    /// A limit of zero, which would refuse everything.
    #[error("{0} is zero: expected at least 1")]
    Zero(&'static str),
}

impl ServerBuilder {
    /// The periods of the heartbeat. Default: a ping every 25 s, answered within 20 s.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.config.heartbeat = heartbeat;
        self
    }

    /// Which packets count as a sign of life. Default: [`Liveness::ExtendOnce`].
    #[must_use]
    pub fn liveness(mut self, liveness: Liveness) -> Self {
        self.config.liveness = liveness;
        self
    }

    /// Where the server answers: every path that begins with this. Default: `/engine.io/`; Socket.IO clients ask at
    /// `/socket.io/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.config.path = path.into();
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
    pub fn max_payload(mut self, bytes: u32) -> Self {
        self.config.max_payload = bytes;
        self
    }

    /// How long an upgrade may take. Default: 10 s.
    #[must_use]
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.config.upgrade_timeout = timeout;
        self
    }

    /// How long a closing session may take to deliver what was sent before. Default: 30 s.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.config.close_timeout = timeout;
        self
    }

    /// How long an application may leave its inbox full before its session ends as stalled. Default: the session's
    /// ping interval plus its ping timeout.
    #[must_use]
    pub fn app_stall_timeout(mut self, timeout: Duration) -> Self {
        self.config.app_stall_timeout = Some(timeout);
        self
    }

    /// How long a request's head, and its body, may each take. Default: 30 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.config.request_timeout = timeout;
        self
    }

    /// How many sessions may be open at once. Default: 1,000,000.
    #[must_use]
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.config.max_sessions = sessions;
        self
    }

    /// How many received messages, and how many bytes of them, wait for the application before the server stops
    /// reading. Default: 256 messages, 1 MiB; the message or the request that reaches the limit still goes in.
    #[must_use]
    pub fn inbox(mut self, messages: usize, bytes: usize) -> Self {
        self.config.inbox_messages = messages;
        self.config.inbox_bytes = bytes;
        self
    }

    /// How many sent messages, and how many bytes of them, wait for a transport before `send` waits and `try_send`
    /// refuses. Default: 256 messages, 1 MiB; the message that reaches the limit still goes in.
    #[must_use]
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.config.outbox_messages = messages;
        self.config.outbox_bytes = bytes;
        self
    }

    /// A message that every session receives right behind its handshake. Default: none.
    #[must_use]
    pub fn initial_packet(mut self, message: impl Into<Message>) -> Self {
        self.config.initial_packet = Some(message.into());
        self
    }

    /// The name of a cookie that carries the sid, for load balancers that pin clients. Default: none.
    #[must_use]
    pub fn cookie(mut self, name: impl Into<String>) -> Self {
        self.config.cookie = Some(name.into());
        self
    }

    /// Asks about every new session; an error refuses it with status 403 and this message.
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

    /// Watches every session. Default: nobody.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.config.observer = Some(Arc::new(observer));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`BuildError`] says which setting cannot be.
    pub fn build(self) -> Result<Server, BuildError> {
        let config = self.config;
        if !config.path.starts_with('/') {
            return Err(BuildError::Path(config.path));
        }
        if !config.polling && !config.websocket {
            return Err(BuildError::NoTransport);
        }
        let limits = [
            ("max_payload", u64::from(config.max_payload)),
            ("max_sessions", config.max_sessions as u64),
            ("inbox messages", config.inbox_messages as u64),
            ("inbox bytes", config.inbox_bytes as u64),
            ("outbox messages", config.outbox_messages as u64),
            ("outbox bytes", config.outbox_bytes as u64),
        ];
        if let Some((name, _)) = limits.into_iter().find(|(_, limit)| *limit == 0) {
            return Err(BuildError::Zero(name));
        }
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
    pub fn builder<F, R>(application: F) -> ServerBuilder
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        ServerBuilder {
            config: Config {
                path: "/engine.io/".to_owned(),
                heartbeat: Heartbeat::DEFAULT,
                liveness: Liveness::default(),
                upgrade_timeout: UPGRADE_TIMEOUT,
                close_timeout: CLOSE_TIMEOUT,
                app_stall_timeout: None,
                request_timeout: Duration::from_secs(30),
                max_payload: 1_000_000,
                max_packets: DEFAULT_MAX_PACKETS,
                max_sessions: 1_000_000,
                inbox_messages: 256,
                inbox_bytes: 1024 * 1024,
                outbox_messages: 256,
                outbox_bytes: 1024 * 1024,
                polling: true,
                websocket: true,
                allow_upgrades: true,
                eio3: false,
                initial_packet: None,
                cookie: None,
                allow_request: None,
                choose_heartbeat: None,
                observer: None,
                application: Box::new(move |socket| Box::pin(application(socket))),
            },
        }
    }

    /// The service to mount into a router.
    #[must_use]
    pub fn service(&self) -> EngineService {
        EngineService::new(Arc::clone(&self.hub))
    }

    /// Serves every connection that `listener` accepts, until the server is shut down.
    ///
    /// # Errors
    /// What `accept` says, when it is not about a single connection.
    pub async fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        self.serve_with(listener, self.service()).await
    }

    /// The same for a service that answers other requests too, and hands those of sessions to
    /// [`service`](Self::service): a router, usually.
    ///
    /// # Errors
    /// As [`serve`](Self::serve).
    pub async fn serve_with<S, B>(&self, listener: TcpListener, service: S) -> std::io::Result<()>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.hub.closing() => return Ok(()),
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_about_one_connection(&error) => continue,
                Err(error) => {
                    // Out of descriptors, most likely: sessions that end will free some.
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let service = service.clone();
            let timeout = self.hub.config.request_timeout;
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(PeerAddr(peer));
                    let mut service = service.clone();
                    async move {
                        poll_fn(|cx| service.poll_ready(cx)).await?;
                        service.call(request).await
                    }
                });
                let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                builder.http1().timer(TokioTimer::new()).header_read_timeout(timeout);
                builder.http2().timer(TokioTimer::new());
                if let Err(error) =
                    builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await
                {
                    tracing::debug!(%error, %peer, "connection ended");
                }
            });
        }
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

    /// Sends one message to every session, encoded once. Sessions whose outbox is full do not get it; returns how
    /// many did.
    pub fn broadcast(&self, message: impl Into<Message>) -> usize {
        let prepared = Arc::new(PreparedMessage::new(message.into()));
        let sessions = self.hub.all();
        sessions
            .iter()
            .filter(|state| state.try_send(Outgoing::Prepared(Arc::clone(&prepared))).is_ok())
            .count()
    }

    /// Stops accepting, closes every session, and waits until all have delivered what was sent before, but at most
    /// for `limit`: then the others end with what they have not sent.
    ///
    /// Returns how many those were. Dropping the future leaves the server closing, without a limit of its own.
    pub async fn shutdown(&self, limit: Duration) -> usize {
        self.hub.begin_close();
        for state in self.hub.all() {
            state.close();
        }
        let drained = async {
            loop {
                let drained = self.hub.drained.notified();
                tokio::pin!(drained);
                drained.as_mut().enable();
                if self.hub.len() == 0 {
                    return;
                }
                drained.await;
            }
        };
        if tokio::time::timeout(limit, drained).await.is_ok() {
            return 0;
        }
        let cut_short = self.hub.all();
        for state in &cut_short {
            state.update(|inner, now| inner.session.handle_transport_error(now));
        }
        cut_short.len()
    }
}

impl core::fmt::Debug for Server {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Server").field("sessions", &self.len()).finish_non_exhaustive()
    }
}

fn is_about_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
