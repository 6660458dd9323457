//! A server's settings from a configuration file.

mod lists;
mod names;
mod numbers;
mod tables;
#[cfg(test)]
mod tests;
mod texts;
mod times;

use std::time::Duration;

use eio_core::handshake::Transport;
use eio_core::settings::{HeartbeatError, ServerSettings, SettingsError};
use eio_core::{Heartbeat, Liveness, Revision};
use http::HeaderMap;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use self::names::Named;
use crate::server::builder::ServerBuilder;
use crate::server::config::HttpConfig;
use crate::web::cookie::Cookie;
use crate::web::cors::Cors;
use crate::web::origins::AllowedOrigins;
use crate::web::proxies::TrustedProxies;
use crate::wire::payload::separator;

/// The settings of a server that are data, read from a configuration file in TOML, YAML, JSON or any other
/// self-describing format of serde's. [`ServerBuilder::config`] applies them.
///
/// ```
/// use eio_tokio::{Server, ServerConfig};
///
/// let config: ServerConfig = toml::from_str(
///     r#"
///     path = "/socket.io/"
///     pingInterval = "10s"
///     pingTimeout = 5000            # milliseconds
///     maxSessions = 20_000
///     cors = { origins = ["https://app.example"], credentials = true }
///     "#,
/// )?;
/// let server = Server::builder(|_socket| async {}).config(config).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Members
///
/// Every member is optional, and keeps its default if it is left out or null. A name with capitals may also be written
/// with underscores: `ping_interval`. The setters of [`ServerBuilder`] document what each setting does.
///
/// | member | value | setter |
/// |---|---|---|
/// | `path` | a path: `"/socket.io/"` | [`path`](ServerBuilder::path) |
/// | `transports` | a list of `"polling"` and `"websocket"` | [`transports`](ServerBuilder::transports) |
/// | `allowUpgrades` | a boolean | [`allow_upgrades`](ServerBuilder::allow_upgrades) |
/// | `allowEIO3`, `eio3` | a boolean | [`eio3`](ServerBuilder::eio3) |
/// | `pingInterval`, `pingTimeout` | times, which together are one setting | [`heartbeat`](ServerBuilder::heartbeat) |
/// | `liveness` | `"extend-once"`, `"pong-only"` or `"any-packet"` | [`liveness`](ServerBuilder::liveness) |
/// | `firstPingJitter` | a time | [`first_ping_jitter`](ServerBuilder::first_ping_jitter) |
/// | `maxPayload`, `maxHttpBufferSize` | bytes | [`max_payload`](ServerBuilder::max_payload) |
/// | `maxPackets` | a number | [`ServerSettings::max_packets`] |
/// | `maxPacketsPerPayload` | a number | [`max_packets_per_payload`](ServerBuilder::max_packets_per_payload) |
/// | `upgradeTimeout` | a time | [`upgrade_timeout`](ServerBuilder::upgrade_timeout) |
/// | `closeTimeout` | a time | [`close_timeout`](ServerBuilder::close_timeout) |
/// | `appStallTimeout` | a time | [`app_stall_timeout`](ServerBuilder::app_stall_timeout) |
/// | `inboxMessages`, `inboxBytes` | a number; bytes | [`inbox`](ServerBuilder::inbox) |
/// | `outboxMessages`, `outboxBytes` | a number; bytes | [`outbox`](ServerBuilder::outbox) |
/// | `initialPacket` | a text | [`initial_packet`](ServerBuilder::initial_packet) |
/// | `cors` | a table: `origins` (or `origin`), `credentials`, `methods`, `allowedHeaders`, `exposedHeaders`, `maxAge` | [`cors`](ServerBuilder::cors) |
/// | `allowedOrigins` | a list of origins; or `"same-origin"`, or `"*"` | [`allowed_origins`](ServerBuilder::allowed_origins) |
/// | `trustedProxies` | a table: `header` (`"x-forwarded-for"` or `"forwarded"`), `networks`, `withoutAddress` | [`trusted_proxies`](ServerBuilder::trusted_proxies) |
/// | `cookie` | a name; or a table: `name`, `path`, `httpOnly`, `secure`, `sameSite`, `maxAge` | [`cookie`](ServerBuilder::cookie) |
/// | `responseHeaders` | a table of names and values | [`response_header`](ServerBuilder::response_header) |
/// | `maxSessions` | a number | [`max_sessions`](ServerBuilder::max_sessions) |
/// | `node` | a name | [`node`](ServerBuilder::node) |
/// | `rememberEnded` | a number | [`remember_ended`](ServerBuilder::remember_ended) |
/// | `maxConnections` | a number | [`max_connections`](ServerBuilder::max_connections) |
/// | `maxConnectionsPerAddress` | a number | [`max_connections_per_address`](ServerBuilder::max_connections_per_address) |
/// | `handshakesPerAddress` | a table: `count`, `period` | [`handshakes_per_address`](ServerBuilder::handshakes_per_address) |
/// | `requestTimeout` | a time | [`request_timeout`](ServerBuilder::request_timeout) |
/// | `idleTimeout` | a time | [`idle_timeout`](ServerBuilder::idle_timeout) |
/// | `maxRequestHead`, `maxRequestHeaders` | bytes; a number | [`max_request_head`](ServerBuilder::max_request_head) |
/// | `compression`, `compressionThreshold` | a boolean; bytes (feature `compression`) | `compression` |
/// | `http2` | a boolean (feature `http2`) | `http2` |
///
/// A time is a text with a unit, such as `"5s"`, `"500ms"` or `"1m 30s"`, or a whole number of milliseconds, as in the
/// reference server. `maxAge` and `period` need a unit: the reference counts the first in seconds, and so do most servers
/// the second. `requestTimeout` is at least 1 s. Bytes and other numbers are whole numbers without quotes.
///
/// # Errors
///
/// A wrong value is an error that says what was expected. An unknown name is an error that names the nearest one, and
/// so is a setting that is given twice, under one name or under two. The crate `serde_path_to_error` adds where the
/// error is:
///
/// ```
/// use eio_tokio::ServerConfig;
///
/// let file = r#"cors = { origins = ["https://app.example", "app.example"] }"#;
/// let error = serde_path_to_error::deserialize::<_, ServerConfig>(toml::Deserializer::parse(file)?).unwrap_err();
/// assert_eq!(error.path().to_string(), "cors.origins[1]");
/// assert!(error.inner().message().starts_with("\"app.example\" is not an origin: expected only a scheme and a host"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerConfig {
    members: Members,
}

