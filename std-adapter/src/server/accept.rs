//! Accepting connections: how many, what happens when no more can be accepted, and who is told.

mod outage;

use core::convert::Infallible;
use core::pin::pin;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use tower_service::Service;

use self::outage::Outage;
use crate::carrier::gate::Gate;
use crate::server::connection;
use crate::server::hub::Hub;
use crate::server::listener::Listener;
use crate::session::notice;
use crate::session::observer::CannotAccept;

/// How long to wait before accepting is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves every connection that `listener` accepts, until the server is shut down and its last session has ended.
pub(crate) async fn serve<L, S, B>(hub: Arc<Hub>, mut listener: L, service: S)
where
    L: Listener,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let mut outage = Outage::default();
    let mut drained = pin!(hub.drained());
    loop {
        tokio::select! {
            () = room(&hub, &mut outage) => {}
            () = &mut drained => return,
        }
        let accepted = tokio::select! {
            accepted = accept(&hub, &mut listener, &mut outage) => accepted,
            () = &mut drained => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let trusted =
                    hub.config.http.trusted_proxies.as_ref().is_some_and(|proxies| proxies.trust(peer));
                let Some(permit) = Gate::enter(&hub.gate, peer.filter(|_| !trusted)) else {
                    notice::tell_connection_refused(peer);
                    continue;
                };
                tokio::spawn(connection::serve(
                    Arc::clone(&hub),
                    stream,
                    peer,
                    service.clone(),
                    Some(permit),
                ));
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Out of descriptors, most likely: connections that end will free some.
                fails(&hub, &mut outage, &CannotAccept::Error(&error));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Waits until one more connection may be open.
async fn room(hub: &Hub, outage: &mut Outage) {
    while let Some(limit) = hub.gate.full() {
        fails(hub, outage, &CannotAccept::MaxConnections(limit));
        let _ = tokio::time::timeout(PAUSE, hub.gate.freed()).await;
    }
}

/// The next connection. Tells meanwhile when an outage is over.
async fn accept<L: Listener>(
    hub: &Hub,
    listener: &mut L,
    outage: &mut Outage,
) -> io::Result<(L::Io, Option<SocketAddr>)> {
    let mut accepting = pin!(listener.accept());
    while let Some(over) = outage.over_at() {
        tokio::select! {
            biased;
            accepted = &mut accepting => return accepted,
            () = tokio::time::sleep_until(hub.clock.deadline(over)) => {
                if let Some(after) = outage.ends(hub.clock.now()) {
                    notice::tell_accepts_again(after, hub.config.observer.as_deref());
                }
            }
        }
    }
    accepting.await
}

/// No connection can be accepted now. Those that have said nothing have to make room soon.
fn fails(hub: &Hub, outage: &mut Outage, why: &CannotAccept<'_>) {
    let now = hub.clock.now();
    hub.gate.press(now);
    let is_new = outage.begins(now);
    notice::tell_cannot_accept(why, is_new, hub.config.observer.as_deref());
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
