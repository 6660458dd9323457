//! The connection under a WebSocket.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io::{self, Read as _};

use hyper::upgrade::Upgraded;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::carrier::dialed::Dialed;
use crate::carrier::gate::Permit;
use crate::carrier::raw_socket::RawSocket;

/// The connection under a WebSocket.
#[derive(Debug)]
pub(crate) enum Stream {
    /// A socket, which can be read without the runtime's cached readiness, and reset. A server also holds the permit to
    /// have it open.
    Socket { socket: RawSocket, _permit: Option<Permit> },
    /// A client's connection. It is boxed, so that a server's connection does not need room for it.
    Dialed(Box<Dialed>),
    /// TLS, or another stream under the HTTP server.
    Other(Box<Upgraded>),
}

impl Stream {
    /// Returns the socket, if there is no TLS above it.
    pub(super) fn socket(&self) -> Option<SockRef<'_>> {
        match self {
            Self::Socket { socket, .. } => Some(socket.system()),
            Self::Dialed(stream) => stream.plain_socket(),
            Self::Other(_) => None,
        }
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Socket { socket: stream, .. } => {
                let mut buf = tokio::io::ReadBuf::new(room);
                ready!(AsyncRead::poll_read(Pin::new(stream), cx, &mut buf))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
            Self::Dialed(stream) => {
                let mut buf = tokio::io::ReadBuf::new(room);
                ready!(AsyncRead::poll_read(Pin::new(stream), cx, &mut buf))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
            Self::Other(stream) => {
                let mut buf = hyper::rt::ReadBuf::new(room);
                ready!(hyper::rt::Read::poll_read(Pin::new(stream), cx, buf.unfilled()))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
        }
    }

    /// Reads from the socket itself. Returns `Pending` if nothing has arrived.
    pub(super) fn read_now(&mut self, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(socket) = self.socket() else { return Poll::Pending };
        match (&*socket).read(room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            result => Poll::Ready(result),
        }
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Socket { socket: stream, .. } => {
                AsyncWrite::poll_write_vectored(Pin::new(stream), cx, bufs)
            }
            Self::Dialed(stream) => AsyncWrite::poll_write_vectored(Pin::new(stream), cx, bufs),
            Self::Other(stream) => hyper::rt::Write::poll_write_vectored(Pin::new(stream), cx, bufs),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Socket { .. } => Poll::Ready(Ok(())),
            Self::Dialed(stream) => AsyncWrite::poll_flush(Pin::new(stream), cx),
            Self::Other(stream) => hyper::rt::Write::poll_flush(Pin::new(stream), cx),
        }
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Socket { socket: stream, .. } => AsyncWrite::poll_shutdown(Pin::new(stream), cx),
            Self::Dialed(stream) => AsyncWrite::poll_shutdown(Pin::new(stream), cx),
            Self::Other(stream) => hyper::rt::Write::poll_shutdown(Pin::new(stream), cx),
        }
    }

    /// Drops the connection with a reset.
    pub(super) fn abort(self) {
        let socket = match &self {
            Self::Socket { socket, .. } => Some(socket.system()),
            Self::Dialed(stream) => stream.socket(),
            Self::Other(_) => None,
        };
        // If this fails, the connection closes in order, which is slower but also correct.
        let _ = socket.map(|socket| socket.set_linger(Some(Duration::ZERO)));
    }
}
