//! The client opens sessions with any Engine.IO server, over polling, WebSocket, or first one and then the other.

mod attempts;
mod candidate;
mod config;
mod cookies;
mod credentials;
mod dial;
mod endpoint;
mod error;
mod event;
mod events;
mod handshake;
mod http;
mod opening;
mod polling;
mod proxy;
mod reconnect;
mod refusal;
mod route;
mod secrets;
mod session;
mod socket;
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
use crate::session::mailbox::Limits;
use crate::wire::clock::Clock;
use crate::wire::redact::redact_url;
use crate::wire::transport::Transport;
use eio_core::Revision;

pub use error::{ClientBuildError, ConnectError};
pub use event::ClientEvent;
pub use handshake::HandshakeInfo;
pub use proxy::ProxyError;
pub use reconnect::Reconnecting;
pub use refusal::{RefusalKind, Refused};
pub use socket::{ClientSender, ClientSocket};
#[cfg(feature = "tls")]
pub use tls::TlsError;

/// A client, which opens sessions with one server. Cloning is cheap.
///
/// Not supported: WebTransport, permessage-deflate, and compressed answers.
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
    /// Returns the builder of a client for the server at `url`.
    ///
    /// | scheme | sessions |
    /// |---|---|
    /// | `http`, `https` | open on polling, and move to WebSocket if the server offers it |
    /// | `ws`, `wss` | open on WebSocket |
    ///
    /// A path in the URL, other than `/`, is the path at which the server answers. Without one it is `/engine.io/`.
    /// Parameters in the URL's query are sent with every request, except those that the protocol sets itself (`EIO`,
    /// `transport`, `sid`, `t`, `j`, `b64`).
    ///
    /// The client sends the user name and the password in the URL (`https://user:password@host`, percent-encoded where
    /// needed) as `Basic` credentials (RFC 7617), unless an `Authorization` [header](ClientBuilder::header) is set.
    /// Without TLS, anybody on the network path can read them. Errors, events and log lines contain neither the
    /// credentials nor the values of the query: see [`redact_url`]. If a server repeats the query in an error or a page,
    /// `…` replaces the session's id and values of four characters or more. Only [`Refused::location`] keeps the values
    /// that the server sent.
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

    /// Opens a session. The session runs in a separate task on the caller's runtime.
    ///
    /// Dropping the future abandons the session.
    ///
    /// # Errors
    /// Returns a [`ConnectError`] that says why the session did not open, at the latest after the open timeout.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime, or if the runtime's timer or I/O is not enabled.
    pub async fn connect(&self) -> Result<ClientSocket, ConnectError> {
        attempts::open(self).await
    }

    /// Returns a [`Reconnecting`], which opens sessions one after another, with the delays of `backoff` between them.
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

    /// Reports an event between sessions. A panic of its receiver is logged.
    fn tell(&self, event: &ClientEvent) {
        events::tell(event, "", self.config.on_event.as_ref());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.config.endpoint.authority).finish_non_exhaustive()
    }
}

