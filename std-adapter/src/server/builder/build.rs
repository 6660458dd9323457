//! Checks the settings and builds the server.

use std::time::Duration;

use eio_core::Revision;
use eio_core::settings::SettingsError;

use crate::server::Server;
use crate::server::builder::ServerBuilder;
use crate::server::connection;
use crate::server::sessions::ServerShared;
use crate::web::cors::Cors;
use crate::web::limits::HandshakeLimiter;
use crate::web::origins::AllowedOrigins;
use crate::wire::node::Node;
use crate::wire::payload::separator;

/// The shortest idle time that can be announced.
pub(super) const MIN_IDLE: Duration = Duration::from_secs(1);

/// The most headers that a request may be allowed to have: hyper reserves 32 bytes for each, for every request.
pub(super) const MAX_HEADERS: usize = 10_000;

/// Errors from [`ServerBuilder::build`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The path does not begin with a slash.
    #[error("the path {0:?} does not begin with a slash")]
    Path(String),
    /// The path cannot occur in a request.
    #[error("no request can have the path {0:?}: expected a path alone, encoded as in a request")]
    ImpossiblePath(String),
    /// Neither polling nor WebSocket is enabled.
    #[error("no transport is enabled: expected polling, websocket or both")]
    NoTransport,
    /// A setting of the core is outside its bounds.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// The initial packet is text that polling in revision 4 cannot carry: see
    /// [`SendErrorKind::Separator`](crate::SendErrorKind::Separator).
    #[error(
        "the initial packet contains U+001E at byte {at}, which separates packets on polling: send it as bytes"
    )]
    InitialPacket {
        /// The position of U+001E in the text, in bytes.
        at: usize,
    },
    /// The name of the node is not one to four characters of the URL alphabet of base64.
    #[error("the node's name {0:?}: expected 1 to 4 of the characters A-Z, a-z, 0-9, - and _")]
    Node(String),
    /// A limit or a time is zero, which would refuse everything.
    #[error("{0} is zero: expected at least 1")]
    Zero(&'static str),
    /// The idle time is too short to announce.
    #[error("idle_timeout is {} ms: expected at least 1000", .0.as_millis())]
    IdleTimeout(Duration),
    /// The limit on a request's head is smaller than hyper's buffer.
    #[error("max_request_head is {0} bytes: expected at least 8192")]
    RequestHead(usize),
    /// The limit on the number of a request's headers is larger than memory for each request should be.
    #[error("max_request_head allows {0} headers: expected at most 10000")]
    RequestHeaders(usize),
    /// Credentials are allowed for [any](crate::Cors::any) origin, which no browser accepts.
    #[error("cors: Cors::any() cannot be combined with credentials: list the origins")]
    CredentialsForAnyOrigin,
    /// [`Cors::origins`](crate::Cors::origins) has an empty list, which would allow no page.
    #[error("cors: the list of origins is empty: add at least one origin, or leave cors out")]
    CorsForNobody,
}

impl ServerBuilder {
    /// Checks the settings and returns the server.
    ///
    /// # Errors
    /// Returns a [`BuildError`] that names the invalid setting.
    pub fn build(self) -> Result<Server, BuildError> {
        let (mut sessions, callbacks, mut http) = (self.sessions, self.callbacks, self.http);
        check_path(&http.path)?;
        if http.cors.as_ref().is_some_and(Cors::is_contradictory) {
            return Err(BuildError::CredentialsForAnyOrigin);
        }
        if http.cors.as_ref().is_some_and(Cors::is_empty) {
            return Err(BuildError::CorsForNobody);
        }
        if http.max_head < connection::MIN_HEAD {
            return Err(BuildError::RequestHead(http.max_head));
        }
        if http.max_headers > MAX_HEADERS {
            return Err(BuildError::RequestHeaders(http.max_headers));
        }
        let from_cors = || http.cors.as_ref().map(Cors::allowed_origins);
        http.allowed_origins = self.allowed_origins.or_else(from_cors).unwrap_or(AllowedOrigins::Any);
        if !http.polling && !http.websocket {
            return Err(BuildError::NoTransport);
        }
        let initial = sessions.initial_packet.as_ref().filter(|_| http.polling);
        if let Some(at) = initial.and_then(|message| separator(Revision::V4, message)) {
            return Err(BuildError::InitialPacket { at });
        }
        if let Some(error) = self.unfit {
            return Err(error.into());
        }
        if http.idle_timeout < MIN_IDLE {
            return Err(BuildError::IdleTimeout(http.idle_timeout));
        }
        sessions.node = self.node.as_deref().map(check_node).transpose()?;
        let limits = [
            ("request_timeout", micros(http.request_timeout)),
            ("max_sessions", sessions.max_sessions as u64),
            ("max_connections", http.max_connections.map_or(1, |limit| limit as u64)),
            ("max_connections_per_address", http.max_connections_per_address.map_or(1, |limit| limit as u64)),
            ("inbox messages", sessions.limits.inbox_messages as u64),
            ("inbox bytes", sessions.limits.inbox_bytes as u64),
            ("outbox messages", sessions.limits.outbox_messages as u64),
            ("outbox bytes", sessions.limits.outbox_bytes as u64),
            ("max_packets_per_payload", sessions.max_packets_per_payload as u64),
            ("the number of headers of max_request_head", http.max_headers as u64),
            ("handshakes_per_address", self.handshakes.map_or(1, |(count, _)| count.into())),
            ("the period of handshakes_per_address", self.handshakes.map_or(1, |(_, period)| micros(period))),
        ];
        if let Some((name, _)) = limits.into_iter().find(|(_, limit)| *limit == 0) {
            return Err(BuildError::Zero(name));
        }
        http.handshakes = self.handshakes.map(|(count, period)| HandshakeLimiter::new(count, period));
        Ok(Server::new(ServerShared::new(sessions, Box::new(callbacks), http)))
    }
}

/// Checks the path of the sessions, which ends with a slash.
pub(super) fn check_path(path: &str) -> Result<(), BuildError> {
    if !path.starts_with('/') {
        return Err(BuildError::Path(path.to_owned()));
    }
    if !stands_in_requests(path) {
        return Err(BuildError::ImpossiblePath(path.to_owned()));
    }
    Ok(())
}

/// Checks the name of a node.
pub(super) fn check_node(name: &str) -> Result<Node, BuildError> {
    Node::parse(name).ok_or_else(|| BuildError::Node(name.to_owned()))
}

fn micros(period: Duration) -> u64 {
    u64::try_from(period.as_micros()).unwrap_or(u64::MAX)
}

/// Returns whether a request can have this path: it has no query, no fragment, and no characters that must be escaped.
fn stands_in_requests(path: &str) -> bool {
    path.is_ascii()
        && !path.contains(['?', '#'])
        && path.parse::<::http::uri::PathAndQuery>().is_ok_and(|parsed| parsed == path)
}
