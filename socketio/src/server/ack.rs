//! Answers to clients that asked for an acknowledgement.

use crate::args::{IntoArgs, RawArgs};
use crate::errors::EmitError;
use crate::packet::{Body, Packet};
use crate::server::socket::Socket;

/// Answers an event of a client. A client that did not ask for an acknowledgement gets none. [`Reply`](crate::Reply) is
/// the shorter way for handlers that only return a value.
///
/// ```
/// use eio_socketio::{Ack, Args, Data, EmitError, Namespace};
///
/// async fn divide(ack: Ack, Args((a, b)): Args<(u32, u32)>) -> Result<(), EmitError> {
///     match a.checked_div(b) {
///         Some(quotient) => ack.send(quotient),
///         None => ack.send(Args(((), "division by zero"))),
///     }
/// }
///
/// let namespace = Namespace::<()>::new().on("divide", divide);
/// # let _ = namespace;
/// ```
#[derive(Debug)]
pub struct Ack {
    socket: Socket,
    id: Option<u64>,
}

impl Ack {
    pub(crate) fn new(socket: Socket, id: Option<u64>) -> Self {
        Self { socket, id }
    }

    /// Returns whether the client asked for an acknowledgement.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.id.is_some()
    }

    /// Answers the client. If its outbox is full, the answer leaves as soon as there is room.
    ///
    /// # Errors
    /// Returns an [`EmitError`] if the data cannot be written, or if the socket has ended. Nothing is sent then.
    pub fn send(self, args: impl IntoArgs) -> Result<(), EmitError> {
        let args = args.into_args()?;
        match self.id {
            Some(id) if self.socket.is_connected() => answer(&self.socket, id, args),
            Some(_) => Err(EmitError::Disconnected),
            None => Ok(()),
        }
    }
}

/// Sends the answer to the client's event `id`.
pub(crate) fn answer(socket: &Socket, id: u64, args: RawArgs) -> Result<(), EmitError> {
    let packet = Packet { namespace: socket.namespace().clone(), body: Body::Ack { id, args } };
    socket.link().try_send_surely(&packet)
}
