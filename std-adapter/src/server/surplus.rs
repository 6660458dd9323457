//! A WebSocket that asks for a session which has one already, or is about to have one.
//!
//! The protocol ("Upgrade") wants the connection closed, not the request refused, and the session left alone.

use core::future::poll_fn;
use std::sync::Arc;

use hyper::upgrade::OnUpgrade;

use crate::session::lingering::{LINGER, Lingering};
use crate::session::state::State;

/// Closes the WebSocket as soon as the answer that switches protocols has left. Of each session at most one is on its way
/// out, and for no longer than an ended session's: `false` while there is one.
pub(crate) fn turn_away(state: &Arc<State>, upgrade: OnUpgrade) -> bool {
    if !state.lock().begin_surplus() {
        return false;
    }
    let surplus = Surplus(Arc::clone(state));
    tokio::spawn(async move {
        // Who does not take the answer gets no close frame.
        let _ = tokio::time::timeout(LINGER, surplus.close(upgrade)).await;
    });
    true
}

/// Ends with the connection, however that ends.
struct Surplus(Arc<State>);

impl Surplus {
    async fn close(&self, upgrade: OnUpgrade) {
        let Ok(upgraded) = upgrade.await else { return };
        let io = Box::new(self.0.websocket(upgraded));
        let Some(mut lingering) = Lingering::new(io, false, self.0.now()) else { return };
        poll_fn(|cx| lingering.poll(cx, self.0.now())).await;
    }
}

impl Drop for Surplus {
    fn drop(&mut self) {
        self.0.lock().end_surplus();
    }
}
