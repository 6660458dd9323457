//! A WebSocket that asks for a session which has one already, or is about to have one.
//!
//! The protocol ("Upgrade") wants the connection closed, not the request refused, and the session left alone.

use core::future::poll_fn;
use std::sync::Arc;

use hyper::upgrade::OnUpgrade;

use crate::server::session::{Session, websocket};
use crate::session::departing::{CLOSING_TIME, ClosingWebSocket};

/// Closes the WebSocket as soon as the answer that switches protocols has left. Of each session at most one is on its way
/// out, and for no longer than an ended session's: `false` while there is one.
pub(crate) fn turn_away(session: &Arc<Session>, upgrade: OnUpgrade) -> bool {
    if !session.lock().slots.begin_surplus() {
        return false;
    }
    let surplus = Surplus(Arc::clone(session));
    tokio::spawn(async move {
        // Who does not take the answer gets no close frame.
        let _ = tokio::time::timeout(CLOSING_TIME, surplus.close(upgrade)).await;
    });
    true
}

/// Ends with the connection, however that ends.
struct Surplus(Arc<Session>);

impl Surplus {
    async fn close(&self, upgrade: OnUpgrade) {
        let Ok(upgraded) = upgrade.await else { return };
        let io = Box::new(websocket(&self.0.context, upgraded));
        let Some(mut closing) = ClosingWebSocket::new(io, false, self.0.now()) else { return };
        poll_fn(|cx| closing.poll(cx, self.0.now())).await;
    }
}

impl Drop for Surplus {
    fn drop(&mut self) {
        self.0.lock().slots.end_surplus();
    }
}
