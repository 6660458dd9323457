//! Several nodes that act as one server.

pub(crate) mod answers;
pub(crate) mod emitter;
pub(crate) mod fetch;
mod fresh;
mod message;
mod parts;
pub(crate) mod publisher;
mod receiver;
pub(crate) mod topics;

use core::fmt;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eio_cluster::{Channel, Cluster};
use eio_core::socketio::MAX_ID;

use crate::args::{EncodeError, IntoArgs, RawArgs};
use crate::errors::EmitError;
use crate::parser::Encoded;
use crate::server::Server;
use crate::server::audience::Audience;
use crate::server::cluster::answers::FarAnswers;
use crate::server::cluster::message::{Address, Arguments, Message, Packet, write};
use crate::server::cluster::publisher::{Publisher, Way};
use crate::server::cluster::receiver::Receiver;
use crate::server::guard::guarded;
use crate::server::socket::Socket;
use crate::server::space::Space;
use crate::sync::AtomicU64;
use crate::targets;

/// The name of the service in a cluster.
const SERVICE: &str = "socketio";
/// How much longer than sockets a node may take to answer.
const GRACE: Duration = Duration::from_secs(1);

/// What a server knows of the other nodes.
#[derive(Default)]
pub(crate) struct Far {
    settings: Settings,
    joined: OnceLock<Joined>,
    /// How many messages of other nodes were refused.
    refused: AtomicU64,
}

/// What an application has to say to other nodes.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) data: Option<Arc<SocketData>>,
    pub(crate) on_server_side: Option<Arc<dyn Fn(ServerSideEvent) + Send + Sync>>,
}

/// Says what other nodes are told of a socket.
type SocketData = dyn Fn(&Socket) -> Result<RawArgs, EncodeError> + Send + Sync;

/// A server's place in its cluster.
pub(crate) struct Joined {
    pub(crate) cluster: Cluster,
    pub(crate) channel: Channel,
    pub(crate) publisher: Publisher,
}

impl Joined {
    /// Asks the other nodes to send an event to their sockets, and to tell what these answer.
    pub(crate) fn ask(
        &self,
        audience: &Audience,
        encoded: &Encoded,
        id: u64,
        timeout: Duration,
    ) -> FarAnswers {
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let to = Address::new(audience.namespace(), audience.target());
        let packet = Packet::new(audience.server().shared().parser.name(), encoded);
        let is_volatile = audience.is_volatile();
        let question = write(&Message::Ask { to, packet, id, timeout_ms, is_volatile });
        let nodes = self.cluster.nodes().into_iter().map(|node| node.name);
        // A node tells in time that its sockets have not answered in time.
        let responses = self.channel.request(&question, timeout.saturating_add(GRACE));
        FarAnswers::new(responses, nodes.filter(|node| **node != *self.cluster.name()))
    }
}

/// Returns a number for an event that sockets of other nodes acknowledge: a random one, so that no two nodes use one number at
/// the same time, which those of [`Shared::next_ack`](crate::server::shared::Shared::next_ack) do not reach.
///
/// # Errors
/// Returns an error if the system has no random bytes.
pub(crate) fn far_ack() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_le_bytes(bytes) % (MAX_ID / 2) + MAX_ID / 2)
}

impl Far {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Returns the server's place in its cluster, if it has joined one.
    pub(crate) fn joined(&self) -> Option<&Joined> {
        self.joined.get()
    }

    /// Joins a cluster. [`introduce`](Self::introduce) follows for each namespace. Returns `false` if one was joined before.
    pub(crate) fn join(&self, joined: Joined) -> bool {
        self.joined.set(joined).is_ok()
    }

    /// Lets a namespace hear the other nodes.
    pub(crate) fn introduce(&self, space: &Space) {
        if let Some(joined) = self.joined() {
            space.listen(joined.channel.clone());
        }
    }

    /// Returns what the application says of a socket. An error is logged.
    fn describe(&self, socket: &Socket) -> Option<RawArgs> {
        let data = self.settings.data.as_ref()?;
        let described = guarded(|| data(socket).map_err(|error| error.to_string())).flatten();
        described.inspect_err(|error| {
            tracing::error!(target: targets::CLUSTER, socket = %socket.id(), error, "the data of a socket cannot be told to other nodes");
        }).ok()
    }

