//! The client: opens sessions with any Engine.IO server, over polling, WebSocket, or one and then the other.

mod config;
mod credentials;
mod dial;
mod endpoint;
mod error;
mod event;
mod handshake;
mod http;
mod notice;
mod opening;
mod proxy;
mod reconnect;
mod route;
mod socket;
mod state;
mod task;
#[cfg(feature = "tls")]
mod tls;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ::http::uri::PathAndQuery;
use eio_core::backoff::Backoff;
use eio_core::session::CLOSE_TIMEOUT;
use eio_core::upgrade::CLIENT_UPGRADE_TIMEOUT;

use crate::client::config::Config;
use crate::client::endpoint::Endpoint;
use crate::client::http::Dialer;
use crate::client::route::{Route, RouteSetting};
use crate::client::state::State;
#[cfg(feature = "tls")]
use crate::client::tls::{Tls, TlsSetting};
use crate::clock::Clock;
use crate::mailbox::Limits;
use crate::redact::redact_url;
use crate::socket::Transport;
use crate::state::Revision;

pub(crate) use dial::Dialed;
pub use error::{ClientBuildError, ConnectError, Refused};
pub use event::ClientEvent;
pub use handshake::HandshakeInfo;
pub use proxy::ProxyError;
pub use reconnect::Reconnecting;
pub use socket::{ClientSender, ClientSocket};
#[cfg(feature = "tls")]
pub use tls::TlsError;

/// Opens sessions with one server. Cloning is cheap.
///
/// Not offered: WebTransport, permessage-deflate, compressed answers, redirects (which are a refusal, with their status),
/// and keeping cookies between requests. Behind a load balancer that pins clients by cookie, use
/// WebSocket only.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let server = eio_tokio::Server::builder(|mut socket: eio_tokio::Socket| async move {
/// #     while let Ok(message) = socket.recv().await {
/// #         let _ = socket.send(message).await;
/// #     }
/// # }).build()?;
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = format!("http://{}", listener.local_addr()?);
/// # tokio::spawn(async move { server.serve(listener).await });
/// use eio_tokio::{Client, Message};
///
/// let mut socket = Client::builder(url).build()?.connect().await?;
/// socket.send("hello").await?;
/// assert_eq!(socket.recv().await?, Message::from("hello"));
/// socket.close();
/// println!("{}", socket.closed().await); // forced close: closed by this side (after 1 ms of silence, on polling)
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    config: Arc<Config>,
    clock: Clock,
}

impl Client {
    /// A client for the server at `url`.
    ///
    /// | scheme | sessions |
    /// |---|---|
    /// | `http`, `https` | open on polling, and move to WebSocket if the server offers it |
    /// | `ws`, `wss` | open on WebSocket |
    ///
    /// A path in the URL, other than `/`, is where the server answers; without one it is `/engine.io/`. Parameters in
    /// the URL's query go along with every request, but for those that the protocol sets itself (`EIO`, `transport`,
    /// `sid`, `t`, `j`, `b64`).
    ///
    /// User and password in the URL (`https://user:password@host`, percent-encoded where needed) are sent as `Basic`
    /// credentials (RFC 7617), which anybody on the way can read without TLS, unless a
    /// [header](ClientBuilder::header) `Authorization` is set. Neither they nor the
    /// query's values are part of any error, event or log line: see [`redact_url`](crate::redact_url).
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            path: None,
            query: Vec::new(),
            headers: Vec::new(),
            eio3: false,
            transports: None,
            upgrade: true,
            open_timeout: Duration::from_secs(20),
            upgrade_timeout: CLIENT_UPGRADE_TIMEOUT,
            close_timeout: CLOSE_TIMEOUT,
            app_stall_timeout: None,
            ping_timeout_at_most: None,
            max_payload: 16 * 1024 * 1024,
            max_packets_per_payload: 16,
            limits: Limits::DEFAULT,
            on_event: None,
            #[cfg(feature = "tls")]
            tls: TlsSetting::default(),
            route: RouteSetting::Route(Route::Direct),
        }
    }

    /// Opens a session. It runs in a task of its own, on the runtime that this is called from.
    ///
    /// Dropping the future gives the session up.
    ///
    /// # Errors
    /// [`ConnectError`] says why there is none, at the latest after the open timeout.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or if the runtime's timer or I/O is not enabled.
    pub async fn connect(&self) -> Result<ClientSocket, ConnectError> {
        let dialer = Dialer { config: Arc::clone(&self.config), clock: self.clock, reset: Arc::default() };
        let state = Arc::new(State::new(dialer));
        tokio::spawn(task::run(Arc::clone(&state)));
        ClientSocket::open(state).await
    }

    /// Opens sessions one after another, with the delays of `backoff` in between.
    #[must_use]
    pub fn reconnecting(&self, backoff: Backoff) -> Reconnecting {
        Reconnecting::new(self.clone(), backoff)
    }

    /// Returns the [proxy](ClientBuilder::proxy) that connections go through, as host and port; `None` without one.
    #[must_use]
    pub fn proxy(&self) -> Option<&str> {
        match &self.config.route {
            Route::Proxy(proxy) => proxy.uri().authority().map(::http::uri::Authority::as_str),
            _ => None,
        }
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    /// Tells what happens between sessions. A panic of whoever hears of it is logged.
    fn tell(&self, event: &ClientEvent) {
        notice::tell(event, "", self.config.on_event.as_ref());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.config.endpoint.authority).finish_non_exhaustive()
    }
}

