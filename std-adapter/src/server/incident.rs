//! Events outside of sessions.

use std::net::SocketAddr;
use std::time::Duration;

use eio_core::handshake::Transport;
use http::{HeaderValue, Method, StatusCode};

use crate::web::unknown_session::UnknownSession;
use crate::wire::session_id::SessionId;

/// An event outside of a session, which the observer, the log and the metrics are told of.
pub(crate) enum Incident<'a> {
    Refused(&'a RefusedRequest<'a>),
    /// A connection was closed unanswered, because there are too many, of its address or in total.
    ConnectionRefused(Option<SocketAddr>),
    /// Accepting failed. Every failure is counted, and only one that is new is reported.
    CannotAccept {
        why: &'a CannotAccept<'a>,
        is_new: bool,
    },
    /// Connections are accepted again, after so long.
    AcceptsAgain(Duration),
}

/// A request that was refused. It opens no session. A session that it names goes on as if it had not come, except after
/// a failure of the server (status 500), which may end it.
///
/// Requests that end their session, such as a second poll at the same time, are not refused in this sense:
/// [`Observer::closed`](crate::Observer::closed) tells the reason.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RefusedRequest<'a> {
    /// The requested transport: WebSocket for a WebSocket, and polling for anything else.
    pub transport: Transport,
    /// The client's address: that of the connection, or the one that trusted proxies name.
    pub peer: Option<SocketAddr>,
    /// The method of the request.
    pub method: &'a Method,
    /// The path of the request, without the query, which may contain secrets.
    pub path: &'a str,
    /// The session that the request names, whether or not this server knows it. Another server may: compare it with the
    /// sessions there. Its `Debug` form is its beginning; keep the whole of it out of logs.
    pub sid: Option<SessionId>,
    /// Why this server does not know the session, if that is the reason for the refusal (code 1).
    pub unknown: Option<UnknownSession>,
    /// The header `User-Agent`.
    pub user_agent: Option<&'a HeaderValue>,
    /// The header `Origin`: the site of the page that a browser shows.
    pub origin: Option<&'a HeaderValue>,
    /// The status of the answer.
    pub status: StatusCode,
    /// The protocol's error code, which the answer contains on polling (Engine.IO, `Server.errors` of the reference): 0
    /// transport unknown, 1 session unknown, 2 wrong method, 3 bad request, 4 forbidden, 5 unsupported revision. An
    /// answer that the application has given [as it is](crate::Rejection::response) counts as forbidden.
    pub code: u8,
    /// The message in the answer. In a session, the answers to a payload that is too large (status 413) and to a wrong method
    /// (500) are empty, as in the reference.
    pub message: &'a str,
    /// What the server found in the request, and what it expected, such as `transport "websockets": expected polling or
    /// websocket`, or `EIO "2": expected 4 (eio3 is off)`. It contains no secrets: of a session's identifier only what
    /// [`SessionId::short`] shows, and at most 64 characters of any value.
    pub context: &'a str,
}

/// The reason why [`Server::serve`](crate::Server::serve) can accept no connection at present.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotAccept<'a> {
    /// The listener returned an error, most likely because the process is out of descriptors.
    #[error("{0}")]
    Error(&'a std::io::Error),
    /// As many connections are open as [`max_connections`](crate::ServerBuilder::max_connections) allows.
    #[error("the limit of {0} open connections is reached")]
    MaxConnections(usize),
}

impl CannotAccept<'_> {
    /// A name for counters.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Error(_) => "error",
            Self::MaxConnections(_) => "max_connections",
        }
    }
}
