//! The connection of a request that has switched protocols, for those who carry something else on it than a session.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use hyper::upgrade::Upgraded;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::carrier::websocket::Stream;
use crate::web::upgraded::{Taken, take_stream};

/// The connection of a request that has switched protocols, such as one that is forwarded to another node as a WebSocket.
///
/// It is the socket itself, without the wrappers of the HTTP server, if the server is this crate's, axum's or hyper's and
/// the socket one of tokio's. So it can be [reset](Self::reset). It keeps counting as a connection of its server.
pub struct UpgradedStream {
    stream: Stream,
    /// The bytes that the HTTP server had read beyond the request.
    received: Vec<u8>,
}

impl UpgradedStream {
    /// Takes the connection over.
    #[must_use]
    pub fn new(upgraded: Upgraded) -> Self {
        // Only the answers to this crate's own sessions are held back.
        let Taken { stream, received, held: _ } = take_stream(upgraded);
        Self { stream, received }
    }

    /// Drops the connection with a reset, so that the other end learns of a failure and the kernel keeps nothing for it. Other
    /// streams than sockets are closed.
    pub fn reset(self) {
        self.stream.reset_when_dropped();
    }
}

impl AsyncRead for UpgradedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.received.is_empty() {
            let read = ready!(self.stream.poll_read(cx, buf.initialize_unfilled()))?;
            buf.advance(read);
        } else {
            let taken = self.received.len().min(buf.remaining());
            buf.put_slice(self.received.get(..taken).unwrap_or_default());
            self.received.drain(..taken);
            if self.received.is_empty() {
                self.received = Vec::new();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpgradedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, bytes, &[])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }
}

impl fmt::Debug for UpgradedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradedStream").finish_non_exhaustive()
    }
}
