//! The sources of a server's connections.

use core::net::SocketAddr;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

/// Accepts the connections of [`Server::serve`](crate::Server::serve). Implemented by [`TcpListener`] and
/// [`UnixListener`], and you can implement it yourself.
pub trait Listener: Send {
    /// The type of a connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection. Returns it with the address of its other end, or `None` if that has no address,
    /// as on a Unix socket.
    ///
    /// The server drops this future while it shuts down. It accepts no other connection until the future is ready, so
    /// run handshakes, such as that of TLS, in a task of their own, and pass their connections to
    /// [`serve_connection`](crate::Server::serve_connection).
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Option<SocketAddr>)>> + Send;
}

/// Switches off Nagle's delay for its connections.
impl Listener for TcpListener {
    type Io = tokio::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, peer) = Self::accept(self).await?;
        // Without it heartbeats can be late by the peer's delayed acknowledgement, which is no reason to refuse it.
        let _ = stream.set_nodelay(true);
        Ok((stream, Some(peer)))
    }
}

/// Its clients have no address: see
/// [`TrustedProxies::and_without_address`](crate::TrustedProxies::and_without_address).
#[cfg(unix)]
impl Listener for UnixListener {
    type Io = tokio::net::UnixStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, _) = Self::accept(self).await?;
        Ok((stream, None))
    }
}
