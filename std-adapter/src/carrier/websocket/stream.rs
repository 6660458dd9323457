//! The connection under a WebSocket.

use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io::{self, Read as _};

use bytes::BufMut as _;
#[cfg(feature = "server")]
use hyper::upgrade::Upgraded;
#[cfg(feature = "server")]
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

#[cfg(feature = "client")]
use crate::carrier::dialed::Dialed;
#[cfg(feature = "server")]
use crate::carrier::{gate::Permit, raw_socket::RawSocket};

/// The connection under a WebSocket.
#[derive(Debug)]
pub(crate) enum Stream {
    /// A socket, which can be read without the runtime's cached readiness, and reset. A server also holds the permit to
    /// have it open.
    #[cfg(feature = "server")]
    Socket { socket: RawSocket, _permit: Option<Permit> },
    /// A client's connection. It is boxed, so that a server's connection does not need room for it.
    #[cfg(feature = "client")]
    Dialed(Box<Dialed>),
    /// TLS, or another stream under the HTTP server.
    #[cfg(feature = "server")]
    Other(Box<TokioIo<Upgraded>>),
}

/// Calls the same on whichever stream it is.
macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self {
            #[cfg(feature = "server")]
            Self::Socket { socket: $stream, .. } => $call,
            #[cfg(feature = "client")]
            Self::Dialed($stream) => $call,
            #[cfg(feature = "server")]
            Self::Other($stream) => $call,
        }
    };
}

impl Stream {
    /// Returns the socket, if there is no TLS above it.
    pub(super) fn socket(&self) -> Option<SockRef<'_>> {
        match self {
            #[cfg(feature = "server")]
            Self::Socket { socket, .. } => Some(socket.system()),
            #[cfg(feature = "client")]
            Self::Dialed(stream) => stream.plain_socket(),
            #[cfg(feature = "server")]
            Self::Other(_) => None,
        }
    }

    /// Returns whether each write goes to the kernel itself. TLS and an application's own stream may keep bytes until they
    /// are flushed.
    pub(super) fn writes_to_kernel(&self) -> bool {
        match self {
            #[cfg(feature = "server")]
            Self::Socket { .. } => true,
            #[cfg(feature = "client")]
            Self::Dialed(stream) => stream.plain_socket().is_some(),
            #[cfg(feature = "server")]
            Self::Other(_) => false,
        }
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(room);
        ready!(either!(self, stream => Pin::new(stream).poll_read(cx, &mut buf)))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Reads to the end of `bytes`, into the room that it already has, at most `at_most` bytes.
    pub(super) fn poll_read_onto(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &mut Vec<u8>,
        at_most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut room = bytes.limit(at_most);
        either!(self, stream => pin!(stream.read_buf(&mut room)).poll(cx))
    }

    /// Reads from the socket itself. Returns `Pending` if nothing has arrived.
    pub(super) fn read_now(&mut self, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(socket) = self.socket() else { return Poll::Pending };
        match (&*socket).read(room) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            result => Poll::Ready(result),
        }
    }

    /// Writes the first bytes of `chunk` and `large`.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        chunk: &[u8],
        large: &[u8],
    ) -> Poll<io::Result<usize>> {
        // To write one slice costs the kernel less than to write a list of one.
        match (chunk, large) {
            (bytes, []) | ([], bytes) => either!(self, stream => Pin::new(stream).poll_write(cx, bytes)),
            _ => {
                let both = [io::IoSlice::new(chunk), io::IoSlice::new(large)];
                either!(self, stream => Pin::new(stream).poll_write_vectored(cx, &both))
            }
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    /// Drops the connection with a reset.
    pub(super) fn abort(self) {
        let socket = match &self {
            #[cfg(feature = "server")]
            Self::Socket { socket, .. } => Some(socket.system()),
            #[cfg(feature = "client")]
            Self::Dialed(stream) => stream.socket(),
            #[cfg(feature = "server")]
            Self::Other(_) => None,
        };
        // If this fails, the connection closes in order, which is slower but also correct.
        let _ = socket.map(|socket| socket.set_linger(Some(Duration::ZERO)));
    }
}
