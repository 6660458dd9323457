//! A session on long-polling: what waits for a request, and how far the move to a WebSocket has come.
//!
//! All requests share one connection, as over HTTP/2, and so does the WebSocket (RFC 8441).

use eio_core::Instant;
use eio_core::upgrade::{ClientUpgrade, ServerUpgrade};

use crate::message::Parcel;
use crate::side::Side;

#[derive(Clone, Debug)]
pub(crate) struct Polling {
    /// What either side sends.
    pub(crate) ways: [Way; 2],
    /// The client has asked for packets, and was not answered yet.
    pub(crate) asks: bool,
    pub(crate) upgrades: [Upgrade; 2],
}

/// One direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Way {
    /// On the server: a request waits for packets. On the client: each request that brought packets was answered.
    pub(crate) is_free: bool,
    pub(crate) queue: Vec<Parcel>,
}

/// How far one side has come.
#[derive(Clone, Debug)]
pub(crate) enum Upgrade {
    /// It does not move.
    No,
    /// The client has asked for a WebSocket.
    Asked,
    Client(ClientUpgrade),
    Server(ServerUpgrade),
    /// It is on the WebSocket.
    Moved,
}

impl Polling {
    /// A session whose handshake is under way.
    pub(crate) fn opening() -> Self {
        let [server, client] = [false, true].map(|is_free| Way { is_free, queue: Vec::new() });
        Self { ways: [server, client], asks: false, upgrades: [Upgrade::No, Upgrade::No] }
    }

    /// A session whose first request waits for packets.
    pub(crate) fn open() -> Self {
        let mut polling = Self::opening();
        (polling.asks, polling.ways[Side::Server.index()].is_free) = (true, true);
        polling
    }

    /// Whether this side still uses long-polling.
    pub(crate) const fn is_used_by(&self, side: Side) -> bool {
        !matches!(self.upgrades[side.index()], Upgrade::Moved)
    }

    /// Whether the client holds back its requests, in order to move.
    pub(crate) fn is_paused(&self) -> bool {
        matches!(&self.upgrades[Side::Client.index()], Upgrade::Client(upgrade) if upgrade.wants_pause())
    }

    /// Takes what this side may send now.
    pub(crate) fn take(&mut self, side: Side) -> Option<Box<[Parcel]>> {
        if side == Side::Client && self.is_paused() {
            return None;
        }
        let way = &mut self.ways[side.index()];
        if !way.is_free || way.queue.is_empty() {
            return None;
        }
        way.is_free = false;
        Some(core::mem::take(&mut way.queue).into())
    }

    /// When the upgrade of this side has to be called.
    pub(crate) fn poll_timeout(&self, side: Side) -> Option<Instant> {
        match &self.upgrades[side.index()] {
            Upgrade::Client(upgrade) => upgrade.poll_timeout(),
            Upgrade::Server(upgrade) => upgrade.poll_timeout(),
            Upgrade::No | Upgrade::Asked | Upgrade::Moved => None,
        }
    }
}
