//! What arrives on a namespace.

use eio_core::packet::{Data, WebSocketMessage};
use eio_core::socketio::{Args, Body, Decoder, Event, Packet};
use embedded_io_async::{Read, Write};

use super::SocketError;
use crate::{Client, IncomingMessage};

/// What arrives on a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Incoming<'a> {
    /// The server emitted an event.
    Event {
        /// Its name and arguments. If the server recovers connections (`connectionStateRecovery`), most events carry
        /// their position as one more argument at the end, as in the reference.
        event: Event<'a>,
        /// The number to answer with [`Socket::ack`](super::Socket::ack), if the server wants an answer.
        ack: Option<u64>,
        /// How many [`Attachment`](Self::Attachment)s follow before anything else.
        attachments: u32,
    },
    /// The server answered an event.
    Ack {
        /// The number that [`Socket::emit_with_ack`](super::Socket::emit_with_ack) returned for that event.
        id: u64,
        /// The answer.
        args: Args<'a>,
        /// How many [`Attachment`](Self::Attachment)s follow before anything else.
        attachments: u32,
    },
    /// Binary data that belongs to the last event or answer.
    Attachment {
        /// The number in the placeholder that this attachment replaces.
        num: u32,
        /// The attachment's bytes.
        data: &'a [u8],
        /// Whether this is the last attachment of the event or answer.
        last: bool,
    },
    /// The server has accepted the client into the namespace. Comes only from [`Namespaces`](super::Namespaces) and from
    /// a socket that joined with a [`Recovery`](super::Recovery).
    Connected {
        /// Whether the server has recovered the socket: it has the id and the rooms of the session before, and the server
        /// sends the events that were missed. Those of a server in Node arrive before this, those of `eio-socketio` after
        /// it. Always `false` without a [`Recovery`](super::Recovery).
        recovered: bool,
    },
    /// The server refused the namespace. Comes only from [`Namespaces`](super::Namespaces).
    Refused {
        /// The server's explanation: the text of a JSON object with a `message`, the text of a JSON string, or an empty
        /// string.
        data: &'a str,
    },
    /// The server disconnected the client from the namespace. The reference client then does not join again by itself,
    /// because the server removed it on purpose. Comes only from [`Namespaces`](super::Namespaces).
    Disconnected,
}

/// Interprets the messages of a session.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) decoder: Decoder,
    /// How many attachments the last packet announced.
    attachments: u32,
}

impl Receiving {
    pub(super) const fn new() -> Self {
        Self { decoder: Decoder::new(), attachments: 0 }
    }

    /// Takes note of a packet that was decoded.
    pub(super) fn note(&mut self, packet: &Packet<'_>) {
        self.attachments = packet.attachments();
    }

    /// Returns the message that was decoded last as the application receives it. `other` returns what the application
    /// receives for a packet that is neither an event nor an answer.
    pub(super) fn incoming<'a>(
        &self,
        message: Option<IncomingMessage<'a>>,
        other: impl FnOnce(Body<'a>) -> Option<Incoming<'a>>,
    ) -> Option<Incoming<'a>> {
        match frame(message).ok()? {
            WebSocketMessage::Text(text) => {
                let packet = Packet::decode(text).ok()?;
                let attachments = packet.attachments();
                match packet.body() {
                    Body::Event(event) => Some(Incoming::Event { event, ack: packet.id(), attachments }),
                    Body::Ack(args) => Some(Incoming::Ack { id: packet.id()?, args, attachments }),
                    body => other(body),
                }
            }
            WebSocketMessage::Binary(data) => {
                let missing = self.decoder.missing();
                let num = self.attachments.saturating_sub(missing).saturating_sub(1);
                Some(Incoming::Attachment { num, data, last: missing == 0 })
            }
        }
    }
}

/// Returns the server's explanation after [`SocketError::Refused`]: the text of a JSON object with a `message`, the text
/// of a JSON string, or an empty string.
#[must_use]
pub fn refusal<'c, R: Read, W: Write>(client: &'c Client<'_, R, W>) -> &'c str {
    let packet = match frame(client.last_event()) {
        Ok(WebSocketMessage::Text(text)) => Packet::decode(text).ok(),
        _ => None,
    };
    match packet.map(|packet| packet.body()) {
        Some(Body::ConnectError(text)) => text,
        _ => "",
    }
}

/// Returns a whole message.
pub(super) fn frame(message: Option<IncomingMessage<'_>>) -> Result<WebSocketMessage<'_>, SocketError> {
    match message {
        Some(IncomingMessage::Whole(Data::Text(text))) => Ok(WebSocketMessage::Text(text)),
        Some(IncomingMessage::Whole(Data::Binary(bytes))) => Ok(WebSocketMessage::Binary(bytes)),
        // Base64 is for peers that cannot do binary, which a WebSocket can.
        _ => Err(SocketError::TooLong),
    }
}
