//! A program without sessions that sends to the sockets of a cluster.

use core::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use eio_cluster::bus::NotPublished;

use crate::args::{EncodeError, IntoArgs};
use crate::packet::Packet;
use crate::parser::{DefaultParser, Parser};
use crate::server::change::Change;
use crate::server::cluster::message::Arguments;
use crate::server::cluster::publisher::{Publisher, Way};
use crate::server::rooms::Target;
use crate::server::with_slash;

/// Sends to the sockets of a cluster from a program that has no sessions, such as a job that runs at night. Clones are the
/// same emitter.
///
/// It only publishes, and does not learn whom an event reaches. What it publishes may be lost, as everything between nodes.
///
/// ```
/// use eio_socketio::cluster::bus::Memory;
/// use eio_socketio::Emitter;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // In a program of several processes, this is the bus that the nodes have.
/// let bus = Memory::new();
/// let bus = eio_socketio::cluster::Emitter::connect(bus.end("job"), "eio")?;
/// bus.connected().await;
/// let emitter = Emitter::new(bus.clone());
/// emitter.of("/chat").to("germany").emit("news", "Guten Tag")?;
/// // Publishes what waits.
/// bus.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Emitter {
    shared: Arc<Shared>,
}

struct Shared {
    publisher: Publisher,
    parser: Box<dyn Parser>,
}

/// The reason why an [`Emitter`] has not published something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitterError {
    /// The data cannot be written, or the event's name is reserved.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The bus has not taken it.
    #[error(transparent)]
    NotPublished(#[from] NotPublished),
}

impl Emitter {
    /// Returns an emitter for nodes with the [default parser](DefaultParser).
    #[must_use]
    pub fn new(bus: eio_cluster::Emitter) -> Self {
        Self::with_parser(bus, DefaultParser)
    }

    /// Returns an emitter for nodes with this parser. Nodes with another one refuse its events.
    #[must_use]
    pub fn with_parser(bus: eio_cluster::Emitter, parser: impl Parser) -> Self {
        let publisher = Publisher::new(Way::Emitter(bus));
        Self { shared: Arc::new(Shared { publisher, parser: Box::new(parser) }) }
    }

    /// Addresses all sockets of a namespace. A name without its leading slash gets one.
    pub fn of(&self, namespace: impl Into<ByteString>) -> EmitterAudience {
        let namespace = with_slash(namespace.into());
        EmitterAudience { emitter: self.clone(), namespace, target: Target::default(), is_volatile: false }
    }

    /// Addresses the sockets in a room of the namespace `/`.
    pub fn to(&self, room: impl AsRef<str>) -> EmitterAudience {
        self.of("/").to(room)
    }

    /// Sends an event to all sockets of the namespace `/`. See [`EmitterAudience::emit`].
    ///
    /// # Errors
    /// The same as those of [`EmitterAudience::emit`].
    pub fn emit(&self, event: impl Into<ByteString>, args: impl IntoArgs) -> Result<(), EmitterError> {
        self.of("/").emit(event, args)
    }

    /// Sends an event to the applications of all nodes, as
    /// [`Server::server_side_emit`](crate::Server::server_side_emit) does.
    ///
    /// # Errors
    /// The same as those of [`EmitterAudience::emit`].
    pub fn server_side_emit(&self, event: impl AsRef<str>, args: impl IntoArgs) -> Result<(), EmitterError> {
        let args = Arguments::new(&args.into_args()?)?;
        Ok(self.shared.publisher.server_side(event.as_ref(), args)?)
    }
}

/// Sockets of all nodes, as an [`Emitter`] addresses them: see [`Audience`](crate::Audience).
#[derive(Clone, Debug)]
#[must_use = "an audience does nothing by itself"]
pub struct EmitterAudience {
    emitter: Emitter,
    namespace: ByteString,
    target: Target,
    is_volatile: bool,
}

impl EmitterAudience {
    /// Addresses the sockets in a room, and those in the rooms that were named before. A socket's identifier is a room of
    /// its own.
    pub fn to(mut self, room: impl AsRef<str>) -> Self {
        self.target.rooms.push(room.as_ref().into());
        self
    }

    /// Leaves out the sockets in a room, or the socket with this identifier.
    pub fn except(mut self, room: impl AsRef<str>) -> Self {
        self.target.except.push(room.as_ref().into());
        self
    }

    /// Sends events only to the sockets whose transports take them at once.
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Sends an event. `args` is as for [`Socket::emit`](crate::Socket::emit).
    ///
    /// # Errors
    /// Returns [`EmitterError::Encode`] if the data cannot be written, and [`EmitterError::NotPublished`] if the bus is not
    /// connected or too slow.
    pub fn emit(&self, event: impl Into<ByteString>, args: impl IntoArgs) -> Result<(), EmitterError> {
        let packet = Packet::event(self.namespace.clone(), event, args.into_args()?);
        let Shared { publisher, parser } = &*self.emitter.shared;
        let encoded = parser.encode(&packet)?;
        Ok(publisher.emit(&self.namespace, &self.target, parser.name(), &encoded, self.is_volatile)?)
    }

    /// Lets the sockets join a room.
    ///
    /// # Errors
    /// Returns an error if the bus is not connected or too slow.
    pub fn join(&self, room: impl AsRef<str>) -> Result<(), NotPublished> {
        self.change(Change::Join(room.as_ref()))
    }

    /// Lets the sockets leave a room.
    ///
    /// # Errors
    /// The same as those of [`join`](Self::join).
    pub fn leave(&self, room: impl AsRef<str>) -> Result<(), NotPublished> {
        self.change(Change::Leave(room.as_ref()))
    }

    /// Disconnects the sockets from the namespace.
    ///
    /// # Errors
    /// The same as those of [`join`](Self::join).
    pub fn disconnect(&self) -> Result<(), NotPublished> {
        self.change(Change::Disconnect)
    }

    /// Closes the connections of the sockets.
    ///
    /// # Errors
    /// The same as those of [`join`](Self::join).
    pub fn close(&self) -> Result<(), NotPublished> {
        self.change(Change::Close)
    }

    fn change(&self, change: Change<'_>) -> Result<(), NotPublished> {
        self.emitter.shared.publisher.change(&self.namespace, &self.target, change)
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").finish_non_exhaustive()
    }
}
