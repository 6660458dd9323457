//! Who listens on a network.

use core::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::test_util::stream::NetworkStream;

/// The server's end of a connection, and the address of the client.
pub(super) type Accepted = (NetworkStream, SocketAddr);

/// Whoever listens on a network, if anybody does.
#[derive(Default)]
pub(super) struct Listening(Mutex<Option<mpsc::UnboundedSender<Accepted>>>);

/// The error if nobody listens.
pub(super) struct NobodyListens;

impl Listening {
    fn sender(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<Accepted>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what receives all connections from now on.
    pub(super) fn begin(&self) -> mpsc::UnboundedReceiver<Accepted> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.sender() = Some(sender);
        receiver
    }

    /// Hands a connection over to the listener.
    pub(super) fn hand_over(&self, accepted: Accepted) -> Result<(), NobodyListens> {
        let sender = self.sender();
        sender.as_ref().ok_or(NobodyListens)?.send(accepted).map_err(|_| NobodyListens)
    }
}
