//! Who is where: the sockets of all nodes, and their rooms.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eio_cluster::{NoAnswer, Reply, Response};

use crate::args::{DecodeError, FromArgs, RawArgs};
use crate::server::audience::Audience;
use crate::server::cluster::message::{Address, Arguments, Described, Message, Rooms, Sockets, read, write};
use crate::server::cluster::parts;
use crate::server::rooms::Target;
use crate::server::shared::Shared;
use crate::server::socket::Socket;
use crate::server::socket_id::SocketId;
use crate::server::space::Space;

/// How long the other nodes may take, unless the audience says otherwise.
const TIMEOUT: Duration = Duration::from_secs(5);
/// About how many bytes one part of an answer has.
const PART: usize = 64 * 1024;

/// What all nodes have answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched<T> {
    /// What is known. It is complete if no node is missing. Just after this node has connected, it may not know a node that is
    /// busy: see [`Channel::request`](eio_cluster::Channel::request).
    pub found: Vec<T>,
    /// The nodes whose answers are not complete. This node is among them while it does not know the others: the bus is down,
    /// for example.
    pub missing: Vec<MissingNode>,
}

/// A node whose answer is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingNode {
    /// The name of the node.
    pub node: String,
    /// Why its answer is not complete.
    pub reason: NoAnswer,
}

/// A socket of this node or of another one, as it was when it was asked about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RemoteSocket {
    /// The identifier. [`Server::of`](crate::Server::of) with [`to`](Audience::to) addresses the socket by it, on whatever node
    /// it is: to send to it, to let it join a room, or to end it.
    pub id: SocketId,
    /// The name of the node that it is on, or `None` if this server is no node of a cluster.
    pub node: Option<String>,
    /// The rooms that it is in besides its own, in order.
    pub rooms: Vec<String>,
    /// The address of the client, as [`Sender::peer_addr`](eio_tokio::Sender::peer_addr) returns it.
    pub address: Option<SocketAddr>,
    /// The data with which the client joined. If what another node says of its socket is longer than a
    /// [message](eio_cluster::ClusterBuilder::max_message) may be, this and [`data`](Self::data) are empty.
    pub auth: RawArgs,
    data: Option<RawArgs>,
}

impl RemoteSocket {
    /// Reads what the application of the socket's node says of it with
    /// [`socket_data`](crate::ServerBuilder::socket_data). If it says nothing, that is null.
    ///
    /// # Errors
    /// Returns a [`DecodeError`] if the data does not fit the type.
    pub fn data<T: FromArgs>(&self) -> Result<T, DecodeError> {
        T::from_args(self.data.as_ref().unwrap_or(&RawArgs::none()))
    }

    fn new(server: &Shared, space: &Space, socket: &Socket, node: Option<&str>) -> Self {
        let mut rooms: Vec<_> = space.rooms_of(socket).iter().map(|room| String::from(&**room)).collect();
        rooms.sort_unstable();
        Self {
            id: socket.id().clone(),
            node: node.map(str::to_owned),
            rooms,
            address: socket.engine().peer_addr(),
            auth: socket.auth().clone(),
            data: server.far.describe(socket),
        }
    }
}

impl Audience {
    /// Returns the sockets of all nodes. [`sockets`](Self::sockets) returns those of this node at once.
    ///
    /// A node that does not answer within [`timeout`](Self::timeout), 5 seconds by default, is missing.
    ///
    /// ```
    /// use eio_socketio::Server;
    ///
    /// async fn print_players(server: Server) {
    ///     let players = server.of("/").to("players").fetch_sockets().await;
    ///     for player in &players.found {
    ///         println!("{} on {:?}", player.id, player.node);
    ///     }
    ///     for node in &players.missing {
    ///         println!("the players of {} are missing: {}", node.node, node.reason);
    ///     }
    /// }
    /// # let _ = print_players;
    /// ```
    pub async fn fetch_sockets(&self) -> Fetched<RemoteSocket> {
        let server = self.server().shared();
        let own = self.server().engine().node();
        let mut found: Vec<_> = match server.space(self.namespace()) {
            None => Vec::new(),
            Some(space) => space
                .select(self.target())
                .iter()
                .map(|socket| RemoteSocket::new(server, &space, socket, own))
                .collect(),
        };
        let question = Message::Sockets(Address::new(self.namespace(), self.target()));
        let missing = self
            .ask_nodes(&question, |node, payload| {
                let Ok(Sockets(sockets)) = read(payload) else { return false };
                found.extend(sockets.into_iter().map(|socket| described(node, socket)));
                true
            })
            .await;
        Fetched { found, missing }
    }

