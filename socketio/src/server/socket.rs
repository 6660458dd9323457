//! A client in a namespace, from the application's point of view.

mod life;
mod values;

use core::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use eio_tokio::Sender;
use tokio::sync::watch;

pub(crate) use values::Values;

use crate::acks::Acks;
use crate::args::{FromArgs, IntoArgs, RawArgs};
use crate::errors::EmitError;
use crate::packet::{Body, Packet};
use crate::server::Server;
use crate::server::acknowledgement::Acknowledgement;
use crate::server::audience::Audience;
use crate::server::disconnect::{Disconnect, Reason};
use crate::server::link::Link;
use crate::server::recovery::{Before, Trail};
use crate::server::refusal::Refusal;
use crate::server::rooms::{JoinError, Member};
use crate::server::socket_id::SocketId;
use crate::server::space::Space;
use crate::sync::Mutex;

/// A client that has joined a namespace. Clones are the same socket, and may be used from anywhere: they do not keep the
/// connection open.
#[derive(Clone)]
pub struct Socket {
    shared: Arc<SocketShared>,
}

pub(crate) struct SocketShared {
    id: SocketId,
    space: Arc<Space>,
    pub(crate) link: Arc<Link>,
    auth: RawArgs,
    inner: Mutex<Inner>,
}

struct Inner {
    phase: Phase,
    /// Whether the client has got what it missed, or gets it when it joins.
    recovered: bool,
    acks: Acks<RawArgs>,
    /// What the application has stored. `None` as long as that is nothing, because an idle socket should own no memory for it.
    values: Option<Arc<Values>>,
    /// What the client needs to come back, if the server has recovery. It stays after an end from which the client may come
    /// back.
    trail: Option<Trail>,
}

/// How far a socket is.
enum Phase {
    /// The middlewares decide.
    Joining {
        /// What the client says about its session before.
        before: Option<Box<Before>>,
    },
    Joined,
    /// The socket has ended. The names of its rooms stay while `on_disconnecting` runs.
    Ended {
        end: Box<Disconnect>,
        rooms: Option<Vec<Arc<str>>>,
        told: bool,
        /// It is there until the handlers have started, if the client may come back, which has to wait for that.
        telling: Option<watch::Sender<()>>,
    },
}

/// How far a socket is that has not ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Joining,
    Joined,
}

impl Phase {
    fn stage(&self) -> Option<Stage> {
        match self {
            Self::Joining { .. } => Some(Stage::Joining),
            Self::Joined => Some(Stage::Joined),
            Self::Ended { .. } => None,
        }
    }
}

impl Socket {
    pub(crate) fn new(id: SocketId, space: Arc<Space>, link: Arc<Link>, auth: RawArgs) -> Self {
        let inner = Inner {
            phase: Phase::Joining { before: None },
            recovered: false,
            acks: Acks::default(),
            values: None,
            trail: None,
        };
        Self { shared: Arc::new(SocketShared { id, space, link, auth, inner: Mutex::new(inner) }) }
    }

    /// Returns the identifier, which other clients may know.
    #[must_use]
    pub fn id(&self) -> &SocketId {
        &self.shared.id
    }

    /// Returns the name of the namespace, such as `/` or `/chat`.
    #[must_use]
    pub fn namespace(&self) -> &ByteString {
        self.space().name()
    }

    /// Returns the server.
    #[must_use]
    pub fn server(&self) -> Server {
        Server::new(Arc::clone(&self.link().server), self.engine().server())
    }

    /// Returns the handle of the Engine.IO session that carries the socket: the client's address, the transport, the round
    /// trip, and how the session ends.
    ///
    /// Messages that are sent with it are not Socket.IO packets.
    #[must_use]
    pub fn engine(&self) -> &Sender {
        &self.link().sender
    }

    /// Returns the data with which the client joined. [`Auth`](crate::Auth) extracts it.
    #[must_use]
    pub fn auth(&self) -> &RawArgs {
        &self.shared.auth
    }

