//! Watching every session of a server.

use std::time::Duration;

use eio_core::upgrade::UpgradeOutcome;

use crate::message::Message;
use crate::session_id::SessionId;
use crate::socket::{Disconnect, Transport};

/// Is told what happens to all sessions, as a dashboard or an event log wants to know it.
///
/// Called from the sessions' own tasks with a lock held: return at once, and do not call the server back.
pub trait Observer: Send + Sync {
    /// A session opened.
    fn opened(&self, id: SessionId, transport: Transport) {
        let _ = (id, transport);
    }

    /// The server wrote a ping, or a client of revision 3 sent one.
    fn ping(&self, id: SessionId) {
        let _ = id;
    }

    /// A heartbeat came in; `rtt` when it answers a ping of the server's.
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
