//! The cluster, as one of its nodes sees it.

use core::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use eio_core::Heartbeat;
use eio_core::settings::HeartbeatError;
use eio_tokio::Server;

use crate::bus::{Bus, BusStatus, InvalidPrefix, Limits, Sending, Subjects};
use crate::channel::{Channel, Handler, ServiceTaken};
use crate::frame::{MAX_ADDRESS, Phase};
use crate::link::Link;
use crate::metrics;
use crate::node::{self, Node, Receiver};
use crate::sessions::Sessions;
use crate::sync::spawn;

/// How long [`Cluster::leave`] waits for the bus.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a server a node of a cluster. [`Cluster::builder`] returns one.
#[must_use = "the server joins by `join`"]
pub struct ClusterBuilder {
    server: Server,
    bus: Box<dyn Bus>,
    prefix: String,
    interval: Duration,
    timeout: Duration,
    address: Option<String>,
    limits: Limits,
}

/// Why a server cannot join a cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The server has no name: see [`ServerBuilder::node`](eio_tokio::ServerBuilder::node).
    #[error("the server has no name: give it one by `ServerBuilder::node`")]
    NoName,
    /// The prefix of subjects.
    #[error(transparent)]
    Prefix(#[from] InvalidPrefix),
    /// The periods of the beacons.
    #[error("the interval and the timeout of nodes: {0}")]
    Periods(#[from] HeartbeatError),
    /// The address of the node is too long.
    #[error("the address of the node has {len} bytes: expected at most {max}")]
    AddressTooLong {
        /// Its length.
        len: usize,
        /// The longest address.
        max: usize,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

impl ClusterBuilder {
    /// Sets with what the subjects on the bus begin, `eio` by default: 1 to 32 ASCII letters, digits, `-` and `_`. Clusters
    /// with different prefixes share a bus and do not hear each other.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how often this node says that it lives, 4 s by default.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets by how much the others may hear that later, 6 s by default. A node that is silent for the interval and the
    /// timeout together is gone, and the others learn these two from the node itself. A bus may lose a message, so choose a
    /// timeout that is longer than the interval: one lost message then makes nobody gone.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the address at which other nodes reach this one, such as `http://10.0.0.7:3000`. The others find it in
    /// [`NodeInfo::address`].
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Sets how many bytes may wait to be published, 8 MiB by default. Each message counts 128 bytes more than it is long.
    pub fn max_queued(mut self, bytes: usize) -> Self {
        self.limits.queued = bytes;
        self
    }

    /// Sets the length of the longest message, with what the cluster adds to it: 1,000,000 bytes by default, which a NATS
    /// server takes unless it is told otherwise.
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.limits.message = bytes;
        self
    }

    /// Joins the cluster. It does not wait for the bus: see [`Cluster::connected`].
    ///
    /// # Errors
    /// Returns an error if a setting is invalid, or the server has no name.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime.
    pub fn join(self) -> Result<Cluster, JoinError> {
        let name: Arc<str> = self.server.node().ok_or(JoinError::NoName)?.into();
        let subjects = Subjects::new(&self.prefix)?;
        let heartbeat = Heartbeat::new(self.interval, self.timeout)?;
        if let Some(len) = self.address.as_ref().map(String::len).filter(|len| *len > MAX_ADDRESS) {
            return Err(JoinError::AddressTooLong { len, max: MAX_ADDRESS });
        }
        let incarnation = getrandom::u64().map_err(|_| JoinError::NoRandomness)?;
        let node = Arc::new_cyclic(|node| {
            let receiver = Arc::new(Receiver(node.clone()));
            let sending = Sending::start(self.bus, self.limits, receiver);
            sending.subscribe(subjects.all());
            subjects.node(&name).into_iter().for_each(|subject| sending.subscribe(subject));
            let link = Link::new(name, incarnation, subjects, sending);
            Node::new(self.server, link, heartbeat, self.address)
        });
        metrics::NODES.set(1);
        spawn(node::run(Arc::downgrade(&node), node.link.sending.clone()));
        let sessions = Sessions::open(&node);
        node.server
            .set_extension(WeakCluster { node: Arc::downgrade(&node), sessions: Arc::downgrade(&sessions) });
        Ok(Cluster { node, sessions })
    }
}

impl fmt::Debug for ClusterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterBuilder").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// A cluster, as one of its nodes sees it. Cloning returns another handle to the same node. It leaves the cluster by
/// [`leave`](Self::leave), or when the last handle and the last [`Channel`] are dropped. Keep a handle as long as the server
/// runs: without one, sessions of this node no longer hear other nodes.
///
/// A cluster has up to 1,025 nodes: further ones are not known to the others.
///
/// ```
/// use eio_cluster::bus::Memory;
/// use eio_cluster::{Cluster, To};
/// use eio_tokio::Server;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = Memory::new();
/// let (a7, b2) = (node(&bus, "a7").await?, node(&bus, "b2").await?);
///
/// // What two nodes say to each other, under a name of your own.
/// let ours = a7.channel("greetings", |_: eio_cluster::Incoming<'_>| {})?;
/// let _theirs = b2.channel("greetings", |message: eio_cluster::Incoming<'_>| {
///     println!("{} says {:?}", message.from, message.payload);
/// })?;
/// ours.publish(To::All, b"hello")?;
///
/// a7.leave().await;
/// # b2.leave().await;
/// # Ok(())
/// # }
///
/// /// A server in a process of its own, in truth.
/// async fn node(bus: &Memory, name: &str) -> Result<Cluster, Box<dyn std::error::Error>> {
///     let server = Server::builder(|_socket| async {}).node(name).build()?;
///     let cluster = Cluster::builder(&server, bus.end(name)).join()?;
///     cluster.connected().await;
///     Ok(cluster)
/// }
/// ```
#[derive(Clone)]
pub struct Cluster {
    pub(crate) node: Arc<Node>,
    pub(crate) sessions: Arc<Sessions>,
}

/// What a server keeps of its cluster, which keeps the server.
#[derive(Clone)]
struct WeakCluster {
    node: Weak<Node>,
    sessions: Weak<Sessions>,
}

/// What a node knows of one of the nodes, itself among them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeInfo {
    /// The name, with which the sids of its sessions begin.
    pub name: Arc<str>,
    /// A random number for each start of the node.
    pub incarnation: u64,
    /// Whether it lives.
    pub state: NodeState,
    /// The number of its sessions when it was last heard.
    pub sessions: u64,
    /// Where other nodes [reach it](ClusterBuilder::address).
    pub address: Option<Arc<str>>,
    /// How long ago it was last heard.
    pub silent_for: Duration,
}

/// Whether a node lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeState {
    /// It lives.
    Up,
    /// It lives, and takes no new sessions.
    Draining,
    /// Nobody can say: this node is not connected to the bus, or was not until now and has not heard the other one since.
    Unknown,
}