    /// Returns whether the client has joined, and has not left.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.lock().phase, Phase::Joined)
    }

    /// Returns how the socket ended, or `None` if it has not.
    #[must_use]
    pub fn end(&self) -> Option<Disconnect> {
        match &self.lock().phase {
            Phase::Ended { end, .. } => Some(Disconnect::clone(end)),
            _ => None,
        }
    }

    /// Returns whether the client came back after it had lost its connection, and gets every event that it missed: see
    /// [`recovery`](crate::ServerBuilder::recovery). In a middleware, this is so if it gets them when it joins.
    #[must_use]
    pub fn is_recovered(&self) -> bool {
        self.lock().recovered
    }

    /// Sends an event to the client.
    ///
    /// `args` is one argument of any type that serde can serialize; or `()` for none; or [`Args`](crate::Args) of a tuple
    /// for several. Bytes ([`Bytes`](bytes::Bytes) or `serde_bytes`) at any depth become attachments.
    ///
    /// A client that was connected and that may come back ([`Recovery`](crate::Recovery)) gets the event when it does. That is
    /// no error.
    ///
    /// # Errors
    /// Returns an [`EmitError`] if the data cannot be written, if the outbox is full, or if the socket is not connected.
    ///
    /// ```
    /// use eio_socketio::{Args, EmitError, Socket};
    ///
    /// fn greet(socket: &Socket) -> Result<(), EmitError> {
    ///     socket.emit("ready", ())?;
    ///     socket.emit("greeting", "hello")?;
    ///     socket.emit("position", Args((52.5, 13.4)))
    /// }
    /// # let _ = greet;
    /// ```
    pub fn emit(&self, event: impl Into<ByteString>, args: impl IntoArgs) -> Result<(), EmitError> {
        let sent = self.space().emit_to(self, event.into(), args.into_args()?);
        if let Err(EmitError::Full) = sent {
            self.link().note_full();
        }
        sent
    }

    /// Sends an event as [`emit`](Self::emit) does, but waits until the outbox has room.
    ///
    /// If you drop the future before it is ready, the event is not sent.
    ///
    /// # Errors
    /// The same as for [`emit`](Self::emit), but never [`EmitError::Full`].
    pub async fn send(&self, event: impl Into<ByteString>, args: impl IntoArgs) -> Result<(), EmitError> {
        let (event, args) = (event.into(), args.into_args()?);
        loop {
            match self.space().emit_to(self, event.clone(), args.clone()) {
                Err(EmitError::Full) => {}
                sent => return sent,
            }
            // If the session has ended, the connection's task ends the socket next.
            let _ = self.engine().flush().await;
            // What waits for the connection's task is still before this event.
            tokio::task::yield_now().await;
        }
    }

    /// Sends an event only if the transport takes it at once. Returns whether it was sent. See
    /// [`eio_tokio::Socket::send_volatile`] for what that means.
    ///
    /// On a server with [`Recovery`](crate::Recovery), let its last argument be a number or an object: otherwise, it costs stock
    /// clients their recovery until another event has come.
    ///
    /// # Errors
    /// Returns an [`EmitError`] if the data cannot be written, or if the socket is not connected.
    pub fn emit_volatile(
        &self,
        event: impl Into<ByteString>,
        args: impl IntoArgs,
    ) -> Result<bool, EmitError> {
        let args = args.into_args()?;
        if !self.is_connected() {
            return Err(EmitError::Disconnected);
        }
        let encoded = self.space().encode(Body::Event { name: event.into(), args, id: None })?;
        Ok(self.link().send_volatile(encoded))
    }

    /// Sends an event that the client acknowledges, and returns the future of its answer. The event is sent at once, and not when the
    /// answer is awaited. `T` is a type of serde's for the first argument of the answer, or [`Args`](crate::Args) of a tuple for all
    /// of them: see [`FromArgs`].
    ///
    /// The answer fails if the event cannot be sent, when the [timeout](crate::ServerBuilder::ack_timeout) has passed, or when the
    /// socket has ended, so none is waited for in vain.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_socketio::{AckError, Socket};
    ///
    /// async fn ask(socket: Socket) -> Result<(), AckError> {
    ///     let name: String = socket.emit_with_ack("name?", ()).timeout(Duration::from_secs(5)).await?;
    ///     println!("{} is {name}", socket.id());
    ///     Ok(())
    /// }
    /// # let _ = ask;
    /// ```
    pub fn emit_with_ack<T: FromArgs>(
        &self,
        event: impl Into<ByteString>,
        args: impl IntoArgs,
    ) -> Acknowledgement<T> {
        Acknowledgement::new(self.clone(), event.into(), args.into_args())
    }

    /// Joins a room. Returns `false` if the socket is in it already.
    ///
    /// Each socket is in the room that has its identifier as its name.
    ///
    /// # Errors
    /// Returns a [`JoinError`] if the socket is not connected, if it is in as many rooms as it
    /// [may](crate::ServerBuilder::max_rooms) be, or if the name has more than 1,024 bytes.
    pub fn join(&self, room: impl AsRef<str>) -> Result<bool, JoinError> {
        self.space().join(self, room.as_ref())
    }

    /// Leaves a room. Returns `false` if the socket is not in it.
    pub fn leave(&self, room: impl AsRef<str>) -> bool {
        self.space().leave(self, room.as_ref())
    }

    /// Returns the names of the rooms that the socket is in, without its own, in order. In
    /// [`on_disconnecting`](crate::Namespace::on_disconnecting) they are those that it was in.
    #[must_use]
    pub fn rooms(&self) -> Vec<String> {
        let kept = match &self.lock().phase {
            Phase::Ended { rooms, .. } => Some(rooms.clone().unwrap_or_default()),
            _ => None,
        };
        let rooms = kept.unwrap_or_else(|| self.space().rooms_of(self));
        let mut names: Vec<_> = rooms.iter().map(|room| String::from(&**room)).collect();
        names.sort_unstable();
        names
    }

    /// Addresses the others in a room: all of its sockets except this one. [`nsp`](Self::nsp) addresses this one, too.
    pub fn to(&self, room: impl AsRef<str>) -> Audience {
        self.broadcast().to(room)
    }

    /// Addresses the others in the namespace, without those in a room.
    pub fn except(&self, room: impl AsRef<str>) -> Audience {
        self.broadcast().except(room)
    }

    /// Addresses the others in the namespace: all of its sockets except this one.
    pub fn broadcast(&self) -> Audience {
        self.nsp().except(self.id())
    }

    /// Addresses all sockets of the namespace, this one among them: `socket.nsp` in Node.
    ///
    /// ```
    /// use eio_socketio::{EmitError, Socket};
    ///
    /// async fn said(socket: Socket) -> Result<(), EmitError> {
    ///     // All in the room hear it, also the one who has said it.
    ///     socket.nsp().to("lobby").emit("said", "hello")?;
    ///     Ok(())
    /// }
    /// # let _ = said;
    /// ```
    pub fn nsp(&self) -> Audience {
        self.server().of(self.namespace().clone())
    }

    /// Disconnects the socket from its namespace. The session and the client's other namespaces stay. Has no effect on a
    /// socket that has ended. A client that has not joined yet is refused.
    pub fn disconnect(&self) {
        self.end_by_server();
    }

    /// Disconnects the socket. Returns `false` if it had ended before.
    fn end_by_server(&self) -> bool {
        let namespace = self.namespace().clone();
        let ended = self.end_and(Reason::ServerNamespaceDisconnect, None, |stage| match stage {
            Stage::Joined => self.link().send_surely(&Packet { namespace, body: Body::Disconnect }),
            Stage::Joining => self.link().refuse(&namespace, &Refusal::new("Disconnected by the server")),
        });
        if ended.is_some() {
            self.link().note_ended();
        }
        ended.is_some()
    }

    /// Disconnects the client from all of its namespaces, and closes the connection. The sockets end at once, also if the
    /// client does not read. What was sent before is still delivered if the client takes it within the engine's
    /// [`close_timeout`](eio_tokio::ServerBuilder::close_timeout). If it takes everything within a second, its library is
    /// also told `io server disconnect`, and does not connect again by itself.
    ///
    /// Has no effect on a socket that has ended, as in Node: the client may use its other namespaces.
    pub fn close(&self) {
        if self.end_by_server() {
            self.link().ask_to_close();
        }
    }

    /// Stores a value with the socket, and returns the one of the same type that was there. A socket that is
    /// [recovered](crate::Recovery) has what was stored with the one before it, and what is stored with either.
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        self.values().insert(value)
    }

    /// Returns a clone of the stored value of this type. `Clone` runs under a lock, so it must not use the socket.
    #[must_use]
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.stored()?.get()
    }

    /// Takes the stored value of this type.
    #[must_use]
    pub fn remove<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.stored()?.remove()
    }
}

impl Member for Socket {
    type Key = usize;

    /// The address of what the clones share, which lives as long as one of them.
    fn key(&self) -> usize {
        Arc::as_ptr(&self.shared).addr()
    }

    fn id(&self) -> &str {
        self.shared.id.as_str()
    }
}

impl PartialEq for Socket {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Socket {}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", self.id())
            .field("namespace", self.namespace())
            .finish_non_exhaustive()
    }
}