/// Settings of a [`Client`]. Each setter says its default.
#[must_use]
pub struct ClientBuilder {
    url: String,
    path: Option<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    eio3: bool,
    transports: Option<Vec<Transport>>,
    upgrade: bool,
    open_timeout: Duration,
    upgrade_timeout: Duration,
    close_timeout: Duration,
    app_stall_timeout: Option<Duration>,
    ping_timeout_at_most: Option<Duration>,
    max_payload: u32,
    max_packets_per_payload: usize,
    limits: Limits,
    on_event: Option<config::OnEvent>,
    #[cfg(feature = "tls")]
    tls: TlsSetting,
    route: RouteSetting,
}

impl ClientBuilder {
    /// Where the server answers. Default: the URL's path, or `/engine.io/`; Socket.IO servers answer at
    /// `/socket.io/`. A missing slash at the end is added.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// A parameter that goes along with every request. Default: those of the URL.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// A header that goes along with every request, such as `Authorization`. Default: none but `Host`, `User-Agent`
    /// and `Accept`, which can be replaced.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Speaks revision 3, to servers of Socket.IO 1 and 2. Default: no, revision 4.
    pub fn eio3(mut self, eio3: bool) -> Self {
        self.eio3 = eio3;
        self
    }

    /// Which transports are used. Sessions open on the first one; one that opened on polling moves to WebSocket if
    /// that is in the list too. Default: by the URL's scheme.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.transports = Some(transports.into_iter().collect());
        self
    }

    /// Whether a session that opened on polling moves to WebSocket. Default: yes.
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        self.upgrade = upgrade;
        self
    }

    /// How long opening a session may take, from the first connection to the handshake. Default: 20 s, as Socket.IO.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.open_timeout = timeout;
        self
    }

    /// How long the move to WebSocket may take, its connection included. Default: 5 s, less than servers allow: with
    /// equal limits a server could give up while the exchange's last packet is under way, and the session be lost.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.upgrade_timeout = timeout;
        self
    }

    /// How long a closing session may take to deliver what was sent before. Default: 30 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// How long the application may leave its inbox full before the session ends as stalled. Default: ping interval
    /// plus ping timeout.
    pub fn app_stall_timeout(mut self, timeout: Duration) -> Self {
        self.app_stall_timeout = Some(timeout);
        self
    }

    /// Be stricter than the server: its ping timeout counts as at most this. Default: what the server says.
    ///
    /// In revision 4 a session ends when no ping has come for the server's ping interval plus this; leave room for
    /// the network's delays.
    pub fn ping_timeout_at_most(mut self, timeout: Duration) -> Self {
        self.ping_timeout_at_most = Some(timeout);
        self
    }

    /// The largest answer to a poll, and the largest WebSocket message, that is taken from the server, in bytes. A
    /// larger one ends the session. Default: 16 MiB.
    ///
    /// How many packets an answer holds is not limited. Each takes some 40 bytes of memory besides its own, so that an
    /// answer of nothing but empty messages takes 20 times its size.
    ///
    /// What the server takes is for it to say: larger messages are refused by `send`.
    pub fn max_payload(mut self, bytes: u32) -> Self {
        self.max_payload = bytes;
        self
    }

    /// How many packets one request with data carries at most; the others follow in the next request, at once and in
    /// order. Default: 16, which is all that python-engineio takes: of a request with more it drops every packet, and
    /// answers `ok`.
    ///
    /// What comes from the server is limited by [`max_payload`](Self::max_payload) alone.
    pub fn max_packets_per_payload(mut self, packets: usize) -> Self {
        self.max_packets_per_payload = packets;
        self
    }

    /// How many received messages, and how many bytes of them, wait for the application before the client stops
    /// reading. Default: 256 messages, 1 MiB; the message or the answer that reaches the limit still goes in.
    pub fn inbox(mut self, messages: usize, bytes: usize) -> Self {
        self.limits.inbox_messages = messages;
        self.limits.inbox_bytes = bytes;
        self
    }

    /// How many sent messages, and how many bytes of them, wait for a transport before `send` waits and `try_send`
    /// refuses. Default: 256 messages, 1 MiB; the message that reaches the limit still goes in.
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.limits.outbox_messages = messages;
        self.limits.outbox_bytes = bytes;
        self
    }

    /// Is told what happens to this client's sessions. Default: nobody.
    ///
    /// Called from the session's own task, in order, with no lock held: `on_event` may use the session, but should
    /// return soon, because the session waits. The application sees the handshake and the end only after their events.
    ///
    /// If it panics, the session closes with
    /// [`DisconnectReason::ApplicationPanicked`](eio_core::DisconnectReason::ApplicationPanicked), which is an event,
    /// too. A panic at an event that is not a session's, such as [`ClientEvent::Connected`], is logged and ends nothing.
    /// Under `panic = "abort"` the process ends.
    pub fn on_event(mut self, on_event: impl Fn(ClientEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(on_event));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`ClientBuildError`] says which setting cannot be.
    pub fn build(self) -> Result<Client, ClientBuildError> {
        let mut endpoint = Endpoint::parse(&self.url)?;
        endpoint.query.extend(self.query);
        let transports = self.transports.unwrap_or_else(|| {
            let both = [Transport::Polling, Transport::WebSocket];
            both.into_iter().filter(|one| *one == Transport::WebSocket || !endpoint.websocket_only).collect()
        });
        let first = *transports.first().ok_or(ClientBuildError::NoTransport)?;
        let limits = [
            ("max_payload", u64::from(self.max_payload)),
            ("max_packets_per_payload", self.max_packets_per_payload as u64),
            ("inbox messages", self.limits.inbox_messages as u64),
            ("inbox bytes", self.limits.inbox_bytes as u64),
            ("outbox messages", self.limits.outbox_messages as u64),
            ("outbox bytes", self.limits.outbox_bytes as u64),
        ];
        if let Some((name, _)) = limits.into_iter().find(|(_, limit)| *limit == 0) {
            return Err(ClientBuildError::Zero(name));
        }
        #[cfg(not(feature = "tls"))]
        if endpoint.secure {
            return Err(ClientBuildError::NoTls);
        }
        let mut headers = headers(&self.headers)?;
        if let Some(credentials) = endpoint.credentials.clone() {
            headers.entry(header::AUTHORIZATION).or_insert(credentials);
        }
        let config = Config {
            path: path(self.path.or_else(|| endpoint.path.clone()))?,
            headers,
            route: self.route.route(&endpoint)?,
            #[cfg(feature = "tls")]
            tls: if endpoint.secure { Some(Tls::new(self.tls)?) } else { None },
            endpoint,
            revision: if self.eio3 { Revision::V3 } else { Revision::V4 },
            first,
            upgrade: self.upgrade
                && first == Transport::Polling
                && transports.contains(&Transport::WebSocket),
            open_timeout: self.open_timeout,
            upgrade_timeout: self.upgrade_timeout,
            close_timeout: self.close_timeout,
            app_stall_timeout: self.app_stall_timeout,
            ping_timeout_at_most: self.ping_timeout_at_most,
            max_payload: self.max_payload,
            max_packets_per_payload: self.max_packets_per_payload,
            limits: self.limits,
            on_event: self.on_event,
        };
        Ok(Client { config: Arc::new(config), clock: Clock::start() })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor query, which hold secrets.
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

fn path(path: Option<String>) -> Result<String, ClientBuildError> {
    let Some(mut path) = path else { return Ok("/engine.io/".to_owned()) };
    if !path.ends_with('/') {
        path.push('/');
    }
    let fits = path.starts_with('/')
        && PathAndQuery::try_from(path.as_str())
            .is_ok_and(|parsed| parsed.as_str() == path && parsed.query().is_none());
    if fits { Ok(path) } else { Err(ClientBuildError::Path(redact_url(&path))) }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, ClientBuildError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let (Ok(parsed), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            return Err(ClientBuildError::Header(name.clone()));
        };
        let reserved = [
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::CONTENT_TYPE,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
        ];
        if reserved.contains(&parsed) || parsed.as_str().starts_with("sec-websocket-") {
            return Err(ClientBuildError::ReservedHeader(name.clone()));
        }
        headers.append(parsed, value);
    }
    Ok(headers)
}
