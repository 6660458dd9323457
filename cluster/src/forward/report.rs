//! What a node has forwarded, and what went wrong.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::forward::error::ForwardError;
use crate::forward::relay::Ended;
use crate::forward::seal::SealError;
use crate::metrics::forwarding::{FAILED, FORWARDED, REFUSED, TAKEN};
use crate::targets;

/// Failures within this time after a warning are logged at level `debug` only.
const QUIET: Duration = Duration::from_secs(10);

/// What a node has forwarded since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForwardCounts {
    /// Requests that another node has answered, those for WebSockets among them.
    pub requests: u64,
    /// WebSockets that are forwarded now.
    pub websockets: usize,
    /// Requests that could not be forwarded. Those that their clients have not sent to the end do not count.
    pub failed: u64,
    /// WebSockets that were reset, because the node was silent and did not say that the session lives.
    pub silent: u64,
    /// Requests of other nodes that this node has taken. The questions whether a session lives are among them.
    pub taken: u64,
    /// Requests that claimed to come from a node, and were refused.
    pub refused: u64,
}

/// Counts and logs.
#[derive(Debug, Default)]
pub(super) struct Report {
    requests: AtomicU64,
    failed: AtomicU64,
    silent: AtomicU64,
    taken: AtomicU64,
    refused: AtomicU64,
    warned: Mutex<[Option<Instant>; 2]>,
}

impl Report {
    pub(super) fn counts(&self, websockets: usize) -> ForwardCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ForwardCounts {
            requests: read(&self.requests),
            websockets,
            failed: read(&self.failed),
            silent: read(&self.silent),
            taken: read(&self.taken),
            refused: read(&self.refused),
        }
    }

    pub(super) fn forwarded(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        FORWARDED.add(1);
    }

    pub(super) fn taken(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        TAKEN.add(1);
    }

    /// A request could not be forwarded to a node.
    pub(super) fn failed(&self, node: &str, error: &ForwardError) {
        // That is nothing between the nodes, and the phones of one node do it all the time.
        let is_of_nodes = !error.is_of_client();
        if is_of_nodes {
            self.failed.fetch_add(1, Ordering::Relaxed);
            FAILED.add(1);
        }
        // A node that leaves is nothing to be warned of.
        if is_of_nodes && !matches!(error, ForwardError::Leaving) && self.may_warn(0) {
            tracing::warn!(target: targets::FORWARD, node, %error, "a request was not forwarded");
        } else {
            tracing::debug!(target: targets::FORWARD, node, %error, "a request was not forwarded");
        }
    }

    /// A request claimed to come from a node, and did not show it.
    pub(super) fn refused(&self, peer: Option<SocketAddr>, error: SealError) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        REFUSED.add(1);
        let peer = peer.map(tracing::field::display);
        if self.may_warn(1) {
            tracing::warn!(target: targets::FORWARD, peer, %error, "a request of another node was refused");
        } else {
            tracing::debug!(target: targets::FORWARD, peer, %error, "a request of another node was refused");
        }
    }

    /// A forwarded WebSocket has ended.
    pub(super) fn ended(&self, node: &str, how: &Ended) {
        if let Ended::Silent(_) = how {
            self.silent.fetch_add(1, Ordering::Relaxed);
        }
        tracing::debug!(target: targets::FORWARD, node, %how, "a forwarded WebSocket has ended");
    }

    /// Returns whether a warning of this kind may be logged: not each of many that anybody can cause.
    fn may_warn(&self, kind: usize) -> bool {
        let now = Instant::now();
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(last) = warned.get_mut(kind) else { return true };
        if last.is_some_and(|last| now.saturating_duration_since(last) < QUIET) {
            return false;
        }
        *last = Some(now);
        true
    }
}
