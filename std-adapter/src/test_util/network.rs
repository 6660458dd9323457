//! A server's place in memory, and the listener there.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::test_util::link::Link;
use crate::test_util::listening::{Accepted, Listening};
use crate::test_util::stream::NetworkStream;

/// The address of the server. Those of the links follow it.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// An in-memory network with one server, to which clients come over [links](Link). See [the module](crate::test_util).
///
/// Cloning returns another handle to the same network.
#[derive(Clone, Default)]
pub struct Network(Arc<Inner>);

#[derive(Default)]
struct Inner {
    listening: Arc<Listening>,
    links: AtomicU32,
}

/// Accepts the connections of a [`Network`]: the listener for [`Server::serve`](crate::Server::serve), for a
/// [`TlsListener`](crate::TlsListener) and, with the feature `axum`, for `axum::serve`.
///
/// Dropping it is as the end of the server's process: new connections are refused, and those that nobody has accepted are
/// closed. Connections that have been accepted stay.
pub struct NetworkListener(mpsc::UnboundedReceiver<Accepted>);

impl Network {
    /// Returns a network on which nobody listens yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Listens for connections, in the place of an earlier listener, which accepts only the connections that have been
    /// opened before.
    ///
    /// So a server can restart: drop its listener, or let it end, and serve another one.
    #[must_use]
    pub fn listen(&self) -> NetworkListener {
        NetworkListener(self.0.listening.begin())
    }

    /// Returns a new link to the server, with an address of its own: 10.0.0.2, and so on.
    #[must_use]
    pub fn link(&self) -> Link {
        let number = self.0.links.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.link_from(Ipv4Addr::from_bits(SERVER.to_bits().wrapping_add(number)))
    }

    /// Returns a new link to the server, for clients with this address.
    #[must_use]
    pub fn link_from(&self, address: impl Into<IpAddr>) -> Link {
        Link::new(Arc::clone(&self.0.listening), address.into())
    }
}

impl NetworkListener {
    /// Waits for the next connection. Returns it with the address of its client.
    ///
    /// # Cancel safety
    /// This method is cancel safe: no connection is lost if its future is dropped.
    pub async fn accept(&mut self) -> (NetworkStream, SocketAddr) {
        match self.0.recv().await {
            Some(accepted) => accepted,
            // Another listener has taken its place.
            None => core::future::pending().await,
        }
    }
}

/// `axum::serve` then accepts the connections of a network.
#[cfg(feature = "axum")]
impl axum::serve::Listener for NetworkListener {
    type Io = NetworkStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (NetworkStream, SocketAddr) {
        Self::accept(self).await
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(SocketAddr::new(SERVER.into(), 80))
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("links", &self.0.links).finish_non_exhaustive()
    }
}

impl fmt::Debug for NetworkListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkListener").finish_non_exhaustive()
    }
}
