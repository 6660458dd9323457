//! A namespace of a running server: its sockets, their rooms and what is sent to them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytestring::ByteString;

use crate::args::{EncodeError, RawArgs};
use crate::errors::EmitError;
use crate::packet::{Body, Packet};
use crate::parser::{Encoded, Parser};
use crate::server::namespace::Definition;
use crate::server::rooms::{JoinError, Rooms, Target};
use crate::server::socket::Socket;

/// A namespace of a running server.
pub(crate) struct Space {
    name: ByteString,
    pub(crate) definition: Arc<Definition>,
    parser: Arc<dyn Parser>,
    /// The number of sockets, with those that have not joined yet. Changed under the lock of the server's namespaces.
    pub(crate) users: AtomicUsize,
    rooms: Mutex<Rooms<Socket>>,
}

impl Space {
    pub(crate) fn new(
        name: ByteString,
        definition: Arc<Definition>,
        parser: Arc<dyn Parser>,
        max_rooms: usize,
    ) -> Self {
        Self {
            name,
            definition,
            parser,
            users: AtomicUsize::new(0),
            rooms: Mutex::new(Rooms::new(max_rooms)),
        }
    }

    pub(crate) fn name(&self) -> &ByteString {
        &self.name
    }

    /// Writes a packet of this namespace.
    pub(crate) fn encode(&self, body: Body) -> Result<Encoded, EncodeError> {
        self.parser.encode(&Packet { namespace: self.name.clone(), body })
    }

    /// Sends an event to one socket.
    pub(crate) fn emit_to(&self, socket: &Socket, name: ByteString, args: RawArgs) -> Result<(), EmitError> {
        let encoded = self.event_for(socket, name, args)?;
        socket.link().send(encoded)
    }

    /// Writes an event for one socket.
    pub(crate) fn event_for(
        &self,
        _: &Socket,
        name: ByteString,
        args: RawArgs,
    ) -> Result<Encoded, EmitError> {
        Ok(self.encode(Body::Event { name, args, id: None })?)
    }

    /// Adds a socket that has joined the namespace.
    pub(crate) fn insert(&self, socket: &Socket) {
        self.lock().insert(socket.clone());
    }

    /// Removes a socket that has ended. Returns the rooms that it was in.
    pub(crate) fn remove(&self, socket: &Socket) -> Vec<Arc<str>> {
        self.lock().remove(socket)
    }

    pub(crate) fn join(&self, socket: &Socket, room: &str) -> Result<bool, JoinError> {
        self.lock().join(socket, room)
    }

    pub(crate) fn leave(&self, socket: &Socket, room: &str) -> bool {
        self.lock().leave(socket, room)
    }

    pub(crate) fn rooms_of(&self, socket: &Socket) -> Vec<Arc<str>> {
        self.lock().of(socket).to_vec()
    }

    /// Returns the addressed sockets.
    pub(crate) fn select(&self, target: &Target) -> Vec<Socket> {
        self.lock().select(target)
    }

    /// Returns the number of sockets that have joined.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Notes a socket more or less. Returns whether none is left.
    pub(crate) fn count(&self, joins: bool) -> bool {
        if joins {
            self.users.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.users.fetch_sub(1, Ordering::Relaxed) == 1
    }

    fn lock(&self) -> MutexGuard<'_, Rooms<Socket>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
