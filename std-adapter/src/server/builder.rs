//! The settings of a server.

pub(crate) mod build;
mod callbacks;
mod connections;
mod requests;
#[cfg(feature = "serde")]
pub(crate) mod server_config;

use std::time::Duration;

use eio_core::settings::{ServerSettings, SettingsError};
use eio_core::{Heartbeat, Liveness};

use crate::server::Server;
use crate::server::callbacks::ServerCallbacks;
use crate::server::config::HttpConfig;
use crate::server::session_config::SessionConfig;
use crate::server::socket::Socket;
use crate::session::limits::Limits;
use crate::web::origins::AllowedOrigins;
use crate::web::path::with_slash;
use crate::wire::message::Message;

/// The settings of a [`Server`]. Each setter documents its default.
pub struct ServerBuilder {
    sessions: SessionConfig,
    pub(crate) callbacks: ServerCallbacks,
    pub(crate) http: HttpConfig,
    node: Option<String>,
    /// The first setting of the core that was out of bounds. `build` returns it as an error.
    unfit: Option<SettingsError>,
    allowed_origins: Option<AllowedOrigins>,
    handshakes: Option<(u32, Duration)>,
}

impl Server {
    /// Returns the builder of a server that passes every session to `application`, which runs in the session's own task.
    ///
    /// If the application panics, its session closes with
    /// [`DisconnectReason::ApplicationPanicked`](crate::DisconnectReason::ApplicationPanicked). Messages that were
    /// sent before are still delivered, and the log reports the panic. Other sessions are not affected. The same
    /// applies to every callback of the server; a request that waits for the callback gets status 500 as its answer.
    /// Under `panic = "abort"` the process ends instead.
    pub fn builder<F, R>(application: F) -> ServerBuilder
    where
        F: Fn(Socket) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        ServerBuilder {
            sessions: SessionConfig {
                settings: ServerSettings::DEFAULT,
                first_ping_jitter: Duration::ZERO,
                max_sessions: 1_000_000,
                node: None,
                remember_ended: 10_000,
                limits: Limits::DEFAULT,
                max_packets_per_payload: 16,
                initial_packet: None,
            },
            callbacks: ServerCallbacks {
                application: Box::new(move |socket| Box::pin(application(socket))),
                on_disconnect: None,
                observer: None,
            },
            http: HttpConfig::default(),
            node: None,
            unfit: None,
            allowed_origins: None,
            handshakes: None,
        }
    }
}

