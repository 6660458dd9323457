//! Measures the round trip by a WebSocket ping of the client's own.
//!
//! The state reaches this code through pointers that only [`State::request_rtt_ping`] names, so an image holds it only if
//! the firmware measures round trips.

use eio_core::Instant;
use eio_core::ws::OpCode;

use super::State;
use crate::outbox::{Outbox, fill};

/// The measurement in progress.
#[derive(Clone, Copy)]
pub(super) enum Probe {
    None,
    /// The ping is to be sent, by this function.
    Wanted(fn(&mut State<'_>, Instant, &mut Outbox<'_>)),
    /// The ping is unanswered. This function handles a pong with this payload.
    Sent(fn(&mut State<'_>, Instant, &[u8])),
}

impl State<'_> {
    /// Requests a WebSocket ping, unless one is unanswered.
    pub(crate) fn request_rtt_ping(&mut self) {
        if matches!(self.probe, Probe::None) {
            self.probe = Probe::Wanted(put_ping);
        }
    }
}

/// Puts the ping. Its payload is the time.
fn put_ping(state: &mut State<'_>, now: Instant, outbox: &mut Outbox<'_>) {
    state.probe = Probe::Sent(handle_pong);
    state.probed_at = now;
    let payload = now.as_micros().to_be_bytes();
    fill(&mut outbox.payload().iter_mut(), &payload);
    outbox.put(OpCode::Ping, true, payload.len(), state.key());
}

/// Handles a pong, which may be the one that is awaited.
fn handle_pong(state: &mut State<'_>, now: Instant, payload: &[u8]) {
    if payload == state.probed_at.as_micros().to_be_bytes() {
        state.probe = Probe::None;
        state.rtt = Some(now.saturating_duration_since(state.probed_at));
    }
}
