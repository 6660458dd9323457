//! The settings of a client, as an application makes them.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use eio_tokio::{Backoff, ClientBuildError, Reconnecting};

use crate::client::Client;
use crate::client::credentials::Credentials;
use crate::client::outbox::Limit;
use crate::client::settings::{Reconnection, Retries, Settings};
use crate::client::shared::Shared;
use crate::parser::{DefaultParser, Parser};

type Engine = Box<dyn FnOnce(eio_tokio::ClientBuilder) -> eio_tokio::ClientBuilder + Send>;

/// The settings of a [`Client`]. Each setter documents its default.
#[must_use]
pub struct ClientBuilder {
    url: String,
    engine: Vec<Engine>,
    eio3: bool,
    connect_timeout: Duration,
    reconnection: bool,
    backoff: Backoff,
    max_attempts: Option<u32>,
    reconnecting: Option<Reconnection>,
    auth: Credentials,
    inbox: Limit,
    away: Option<Limit>,
    ack_timeout: Option<Duration>,
    retries: Option<Retries>,
    parser: Arc<dyn Parser>,
}

impl ClientBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            engine: Vec::new(),
            eio3: false,
            connect_timeout: Duration::from_secs(20),
            reconnection: true,
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(5)).unwrap_or_default(),
            max_attempts: None,
            reconnecting: None,
            auth: Credentials::default(),
            inbox: Limit { count: 1024, bytes: 4 * 1024 * 1024 },
            away: Some(Limit { count: 1024, bytes: 1024 * 1024 }),
            ack_timeout: None,
            retries: None,
            parser: Arc::new(DefaultParser),
        }
    }

    /// Changes the settings of the connection beneath: headers, transports, certificates, a proxy, cookies, limits.
    ///
    /// ```
    /// use eio_socketio::client::Client;
    /// use eio_tokio::Transport;
    ///
    /// let client = Client::builder("https://app.example")
    ///     .engine(|engine| engine.header("X-Device", "42").transports([Transport::WebSocket]))
    ///     .build()?;
    /// # Ok::<(), eio_tokio::ClientBuildError>(())
    /// ```
    pub fn engine(
        mut self,
        change: impl FnOnce(eio_tokio::ClientBuilder) -> eio_tokio::ClientBuilder + Send + 'static,
    ) -> Self {
        self.engine.push(Box::new(change));
        self
    }

    /// Sets whether the server is one of Socket.IO 2, or one of Socket.IO 4 that is to take this client for one of
    /// Socket.IO 2 (`allowEIO3`). Default: no.
    ///
    /// Such a server joins every client to `/` unasked. [Credentials](Self::auth) then travel as the query of other
    /// namespaces, and `/` gets none: use [`engine`](Self::engine) to set a query or a header for it. There is no
    /// recovery. Set it here, and not on the engine.
    pub fn eio3(mut self, eio3: bool) -> Self {
        self.eio3 = eio3;
        self
    }

    /// Sets what the client proves its identity with on each namespace that it [joins](Client::join). Default: nothing.
    pub fn auth(mut self, credentials: Credentials) -> Self {
        self.auth = credentials;
        self
    }

    /// Sets how long the server may take to answer the request to join a namespace, once the connection is open. It holds for
    /// [`Client::join`], and for each request after a reconnect, whose timeout
    /// [`Incoming::ConnectError`](crate::client::Incoming::ConnectError) tells. An answer that waits because an
    /// [inbox](Self::inbox) is full is not late. Default: 20 s.
    ///
    /// How long the connection may take to open is
    /// [`open_timeout`](eio_tokio::ClientBuilder::open_timeout) of the [`engine`](Self::engine). Its default is 20 s, too.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets whether the client connects again after the connection was lost or did not open. Default: yes.
    pub fn reconnection(mut self, reconnection: bool) -> Self {
        self.reconnection = reconnection;
        self
    }

    /// Sets the delays between attempts to connect. Default: from 1 s up to 5 s, as in the reference.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets after how many attempts in a row the client gives up. The first one counts. Default: it never gives up.
    ///
    /// Then [`Client::join`] returns [`JoinError::Connect`](crate::client::JoinError::Connect), and joined namespaces
    /// receive it as [`Incoming::ConnectError`](crate::client::Incoming::ConnectError).
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// Changes how sessions are opened one after another: which statuses are final (401, 403 and 404 by default), and how
    /// long the client waits if the server asks it to.
    ///
    /// ```
    /// use eio_socketio::client::Client;
    ///
    /// // As the reference does: tries again after every refusal.
    /// let client = Client::builder("https://app.example").reconnecting(|sessions| sessions.final_statuses([])).build()?;
    /// # Ok::<(), eio_tokio::ClientBuildError>(())
    /// ```
    pub fn reconnecting(
        mut self,
        change: impl Fn(Reconnecting) -> Reconnecting + Send + Sync + 'static,
    ) -> Self {
        self.reconnecting = Some(Box::new(change));
        self
    }

    /// Sets how many events of one namespace, and how many bytes of them, wait for the application. Default: 1024 events,
    /// 4 MiB. The event that reaches the limit is still accepted.
    ///
    /// While an inbox is full, the client reads nothing, for any namespace. Nothing is lost, and answers arrive later. If
    /// that lasts for the engine's [`app_stall_timeout`](eio_tokio::ClientBuilder::app_stall_timeout), the connection
    /// ends with `application stalled`. After the reconnect, the namespace with the full inbox is not joined before its
    /// application has received half of it, [joins again](crate::client::Socket::rejoin) or drops the socket, so that others go
    /// on. A warning in the log says which one it is.
    pub fn inbox(mut self, events: usize, bytes: usize) -> Self {
        self.inbox = Limit { count: events, bytes };
        self
    }

    /// Sets how many events, and how many bytes of them, are kept for each namespace while the client is away, to be sent
    /// once it has joined again, by itself or by [`rejoin`](crate::client::Socket::rejoin). Default: 1024 events, 1 MiB. The event that reaches the limit is still accepted; then
    /// `emit` refuses and `send` waits. (The reference keeps them without a limit.)
    ///
    /// With `0` events nothing is kept: `emit` fails with
    /// [`EmitError::Disconnected`](crate::EmitError::Disconnected), and `send` waits until the client is back.
    pub fn buffer_while_away(mut self, events: usize, bytes: usize) -> Self {
        self.away = (events > 0).then_some(Limit { count: events, bytes });
        self
    }

    /// Sets how long [`emit_with_ack`](crate::client::Emitter::emit_with_ack) waits for an answer, unless the
    /// [caller](crate::client::AckFuture::timeout) says otherwise. Default: as long as the connection lives.
    ///
    /// With it, that method panics outside of a tokio runtime.
    pub fn ack_timeout(mut self, timeout: Duration) -> Self {
        self.ack_timeout = Some(timeout);
        self
    }

    /// Sends every event until the server answers it, up to `count` times again, as `retries` and `ackTimeout` in the
    /// reference. Each answer has `timeout` to arrive. Default: events are sent once.
    ///
    /// One event of a namespace is on its way at a time, in order, also one without an answer for the application. So the
    /// server has to answer every event. An event may arrive more than once: let the server recognize it, for example by a
    /// number in its arguments. Those that wait are limited as by [`buffer_while_away`](Self::buffer_while_away). Volatile
    /// events are exempt.
    ///
    /// [`flush`](crate::client::Emitter::flush), [`leave`](crate::client::Socket::leave) and
    /// [`close`](crate::client::Client::close) wait for those that were emitted before. While the namespace is out, the events stay until
    /// [`rejoin`](crate::client::Socket::rejoin) has succeeded, and these three do not wait for them. Dropping the socket then gives
    /// them up, and so does dropping the socket and all emitters at any time.
    pub fn retries(mut self, count: u32, timeout: Duration) -> Self {
        self.retries = Some(Retries { count, timeout });
        self
    }

    /// Sets the parser, which the server has to use as well. Default: [`DefaultParser`].
    pub fn parser(mut self, parser: impl Parser) -> Self {
        self.parser = Arc::new(parser);
        self
    }

    /// Builds the client. It connects when the first namespace is joined.
    ///
    /// # Errors
    /// Returns a [`ClientBuildError`] if the URL or a setting of the [`engine`](Self::engine) cannot be used, or if a limit
    /// or a time is zero that lets nothing through.
    pub fn build(self) -> Result<Client, ClientBuildError> {
        self.check_limits()?;
        let mut engine = eio_tokio::Client::builder(&self.url);
        if !has_path(&self.url) {
            engine = engine.path("/socket.io/");
        }
        for change in self.engine {
            engine = change(engine);
        }
        let engine = engine.eio3(self.eio3).build()?;
        let settings = Settings {
            is_old: self.eio3,
            connect_timeout: self.connect_timeout,
            backoff: self.backoff,
            max_attempts: self.max_attempts,
            reconnects: self.reconnection,
            reconnection: self.reconnecting,
            credentials: self.auth,
            inbox: self.inbox,
            away: self.away,
            ack_timeout: self.ack_timeout,
            retries: self.retries,
            parser: self.parser,
        };
        Ok(Client { shared: Arc::new(Shared::new(settings, engine)) })
    }

    fn check_limits(&self) -> Result<(), ClientBuildError> {
        let limits = [
            ("connect_timeout", self.connect_timeout.is_zero()),
            ("max_attempts", self.max_attempts == Some(0)),
            ("inbox events", self.inbox.count == 0),
            ("inbox bytes", self.inbox.bytes == 0),
            ("buffer_while_away bytes", self.away.is_some_and(|limit| limit.bytes == 0)),
            ("ack_timeout", self.ack_timeout.is_some_and(|timeout| timeout.is_zero())),
            ("the timeout of retries", self.retries.is_some_and(|retries| retries.timeout.is_zero())),
        ];
        match limits.into_iter().find(|(_, is_zero)| *is_zero) {
            Some((name, _)) => Err(ClientBuildError::Zero(name)),
            None => Ok(()),
        }
    }
}

