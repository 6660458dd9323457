//! Shuts a server down: first its sessions, then their applications, then its connections.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::server::sessions::{ServerShared, Session};
use crate::wire::session_id::SessionId;

/// Counts what [`Server::shutdown`](crate::Server::shutdown) cut off, because its limit came first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CutOff {
    /// The number of sessions that ended with unsent data, or without an answer from their clients.
    pub sessions: usize,
    /// The number of sessions whose application, or [`on_disconnect`](crate::ServerBuilder::on_disconnect), had not
    /// ended.
    pub applications: usize,
    /// The number of connections of [`Server::serve`](crate::Server::serve) that had not taken their answers, also of those that
    /// were dropped before the limit because they took nothing, and of WebSockets that the client had not closed.
    pub connections: usize,
}

impl CutOff {
    /// Returns whether everything ended in time.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How long a client on polling may take to fetch the close packet, if nothing else remains to be sent: a living client
/// polls again at once.
const LAST_POLL: Duration = Duration::from_secs(1);

/// Closes every session and waits for their end. When a part of the limit has passed, it cuts off the next kind of work.
pub(crate) async fn run(server: &ServerShared, limit: Duration) -> CutOff {
    let mut cut = close(server, limit).await;
    cut.connections += server.unanswered();
    cut
}

async fn close(server: &ServerShared, limit: Duration) -> CutOff {
    let sessions = &server.sessions;
    let start = Instant::now();
    let mut cut = CutOff::default();
    sessions.begin_close();
    for session in sessions.all() {
        session.close(None);
    }
    let mut cut_off = HashSet::new();
    for (part, is_cut) in [
        (LAST_POLL.min(limit / 2), Session::has_only_close_left as fn(&Session) -> bool),
        (limit / 2, |_| true),
    ] {
        if is_quiet_within(server, start, part).await {
            return cut;
        }
        for session in sessions.all().into_iter().filter(|session| is_cut(session)) {
            session.cut_off();
            cut_off.insert(session.context.id);
        }
        cut.sessions = cut_off.len();
    }
    if is_quiet_within(server, start, limit / 4 * 3).await {
        return cut;
    }
    let running = sessions.ending().into_iter().filter(|session| !session.lock().slots.application_over);
    let mut applications: HashSet<SessionId> = running.map(|session| session.context.id).collect();
    sessions.cut_applications();
    if !is_quiet_within(server, start, limit).await {
        applications.extend(sessions.ending().iter().map(|session| session.context.id));
        cut.connections = server.connections();
        sessions.give_up();
    }
    cut.applications = applications.len();
    cut
}

async fn is_quiet_within(server: &ServerShared, start: Instant, part: Duration) -> bool {
    let Some(end) = start.checked_add(part) else {
        // The limit is beyond the range of the platform's clock.
        server.quiet().await;
        return true;
    };
    tokio::time::timeout_at(end, server.quiet()).await.is_ok()
}