    /// Counts a message of another node that was refused. Returns whether it is the first one.
    fn refuse(&self) -> bool {
        self.refused.fetch_add(1, Ordering::Relaxed) == 0
    }
}

/// An event that the application of another node has sent with [`Server::server_side_emit`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerSideEvent {
    /// The name of the node. It is empty if the event comes from a program without sessions.
    pub node: String,
    /// The name of the event.
    pub name: String,
    /// The arguments of the event.
    pub args: RawArgs,
}

/// The error for a cluster that a server cannot join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinClusterError {
    /// The cluster has been joined by a server already, or this server has joined one.
    #[error("a Socket.IO server joins one cluster, and a node of a cluster has one Socket.IO server")]
    Twice,
    /// The cluster was built for another server.
    #[error("the cluster is that of the node {cluster:?}: expected the server's own, {server:?}")]
    OtherServer {
        /// The name of the cluster's node.
        cluster: String,
        /// The name of the server's node, if it has one.
        server: Option<String>,
    },
}

impl Server {
    /// Acts as one server with the other nodes of a cluster from now on: what is sent to rooms and namespaces reaches the
    /// sockets of all nodes. Build the cluster for [`engine`](Self::engine), and join it before the server accepts
    /// connections.
    ///
    /// [The guide](crate::guide::cluster) says what is then different.
    ///
    /// ```
    /// use eio_socketio::cluster::Cluster;
    /// use eio_socketio::cluster::bus::Memory;
    /// use eio_socketio::{Namespace, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = Server::builder().namespace("/", Namespace::new());
    /// let server = builder.engine(|engine| engine.node("a7")).build()?;
    /// // In truth, a bus that other processes reach, too.
    /// let bus = Memory::new();
    /// server.join_cluster(&Cluster::builder(server.engine(), bus.end("a7")).join()?)?;
    /// server.to("lobby").emit("news", "on all nodes")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns a [`JoinClusterError`] if the server has joined a cluster before, or if the cluster is not its own.
    pub fn join_cluster(&self, cluster: &Cluster) -> Result<(), JoinClusterError> {
        let own = self.engine.node();
        if own != Some(cluster.name()) {
            let (cluster, server) = (cluster.name().to_owned(), own.map(str::to_owned));
            return Err(JoinClusterError::OtherServer { cluster, server });
        }
        let receiver = Receiver::new(Arc::downgrade(&self.shared));
        let channel = cluster.channel(SERVICE, receiver).map_err(|_| JoinClusterError::Twice)?;
        let way = Way::Node { channel: channel.clone(), name: cluster.name().to_owned() };
        let joined = Joined { cluster: cluster.clone(), channel, publisher: Publisher::new(way) };
        if self.shared.join(joined) { Ok(()) } else { Err(JoinClusterError::Twice) }
    }

    /// Returns the cluster that the server has joined.
    #[must_use]
    pub fn cluster(&self) -> Option<&Cluster> {
        self.shared.far.joined().map(|joined| &joined.cluster)
    }

    /// Returns how many messages of other nodes were refused, because they could not be read or their packets are of
    /// another [parser](crate::Parser::name) than this server's. The log shows the first one.
    #[must_use]
    pub fn refused_from_nodes(&self) -> u64 {
        self.shared.far.refused.load(Ordering::Relaxed)
    }

    /// Sends an event to the applications of the other nodes, which get it from
    /// [`on_server_side`](crate::ServerBuilder::on_server_side). It goes to no client. `args` is as for [`Socket::emit`].
    ///
    /// It may be lost, as everything between nodes. Without a cluster, there is nobody to get it.
    ///
    /// # Errors
    /// Returns [`EmitError::Encode`] if the data cannot be written.
    pub fn server_side_emit(&self, event: impl AsRef<str>, args: impl IntoArgs) -> Result<(), EmitError> {
        let args = Arguments::new(&args.into_args()?)?;
        if let Some(joined) = self.shared.far.joined() {
            // The cluster counts and logs what is lost.
            let _ = joined.publisher.server_side(event.as_ref(), args);
        }
        Ok(())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}
