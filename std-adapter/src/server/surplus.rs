//! A WebSocket request for a session that already has a WebSocket, or is about to have one.
//!
//! The protocol ("Upgrade") requires such a connection to be opened and closed, without effect on the session.

use core::future::poll_fn;
use std::sync::Arc;

use hyper::upgrade::OnUpgrade;

use crate::server::sessions::Session;
use crate::server::websocket::websocket;
use crate::session::departing::{CLOSING_TIME, ClosingWebSocket};
use crate::wire::sync;

/// Closes the WebSocket as soon as the answer that switches protocols has been sent. Each session closes at most one at a
/// time, for no longer than a WebSocket whose session has ended. Returns `false` while one is being closed.
pub(crate) fn turn_away(session: &Arc<Session>, upgrade: OnUpgrade) -> bool {
    if !session.lock().slots.begin_surplus() {
        return false;
    }
    let surplus = Surplus(Arc::clone(session));
    sync::spawn(async move {
        // A client that does not take the answer gets no close frame.
        let _ = tokio::time::timeout(CLOSING_TIME, surplus.close(upgrade)).await;
    });
    true
}

/// Marks the session as closing a surplus WebSocket. Dropping it removes the mark.
struct Surplus(Arc<Session>);

impl Surplus {
    async fn close(&self, upgrade: OnUpgrade) {
        let Ok(upgraded) = upgrade.await else { return };
        let io = Box::new(websocket(&self.0.context, upgraded));
        let until = self.0.now().saturating_add(CLOSING_TIME);
        let Some(mut closing) = ClosingWebSocket::new(io, false, until) else { return };
        poll_fn(|cx| closing.poll(cx, self.0.now())).await;
    }
}

impl Drop for Surplus {
    fn drop(&mut self) {
        self.0.lock().slots.end_surplus();
    }
}
