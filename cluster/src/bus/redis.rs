//! The bus over Redis or Valkey.

mod errors;
mod link;
mod session;
mod slots;

use std::future::Future;
use std::pin::Pin;

use crate::bus::server::{Broken, Ended, InvalidUrl, Protocol, Scheme, ServerUrl, Settings, keep};
use crate::bus::{Bus, Port};

/// A bus over a Redis server or a Redis Cluster, by publish and subscribe.
///
/// Give it the URL of a server, or those of several nodes of a Redis Cluster. It asks one of them for the others:
///
/// ```
/// use eio_cluster::bus::Redis;
///
/// let one = Redis::new(["redis://127.0.0.1:6379"])?;
/// let cluster = Redis::new(["redis://ann:secret@r1.example", "redis://ann:secret@r2.example"])?;
/// # drop((one, cluster));
/// # Ok::<(), eio_cluster::bus::InvalidUrl>(())
/// ```
///
/// | in the URL | |
/// |---|---|
/// | `redis://` | no TLS |
/// | `rediss://` | TLS, with the feature `tls` |
/// | `:password@` | the password of the user `default` |
/// | `user:password@` | a user who may use [these channels and commands](#permissions) |
/// | `/0` behind the host | allowed and without a meaning: channels do not belong to a database |
///
/// It needs Redis 6 or newer, whose protocol (RESP3) has messages and answers on one connection. A Redis Cluster of version
/// 7 or newer has channels that belong to one of its masters each: the bus uses these (sharded pub/sub), so a message costs
/// one master and not all of them. An older cluster hands each message to all of its nodes, as usual. It was tried with
/// Redis 7.0. Valkey has the same protocol, and was not tried.
///
/// Several URLs are for a Redis Cluster only. A server that is of none is refused then, because nodes that choose different
/// servers would not hear each other.
///
/// A server that is a replica counts as lost: what is published there reaches no other server. Sentinel is not asked which
/// server is the master, so give the name of a host that leads to it: each attempt to connect looks the name up again.
///
/// # Permissions
/// The ACL of a user needs the channels `&eio.*` (`eio` is the prefix of the subjects) and the commands `PUBLISH`, `SUBSCRIBE`,
/// `UNSUBSCRIBE`, `PING` and `ROLE`. On a Redis Cluster, it needs `CLUSTER SLOTS`, `COMMAND INFO`, `SPUBLISH`, `SSUBSCRIBE`,
/// `SUNSUBSCRIBE` and `PING`. Without `COMMAND INFO`, the bus takes the cluster for one older than version 7, and nodes whose
/// users have it do not hear this one.
///
/// # Guarantees
/// - A message arrives at most once. What one node publishes arrives in the order of publishing. On a Redis Cluster, this
///   holds for the messages of one subject: those of others may be on another master. A message to several topics has a copy
///   for each, of which the first one counts: so it may come before an earlier one to one of these topics alone.
/// - A connection that is lost loses what is published until it is back and all subscriptions are made again: what this node
///   publishes, and what others publish to it. [`BusStatus::lost`](crate::bus::BusStatus) counts the messages of this node
///   that the server has not answered by then. The messages of others are lost without a trace.
/// - Redis drops the connection of a node that reads too slowly (`client-output-buffer-limit pubsub`: 32 MB, or 8 MB for a
///   minute). For the node, that is a lost connection like any other.
/// - A server that cannot serve for now (`BUSY` during a script, `LOADING`, `MASTERDOWN`) counts as lost until it can. Only a
///   missing permission leaves the connection as it is: the subscription is [refused](crate::bus::BusStatus), or the message
///   lost.
/// - A node that reads slowly still says in time that it lives, and others that live are not gone for it.
/// - When a master of a Redis Cluster is lost, or slots move, the bus connects to all masters anew, so it is down for a
///   moment; when a master is lost, until a replica has taken its place.
pub struct Redis(Settings);

const SCHEME: Scheme = Scheme { plain: "redis", tls: "rediss", port: 6_379, has_database: true };

impl Redis {
    /// Makes a bus over the servers with these URLs. Connects to none yet.
    ///
    /// # Errors
    /// Returns an error if there is no URL, or one cannot be used.
    pub fn new<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Self, InvalidUrl> {
        Settings::new(urls, &SCHEME).map(Self)
    }
}

crate::bus::server::setters!(Redis);

impl Bus for Redis {
    fn run(self: Box<Self>, port: Port) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(keep(*self, port))
    }
}

impl Protocol for Redis {
    type Connection = session::Session;

    fn settings(&self) -> &Settings {
        &self.0
    }

    async fn open(&self, url: &ServerUrl) -> Result<Self::Connection, Broken> {
        Box::pin(session::Session::open(url, &self.0)).await
    }

    async fn serve(&self, connection: Self::Connection, port: &mut Port) -> Ended {
        connection.serve(port).await
    }
}
