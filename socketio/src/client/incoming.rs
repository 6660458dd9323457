//! What a namespace brings.

use core::fmt;
use std::sync::Arc;

use bytestring::ByteString;

use crate::args::{IntoArgs, RawArgs};
use crate::client::disconnect::Disconnect;
use crate::client::error::JoinError;
use crate::client::inbox::Item;
use crate::client::namespace::Key;
use crate::client::refused::Refused;
use crate::client::shared::Shared;
use crate::errors::EmitError;

/// What arrived on a namespace.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// The server emitted an event.
    Event {
        /// Its name.
        name: ByteString,
        /// Its arguments. If the server recovers connections (`connectionStateRecovery`), events that ask for no answer
        /// carry their position as one more argument at the end, as in the reference. Reading them as a tuple ignores it.
        args: RawArgs,
        /// Answers the event, if the server wants an answer.
        ack: Option<Ack>,
    },
    /// The client has joined again, after a [`Disconnected`](Self::Disconnected) with
    /// [`reconnects`](Disconnect::reconnects).
    Connected {
        /// Whether the server has recovered the socket: it has the same id and rooms as before, and the server sends the
        /// events that were missed. Those of a server in Node arrive before this, those of ours after it.
        recovered: bool,
    },
    /// The client was disconnected from the namespace. Answers that it waited for will not come. If
    /// [`reconnects`](Disconnect::reconnects), the client joins again by itself.
    Disconnected(Disconnect),
    /// The client could not join again, and does not try by itself. [`Socket::rejoin`](crate::client::Socket::rejoin)
    /// does, and then sends what was emitted since the disconnect.
    ConnectError(JoinError),
    /// A server of Socket.IO 2 reported an error. The namespace stays joined.
    Error(Refused),
}

impl Incoming {
    pub(super) fn new(item: Item, shared: &Arc<Shared>, key: &Key) -> Self {
        match item {
            Item::Event { name, args, id, ends } => {
                let ack = id.map(|id| Ack { shared: Arc::clone(shared), key: key.clone(), id, ends });
                Self::Event { name, args, ack }
            }
            Item::Connected { recovered } => Self::Connected { recovered },
            Item::Disconnected(disconnect) => Self::Disconnected(disconnect),
            Item::ConnectError(error) => Self::ConnectError(error),
            Item::Error { refused, .. } => Self::Error(refused),
        }
    }
}

/// Answers an event of the server, once. The server waits in vain if it is dropped.
#[must_use = "the server waits for an answer"]
pub struct Ack {
    shared: Arc<Shared>,
    key: Key,
    id: u64,
    ends: u64,
}

impl Ack {
    /// Sends the answer.
    ///
    /// There is always room for it. If the server asks and does not read the answers, the client stops reading once 4096
    /// of them wait.
    ///
    /// # Errors
    /// [`EmitError::Encode`] if the answer cannot be written. [`EmitError::Disconnected`] if the client was disconnected
    /// since the event arrived: the server has forgotten its question. [`EmitError::TooLarge`].
    pub fn send(self, args: impl IntoArgs) -> Result<(), EmitError> {
        self.shared.answer(&self.key, self.ends, self.id, args.into_args()?)
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").field("namespace", &self.key.name).field("id", &self.id).finish_non_exhaustive()
    }
}
