//! To whom an event goes.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use eio_tokio::Broadcast;

use crate::args::{EncodeError, FromArgs, IntoArgs, RawArgs};
use crate::errors::EmitError;
use crate::packet::{Body, Packet};
use crate::parser::Encoded;
use crate::server::Server;
use crate::server::answers::Answers;
use crate::server::change::Change;
#[cfg(feature = "cluster")]
use crate::server::cluster::{Joined, far_ack};
use crate::server::delivery;
use crate::server::rooms::Target;
use crate::server::socket::Socket;
use crate::server::space::Space;

/// Sockets of a namespace: all of them, or those in rooms, with exceptions. Each gets an event once, however many of the
/// rooms it is in. [`Server::of`] and [`Socket::to`] begin one.
///
/// If the server has joined a cluster (feature `cluster`), these are the sockets of all nodes, unless a method says otherwise.
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
    timeout: Option<Duration>,
    #[cfg(feature = "cluster")]
    is_local: bool,
}

impl Audience {
    pub(crate) fn new(server: Server, namespace: ByteString) -> Self {
        Self {
            server,
            namespace,
            target: Target::default(),
            volatile: false,
            timeout: None,
            #[cfg(feature = "cluster")]
            is_local: false,
        }
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

    /// Sends events only to the sockets whose transports take them at once, as [`Socket::emit_volatile`] does. The answers of
    /// [`emit_with_ack`](Self::emit_with_ack) say [`EmitError::Full`] for each of the others.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Sets how long to wait for acknowledgements, by default the server's
    /// [`ack_timeout`](crate::ServerBuilder::ack_timeout), and for the answers of other nodes, by default 5 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Leaves out the sockets of other nodes.
    #[cfg(feature = "cluster")]
    pub fn local(mut self) -> Self {
        self.is_local = true;
        self
    }

    /// Sends an event and encodes it once. Returns how many sockets get it, and how many do not, by reason.
    ///
    /// `args` is as for [`Socket::emit`]. A namespace, or a room, without sockets addresses nobody. In a cluster, the sockets of
    /// this node are served first, and only they are counted.
    ///
    /// # Errors
    /// Returns [`EmitError::Encode`] if the data cannot be written. A socket that cannot get the event is no error: it is
    /// counted.
    pub fn emit(&self, event: impl Into<ByteString>, args: impl IntoArgs) -> Result<Broadcast, EmitError> {
        let (event, args) = (event.into(), args.into_args()?);
        let space = self.space();
        if space.is_none() && !self.is_far() {
            return Ok(Broadcast::default());
        }
        // Events with a history carry an offset of this node, which others have no use for.
        let history = space.as_ref().filter(|space| space.has_history() && !self.volatile);
        let plain = match history {
            Some(_) if !self.is_far() => None,
            _ => Some(self.encode(event.clone(), args.clone(), None)?),
        };
        let broadcast = match (history, &space, &plain) {
            (Some(space), ..) => space.emit_to_all(&self.target, event, args)?,
            (None, Some(space), Some(encoded)) if self.volatile => {
                delivery::send_volatile(&space.select(&self.target), encoded)
            }
            (None, Some(space), Some(encoded)) => delivery::send(&space.select(&self.target), encoded),
            _ => Broadcast::default(),
        };
        #[cfg(feature = "cluster")]
        if let (Some(joined), Some(encoded)) = (self.joined(), &plain) {
            let parser = self.server.shared().parser.name();
            // The cluster counts and logs what is lost.
            let _ = joined.publisher.emit(&self.namespace, &self.target, parser, encoded, self.volatile);
        }
        Ok(broadcast)
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
        let timeout = self.timeout.unwrap_or(shared.ack_timeout);
        let mut answers = Answers::new(timeout);
        let space = self.space();
        if space.is_none() && !self.is_far() {
            return Ok(answers);
        }
        let id = self.next_ack();
        let encoded = self.encode(event.into(), args, Some(id))?;
        for socket in space.iter().flat_map(|space| space.select(&self.target)) {
            answers.ask(socket, id, &encoded, self.volatile);
        }
        #[cfg(feature = "cluster")]
        if let Some(joined) = self.joined() {
            answers = answers.and(joined.ask(self, &encoded, id, timeout));
        }
        Ok(answers)
    }

    /// Returns the sockets of this server.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket> {
        self.space().map(|space| space.select(&self.target)).unwrap_or_default()
    }

    /// Returns the rooms that the sockets of this server are in, in the order of their names, and how many of the sockets are in each. The
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
        let sizes = self.space().map(|space| space.sizes(&self.target));
        let named = |(room, size): (Arc<str>, usize)| (String::from(&*room), size);
        sizes.unwrap_or_default().into_iter().map(named).collect()
    }

    /// Lets the sockets join a room. Those that are in as many rooms as they may be do not join.
    pub fn join(&self, room: impl AsRef<str>) {
        self.change(Change::Join(room.as_ref()));
    }

    /// Lets the sockets leave a room.
    pub fn leave(&self, room: impl AsRef<str>) {
        self.change(Change::Leave(room.as_ref()));
    }

    /// Disconnects the sockets from the namespace, as [`Socket::disconnect`] does.
    pub fn disconnect(&self) {
        self.change(Change::Disconnect);
    }

    /// Closes the connections of the sockets, as [`Socket::close`] does.
    pub fn close(&self) {
        self.change(Change::Close);
    }

    fn change(&self, change: Change<'_>) {
        change.apply(&self.sockets());
        #[cfg(feature = "cluster")]
        if let Some(joined) = self.joined() {
            // The cluster counts and logs what is lost.
            let _ = joined.publisher.change(&self.namespace, &self.target, change);
        }
    }

    fn space(&self) -> Option<Arc<Space>> {
        self.server.shared().space(&self.namespace)
    }

    /// Writes an event. There may be no such namespace here.
    fn encode(&self, name: ByteString, args: RawArgs, id: Option<u64>) -> Result<Encoded, EncodeError> {
        let body = Body::Event { name, args, id };
        self.server.shared().parser.encode(&Packet { namespace: self.namespace.clone(), body })
    }
}

#[cfg(not(feature = "cluster"))]
impl Audience {
    #[expect(clippy::unused_self, reason = "there are no other nodes")]
    fn is_far(&self) -> bool {
        false
    }

    fn next_ack(&self) -> u64 {
        self.server.shared().next_ack()
    }
}

#[cfg(feature = "cluster")]
impl Audience {
    /// Returns the cluster, if sockets of other nodes are addressed.
    pub(crate) fn joined(&self) -> Option<&Joined> {
        self.server.shared().far.joined().filter(|_| !self.is_local)
    }

    fn is_far(&self) -> bool {
        self.joined().is_some()
    }

    /// Returns the number of an event, which no event of another node has either.
    fn next_ack(&self) -> u64 {
        let own = self.server.shared().next_ack();
        if self.is_far() { far_ack().unwrap_or(own) } else { own }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn namespace(&self) -> &ByteString {
        &self.namespace
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn is_volatile(&self) -> bool {
        self.volatile
    }

    pub(crate) fn timeout_or(&self, default: Duration) -> Duration {
        self.timeout.unwrap_or(default)
    }
}