impl ServerBuilder {
    /// Sets the periods of the heartbeat. Default: a ping every 25 s, answered within 20 s.
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.sessions.settings = self.sessions.settings.with_heartbeat(heartbeat);
        self
    }

    /// Sets all settings of the core at once: heartbeat, liveness, payload limits and timeouts. Setters that you call
    /// later change single settings. With feature `serde`, `config` sets everything that a configuration file contains.
    ///
    /// ```
    /// use eio_tokio::{Server, ServerSettings};
    ///
    /// let settings = ServerSettings::DEFAULT.with_max_payload(65_536)?;
    /// let server = Server::builder(|_socket| async {}).settings(settings).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn settings(mut self, settings: ServerSettings) -> Self {
        self.sessions.settings = settings;
        self.unfit = None;
        self
    }

    /// Brings the first ping of every session forward by a random time of up to `jitter`. Clients that connect
    /// together, for example after a restart, are then not always pinged together. The first ping never comes later
    /// than one interval. Default: zero.
    #[must_use]
    pub fn first_ping_jitter(mut self, jitter: Duration) -> Self {
        self.sessions.first_ping_jitter = jitter;
        self
    }

    /// Sets which packets count as a sign of life. Default: [`Liveness::ExtendOnce`].
    #[must_use]
    pub fn liveness(mut self, liveness: Liveness) -> Self {
        self.sessions.settings = self.sessions.settings.with_liveness(liveness);
        self
    }

    /// Sets the path at which the server answers. The server also answers at this path without the slash at its end
    /// (clients have an option for that, `addTrailingSlash`), and at every path below it. Default: `/engine.io/`.
    /// Socket.IO clients use `/socket.io/`.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.http.path = with_slash(path.into());
        self
    }

    /// Sets which transports may open a session. Default: both.
    #[must_use]
    pub fn transports(mut self, polling: bool, websocket: bool) -> Self {
        self.http.polling = polling;
        self.http.websocket = websocket;
        self
    }

    /// Sets whether a session may upgrade from polling to WebSocket. If not, the server refuses requests to upgrade.
    /// Default: yes.
    #[must_use]
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.http.allow_upgrades = allow;
        self
    }

    /// Sets whether the server also serves clients of revision 3 (Socket.IO 1 and 2). Default: no.
    #[must_use]
    pub fn eio3(mut self, allow: bool) -> Self {
        self.http.eio3 = allow;
        self
    }

    /// Sets the size of the largest request body, and of the largest WebSocket message, in bytes. Default: 1,000,000.
    #[must_use]
    pub fn max_payload(self, bytes: u32) -> Self {
        self.set(|settings| settings.with_max_payload(bytes))
    }

    /// Sets how long an upgrade may take. Default: 10 s.
    ///
    /// After that time, the WebSocket is closed, and the session stays on long-polling. A client that moves just then has
    /// left long-polling, loses its session and connects again. Clients of eio give up after 5 s; the stock clients have no
    /// limit of their own, so a short time costs sessions on slow links.
    #[must_use]
    pub fn upgrade_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.with_upgrade_timeout(timeout))
    }

    /// Sets how long a closing session may take to deliver the messages that were sent before, and to close its connection.
    /// Default: 30 s.
    ///
    /// The server closes the WebSocket behind the last message, and then waits for the client to close it, who first reads
    /// what is still under way. Until then, the connection counts for [`max_connections`](Self::max_connections) and
    /// [`max_connections_per_address`](Self::max_connections_per_address), and the session no longer for `max_sessions`.
    #[must_use]
    pub fn close_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.with_close_timeout(timeout))
    }

    /// Sets how long an application may take no message from its full inbox before its session ends as stalled. The inbox is
    /// full until half of it is free. Default: the session's ping interval plus its ping timeout.
    ///
    /// Some clients on polling [give up earlier](crate::guide::sending#backpressure), also if the application reads slowly.
    #[must_use]
    pub fn app_stall_timeout(self, timeout: Duration) -> Self {
        self.set(|settings| settings.with_app_stall_timeout(timeout))
    }

    /// Sets how many received messages, and how many bytes of them, wait for the application before the server stops
    /// reading. Default: 256 messages, 1 MiB. The message or request that reaches the limit is still accepted.
    ///
    /// The application takes messages in batches of at most a quarter of each limit. All of a batch counts as waiting
    /// until the application asks for the message after it.
    #[must_use]
    pub fn inbox(mut self, messages: usize, bytes: usize) -> Self {
        self.sessions.limits.inbox_messages = messages;
        self.sessions.limits.inbox_bytes = bytes;
        self
    }

    /// Sets how many sent messages, and how many bytes of them, wait for a transport before `send` waits and `try_send`
    /// refuses. Default: 256 messages, 1 MiB. The message that reaches the limit is still accepted, and so is a whole
    /// [batch](crate::Socket::send_batch).
    #[must_use]
    pub fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.sessions.limits.outbox_messages = messages;
        self.sessions.limits.outbox_bytes = bytes;
        self
    }

    /// Sets the largest number of packets in the answer to a poll. Further packets follow in the next answer, at once and
    /// in order, and a close packet comes after all of them. At least 1. Default: 16, which is the most that
    /// python-engineio's client accepts: it ends the session if an answer has more.
    ///
    /// [`max_payload`](Self::max_payload) limits the data from clients in bytes. [`ServerSettings::max_packets`], which is a
    /// thousand times as many, protects against payloads that consist of empty packets only.
    ///
    /// ```
    /// use eio_tokio::Server;
    ///
    /// // For a server whose clients accept any number of packets.
    /// let server = Server::builder(|_socket| async {}).max_packets_per_payload(usize::MAX).build()?;
    /// # Ok::<(), eio_tokio::BuildError>(())
    /// ```
    #[must_use]
    pub fn max_packets_per_payload(mut self, packets: usize) -> Self {
        self.sessions.max_packets_per_payload = packets;
        self
    }

    /// Sets a message that every session receives directly after its handshake. Default: no message.
    ///
    /// [`build`](Self::build) refuses text with U+001E unless polling is off, because polling in revision 4 cannot
    /// carry it.
    #[must_use]
    pub fn initial_packet(mut self, message: impl Into<Message>) -> Self {
        self.sessions.initial_packet = Some(message.into());
        self
    }

    /// Changes a setting of the core, which checks its bounds. `build` returns the first error.
    fn set(mut self, change: impl FnOnce(ServerSettings) -> Result<ServerSettings, SettingsError>) -> Self {
        match change(self.sessions.settings) {
            Ok(settings) => self.sessions.settings = settings,
            Err(error) => self.unfit = self.unfit.or(Some(error)),
        }
        self
    }
}

impl core::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ServerBuilder").finish_non_exhaustive()
    }
}
