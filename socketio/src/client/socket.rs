//! A namespace that a client has joined.

use core::fmt;
use std::sync::Arc;

use bytestring::ByteString;

use crate::args::{EncodeError, FromArgs, IntoArgs};
use crate::client::ack::AckFuture;
use crate::client::disconnect::{Disconnect, DisconnectReason};
use crate::client::emitter::Emitter;
use crate::client::error::{JoinError, RecvError};
use crate::client::incoming::Incoming;
use crate::client::joining::Handle;
use crate::client::namespace::Phase;
use crate::errors::EmitError;

/// A namespace that a client has joined: it receives what the server emits.
///
/// To send from elsewhere, take an [`Emitter`]. The client leaves the namespace when the socket and all of its emitters
/// are dropped, and closes the connection when it has left the last namespace.
pub struct Socket {
    emitter: Emitter,
}

impl Socket {
    pub(super) fn new(handle: Handle) -> Self {
        Self { emitter: Emitter { handle: Arc::new(handle) } }
    }

    /// Returns what arrives next. Waits for it.
    ///
    /// While the client reconnects, this waits. It does not end with a connection.
    ///
    /// This method is cancel safe: dropping the future loses nothing.
    ///
    /// If the application does not call this method, the client stops reading, for all namespaces, once the
    /// [inbox](crate::client::ClientBuilder::inbox) is full.
    ///
    /// # Errors
    /// Returns a [`RecvError`] once nothing more will arrive, and the application has received what arrived before.
    pub async fn recv(&mut self) -> Result<Incoming, RecvError> {
        let Handle { shared, key, reader } = &*self.emitter.handle;
        loop {
            {
                let mut state = shared.lock();
                let Some(namespace) = state.get(key) else {
                    return Err(RecvError::Disconnected(Disconnect::new(DisconnectReason::ClientDisconnect)));
                };
                if let Some((item, resumes)) = namespace.inbox.pop(shared.settings.inbox) {
                    if resumes {
                        state.note_room();
                        // It does not join by itself while its inbox is full.
                        shared.start(&mut state, &key.name);
                    }
                    return Ok(Incoming::new(item, shared, key));
                }
                if let Phase::Out(out) = &namespace.phase {
                    return Err(out.clone().into());
                }
            }
            reader.notified().await;
        }
    }

    /// Joins the namespace again after it was disconnected for good: the server disconnected the client, refused it, or
    /// the connection did not open. If the client joins by itself, this waits for it. Room in the inbox is not waited for. What was
    /// emitted while the client was away, and has not been sent, is sent then.
    ///
    /// # Cancel safety
    /// This method is cancel safe. If the future is dropped, the client goes on to join, and [`recv`](Self::recv) returns what comes of
    /// it.
    ///
    /// # Errors
    /// Returns a [`JoinError`], as [`Client::join`](crate::client::Client::join) does.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub async fn rejoin(&mut self) -> Result<(), JoinError> {
        let Handle { shared, key, .. } = &*self.emitter.handle;
        shared.rejoin(key).await
    }

    /// Leaves the namespace, and waits until that has been passed on. Emitters of the namespace are of no use any more.
    ///
    /// With [retries](crate::client::ClientBuilder::retries), the client leaves once every event that was emitted before has
    /// been answered or given up, or after 30 seconds. If you drop the future before, the client leaves at once.
    ///
    /// The connection closes when the client has left its last namespace.
    pub async fn leave(self) {
        self.stop_receiving();
        let Handle { shared, key, .. } = &*self.emitter.handle;
        shared.leave_in_order(key).await;
    }

    /// Drops what has arrived and what will arrive, so that nothing waits for the application.
    fn stop_receiving(&self) {
        let Handle { shared, key, .. } = &*self.emitter.handle;
        let mut state = shared.lock();
        let Some(namespace) = state.get(key) else { return };
        let was_full = namespace.inbox.abandon();
        // Nobody can join it again.
        let given_up = namespace.is_out().then(|| namespace.give_up());
        if was_full {
            state.note_room();
        }
        if let Some(given_up) = given_up {
            state.give_up(&key.name, given_up);
            state.note_change();
        }
    }

    /// Returns what emits events from elsewhere.
    #[must_use]
    pub fn emitter(&self) -> Emitter {
        self.emitter.clone()
    }

    /// Emits an event, as [`Emitter::emit`] does.
    ///
    /// # Errors
    /// Returns an [`EmitError`]. Nothing is sent then.
    pub fn emit(&self, name: &str, args: impl IntoArgs) -> Result<(), EmitError> {
        self.emitter.emit(name, args)
    }

    /// Emits an event as soon as there is room for it, as [`Emitter::send`] does.
    ///
    /// # Errors
    /// Returns an [`EmitError`], but not [`EmitError::Full`].
    pub async fn send(&self, name: &str, args: impl IntoArgs) -> Result<(), EmitError> {
        self.emitter.send(name, args).await
    }

    /// Emits an event only if the transport takes it at once, as [`Emitter::emit_volatile`] does.
    ///
    /// # Errors
    /// Returns an [`EncodeError`] if the event cannot be written.
    pub fn emit_volatile(&self, name: &str, args: impl IntoArgs) -> Result<bool, EncodeError> {
        self.emitter.emit_volatile(name, args)
    }

    /// Emits an event, and returns the server's answer as a future, as [`Emitter::emit_with_ack`] does.
    pub fn emit_with_ack<T: FromArgs>(&self, name: &str, args: impl IntoArgs) -> AckFuture<T> {
        self.emitter.emit_with_ack(name, args)
    }

    /// Returns the namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.emitter.namespace()
    }

    /// Returns whether the client is connected to the namespace.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.emitter.is_connected()
    }

    /// Returns the id by which the server knows this socket, as [`Emitter::id`] does.
    #[must_use]
    pub fn id(&self) -> Option<ByteString> {
        self.emitter.id()
    }

    /// Returns whether the server has recovered the socket at the last connect, as [`Emitter::recovered`] does.
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.emitter.recovered()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.stop_receiving();
        let handle = &self.emitter.handle;
        if Arc::strong_count(handle) > 1 {
            // Emitters stay, and a full inbox keeps the namespace from being joined no more.
            handle.shared.start(&mut handle.shared.lock(), &handle.key.name);
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("namespace", &self.namespace()).finish_non_exhaustive()
    }
}