impl<'de> Deserialize<'de> for ServerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(Named(deserializer))?;
        members.heartbeat().map_err(D::Error::custom)?;
        let config = Self { members };
        let initial = config.members.initial_packet.as_deref();
        if let Some(at) = initial.and_then(|text| separator(Revision::V4, &text.into()))
            && config.allows_transport(Transport::Polling)
        {
            return Err(D::Error::custom(format_args!(
                "initialPacket contains U+001E at byte {at}, which separates packets on polling: expected none, or \
                 `transports` without polling"
            )));
        }
        Ok(config)
    }
}

/// The members of a [`ServerConfig`]. The name of each is that of its field with capitals, as [`Named`] passes it on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a table with the settings of a server")]
struct Members {
    #[serde(deserialize_with = "texts::path")]
    path: Option<String>,
    #[serde(deserialize_with = "lists::transports")]
    transports: Option<Vec<Transport>>,
    allow_upgrades: Option<bool>,
    #[serde(rename = "allowEIO3")]
    allow_eio3: Option<bool>,

    #[serde(deserialize_with = "times::period")]
    ping_interval: Option<Duration>,
    #[serde(deserialize_with = "times::period")]
    ping_timeout: Option<Duration>,
    #[serde(deserialize_with = "texts::liveness")]
    liveness: Option<Liveness>,
    #[serde(deserialize_with = "times::any")]
    first_ping_jitter: Option<Duration>,
    #[serde(deserialize_with = "numbers::max_payload")]
    max_payload: Option<u32>,
    #[serde(deserialize_with = "numbers::max_packets")]
    max_packets: Option<u32>,
    #[serde(deserialize_with = "numbers::count")]
    max_packets_per_payload: Option<usize>,
    #[serde(deserialize_with = "times::upgrade_timeout")]
    upgrade_timeout: Option<Duration>,
    #[serde(deserialize_with = "times::close_timeout")]
    close_timeout: Option<Duration>,
    #[serde(deserialize_with = "times::app_stall_timeout")]
    app_stall_timeout: Option<Duration>,
    #[serde(deserialize_with = "numbers::count")]
    inbox_messages: Option<usize>,
    #[serde(deserialize_with = "numbers::count")]
    inbox_bytes: Option<usize>,
    #[serde(deserialize_with = "numbers::count")]
    outbox_messages: Option<usize>,
    #[serde(deserialize_with = "numbers::count")]
    outbox_bytes: Option<usize>,
    initial_packet: Option<String>,

