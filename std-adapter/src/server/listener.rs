//! The sources of a server's connections.

use core::net::SocketAddr;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

/// Accepts the connections of [`Server::serve`](crate::Server::serve). [`TcpListener`] and [`UnixListener`] implement it,
/// and you can implement it for other listeners.
pub trait Listener: Send {
    /// The type of a connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection. Returns it with the address of its other end, or `None` if that has no address,
    /// as on a Unix socket.
    ///
    /// The server drops this future when it shuts down. It accepts no other connection until the future is ready. So run
    /// handshakes, such as those of TLS, in separate tasks, and pass their connections to
    /// [`serve_connection`](crate::Server::serve_connection).
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Option<SocketAddr>)>> + Send;
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
