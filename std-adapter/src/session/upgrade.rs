//! Reads from a WebSocket to which a session may move.

use eio_core::packet::{DecodeError, Packet, WebSocketMessage};
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade, UpgradeOutcome};
use eio_core::{Instant, Revision};

use crate::carrier::websocket::FrameSink;

/// One of the core's upgrades. The methods are those of the upgrade with the same names.
pub(crate) trait Upgrade {
    fn handle_packet(&mut self, now: Instant, packet: Result<Packet<'_>, DecodeError>);
    fn outcome(&self) -> Option<UpgradeOutcome>;
}

macro_rules! upgrade {
    ($upgrade:ty) => {
        impl Upgrade for $upgrade {
            fn handle_packet(&mut self, now: Instant, packet: Result<Packet<'_>, DecodeError>) {
                self.handle_packet(now, packet);
            }

            fn outcome(&self) -> Option<UpgradeOutcome> {
                self.outcome()
            }
        }
    };
}

upgrade!(ServerUpgrade);
upgrade!(ClientUpgrade);

/// Passes messages to the upgrade, up to the packet that decides it. Later messages belong to the session.
pub(crate) struct ProbeSink<'a, U> {
    pub(crate) upgrade: &'a mut U,
    pub(crate) revision: Revision,
    pub(crate) now: Instant,
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