    #[serde(deserialize_with = "tables::cors")]
    cors: Option<Cors>,
    #[serde(deserialize_with = "lists::allowed_origins")]
    allowed_origins: Option<AllowedOrigins>,
    #[serde(deserialize_with = "tables::trusted_proxies")]
    trusted_proxies: Option<TrustedProxies>,
    #[serde(deserialize_with = "tables::cookie")]
    cookie: Option<Cookie>,
    #[serde(deserialize_with = "tables::response_headers")]
    response_headers: Option<HeaderMap>,

    #[serde(deserialize_with = "numbers::count")]
    max_sessions: Option<usize>,
    #[serde(deserialize_with = "texts::node")]
    node: Option<String>,
    #[serde(deserialize_with = "numbers::size")]
    remember_ended: Option<usize>,
    #[serde(deserialize_with = "numbers::count")]
    max_connections: Option<usize>,
    #[serde(deserialize_with = "numbers::count")]
    max_connections_per_address: Option<usize>,
    #[serde(deserialize_with = "tables::handshakes")]
    handshakes_per_address: Option<(u32, Duration)>,
    #[serde(deserialize_with = "times::request_timeout")]
    request_timeout: Option<Duration>,
    #[serde(deserialize_with = "times::idle_timeout")]
    idle_timeout: Option<Duration>,
    #[serde(deserialize_with = "numbers::request_head")]
    max_request_head: Option<usize>,
    #[serde(deserialize_with = "numbers::request_headers")]
    max_request_headers: Option<usize>,
    #[cfg(feature = "compression")]
    compression: Option<bool>,
    #[cfg(feature = "compression")]
    #[serde(deserialize_with = "numbers::size")]
    compression_threshold: Option<usize>,
    #[cfg(feature = "http2")]
    http2: Option<bool>,
}

/// Returns the value of a setting of the core, which checks its bounds.
fn within_bounds<T: Copy, E: Error>(
    set: impl Fn(ServerSettings, T) -> Result<ServerSettings, SettingsError>,
    given: Option<T>,
) -> Result<Option<T>, E> {
    match given.map(|value| set(ServerSettings::DEFAULT, value)) {
        Some(Err(error)) => Err(E::custom(error)),
        _ => Ok(given),
    }
}

impl Members {
    fn has_heartbeat(&self) -> bool {
        self.ping_interval.is_some() || self.ping_timeout.is_some()
    }

    /// Returns the periods of the heartbeat. One that is left out has its default.
    fn heartbeat(&self) -> Result<Heartbeat, HeartbeatError> {
        let default = Heartbeat::DEFAULT;
        Heartbeat::new(
            self.ping_interval.unwrap_or(default.ping_interval()),
            self.ping_timeout.unwrap_or(default.ping_timeout()),
        )
    }
}

impl ServerConfig {
    /// Returns the settings of the core. Those that the file leaves out have their defaults.
    #[must_use]
    pub fn settings(&self) -> ServerSettings {
        // Every value was checked when it was read.
        self.change(ServerSettings::DEFAULT).unwrap_or_default()
    }

    /// Returns the path at which the server answers, with a slash at its end.
    #[must_use]
    pub fn path(&self) -> &str {
        self.members.path.as_deref().unwrap_or(HttpConfig::DEFAULT_PATH)
    }

    /// Returns whether sessions may open on this transport.
    #[must_use]
    pub fn allows_transport(&self, transport: Transport) -> bool {
        self.members.transports.as_ref().is_none_or(|transports| transports.contains(&transport))
    }