/// The settings of a [`Client`]. Each setter documents its default.
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
    /// Sets the path at which the server answers. Default: the URL's path, or `/engine.io/`; Socket.IO servers answer
    /// at `/socket.io/`. The client adds a missing slash at the end, unless [`trailing_slash`](Self::trailing_slash) is
    /// off.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets whether the client adds a slash to a path that does not end in one. Default: yes. Servers with
    /// `addTrailingSlash` off answer at `/engine.io` only.
    pub fn trailing_slash(mut self, trailing_slash: bool) -> Self {
        self.trailing_slash = trailing_slash;
        self
    }

    /// Adds a parameter to the query of every request, encoded as in a form, with `%20` for spaces. The parameters of the
    /// URL are sent exactly as they were written. Default: only the parameters of the URL.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header to every request, such as `Authorization`. Default: only `Host`, `User-Agent` and `Accept`, which
    /// you can replace, and `Accept-Encoding: identity`, which you cannot.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the subprotocols that the client offers for its WebSockets, the preferred one first (RFC 6455 section 1.9).
    /// Default: none.
    ///
    /// The server may choose one of them, which [`ClientSocket::protocol`] returns, or none. If it answers with another
    /// one, connecting fails with [`ConnectError::NotWebSocket`].
    pub fn protocols(mut self, protocols: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether the session's later requests, its WebSocket included, carry the cookies that the server or a load
    /// balancer sets. Default: yes. Load balancers that pin clients by cookie need this on polling.
    ///
    /// The client keeps cookies for one session, by name, value, `Path`, `Secure`, `Max-Age` and `Expires` (RFC 6265),
    /// and sends them to the host that set them. It keeps at most 8 KiB, the latest ones. A cookie from a
    /// [header](Self::header) is sent until the server sets it again.
    pub fn cookies(mut self, cookies: bool) -> Self {
        self.cookies = cookies;
        self
    }

    /// Sets how many redirects the client follows until a session opens: answers 301, 302, 303, 307 and 308 with a
    /// `Location`. Default: none. A redirect is then a [`ConnectError::Refused`] with its location.
    ///
    /// The client takes the path and the query from the location, except for the parameters of the protocol, which it sets
    /// itself. It sends credentials, headers and cookies only to the same host and port, or from `http` on port 80 to
    /// `https` on port 443 of the same host. It does not follow redirects from `https` or `wss` to plain text, or within a
    /// session, or during an upgrade. If [the environment](Self::proxy_from_env) names the proxy, the client looks it up
    /// again.
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

    /// Sets whether the client speaks revision 3, for servers of Socket.IO 1 and 2. Default: no, revision 4.
    pub fn eio3(mut self, eio3: bool) -> Self {
        self.eio3 = eio3;
        self
    }

    /// Sets the transports that the client uses. Sessions open on the first one. A session that opened on polling moves
    /// to WebSocket if that is in the list too. Default: by the URL's scheme.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.transports = Some(transports.into_iter().collect());
        self
    }

    /// Sets whether the client tries the next one of the [transports](Self::transports) after a refusal, for example by
    /// a proxy that does not support WebSockets, or a server that offers one transport only. Default: no.
    ///
    /// All attempts share the [open timeout](Self::open_timeout), and the last one's error is returned. The client does
    /// not try again if it cannot reach the server. This setting does not change the transport of an open session.
    pub fn try_all_transports(mut self, try_all: bool) -> Self {
        self.try_all_transports = try_all;
        self
    }

    /// Sets whether a session that opened on polling moves to WebSocket. Default: yes.
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        self.upgrade = upgrade;
        self
    }

    /// Sets how long opening a session may take, from the first connection to the handshake. Default: 20 s, as in
    /// Socket.IO.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.open_timeout = timeout;
        self
    }

    /// Sets how long the move to WebSocket may take, its connection included. Default: 5 s, which is less than servers
    /// allow. With equal limits, a server could give up while the exchange's last packet is on its way, and the session
    /// would be lost.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.upgrade_timeout = timeout;
        self
    }

    /// Sets how long a closing session may take to deliver the messages that were sent before. Default: 30 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sets how long the application may leave its inbox full before the session ends as stalled. Default: ping
    /// interval plus ping timeout.
    pub fn app_stall_timeout(mut self, timeout: Duration) -> Self {
        self.app_stall_timeout = Some(timeout);
        self
    }

    /// Sets an upper limit on the server's ping timeout, to be stricter than the server. Default: the server's value.
    ///
    /// In revision 4, a session ends when no ping has come for the server's ping interval plus this timeout. Allow for
    /// the network's delays.
    pub fn ping_timeout_at_most(mut self, timeout: Duration) -> Self {
        self.ping_timeout_at_most = Some(timeout);
        self
    }

    /// Sets the size of the largest answer to a poll, and of the largest WebSocket message, that the client accepts
    /// from the server, in bytes. A larger one ends the session. Default: 16 MiB.
    ///
    /// The number of packets in an answer is not limited. Each packet takes about 40 bytes of memory in addition to its
    /// content, so an answer that consists of empty messages takes 20 times its size.
    ///
    /// The limit on messages to the server comes from the server's handshake: `send` refuses larger messages.
    pub fn max_payload(mut self, bytes: u32) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Sets the largest number of packets in one POST. Further packets follow in the next POST, at once and in order.
    /// Default: 16, which is the most that python-engineio accepts: it drops all packets of a larger POST, and answers
    /// `ok`.
    ///
    /// Only [`max_payload`](Self::max_payload) limits the data from the server.
    pub fn max_packets_per_payload(mut self, packets: usize) -> Self {
        self.max_packets_per_payload = packets;
        self
    }

    /// Sets how many received messages, and how many bytes of them, wait for the application before the client stops
    /// reading. Default: 256 messages, 1 MiB. The message or answer that reaches the limit is still accepted.
    pub fn inbox(mut self, messages: usize, bytes: usize) -> Self {
        self.limits.inbox_messages = messages;
        self.limits.inbox_bytes = bytes;
        self
    }

    /// Sets how many sent messages, and how many bytes of them, wait for a transport before `send` waits and `try_send`
    /// refuses. Default: 256 messages, 1 MiB. The message that reaches the limit is still accepted.
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.limits.outbox_messages = messages;
        self.limits.outbox_bytes = bytes;
        self
    }

    /// Sets a function that receives the events of this client's sessions. Default: none.
    ///
    /// The session's own task calls `on_event`, in order and with no lock held. It may use the session, but should
    /// return soon, because the session waits for it. The application sees the handshake and the end only after their
    /// events.
    ///
    /// If it panics, the session closes with
    /// [`DisconnectReason::ApplicationPanicked`](eio_core::DisconnectReason::ApplicationPanicked), which is also an
    /// event. A panic during an event that does not belong to a session, such as [`ClientEvent::Connected`], is logged
    /// and ends nothing. Under `panic = "abort"` the process ends.
    pub fn on_event(mut self, on_event: impl Fn(ClientEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(on_event));
        self
    }

    /// Checks the settings and returns the client.
    ///
    /// # Errors
    /// Returns a [`ClientBuildError`] that names the invalid setting.
    #[expect(clippy::too_many_lines, reason = "one check after another")]
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
        // Shows neither the headers nor the query, which may hold secrets.
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

/// Returns the header that offers these subprotocols. Each must be a token and come only once (RFC 6455 section 4.1).
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