/// The state of a cluster, as one node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStatus {
    /// The bus of this node.
    pub bus: BusStatus,
    /// The names that more than one node has, in order. Sessions of such nodes get lost: give each node its own name.
    pub names_twice: Vec<Arc<str>>,
    /// The messages that came and could not be read.
    pub unreadable: u64,
    /// The messages whose handler panicked.
    pub panics: u64,
}

impl Cluster {
    /// Returns a builder that makes a server a node of a cluster. The server needs a [name](eio_tokio::ServerBuilder::node)
    /// of its own.
    pub fn builder(server: &Server, bus: impl Bus) -> ClusterBuilder {
        ClusterBuilder {
            server: server.clone(),
            bus: Box::new(bus),
            prefix: "eio".to_owned(),
            interval: Duration::from_secs(4),
            timeout: Duration::from_secs(6),
            address: None,
            limits: Limits::default(),
        }
    }

    /// Returns the cluster that a server has joined, as long as anybody has another handle of it. So an application finds it
    /// by [`Socket::server`](eio_tokio::Socket::server).
    #[must_use]
    pub fn of(server: &Server) -> Option<Self> {
        let WeakCluster { node, sessions } = server.extension()?;
        Some(Self { node: node.upgrade()?, sessions: sessions.upgrade()? })
    }