/// Returns whether a URL has a path other than `/`, at which the server then answers.
fn has_path(url: &str) -> bool {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let before_query = after_scheme.split(['?', '#']).next().unwrap_or_default();
    before_query.split_once('/').is_some_and(|(_, path)| !path.is_empty())
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_zero_is_refused_by_its_name() {
        type Change = fn(ClientBuilder) -> ClientBuilder;
        let wrong: [(&str, Change); 7] = [
            ("connect_timeout", |builder| builder.connect_timeout(Duration::ZERO)),
            ("max_attempts", |builder| builder.max_attempts(0)),
            ("inbox events", |builder| builder.inbox(0, 1)),
            ("inbox bytes", |builder| builder.inbox(1, 0)),
            ("buffer_while_away bytes", |builder| builder.buffer_while_away(1, 0)),
            ("ack_timeout", |builder| builder.ack_timeout(Duration::ZERO)),
            ("the timeout of retries", |builder| builder.retries(1, Duration::ZERO)),
        ];
        for (name, change) in wrong {
            let error = change(Client::builder("http://host")).build().unwrap_err();
            assert_eq!(error, ClientBuildError::Zero(name));
        }
        assert!(Client::builder("http://host").buffer_while_away(0, 0).build().is_ok(), "nothing is kept");
    }

    #[test]
    fn a_url_without_a_path_means_the_path_of_socket_io() {
        for url in ["http://host", "http://host/", "wss://host:3000?a=b/c", "host"] {
            assert!(!has_path(url), "{url}");
        }
        for url in ["http://host/app", "http://host/app/?a=b", "http://host//"] {
            assert!(has_path(url), "{url}");
        }
    }
}
