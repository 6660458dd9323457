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

/// Is told what happens to all sessions, as a dashboard or an event log wants to know it.
///
/// Called where it happens, with the session's lock held: return at once, and ask neither the server nor a [`Sender`]
/// anything (keep it for later).
pub trait Observer: Send + Sync {
    /// A session opened. `session` does not keep it alive; here, and only here, it may be asked at once.
    fn opened(&self, session: &Sender) {
        let _ = session;
    }

    /// A request was refused, on polling or on WebSocket. No lock is held.
    fn refused(&self, request: &RefusedRequest<'_>) {
        let _ = request;
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

    /// A session ended.
    fn closed(&self, id: SessionId, disconnect: &Disconnect) {
        let _ = (id, disconnect);
    }
}
