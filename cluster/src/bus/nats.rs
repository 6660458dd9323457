//! The bus over NATS.

mod codec;
mod connection;
mod session;

use std::future::Future;
use std::pin::Pin;

use crate::bus::server::{Broken, Ended, InvalidUrl, Protocol, Scheme, ServerUrl, Settings, keep};
use crate::bus::{Bus, Port};

/// A bus over NATS servers: core NATS, without its store of messages.
///
/// Give it the URL of a server, or those of several servers of one cluster. A node connects to one of them, and to another
/// one when that is lost:
///
/// ```
/// use eio_cluster::bus::Nats;
///
/// let one = Nats::new(["nats://127.0.0.1:4222"])?;
/// let three = Nats::new(["nats://ann:secret@n1.example", "nats://ann:secret@n2.example", "nats://ann:secret@n3.example"])?;
/// # drop((one, three));
/// # Ok::<(), eio_cluster::bus::InvalidUrl>(())
/// ```
///
/// | in the URL | |
/// |---|---|
/// | `nats://` | TLS if the server asks for it |
/// | `tls://` | TLS, or no connection at all; with the feature `tls` |
/// | `user:password@` | a user |
/// | `token@` | a token |
///
/// Keys and JWT (`nkey`, `.creds`), and servers that begin with TLS (`handshake_first`) are not supported.
///
/// # Guarantees
/// - A message arrives at most once. What one node publishes arrives in the order of publishing, over all subjects.
/// - A subscription counts as confirmed when the server has answered a ping that was sent after it. The other servers of a
///   cluster learn of it a moment later: until then, a message of a node that is connected to one of them may not come.
/// - A connection that is lost loses what is published until it is back and all subscriptions are made again: what this node
///   publishes, and what others publish to it. [`BusStatus::lost`](crate::bus::BusStatus) counts the messages of this node
///   that the server has not confirmed by then. The messages of others are lost without a trace.
/// - The server drops the connection of a node that reads too slowly (`write_deadline`, 10 s, and `max_pending`, 64 MB, of
///   its configuration). The cause of the outage is `Slow Consumer` then, or a connection that is closed.
/// - Messages above the server's `max_payload` (1 MiB, unless it is configured) are not sent. They count as lost.
pub struct Nats(Settings);

const SCHEME: Scheme = Scheme { plain: "nats", tls: "tls", port: 4_222, has_database: false };

impl Nats {
    /// Makes a bus over the servers with these URLs. Connects to none yet.
    ///
    /// # Errors
    /// Returns an error if there is no URL, or one cannot be used.
    pub fn new<U: AsRef<str>>(urls: impl IntoIterator<Item = U>) -> Result<Self, InvalidUrl> {
        Settings::new(urls, &SCHEME).map(Self)
    }
}

crate::bus::server::setters!(Nats);

impl Bus for Nats {
    fn run(self: Box<Self>, port: Port) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(keep(*self, port))
    }
}

impl Protocol for Nats {
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
