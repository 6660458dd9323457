//! To whom an event goes.

use std::sync::Arc;

use bytestring::ByteString;
use eio_tokio::Broadcast;

use crate::args::{FromArgs, IntoArgs};
use crate::errors::EmitError;
use crate::packet::Body;
use crate::server::Server;
use crate::server::answers::Answers;
use crate::server::delivery;
use crate::server::rooms::Target;
use crate::server::socket::Socket;

/// Sockets of a namespace: all of them, or those in rooms, with exceptions. Each gets an event once, however many of the
/// rooms it is in. [`Server::of`] and [`Socket::to`] begin one.
///
/// ```
/// use eio_socketio::{EmitError, Server};
///
/// fn news(server: &Server) -> Result<(), EmitError> {
///     let broadcast = server.of("/chat").to("germany").to("france").except("muted").emit("news", "Bonjour")?;
///     println!("{} sockets get the news", broadcast.sent);
///     Ok(())
/// }
/// # let _ = news;
/// ```
#[derive(Clone, Debug)]
#[must_use = "an audience does nothing by itself"]
pub struct Audience {
    server: Server,
    namespace: ByteString,
    target: Target,
    volatile: bool,
}

impl Audience {
    pub(crate) fn new(server: Server, namespace: ByteString) -> Self {
        Self { server, namespace, target: Target::default(), volatile: false }
    }

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

    /// Sends events only to the sockets whose transports take them at once, as [`Socket::emit_volatile`] does.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Sends an event and encodes it once. Returns how many sockets get it, and how many do not, by reason.
    ///
    /// `args` is as for [`Socket::emit`]. A namespace, or a room, without sockets addresses nobody.
    ///
    /// # Errors
    /// Returns [`EmitError::Encode`] if the data cannot be written. A socket that cannot get the event is no error: it is
    /// counted.
    pub fn emit(&self, event: impl Into<ByteString>, args: impl IntoArgs) -> Result<Broadcast, EmitError> {
        let args = args.into_args()?;
        let Some(space) = self.server.shared().space(&self.namespace) else {
            return Ok(Broadcast::default());
        };
        if self.volatile {
            let encoded = space.encode(Body::Event { name: event.into(), args, id: None })?;
            return Ok(delivery::send_volatile(&space.select(&self.target), &encoded));
        }
        Ok(space.emit_to_all(&self.target, event.into(), args, delivery::send)?)
    }

    /// Sends an event that each client acknowledges, and encodes it once. Returns the answers, as they arrive.
    ///
    /// # Errors
    /// Returns [`EmitError::Encode`] if the data cannot be written.
    ///
    /// ```
    /// use core::time::Duration;
    /// use eio_socketio::{EmitError, Server};
    ///
    /// async fn poll(server: Server) -> Result<(), EmitError> {
    ///     let mut answers = server.of("/").to("voters").emit_with_ack::<bool>("agree?", ())?.timeout(Duration::from_secs(5));
    ///     while let Some((socket, answer)) = answers.next().await {
    ///         println!("{}: {answer:?}", socket.id());
    ///     }
    ///     Ok(())
    /// }
    /// # let _ = poll;
    /// ```
    pub fn emit_with_ack<T: FromArgs>(
        &self,
        event: impl Into<ByteString>,
        args: impl IntoArgs,
    ) -> Result<Answers<T>, EmitError> {
        let args = args.into_args()?;
        let shared = self.server.shared();
        let Some(space) = shared.space(&self.namespace) else { return Ok(Answers::new(shared.ack_timeout)) };
        let id = shared.next_ack();
        let encoded = space.encode(Body::Event { name: event.into(), args, id: Some(id) })?;
        let mut answers = Answers::new(shared.ack_timeout);
        for socket in space.select(&self.target) {
            answers.ask(socket, id, &encoded);
        }
        Ok(answers)
    }

    /// Returns the sockets.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        self.server
            .shared()
            .space(&self.namespace)
            .map(|space| space.select(&self.target))
            .unwrap_or_default()
    }

    /// Returns the rooms that the sockets are in, in the order of their names, and how many of the sockets are in each. The
    /// rooms that are the identifiers of sockets are not among them.
    ///
    /// ```
    /// use eio_socketio::Server;
    ///
    /// fn print_rooms(server: &Server) {
    ///     for (room, sockets) in server.of("/chat").rooms() {
    ///         println!("{sockets} sockets are in {room}");
    ///     }
    /// }
    /// # let _ = print_rooms;
    /// ```
    #[must_use]
    pub fn rooms(&self) -> Vec<(String, usize)> {
        let sizes = self.server.shared().space(&self.namespace).map(|space| space.sizes(&self.target));
        let named = |(room, size): (Arc<str>, usize)| (String::from(&*room), size);
        sizes.unwrap_or_default().into_iter().map(named).collect()
    }

    /// Lets the sockets join a room. Those that are in as many rooms as they may be do not join.
    pub fn join(&self, room: impl AsRef<str>) {
        for socket in self.sockets() {
            let _ = socket.join(&room);
        }
    }

    /// Lets the sockets leave a room.
    pub fn leave(&self, room: impl AsRef<str>) {
        for socket in self.sockets() {
            socket.leave(&room);
        }
    }

    /// Disconnects the sockets from the namespace, as [`Socket::disconnect`] does.
    pub fn disconnect(&self) {
        for socket in self.sockets() {
            socket.disconnect();
        }
    }

    /// Closes the connections of the sockets, as [`Socket::close`] does.
    pub fn close(&self) {
        for socket in self.sockets() {
            socket.close();
        }
    }
}
