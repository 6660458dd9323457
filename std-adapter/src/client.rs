//! The client: opens sessions with any Engine.IO server, over polling, WebSocket, or one and then the other.

mod attempts;
mod config;
mod cookies;
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
mod refusal;
mod route;
mod secrets;
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
use crate::client::route::{Route, RouteSetting};
#[cfg(feature = "tls")]
use crate::client::tls::{Tls, TlsSetting};
use crate::clock::Clock;
use crate::mailbox::Limits;
use crate::redact::redact_url;
use crate::socket::Transport;
use crate::state::Revision;

pub(crate) use dial::Dialed;
pub use error::{ClientBuildError, ConnectError};
pub use event::ClientEvent;
pub use handshake::HandshakeInfo;
pub use proxy::ProxyError;
pub use reconnect::Reconnecting;
pub use refusal::{RefusalKind, Refused};
pub use socket::{ClientSender, ClientSocket};
#[cfg(feature = "tls")]
pub use tls::TlsError;

/// Opens sessions with one server. Cloning is cheap.
///
/// Not offered: WebTransport, permessage-deflate, and compressed answers.
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
    /// query's values are part of any error, event or log line: see [`redact_url`](crate::redact_url). Where a server
    /// repeats the query in an error or a page, the session's id and values of four characters or more are replaced by
    /// `…`; only [`Refused::location`] has the values that came with it.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            path: None,
            query: Vec::new(),
            headers: Vec::new(),
            trailing_slash: true,
            protocols: Vec::new(),
            cookies: true,
            follow_redirects: 0,
            eio3: false,
            transports: None,
            try_all_transports: false,
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
        attempts::open(self).await
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
#[expect(clippy::struct_excessive_bools, reason = "settings that do not depend on each other")]
pub struct ClientBuilder {
    url: String,
    path: Option<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    trailing_slash: bool,
    protocols: Vec<String>,
    cookies: bool,
    follow_redirects: u32,
    eio3: bool,
    transports: Option<Vec<Transport>>,
    try_all_transports: bool,
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
    /// `/socket.io/`. A missing slash at the end is added, unless [told otherwise](Self::trailing_slash).
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Whether a path gets a slash at its end if it has none. Default: yes. Servers whose `addTrailingSlash` is off answer
    /// at `/engine.io` only.
    pub fn trailing_slash(mut self, trailing_slash: bool) -> Self {
        self.trailing_slash = trailing_slash;
        self
    }

    /// A parameter that goes along with every request. Default: those of the URL, which go along byte by byte as they
    /// were written; this one is encoded as a form's, with `%20` for spaces.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// A header that goes along with every request, such as `Authorization`. Default: none but `Host`, `User-Agent`
    /// and `Accept`, which can be replaced, and `Accept-Encoding: identity`, which cannot.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The subprotocols that WebSockets offer, the preferred one first (RFC 6455 section 1.9). Default: none.
    ///
    /// The server may choose one of them, which [`ClientSocket::protocol`] returns, or none. An answer with another one
    /// is a [`ConnectError::NotWebSocket`].
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Whether cookies that the server or a balancer sets go along with the session's later requests, the WebSocket's
    /// among them. Default: yes. Balancers that pin clients by cookie need it on polling.
    ///
    /// They are kept for one session, by name, value, `Path`, `Secure`, `Max-Age` and `Expires` (RFC 6265), and sent to
    /// the host that set them: 8 KiB at most, the latest ones. A cookie of a [header](Self::header) goes along until the
    /// server sets it anew.
    pub fn cookies(mut self, cookies: bool) -> Self {
        self.cookies = cookies;
        self
    }

