//! Reads from a WebSocket to which a session may move.

use core::task::{Context, Poll};

use eio_core::packet::{DecodeError, Packet, WebSocketMessage};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade, UpgradeOutcome};
use eio_core::{Instant, Revision};

use crate::carrier::websocket::{FrameSink, WebSocketIo};

/// One of the core's upgrades. The methods are those of the upgrade with the same names.
pub(crate) trait Upgrade {
    fn handle_packet(&mut self, now: Instant, packet: Result<Packet<'_>, DecodeError>);
    fn handle_transport_closed(&mut self);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_timeout(&self) -> Option<Instant>;
    fn outcome(&self) -> Option<UpgradeOutcome>;
}

macro_rules! upgrade {
    ($upgrade:ty) => {
        impl Upgrade for $upgrade {
            fn handle_packet(&mut self, now: Instant, packet: Result<Packet<'_>, DecodeError>) {
                self.handle_packet(now, packet);
            }

            fn handle_transport_closed(&mut self) {
                self.handle_transport_closed();
            }

            fn handle_timeout(&mut self, now: Instant) {
                self.handle_timeout(now);
            }

            fn poll_timeout(&self) -> Option<Instant> {
                self.poll_timeout()
            }

            fn outcome(&self) -> Option<UpgradeOutcome> {
                self.outcome()
            }
        }
    };
}

upgrade!(ServerUpgrade);
upgrade!(ClientUpgrade);

/// Passes everything that has arrived to the upgrade, and then the time. `io` is its WebSocket, if that is open.
pub(crate) fn read(
    io: Option<&mut WebSocketIo>,
    cx: &mut Context<'_>,
    upgrade: &mut impl Upgrade,
    revision: Revision,
    now: Instant,
) {
    if let Some(io) = io {
        let mut is_closed = io.poll_read(cx, &mut ProbeSink { upgrade, revision, now }).is_ready();
        // Rule 5: a runtime that did not run for a while may not know what has arrived.
        if !is_closed && upgrade.poll_timeout().is_some_and(|due| due <= now) {
            let read = io.read_past_runtime(&mut ProbeSink { upgrade, revision, now });
            is_closed = matches!(read, Some(Poll::Ready(_)));
        }
        if is_closed {
            upgrade.handle_transport_closed();
        }
    }
    upgrade.handle_timeout(now);
}

/// Passes messages to the upgrade, up to the packet that decides it. Later messages belong to the session.
struct ProbeSink<'a, U> {
    upgrade: &'a mut U,
    revision: Revision,
    now: Instant,
}

impl<U: Upgrade> FrameSink for ProbeSink<'_, U> {
    fn wants_more(&self) -> bool {
        self.upgrade.outcome().is_none()
    }

    fn handle(&mut self, frame: WebSocketMessage<'_>) {
        self.upgrade.handle_packet(self.now, self.revision.decode(frame));
    }

    fn handle_activity(&mut self) {}
}
