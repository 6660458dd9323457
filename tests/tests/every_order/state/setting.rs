//! What one search varies.

use eio_core::{Liveness, Revision};

use super::Ticks;

/// What is fixed during one search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) revision: Revision,
    pub(crate) liveness: Liveness,
    pub(crate) ping_interval: Ticks,
    pub(crate) ping_timeout: Ticks,
    /// A packet is under way for at most so long.
    pub(crate) delay: Ticks,
    /// A machine is woken at most so long after its deadline.
    pub(crate) lateness: Ticks,
    /// How many messages each end may send.
    pub(crate) messages: u8,
    /// Whether an end may vanish and the link may break.
    pub(crate) breaks: bool,
    /// Whether an end may close.
    pub(crate) closes: bool,
    /// How long the server and the client give an upgrade, if there may be one.
    pub(crate) upgrade_timeouts: Option<(Ticks, Ticks)>,
    /// The search ends here.
    pub(crate) horizon: Ticks,
}

impl Setting {
    /// When the death of a peer must have been noticed: an interval and a timeout after its last packet came in, and
    /// both the ping and the end may come late.
    pub(super) fn notice(self) -> Ticks {
        self.delay + self.ping_interval + self.ping_timeout + 2 * self.lateness
    }
}
