//! Hands an event to the sockets that it is for.

use eio_tokio::Broadcast;

use crate::errors::EmitError;
use crate::parser::Encoded;
use crate::server::shared::WhenFull;
use crate::server::socket::Socket;

/// Sends an event to sockets of one server. Returns how many get it, and how many do not, by reason.
pub(crate) fn send(sockets: &[Socket], encoded: &Encoded) -> Broadcast {
    let Some(first) = sockets.first() else { return Broadcast::default() };
    // Packets that others must not overtake are rare.
    let is_plain = first.link().server.when_full == WhenFull::Refuse
        && !sockets.iter().any(|socket| socket.link().is_busy());
    if is_plain {
        let senders = sockets.iter().map(Socket::engine);
        return first.engine().server().broadcast_batch_to(senders, encoded.messages().cloned());
    }
    send_each(sockets, encoded, |_, _| {})
}

/// Sends an event as [`send`] does, and tells for each socket whether its outbox had room for it.
pub(crate) fn send_each(sockets: &[Socket], encoded: &Encoded, note: impl Fn(&Socket, bool)) -> Broadcast {
    count(sockets, |socket| {
        let sent = socket.link().send_or_close(encoded.clone());
        note(socket, sent != Err(EmitError::Full));
        sent
    })
}

/// Sends an event to those of the sockets whose transports take it at once.
pub(crate) fn send_volatile(sockets: &[Socket], encoded: &Encoded) -> Broadcast {
    count(sockets, |socket| socket.link().send_volatile(encoded.clone()).then_some(()).ok_or(EmitError::Full))
}

fn count(sockets: &[Socket], send: impl Fn(&Socket) -> Result<(), EmitError>) -> Broadcast {
    let mut broadcast = Broadcast::default();
    for socket in sockets {
        match send(socket) {
            Ok(()) => broadcast.sent += 1,
            Err(EmitError::Full) => broadcast.full += 1,
            Err(_) => broadcast.closed += 1,
        }
    }
    broadcast
}
