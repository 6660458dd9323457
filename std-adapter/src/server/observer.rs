//! The observer of all sessions of a server.

use std::net::SocketAddr;
use std::time::Duration;

use eio_core::upgrade::UpgradeOutcome;

use crate::server::incident::{CannotAccept, RefusedRequest};
use crate::server::socket::Sender;
use crate::session::end::Disconnect;
use crate::wire::message::Message;
use crate::wire::session_id::SessionId;

/// Receives the events of all sessions, for example for a dashboard or an event log.
///
/// Each session's own task reports its events, after they have happened and with no lock held. An observer may
/// therefore use the server and any [`Sender`]. It should return soon, because the session waits for it, its heartbeat
/// included.
///
/// For each session, the calls are made in order, each of them once. [`opened`](Self::opened) comes first, and
/// [`closed`](Self::closed) always comes, and comes last. Calls for different sessions may come at the same time.
///
/// If a call panics, its session closes with
/// [`DisconnectReason::ApplicationPanicked`](crate::DisconnectReason::ApplicationPanicked), and the log reports it.
/// Calls for other sessions continue, and so do the remaining calls for this one. Under `panic = "abort"` the process
/// ends.
pub trait Observer: Send + Sync {
    /// Called when a session has opened. `session` does not keep it alive.
    fn opened(&self, session: &Sender) {
        let _ = session;
    }

    /// Called when the server refuses a request, on polling or on WebSocket, while it writes the answer. `request` says
    /// who asked for what, and what was expected. A panic changes nothing.
    fn refused(&self, request: &RefusedRequest<'_>) {
        let _ = request;
    }

    /// Called when the server closes a connection unanswered, because its address has as many as
    /// [`max_connections_per_address`](crate::ServerBuilder::max_connections_per_address) allows; by
    /// [`Server::serve_connection`](crate::Server::serve_connection), also because there are as many as
    /// [`max_connections`](crate::ServerBuilder::max_connections) allows. A panic changes nothing.
    fn connection_refused(&self, peer: Option<SocketAddr>) {
        let _ = peer;
    }

    /// Called when [`Server::serve`](crate::Server::serve) can accept no connection at present. Called once, however
    /// often accepting fails before [`accepts_again`](Self::accepts_again). A panic changes nothing.
    fn cannot_accept(&self, why: &CannotAccept<'_>) {
        let _ = why;
    }

    /// Called when accepting has not failed for five seconds. `after` says for how long it had failed before. A panic
    /// changes nothing.
    fn accepts_again(&self, after: Duration) {
        let _ = after;
    }

    /// Called when the server has passed a ping to the transport. A ping that no poll has fetched is reported again if it
    /// goes over the WebSocket, as [messages](Self::sent) are. Clients of revision 3 send the pings themselves, which are
    /// reported as a [`heartbeat`](Self::heartbeat).
    fn ping(&self, id: SessionId) {
        let _ = id;
    }

    /// Called when the client's heartbeat has arrived: its pong, with the round trip time, or the ping of a client of
    /// revision 3, without one.
    fn heartbeat(&self, id: SessionId, rtt: Option<Duration>) {
        let _ = (id, rtt);
    }

    /// Called when a message has arrived.
    fn message(&self, id: SessionId, message: &Message) {
        let _ = (id, message);
    }

    /// Called when messages have been passed to the transport: written to the WebSocket's connection completely, or put
    /// into the answer to a poll. `bytes` counts their payloads. What was passed may still be lost on its way. If the session
    /// moves before a poll has fetched its answer, the messages of that answer go over the WebSocket, and are reported again.
    fn sent(&self, id: SessionId, messages: usize, bytes: usize) {
        let _ = (id, messages, bytes);
    }

    /// Called when an upgrade has succeeded or failed.
    fn upgrade(&self, id: SessionId, outcome: UpgradeOutcome) {
        let _ = (id, outcome);
    }

    /// Called when a session has ended. Its application may still be running.
    fn closed(&self, id: SessionId, disconnect: &Disconnect) {
        let _ = (id, disconnect);
    }
}