    /// How many redirects are followed until a session opens: answers 301, 302, 303, 307 and 308 with a `Location`.
    /// Default: none, and a redirect is a [`ConnectError::Refused`] that tells its location.
    ///
    /// Path and query are then those of the location; parameters of the protocol in it are replaced. Credentials,
    /// headers and cookies go along to the same host and port only, and from `http` on port 80 to `https` on port 443 of
    /// the same host. From `https` or `wss` no redirect leads to plain text. A proxy that
    /// [the environment](Self::proxy_from_env) names is looked up anew. A redirect within a session, or for its upgrade,
    /// is not followed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    /// # let server = eio_tokio::Server::builder(|mut socket: eio_tokio::Socket| async move {
    /// #     let _ = socket.recv().await;
    /// # }).build()?;
    /// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let new_url = format!("http://{}", listener.local_addr()?);
    /// # tokio::spawn(async move { server.serve(listener).await });
    /// # let moved = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// # let url = format!("http://{}", moved.local_addr()?);
    /// # tokio::spawn(async move {
    /// #     while let Ok((mut stream, _)) = moved.accept().await {
    /// #         let _ = stream.read(&mut [0; 4096]).await;
    /// #         let answer = format!("HTTP/1.1 308 x\r\nLocation: {new_url}/engine.io/\r\nContent-Length: 0\r\n\r\n");
    /// #         let _ = stream.write_all(answer.as_bytes()).await;
    /// #     }
    /// # });
    /// use eio_tokio::{Client, ConnectError};
    ///
    /// let refused = Client::builder(&url).build()?.connect().await;
    /// let Err(ConnectError::Refused(refused)) = refused else { panic!("this server has moved") };
    /// println!("moved to {:?}", refused.location); // moved to Some("http://127.0.0.1:3000/engine.io/")
    /// let socket = Client::builder(&url).follow_redirects(5).build()?.connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn follow_redirects(mut self, at_most: u32) -> Self {
        self.follow_redirects = at_most;
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

    /// Whether a session opens on the next one of the [transports](Self::transports) where the one before is refused: a
    /// proxy that knows no WebSockets, a server that offers one transport only. Default: no.
    ///
    /// All attempts share the [open timeout](Self::open_timeout), and the last one's error is returned. A server that
    /// cannot be reached is not tried again, and a session that opened does not change its transport for this.
    pub fn try_all_transports(mut self, try_all: bool) -> Self {
        self.try_all_transports = try_all;
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
        for (name, value) in &self.query {
            endpoint.add_parameter(name, value)?;
        }
        let mut transports = self.transports.unwrap_or_else(|| {
            let both = [Transport::Polling, Transport::WebSocket];
            both.into_iter().filter(|one| *one == Transport::WebSocket || !endpoint.websocket_only).collect()
        });
        let first = *transports.first().ok_or(ClientBuildError::NoTransport)?;
        transports.retain(|transport| *transport != first);
        transports.dedup();
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
        #[cfg(feature = "tls")]
        let tls = if endpoint.secure || self.follow_redirects > 0 { Some(Tls::new(self.tls)?) } else { None };
        let mut config = Config {
            path: path(self.path.or_else(|| endpoint.path.clone()), self.trailing_slash)?,
            headers,
            route_from_env: matches!(self.route, RouteSetting::Environment),
            route: self.route.route(&endpoint)?,
            #[cfg(feature = "tls")]
            tls: tls.clone().filter(|_| endpoint.secure),
            #[cfg(feature = "tls")]
            tls_of_redirects: tls,
            endpoint,
            follow_redirects: self.follow_redirects,
            offered_protocols: offered(&self.protocols)?,
            protocols: self.protocols,
            keep_cookies: self.cookies,
            revision: if self.eio3 { Revision::V3 } else { Revision::V4 },
            first,
            others: transports,
            try_all_transports: self.try_all_transports,
            upgrade: self.upgrade,
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
        config.upgrade &= config.may_upgrade();
        Ok(Client { config: Arc::new(config), clock: Clock::start() })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor query, which hold secrets.
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

fn path(path: Option<String>, trailing_slash: bool) -> Result<String, ClientBuildError> {
    let mut path = path.unwrap_or_else(|| "/engine.io".to_owned());
    if trailing_slash && !path.ends_with('/') {
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
            header::ACCEPT_ENCODING,
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

/// The header that offers these subprotocols: tokens, each of them once (RFC 6455 section 4.1).
fn offered(protocols: &[String]) -> Result<Option<HeaderValue>, ClientBuildError> {
    let is_token = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty() && name.bytes().all(allowed)
    };
    for (at, protocol) in protocols.iter().enumerate() {
        if !is_token(protocol) || protocols[..at].contains(protocol) {
            return Err(ClientBuildError::Protocol(protocol.clone()));
        }
    }
    let offered = (!protocols.is_empty()).then(|| protocols.join(", "));
    Ok(offered.and_then(|offered| HeaderValue::try_from(offered).ok()))
}
