//! The settings of a client.

mod build;
mod route;
#[cfg(feature = "tls")]
mod tls;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use eio_core::handshake::Transport;
use eio_core::session::CLOSE_TIMEOUT;
use eio_core::upgrade::CLIENT_UPGRADE_TIMEOUT;

use crate::client::Client;
use crate::client::config::OnEvent;
use crate::client::event::ClientEvent;
use crate::client::route::{Route, RouteSetting};
#[cfg(feature = "tls")]
use crate::client::tls::TlsSetting;
use crate::session::limits::Limits;

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
    /// credentials nor the values of the query: see [`redact_url`](crate::redact_url). If a server repeats the query in an error or a page,
    /// `…` replaces the session's id and values of four characters or more. Only [`Refused::location`](crate::Refused::location) keeps the values
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
    on_event: Option<OnEvent>,
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
    /// The server may choose one of them, which [`ClientSocket::protocol`](crate::ClientSocket::protocol) returns, or none. If it answers with another
    /// one, connecting fails with [`ConnectError::NotWebSocket`](crate::ConnectError::NotWebSocket).
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
    /// `Location`. Default: none. A redirect is then a [`ConnectError::Refused`](crate::ConnectError::Refused) with its location.
    ///
    /// The client takes the path and the query from the location, except for the parameters of the protocol, which it sets
    /// itself. It sends credentials, headers, cookies and [subprotocols](Self::protocols) only to the same host and port,
    /// or from `http` on port 80 to `https` on port 443 of the same host. The client certificate of a `tls_config`, if it has
    /// one, goes to every server that asks for it, also to the target of a redirect. The client does not follow redirects
    /// from `https` or `wss` to plain text, or within a session, or during an upgrade. If [the
    /// environment](Self::proxy_from_env) names the proxy, the client looks it up again.
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
    /// to WebSocket if that is in the list too. WebTransport is not supported. Default: by the URL's scheme.
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

    /// Sets how long opening a session may take, from the first connection to the handshake. Must not be zero. Default: 20 s,
    /// as in Socket.IO.
    pub fn open_timeout(mut self, timeout: Duration) -> Self {
        self.open_timeout = timeout;
        self
    }

    /// Sets how long the move to WebSocket may take, its connection included. Must not be zero. Default: 5 s, which is less
    /// than servers allow. With equal limits, a server could give up while the exchange's last packet is on its way, and
    /// the session would be lost.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.upgrade_timeout = timeout;
        self
    }

    /// Sets how long a closing session may take to deliver the messages that were sent before, and to close its connection.
    /// Must not be zero. Default: 30 s.
    ///
    /// If the time is over on polling, the client still tries for five seconds to tell the server of the end, for which
    /// nobody waits.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sets how long the application may take no message from its full inbox before the session ends as stalled. The inbox
    /// is full until half of it is free. Must not be zero. Default: ping interval plus ping timeout.
    pub fn app_stall_timeout(mut self, timeout: Duration) -> Self {
        self.app_stall_timeout = Some(timeout);
        self
    }

    /// Sets an upper limit on the server's ping timeout, to be stricter than the server. Must not be zero. Default: the
    /// server's value.
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
    ///
    /// The application takes messages in batches of at most a quarter of each limit. All of a batch counts as waiting
    /// until the application asks for the message after it.
    pub fn inbox(mut self, messages: usize, bytes: usize) -> Self {
        self.limits.inbox_messages = messages;
        self.limits.inbox_bytes = bytes;
        self
    }

    /// Sets how many sent messages, and how many bytes of them, wait for a transport before `send` waits and `try_send`
    /// refuses. Default: 256 messages, 1 MiB. The message that reaches the limit is still accepted, and so is a whole
    /// [batch](crate::ClientSocket::send_batch).
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
    /// [`DisconnectReason::ApplicationPanicked`](crate::DisconnectReason::ApplicationPanicked), which is also an
    /// event. A panic during an event that does not belong to a session, such as [`ClientEvent::Connected`], is logged
    /// and ends nothing. Under `panic = "abort"` the process ends.
    pub fn on_event(mut self, on_event: impl Fn(ClientEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(on_event));
        self
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Shows neither the headers nor the query, which may hold secrets.
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}
