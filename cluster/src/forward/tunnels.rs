//! The WebSockets that a node forwards now, and their end when it leaves.

use core::time::Duration;

use tokio::sync::watch;

use crate::metrics::forwarding::WEBSOCKETS;

/// What a node does with the WebSockets that it forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Open,
    /// It closes them.
    Leaving,
    /// It drops those that are left.
    Gone,
}

/// The WebSockets that a node forwards now.
#[derive(Debug)]
pub(super) struct Tunnels {
    phase: watch::Sender<Phase>,
    open: watch::Sender<usize>,
}

/// A WebSocket that is forwarded. Dropping it reports its end.
#[derive(Debug)]
pub(super) struct Tunnel {
    open: watch::Sender<usize>,
    phase: watch::Receiver<Phase>,
}

impl Tunnels {
    pub(super) fn new() -> Self {
        Self { phase: watch::Sender::new(Phase::Open), open: watch::Sender::new(0) }
    }

    /// Begins a WebSocket, unless the node is leaving.
    pub(super) fn begin(&self) -> Option<Tunnel> {
        let phase = self.phase.subscribe();
        if *phase.borrow() != Phase::Open {
            return None;
        }
        note(&self.open, |open| open + 1);
        Some(Tunnel { open: self.open.clone(), phase })
    }

    /// Waits until the node leaves.
    pub(super) async fn leaving(&self) {
        let _ = self.phase.subscribe().wait_for(|now| *now >= Phase::Leaving).await;
    }

    pub(super) fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// Closes all within this time. Returns how many it had to drop.
    pub(super) async fn close(&self, limit: Duration) -> usize {
        self.phase.send_modify(|phase| *phase = (*phase).max(Phase::Leaving));
        let mut open = self.open.subscribe();
        if tokio::time::timeout(limit, open.wait_for(|open| *open == 0)).await.is_ok() {
            return 0;
        }
        let dropped = self.open();
        self.phase.send_replace(Phase::Gone);
        // They are dropped by their tasks, which need no more than their turn.
        let _ = open.wait_for(|open| *open == 0).await;
        dropped
    }
}

impl Tunnel {
    /// Waits until the node has come to this phase.
    pub(super) async fn reaches(&self, phase: Phase) {
        let _ = self.phase.clone().wait_for(|now| *now >= phase).await;
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        note(&self.open, |open| open - 1);
    }
}

/// Changes the number of WebSockets, and records it.
fn note(open: &watch::Sender<usize>, change: impl FnOnce(usize) -> usize) {
    open.send_modify(|open| {
        *open = change(*open);
        WEBSOCKETS.set(u32::try_from(*open).unwrap_or(u32::MAX));
    });
}
