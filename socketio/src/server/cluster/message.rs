//! What the nodes of a cluster say to each other.

use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use eio_cluster::NoAnswer;
use eio_tokio::Message as Frame;
use serde::{Deserialize, Serialize};

use crate::args::{EncodeError, RawArgs};
use crate::errors::{AckError, EmitError};
use crate::parser::Encoded;
use crate::server::change::Change;
use crate::server::rooms::Target;

/// A message for other nodes. It borrows names from what it is written from, and from what it was read from.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Message<'a> {
    /// An event for sockets.
    Emit {
        #[serde(borrow)]
        to: Address<'a>,
        packet: Packet<'a>,
        is_volatile: bool,
    },
    /// Sockets join a room, leave one, or end.
    Change {
        #[serde(borrow)]
        to: Address<'a>,
        change: Change<'a>,
    },
    /// An event for the applications of other nodes.
    ServerSide { name: &'a str, args: Arguments },
    /// Asks for descriptions of sockets. The answers are [`Sockets`].
    Sockets(#[serde(borrow)] Address<'a>),
    /// Asks for the rooms of sockets. The answers are [`Rooms`].
    Rooms(#[serde(borrow)] Address<'a>),
    /// An event that sockets are to acknowledge. The answers are [`Acks`].
    Ask {
        #[serde(borrow)]
        to: Address<'a>,
        packet: Packet<'a>,
        /// The number of the event in its packet.
        id: u64,
        timeout_ms: u64,
        is_volatile: bool,
    },
}

/// Which sockets a message is for: those of a namespace that a [`Target`] names.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Address<'a> {
    pub(super) namespace: &'a str,
    #[serde(borrow)]
    rooms: Vec<&'a str>,
    #[serde(borrow)]
    except: Vec<&'a str>,
}

impl<'a> Address<'a> {
    pub(super) fn new(namespace: &'a str, target: &'a Target) -> Self {
        let names = |rooms: &'a [Arc<str>]| rooms.iter().map(|room| &**room).collect();
        Self { namespace, rooms: names(&target.rooms), except: names(&target.except) }
    }

    pub(super) fn target(&self) -> Target {
        let shared = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        Target { rooms: shared(&self.rooms), except: shared(&self.except) }
    }
}

/// A packet as its parser has encoded it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Packet<'a> {
    /// The name of the parser.
    pub(super) parser: &'a str,
    frames: Vec<Piece>,
}

/// A message of a packet.
#[derive(Debug, Serialize, Deserialize)]
enum Piece {
    Text(ByteString),
    Binary(Bytes),
}

impl<'a> Packet<'a> {
    pub(super) fn new(parser: &'a str, encoded: &Encoded) -> Self {
        let piece = |frame: &Frame| match frame {
            Frame::Text(text) => Piece::Text(text.clone()),
            Frame::Binary(bytes) => Piece::Binary(bytes.clone()),
        };
        Self { parser, frames: encoded.messages().map(piece).collect() }
    }

    /// Returns the packet, or `None` if it has no message.
    pub(super) fn encoded(self) -> Option<Encoded> {
        Encoded::from_messages(self.frames.into_iter().map(|piece| match piece {
            Piece::Text(text) => Frame::Text(text),
            Piece::Binary(bytes) => Frame::Binary(bytes),
        }))
    }
}

/// The arguments of an event or of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Arguments {
    /// A JSON array without its brackets.
    list: ByteString,
    /// What the placeholders in it refer to.
    attachments: Vec<Bytes>,
}

impl Arguments {
    pub(super) fn new(args: &RawArgs) -> Result<Self, EncodeError> {
        let (list, attachments) = args.to_json()?;
        Ok(Self { list: list.into_owned(), attachments: attachments.into_owned() })
    }

    pub(super) fn args(self) -> RawArgs {
        RawArgs::from_json(self.list, self.attachments)
    }
}

/// Some of the sockets of a node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sockets<'a>(#[serde(borrow)] pub(super) Vec<Described<'a>>);

/// A socket of a node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Described<'a> {
    pub(super) id: &'a str,
    #[serde(borrow)]
    pub(super) rooms: Vec<&'a str>,
    pub(super) address: Option<core::net::SocketAddr>,
    pub(super) auth: Arguments,
    pub(super) data: Option<Arguments>,
}

/// Some of the rooms of a node, and how many of the sockets are in each.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rooms<'a>(#[serde(borrow)] pub(super) Vec<(&'a str, u64)>);

/// What a node tells of the acknowledgements of its sockets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Acks<'a> {
    /// Sockets that were asked.
    Asked(#[serde(borrow)] Vec<&'a str>),
    /// What some of them have answered, or why they have not. The first of these comes when all that were asked are named,
    /// and has no answers.
    Answers(#[serde(borrow)] Vec<(&'a str, Result<Arguments, Failure>)>),
    /// The packet is of another parser than the node's.
    OtherParser,
}

/// Why a socket of another node has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    Full,
    Disconnected,
    TooLarge {
        max_payload: u32,
    },
    Separator,
    Timeout,
    /// It ended before the answer came.
    Ended,
    /// The answer is longer than a message between nodes may be.
    TooLong,
}

impl From<&AckError> for Failure {
    fn from(error: &AckError) -> Self {
        match error {
            AckError::Emit(EmitError::Full) => Self::Full,
            AckError::Emit(EmitError::TooLarge { max_payload }) => {
                Self::TooLarge { max_payload: *max_payload }
            }
            AckError::Emit(EmitError::Separator) => Self::Separator,
            AckError::Emit(_) => Self::Disconnected,
            AckError::Timeout => Self::Timeout,
            _ => Self::Ended,
        }
    }
}

impl Failure {
    /// Returns the error for a socket of this node.
    pub(super) fn at(self, node: &str) -> AckError {
        match self {
            Self::Full => AckError::Emit(EmitError::Full),
            Self::Disconnected => AckError::Emit(EmitError::Disconnected),
            Self::TooLarge { max_payload } => AckError::Emit(EmitError::TooLarge { max_payload }),
            Self::Separator => AckError::Emit(EmitError::Separator),
            Self::Timeout => AckError::Timeout,
            Self::Ended => AckError::Disconnected,
            Self::TooLong => AckError::Node { node: node.to_owned(), reason: NoAnswer::Incomplete },
        }
    }
}

/// Writes what one node says to another. There is nothing that cannot be written.
pub(super) fn write(message: &impl Serialize) -> Bytes {
    postcard::to_allocvec(message).unwrap_or_default().into()
}

/// Reads what another node says.
pub(super) fn read<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Result<T, postcard::Error> {
    postcard::from_bytes(payload)
}
