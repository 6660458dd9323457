//! The sources of a server's connections.

use core::net::SocketAddr;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

#[cfg(feature = "test-util")]
use crate::test_util::{NetworkListener, NetworkStream};

/// Accepts the connections of [`Server::serve`](crate::Server::serve). [`TcpListener`] and [`UnixListener`] implement it,
/// `TlsListener` puts TLS above them, and you can implement it for other listeners.
pub trait Listener: Send {
    /// The type of a connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection. Returns it with the address of its other end, or `None` if that has no address,
    /// as on a Unix socket.
    ///
    /// The server drops this future when it shuts down. It accepts no other connection until the future is ready. So run
    /// handshakes in separate tasks, and pass their connections to
    /// [`serve_connection`](crate::Server::serve_connection), or at the connection's first read.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Option<SocketAddr>)>> + Send;

    /// Tells the listener whether the server speaks HTTP/2 beside HTTP/1.1. [`Server::serve`](crate::Server::serve) calls
    /// it once, before it accepts. A listener on which clients choose a protocol, as in TLS, offers what the server speaks.
    /// Does nothing by default.
    fn set_http2(&mut self, is_spoken: bool) {
        let _ = is_spoken;
    }
}

/// Switches off Nagle's algorithm for its connections.
impl Listener for TcpListener {
    type Io = tokio::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, peer) = Self::accept(self).await?;
        // If this fails, heartbeats can be late by the peer's delayed acknowledgement. The connection still works.
        let _ = stream.set_nodelay(true);
        Ok((stream, Some(peer)))
    }
}

/// Returns connections without an address: see
/// [`TrustedProxies::and_without_address`](crate::TrustedProxies::and_without_address).
#[cfg(unix)]
impl Listener for UnixListener {
    type Io = tokio::net::UnixStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, _) = Self::accept(self).await?;
        Ok((stream, None))
    }
}

#[cfg(feature = "test-util")]
impl Listener for NetworkListener {
    type Io = NetworkStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, peer) = Self::accept(self).await;
        Ok((stream, Some(peer)))
    }
}
