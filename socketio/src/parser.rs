//! Turns packets into messages of the connection, and back.

mod default;
mod error;
#[cfg(feature = "msgpack")]
mod msgpack;
mod name;

use eio_core::socketio::{self, PacketError, PacketErrorKind};
use eio_tokio::Message;

pub use default::DefaultParser;
pub use error::ParseError;
#[cfg(feature = "msgpack")]
pub use msgpack::{MsgPackError, MsgPackErrorKind, MsgPackParser};

use crate::args::EncodeError;
use crate::packet::{Body, Packet};

/// Turns packets into messages of the connection, and back. Both sides of a connection need the same parser.
///
/// [`DefaultParser`] is what peers speak unless they are told otherwise. This one writes debug output, too:
///
/// ```
/// use eio_socketio::{Decoder, DefaultParser, EncodeError, Encoded, Packet, Parser};
///
/// struct Watched;
///
/// impl Parser for Watched {
///     fn encode(&self, packet: &Packet) -> Result<Encoded, EncodeError> {
///         println!("{packet:?}");
///         DefaultParser.encode(packet)
///     }
///
///     fn decoder(&self) -> Box<dyn Decoder> {
///         DefaultParser.decoder()
///     }
///
///     fn name(&self) -> &str {
///         DefaultParser.name()
///     }
/// }
/// ```
pub trait Parser: Send + Sync + 'static {
    /// Writes a packet. It is sent as it is to everybody who shall receive it.
    ///
    /// # Errors
    /// Returns an [`EncodeError`] if the packet cannot be written, or if receivers would refuse it.
    fn encode(&self, packet: &Packet) -> Result<Encoded, EncodeError>;

    /// Returns a decoder for one connection.
    fn decoder(&self) -> Box<dyn Decoder>;

    /// Returns the name of the format. Between the nodes of a cluster, packets travel as they are encoded, and a node
    /// refuses those of another format than its own.
    ///
    /// Default: the name of the type. A parser that only wraps another one has that one's name.
    fn name(&self) -> &str {
        core::any::type_name::<Self>()
    }
}

/// Reads the packets of one connection.
pub trait Decoder: Send {
    /// Takes the next message. Returns `None` if it takes further messages to complete the packet.
    ///
    /// The packet may be a part of the message, which then stays in memory as long as the packet. The limits of what waits for
    /// an application count the name of an event and its arguments, and not the rest of such a message.
    ///
    /// # Errors
    /// Returns a [`ParseError`] if the message does not make a packet. The connection ends then.
    fn decode(&mut self, message: Message) -> Result<Option<Packet>, ParseError>;
}

/// The messages of one packet. They follow one another on the connection, with nothing in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    first: Message,
    attachments: Vec<Message>,
}

impl Encoded {
    /// Returns the messages of a packet: `first`, and then `attachments` in this order.
    pub fn new(first: Message, attachments: impl IntoIterator<Item = Message>) -> Self {
        Self { first, attachments: attachments.into_iter().collect() }
    }

    /// Returns the packet of these messages, or `None` if there are none.
    #[cfg(feature = "server")]
    pub(crate) fn from_messages(messages: impl IntoIterator<Item = Message>) -> Option<Self> {
        let mut messages = messages.into_iter();
        messages.next().map(|first| Self::new(first, messages))
    }

    /// Takes the only message, or returns the packet if it has several.
    #[cfg(feature = "server")]
    pub(crate) fn into_single(self) -> Result<Message, Self> {
        if self.attachments.is_empty() { Ok(self.first) } else { Err(self) }
    }

    /// Returns the messages in the order in which they are sent.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        std::iter::once(&self.first).chain(&self.attachments)
    }

    /// Takes the messages in the order in which they are sent.
    pub fn into_messages(self) -> impl Iterator<Item = Message> {
        std::iter::once(self.first).chain(self.attachments)
    }

    /// Returns the number of messages, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a packet is at least one message")]
    pub fn len(&self) -> usize {
        1 + self.attachments.len()
    }

    /// Returns the size of all messages in bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.messages().map(Message::len).sum()
    }
}

/// Returns a packet as the codec knows it, which checks its parts. `data` is JSON: its data, or its arguments without the
/// brackets.
fn known<'a>(packet: &'a Packet, data: &'a str) -> Result<socketio::Packet<'a>, PacketError> {
    let known = match &packet.body {
        Body::Connect(_) => socketio::Packet::connect(data)?,
        Body::Disconnect => socketio::Packet::disconnect(),
        Body::Event { name, id: None, .. } => socketio::Packet::event(name, data)?,
        Body::Event { name, id: Some(id), .. } => socketio::Packet::event(name, data)?.with_id(*id)?,
        Body::Ack { id, .. } => socketio::Packet::ack(*id, data)?,
        Body::ConnectError(_) => socketio::Packet::connect_error(data)?,
    };
    known.in_namespace(&packet.namespace)
}

/// Says why a packet cannot be written, in the packet's own terms.
fn refusal(error: PacketError, packet: &Packet, attachments: usize) -> EncodeError {
    match (error.kind, &packet.body) {
        (PacketErrorKind::ReservedName, Body::Event { name, .. }) => {
            EncodeError::ReservedName { name: name.clone() }
        }
        (PacketErrorKind::InvalidNamespace, _) => {
            EncodeError::InvalidNamespace { namespace: packet.namespace.clone() }
        }
        (PacketErrorKind::TooManyAttachments, _) => EncodeError::TooManyAttachments { count: attachments },
        (PacketErrorKind::TooDeep, _) => EncodeError::TooDeep,
        _ => EncodeError::Packet(error),
    }
}
