//! Watching every session of a server.

use std::net::SocketAddr;
use std::time::Duration;

use eio_core::upgrade::UpgradeOutcome;

use http::StatusCode;

use crate::message::Message;
use crate::session_id::SessionId;
use crate::socket::{Disconnect, Sender, Transport};

/// A request that opens no session, and belongs to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedRequest<'a> {
    /// What was asked for: a WebSocket, or anything else.
    pub transport: Transport,
    /// The client's address: that of the connection, or what trusted proxies say.
    pub peer: Option<SocketAddr>,
    /// The status of the answer.
    pub status: StatusCode,
    /// The protocol's error code, which the answer holds on polling (Engine.IO, `Server.errors` of the reference):
    /// 0 transport unknown, 1 session unknown, 2 wrong method, 3 bad request, 4 forbidden, 5 unsupported revision.
    pub code: u8,
    /// What the answer says.
    pub message: &'a str,
}

/// Why [`Server::serve`](crate::Server::serve) can accept no connection at present.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotAccept<'a> {
    /// The listener says so: the process is out of descriptors, most likely.
    #[error("{0}")]
    Error(&'a std::io::Error),
    /// As many connections are open as [`max_connections`](crate::ServerBuilder::max_connections) allows.
    #[error("all of the {0} connections that may be open are")]
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

/// Is told what happens to all sessions, as a dashboard or an event log wants to know it.
///
/// What happens to a session is told by that session's own task, after it has happened, with no lock held: an observer may
/// use the server and any [`Sender`]. It should return soon, because the session waits for it, its heartbeat included.
///
/// For each session the calls come in order, each once: first [`opened`](Self::opened), and last
/// [`closed`](Self::closed), which comes always. Calls for different sessions may come at the same time.
///
/// If a call panics, its session closes with
/// [`DisconnectReason::ApplicationPanicked`](eio_core::DisconnectReason::ApplicationPanicked), and the log says so. The
/// calls for other sessions go on, and so do those that are left for this one. Under `panic = "abort"` the process ends.
pub trait Observer: Send + Sync {
    /// A session opened. `session` does not keep it alive.
    fn opened(&self, session: &Sender) {
        let _ = session;
    }

    /// A request was refused, on polling or on WebSocket. Called where it is answered; a panic changes nothing.
    fn refused(&self, request: &RefusedRequest<'_>) {
        let _ = request;
    }

    /// [`Server::serve`](crate::Server::serve) can accept no connection at present. Told once, however often accepting
    /// fails until [`accepts_again`](Self::accepts_again). A panic changes nothing.
    fn cannot_accept(&self, why: &CannotAccept<'_>) {
        let _ = why;
    }

    /// Accepting has not failed for five seconds, after it did for this long. A panic changes nothing.
    fn accepts_again(&self, after: Duration) {
        let _ = after;
    }

    /// A ping of the server's was handed to the transport. Clients of revision 3 ping themselves, which is a
    /// [`heartbeat`](Self::heartbeat).
    fn ping(&self, id: SessionId) {
        let _ = id;
    }

    /// The client's heartbeat came in: its pong, with the round trip, or the ping of a client of revision 3, without.
    fn heartbeat(&self, id: SessionId, rtt: Option<Duration>) {
        let _ = (id, rtt);
    }

    /// A message came in.
    fn message(&self, id: SessionId, message: &Message) {
        let _ = (id, message);
    }

    /// An upgrade succeeded or failed.
    fn upgrade(&self, id: SessionId, outcome: UpgradeOutcome) {
        let _ = (id, outcome);
    }

    /// A session ended. Its application may have something left to do.
    fn closed(&self, id: SessionId, disconnect: &Disconnect) {
        let _ = (id, disconnect);
    }
}
