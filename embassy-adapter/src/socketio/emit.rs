//! Sending on a namespace.

use core::time::Duration;

use eio_core::socketio::Packet;
use embassy_time::with_deadline;
use embedded_io_async::{Read, Write};

use super::{Pending, Socket, SocketError, State};

impl<R: Read, W: Write, S: State> Socket<'_, '_, R, W, S> {
    /// Emits an event. `args` is a list of JSON values separated by commas, or empty.
    ///
    /// # Errors
    /// [`SocketError::Packet`] if the name is reserved or `args` is not valid JSON. [`SocketError::Send`] if sending
    /// fails. [`SocketError::Disconnected`] if the server has disconnected the client from the namespace.
    pub async fn emit(&mut self, name: &str, args: &str) -> Result<(), SocketError> {
        self.send(Packet::event(name, args)?).await
    }

    /// Emits an event that asks for an answer, and returns the number that [`Incoming::Ack`](super::Incoming::Ack) will
    /// carry. No two events of a client have the same number, whatever their namespaces.
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit).
    pub async fn emit_with_ack(&mut self, name: &str, args: &str) -> Result<u64, SocketError> {
        let id = self.state.last_id().saturating_add(1);
        self.send(Packet::event(name, args)?.with_id(id)?).await?;
        *self.state.last_id() = id;
        Ok(id)
    }

    /// Emits an event that must be answered within `timeout` from now.
    ///
    /// The answer arrives as an [`Incoming::Ack`](super::Incoming::Ack) with the number of the returned [`Pending`].
    /// [`Socket::answer`](super::Socket::answer) waits for it; [`Pending`] shows how a loop of your own does.
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit). [`SocketError::AckTimeout`] if the event could not be sent in that time. Then it
    /// is not sent later.
    pub async fn emit_with_timeout(
        &mut self,
        name: &str,
        args: &str,
        timeout: Duration,
    ) -> Result<Pending, SocketError> {
        let deadline = Pending::deadline_after(timeout);
        let emitted = with_deadline(deadline, self.emit_with_ack(name, args)).await;
        Ok(Pending::new(emitted.unwrap_or(Err(SocketError::AckTimeout))?, deadline))
    }

    /// Answers the event with the number `id`. `args` is as for [`emit`](Self::emit).
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit).
    pub async fn ack(&mut self, id: u64, args: &str) -> Result<(), SocketError> {
        self.send(Packet::ack(id, args)?).await
    }

    /// Sends a packet on this namespace. If the packet announces attachments, use [`send_binary`](Self::send_binary).
    ///
    /// # Errors
    /// The same as [`emit`](Self::emit).
    pub async fn send(&mut self, packet: Packet<'_>) -> Result<(), SocketError> {
        self.state.gate().check()?;
        let packet = packet.in_namespace(self.namespace)?;
        self.client.send_text_with(|out| packet.encode(out).map(str::len)).await?;
        Ok(())
    }
}
