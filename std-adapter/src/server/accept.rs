//! Accepts connections, up to the limits, and reports when no more can be accepted.

mod outage;

use core::pin::pin;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use self::outage::Outage;
use crate::carrier::gate::{Gate, Permit};
use crate::server::connection::{self, Answers};
use crate::server::incident::{CannotAccept, Incident};
use crate::server::listener::Listener;
use crate::server::sessions::ServerShared;
use crate::wire::sync;

/// How long the server waits before it tries to accept again.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves every connection that `listener` accepts, until the server is shut down and its last session has ended, or the
/// shutdown has stopped waiting.
pub(crate) async fn serve<L, S>(server: Arc<ServerShared>, mut listener: L, service: S)
where
    L: Listener,
    S: Answers,
{
    listener.set_http2(server.http.speaks_http2());
    let mut outage = Outage::default();
    let mut over = pin!(async {
        tokio::select! {
            () = server.sessions.drained() => {}
            // The task of a session that is left may be blocked by its application.
            () = server.sessions.given_up() => {}
        }
    });
    loop {
        tokio::select! {
            () = room(&server, &mut outage) => {}
            () = &mut over => return,
        }
        let accepted = tokio::select! {
            accepted = accept(&server, &mut listener, &mut outage) => accepted,
            () = &mut over => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some((permit, _)) = enter(&server, peer) else { continue };
                sync::spawn(connection::serve(Arc::clone(&server), stream, peer, service.clone(), permit));
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Most likely the process is out of descriptors. Connections that end will free some.
                fails(&server, &mut outage, &CannotAccept::Error(&error));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Admits a connection, unless its address has as many as it may have. Returns also how many were open before.
fn enter(server: &ServerShared, peer: Option<SocketAddr>) -> Option<(Permit, usize)> {
    let trusted = server.http.trusted_proxies.as_ref().is_some_and(|proxies| proxies.trust(peer));
    let entered = Gate::enter(&server.gate, peer.filter(|_| !trusted));
    if entered.is_none() {
        server.tell(&Incident::ConnectionRefused(peer));
    }
    entered
}

/// Admits a connection that somebody else has accepted, unless there are as many as there may be. It cannot wait for room
/// in the kernel, where it would take none of the process's descriptors.
pub(crate) fn admit(server: &ServerShared, peer: Option<SocketAddr>) -> Option<Permit> {
    // Counted first: of several that come at once, as many are admitted as there is room for.
    let (permit, before) = enter(server, peer)?;
    if server.gate.is_full_with(before) {
        server.gate.press(server.sessions.clock.now());
        server.tell(&Incident::ConnectionRefused(peer));
        return None;
    }
    Some(permit)
}

/// Waits until one more connection may be open.
async fn room(server: &ServerShared, outage: &mut Outage) {
    while let Some(limit) = server.gate.full() {
        fails(server, outage, &CannotAccept::MaxConnections(limit));
        let _ = tokio::time::timeout(PAUSE, server.gate.freed()).await;
    }
}

/// Waits for the next connection, and reports meanwhile when an outage is over.
async fn accept<L: Listener>(
    server: &ServerShared,
    listener: &mut L,
    outage: &mut Outage,
) -> io::Result<(L::Io, Option<SocketAddr>)> {
    let mut accepting = pin!(listener.accept());
    while let Some(over) = outage.over_at() {
        tokio::select! {
            biased;
            accepted = &mut accepting => return accepted,
            () = tokio::time::sleep_until(server.sessions.clock.deadline(over)) => {
                if let Some(after) = outage.ends(server.sessions.clock.now()) {
                    server.tell(&Incident::AcceptsAgain(after));
                }
            }
        }
    }
    accepting.await
}

/// Reports that no connection can be accepted, and shortens the time for connections that have not sent a request.
fn fails(server: &ServerShared, outage: &mut Outage, why: &CannotAccept<'_>) {
    let now = server.sessions.clock.now();
    server.gate.press(now);
    let is_new = outage.begins(now);
    server.tell(&Incident::CannotAccept { why, is_new });
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
