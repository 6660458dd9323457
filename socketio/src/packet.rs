//! What one side of a connection says to the other, whatever parser writes it.

use bytestring::ByteString;

use crate::args::RawArgs;

/// How many bytes of a message may stay in memory with a packet that counts fewer: the number, the brackets, the namespace.
const MOST_UNCOUNTED: usize = 256;

/// One packet: what a socket of a namespace sends, or what it receives.
///
/// A [`Parser`](crate::Parser) turns packets into messages of the connection and back.
///
/// ```
/// use eio_socketio::{Args, Body, DefaultParser, Packet, Parser, RawArgs};
///
/// let args = RawArgs::new(Args(("hello", 7)))?;
/// let packet = Packet::event("/chat", "message", args);
/// let encoded = DefaultParser.encode(&packet)?;
/// assert_eq!(encoded.messages().next().and_then(|first| first.as_text()), Some(r#"2/chat,["message","hello",7]"#));
/// # Ok::<(), eio_socketio::EncodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the protocol has these two parts")]
pub struct Packet {
    /// The namespace as it travels: it begins with a slash, and may carry a query as in `/admin?token=1`.
    ///
    /// Clients of Socket.IO 2 send a query when they connect. For later ones, whose data travels in
    /// [`Body::Connect`], a question mark is a part of the name.
    pub namespace: ByteString,
    /// The type of the packet, and its data.
    pub body: Body,
}

/// The type of a packet, and its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// Asks to join the namespace, or confirms it. Carries nothing, or one object: what a client proves its identity
    /// with, or the `sid` of the socket. A server confirms clients of Socket.IO 2 with nothing.
    Connect(RawArgs),
    /// Leaves the namespace. The connection stays open.
    Disconnect,
    /// An event of the application.
    Event {
        /// The name of the event. A name that arrived as a number is the text that JavaScript turns it into.
        name: ByteString,
        /// The arguments.
        args: RawArgs,
        /// The number that the answer repeats, if the sender asks for one. At most
        /// [`MAX_ID`](eio_core::socketio::MAX_ID).
        id: Option<u64>,
    },
    /// Answers the event with the same number.
    Ack {
        /// The number of the event. It is `u64::MAX`, which no event has, if the answer arrived without one.
        id: u64,
        /// The arguments of the answer.
        args: RawArgs,
    },
    /// Refuses a client. Carries one object, which has a `message`, or one string. Servers send clients of Socket.IO 2
    /// a string. One that arrives may carry nothing.
    ConnectError(RawArgs),
}

impl Packet {
    /// Creates an event that asks for no answer.
    pub fn event(namespace: impl Into<ByteString>, name: impl Into<ByteString>, args: RawArgs) -> Self {
        Self { namespace: namespace.into(), body: Body::Event { name: name.into(), args, id: None } }
    }

    /// Returns the namespace without the query that it may carry.
    ///
    /// ```
    /// use eio_socketio::{Body, Packet, RawArgs};
    ///
    /// let packet = Packet { namespace: "/admin?token=1".into(), body: Body::Connect(RawArgs::none()) };
    /// assert_eq!(packet.namespace(), "/admin");
    /// assert_eq!(packet.query(), Some("token=1"));
    /// ```
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.namespace.split_once('?').map_or(&self.namespace, |(name, _)| name)
    }

    /// Returns the query that follows the namespace, without its question mark and not decoded, or `None`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.namespace.split_once('?').map(|(_, query)| query)
    }

    /// Returns a packet that was read from a message of this many bytes, of which it may be a part. A message that is much
    /// longer than what the packet counts, because of white space or of members that mean nothing, does not stay in memory.
    pub(crate) fn of_message(self, message_len: usize) -> Self {
        let counted = self.body.byte_len();
        if message_len.saturating_sub(counted) <= MOST_UNCOUNTED {
            return self;
        }
        Self { namespace: own(&self.namespace), body: self.body.into_own_memory() }
    }
}

impl Body {
    /// Returns the size of what an application gets of it.
    fn byte_len(&self) -> usize {
        match self {
            Self::Event { name, args, .. } => name.len() + args.byte_len(),
            Self::Connect(args) | Self::ConnectError(args) | Self::Ack { args, .. } => args.byte_len(),
            Self::Disconnect => 0,
        }
    }

    /// Copies what is a part of a message.
    fn into_own_memory(self) -> Self {
        match self {
            Self::Connect(args) => Self::Connect(args.into_own_memory()),
            Self::Disconnect => Self::Disconnect,
            Self::Event { name, args, id } => {
                Self::Event { name: own(&name), args: args.into_own_memory(), id }
            }
            Self::Ack { id, args } => Self::Ack { id, args: args.into_own_memory() },
            Self::ConnectError(args) => Self::ConnectError(args.into_own_memory()),
        }
    }
}

/// Copies a text that may be a part of a message.
fn own(text: &ByteString) -> ByteString {
    ByteString::from(&**text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_what_follows_the_first_question_mark() {
        for (whole, name, query) in [
            ("/", "/", None),
            ("/admin", "/admin", None),
            ("/admin?a=1&b=2?", "/admin", Some("a=1&b=2?")),
            ("/?", "/", Some("")),
        ] {
            let packet = Packet { namespace: whole.into(), body: Body::Disconnect };
            assert_eq!((packet.namespace(), packet.query()), (name, query), "{whole}");
        }
    }
}