    /// Returns the rooms that the sockets of all nodes are in, in the order of their names, and how many of the sockets are in
    /// each. [`rooms`](Self::rooms) returns those of this node at once.
    ///
    /// A node that does not answer within [`timeout`](Self::timeout), 5 seconds by default, is missing.
    pub async fn fetch_rooms(&self) -> Fetched<(String, usize)> {
        let mut found: BTreeMap<_, _> = self.rooms().into_iter().collect();
        let question = Message::Rooms(Address::new(self.namespace(), self.target()));
        let missing = self
            .ask_nodes(&question, |_, payload| {
                let Ok(Rooms(rooms)) = read(payload) else { return false };
                for (room, size) in rooms {
                    *found.entry(room.to_owned()).or_default() += usize::try_from(size).unwrap_or(usize::MAX);
                }
                true
            })
            .await;
        Fetched { found: found.into_iter().collect(), missing }
    }

    /// Asks the other nodes, and hands each part of their answers to `take`, which returns whether it can be read.
    async fn ask_nodes(
        &self,
        question: &Message<'_>,
        mut take: impl FnMut(&str, &[u8]) -> bool,
    ) -> Vec<MissingNode> {
        let Some(joined) = self.joined() else { return Vec::new() };
        let timeout = self.timeout_or(TIMEOUT);
        let mut responses = joined.channel.request(&write(question), timeout);
        let mut missing = Vec::<MissingNode>::new();
        while let Some(Response { node, part, .. }) = responses.next().await {
            let reason = match part {
                Ok(part) if take(&node, &part) => continue,
                Ok(_) => NoAnswer::Incomplete,
                Err(reason) => reason,
            };
            if missing.iter().all(|other| *other.node != *node) {
                missing.push(MissingNode { node: String::from(&*node), reason });
            }
        }
        missing
    }
}

fn described(node: &str, socket: Described<'_>) -> RemoteSocket {
    RemoteSocket {
        id: socket.id.into(),
        node: Some(node.to_owned()),
        rooms: socket.rooms.into_iter().map(str::to_owned).collect(),
        address: socket.address,
        auth: socket.auth.args(),
        data: socket.data.map(Arguments::args),
    }
}

/// Tells another node about sockets of this one, some at a time.
pub(super) async fn tell_sockets(server: Arc<Shared>, space: Arc<Space>, target: Target, mut reply: Reply) {
    let sockets = space.select(&target);
    let mut sockets = sockets.iter().peekable();
    while sockets.peek().is_some() {
        let (mut part, mut bytes) = (Vec::new(), 0);
        while bytes < PART
            && let Some(socket) = sockets.next()
        {
            let socket = RemoteSocket::new(&server, &space, socket, None);
            bytes += 100 + socket.auth.byte_len() + socket.data.as_ref().map_or(0, RawArgs::byte_len);
            bytes += socket.rooms.iter().map(String::len).sum::<usize>();
            part.push(socket);
        }
        let described = |part: &[RemoteSocket]| write(&Sockets(part.iter().filter_map(describe).collect()));
        let shorten = |socket: &mut RemoteSocket| (socket.auth, socket.data) = (RawArgs::none(), None);
        if parts::tell(&mut reply, &mut part, &described, &shorten).await.is_err() {
            // The other node sees that something is missing.
            return;
        }
    }
}

fn describe(socket: &RemoteSocket) -> Option<Described<'_>> {
    Some(Described {
        id: socket.id.as_str(),
        rooms: socket.rooms.iter().map(String::as_str).collect(),
        address: socket.address,
        // Both were read from JSON, or written as it.
        auth: Arguments::new(&socket.auth).ok()?,
        data: socket.data.as_ref().and_then(|data| Arguments::new(data).ok()),
    })
}

/// Tells another node about the rooms of this one, some at a time.
pub(super) async fn tell_rooms(space: Arc<Space>, target: Target, mut reply: Reply) {
    let sizes = space.sizes(&target);
    let mut rest = sizes.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |(room, _): &&(Arc<str>, usize)| {
            bytes += room.len() + 16;
            bytes < PART
        };
        let count = rest.iter().take_while(fits).count().max(1);
        let (part, others) = rest.split_at(count);
        rest = others;
        let mut part: Vec<_> = part.iter().map(|(room, size)| (&**room, *size as u64)).collect();
        let counted = |part: &[_]| write(&Rooms(part.to_vec()));
        if parts::tell(&mut reply, &mut part, &counted, &|_| {}).await.is_err() {
            return;
        }
    }
}