    /// Returns the name of this node.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.node.link.node
    }

    /// Returns the server of this node.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.node.server
    }

    /// Waits until the bus is connected, this node hears what is sent to all, and the others were told that it is there. They
    /// answer after that. If that is the case now, returns at once; if the bus stops, or the node leaves, waits for ever. For
    /// a group, see [`heard`](Self::heard).
    pub async fn connected(&self) {
        let mut connected = self.node.connected.subscribe();
        let is_connected = connected.wait_for(|connected| *connected).await.is_ok();
        if !is_connected {
            core::future::pending::<()>().await;
        }
    }

    /// Opens the channel of a service: an application's own messages to the other nodes, under a name that no other service
    /// of this node has. The name is the same on all nodes.
    ///
    /// The node keeps the handler until the last handle of the channel is dropped.
    ///
    /// # Errors
    /// Returns an error if the service has a channel already.
    pub fn channel(&self, service: &'static str, handler: impl Handler) -> Result<Channel, ServiceTaken> {
        self.node.services.open(&self.node, service, handler)
    }

    /// Returns the nodes that are there, this one among them, in the order of their names.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeInfo> {
        let now = self.node.clock.now();
        let this = NodeInfo {
            name: Arc::clone(&self.node.link.node),
            incarnation: self.node.link.incarnation,
            state: if self.node.phase() == Phase::Up { NodeState::Up } else { NodeState::Draining },
            sessions: self.node.server.len() as u64,
            address: self.node.address.as_deref().map(Arc::from),
            silent_for: Duration::ZERO,
        };
        let members = self.node.members();
        let others = members.others().map(|(incarnation, member)| NodeInfo {
            name: Arc::clone(&member.name),
            incarnation,
            state: match member.is_draining {
                _ if !members.is_certain(member, now) => NodeState::Unknown,
                true => NodeState::Draining,
                false => NodeState::Up,
            },
            sessions: member.sessions,
            address: member.address.clone(),
            silent_for: now.saturating_duration_since(member.last_seen()),
        });
        let mut nodes: Vec<_> = core::iter::once(this).chain(others).collect();
        drop(members);
        nodes.sort_by(|a, b| a.name.cmp(&b.name).then(a.incarnation.cmp(&b.incarnation)));
        nodes
    }

    /// Waits until a node has come or gone since `seen`, which is the number that the last call has returned, or 0. Returns
    /// the number to wait with the next time.
    pub async fn nodes_changed(&self, seen: u64) -> u64 {
        let mut changed = self.node.nodes_changed.subscribe();
        changed.wait_for(|now| *now != seen).await.map_or(seen, |now| *now)
    }

    /// Returns the state of the bus, and what went wrong so far.
    #[must_use]
    pub fn status(&self) -> ClusterStatus {
        ClusterStatus {
            bus: self.node.link.sending.status(),
            names_twice: self.node.members().names_twice().into_iter().collect(),
            unreadable: self.node.unreadable.load(Ordering::Relaxed),
            panics: self.node.panics.load(Ordering::Relaxed),
        }
    }

    /// Tells the other nodes that this one takes no new sessions, before its server is [shut
    /// down](eio_tokio::Server::shutdown). In all else it stays a node.
    pub fn drain(&self) {
        self.node.drain();
    }

    /// Leaves the cluster: publishes what waits, tells the others that this node is gone, and ends the connection to the
    /// bus. Questions that wait for answers end with [`NoAnswer::Disconnected`](crate::NoAnswer::Disconnected). The server
    /// goes on alone. Waits for the bus for 5 s at most.
    pub async fn leave(&self) {
        let stopped = self.node.link.sending.watcher().stopped();
        self.node.leave();
        let _ = tokio::time::timeout(LEAVE_TIMEOUT, stopped).await;
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("name", &self.name()).finish_non_exhaustive()
    }
}