    /// Returns the name of the node, with which the identifiers of its sessions begin, if the file says so.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.members.node.as_deref()
    }

    /// Returns whether the server also serves clients of revision 3.
    #[must_use]
    pub fn eio3(&self) -> bool {
        self.members.allow_eio3.unwrap_or(false)
    }

    /// Returns which pages may open sessions, if the file says so. Otherwise [`cors`](Self::cors) decides.
    #[must_use]
    pub fn allowed_origins(&self) -> Option<&AllowedOrigins> {
        self.members.allowed_origins.as_ref()
    }

    /// Returns which pages may read the answers to polling requests, if the file says so.
    #[must_use]
    pub fn cors(&self) -> Option<&Cors> {
        self.members.cors.as_ref()
    }

    /// Returns `settings` with the changes that the file makes.
    fn change(&self, mut settings: ServerSettings) -> Result<ServerSettings, SettingsError> {
        let members = &self.members;
        if let Some(bytes) = members.max_payload {
            settings = settings.with_max_payload(bytes)?;
        }
        if let Some(packets) = members.max_packets {
            settings = settings.with_max_packets(packets)?;
        }
        if let Some(timeout) = members.upgrade_timeout {
            settings = settings.with_upgrade_timeout(timeout)?;
        }
        if let Some(timeout) = members.close_timeout {
            settings = settings.with_close_timeout(timeout)?;
        }
        if let Some(timeout) = members.app_stall_timeout {
            settings = settings.with_app_stall_timeout(timeout)?;
        }
        if members.has_heartbeat() {
            settings = settings.with_heartbeat(members.heartbeat().unwrap_or_default());
        }
        Ok(settings.with_liveness(members.liveness.unwrap_or(settings.liveness())))
    }
}

impl ServerBuilder {
    /// Sets what a configuration file contains. Settings that it leaves out stay as they are, and setters that you call
    /// later change single settings.
    ///
    /// ```
    /// use eio_tokio::{Server, ServerConfig};
    ///
    /// let config: ServerConfig = serde_json::from_str(r#"{ "path": "/socket.io/", "pingInterval": "10s" }"#)?;
    /// let server = Server::builder(|_socket| async {}).config(config).max_sessions(5_000).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn config(self, config: ServerConfig) -> Self {
        let mut builder = self.set(|settings| config.change(settings));
        let members = config.members;
        builder.set_sessions(&members);
        builder.set_http(members);
        builder
    }

    fn set_sessions(&mut self, members: &Members) {
        let limits = &mut self.sessions.limits;
        replace(&mut limits.inbox_messages, members.inbox_messages);
        replace(&mut limits.inbox_bytes, members.inbox_bytes);
        replace(&mut limits.outbox_messages, members.outbox_messages);
        replace(&mut limits.outbox_bytes, members.outbox_bytes);
        replace(&mut self.sessions.first_ping_jitter, members.first_ping_jitter);
        replace(&mut self.sessions.max_packets_per_payload, members.max_packets_per_payload);
        replace(&mut self.sessions.max_sessions, members.max_sessions);
        replace(&mut self.sessions.remember_ended, members.remember_ended);
        if let Some(text) = &members.initial_packet {
            self.sessions.initial_packet = Some(text.as_str().into());
        }
    }

    fn set_http(&mut self, members: Members) {
        let http = &mut self.http;
        replace(&mut http.path, members.path);
        if let Some(transports) = members.transports {
            http.polling = transports.contains(&Transport::Polling);
            http.websocket = transports.contains(&Transport::WebSocket);
        }
        replace(&mut http.allow_upgrades, members.allow_upgrades);
        replace(&mut http.eio3, members.allow_eio3);
        http.cors = members.cors.or(http.cors.take());
        http.trusted_proxies = members.trusted_proxies.or(http.trusted_proxies.take());
        http.cookie = members.cookie.or(http.cookie.take());
        http.headers.extend(members.response_headers.unwrap_or_default());
        http.max_connections = members.max_connections.or(http.max_connections);
        http.max_connections_per_address =
            members.max_connections_per_address.or(http.max_connections_per_address);
        replace(&mut http.request_timeout, members.request_timeout);
        replace(&mut http.idle_timeout, members.idle_timeout);
        replace(&mut http.max_head, members.max_request_head);
        replace(&mut http.max_headers, members.max_request_headers);
        #[cfg(feature = "compression")]
        {
            let default = HttpConfig::default().compression_threshold;
            http.compression_threshold = match (members.compression, members.compression_threshold) {
                (Some(false), _) => None,
                (_, Some(threshold)) => Some(threshold),
                (Some(true), None) => http.compression_threshold.or(default),
                (None, None) => http.compression_threshold,
            };
        }
        #[cfg(feature = "http2")]
        replace(&mut http.http2, members.http2);
        self.node = members.node.or(self.node.take());
        self.allowed_origins = members.allowed_origins.or(self.allowed_origins.take());
        self.handshakes = members.handshakes_per_address.or(self.handshakes);
    }
}

/// Replaces a setting by the one that a file contains.
fn replace<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}
