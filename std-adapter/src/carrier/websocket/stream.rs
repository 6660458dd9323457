//! The connection under a WebSocket.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io::{self, Read as _};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::carrier::gate::Permit;
use crate::carrier::raw_socket::RawSocket;
use crate::client::Dialed;
use crate::http::watched::WatchedIo;

/// The connection under a WebSocket.
#[derive(Debug)]
pub(super) enum Stream {
    /// The socket itself, which can be looked at past the runtime's cached readiness, and reset; and a server's
    /// permission to have it open.
    Socket { socket: RawSocket, _permit: Option<Permit> },
    /// What a client has dialed. A server's connection does not hold room for it.
    Dialed(Box<Dialed>),
    /// TLS, or whatever else the HTTP server ran on.
    Other(Box<Upgraded>),
}

impl Stream {
    /// The connection that was an HTTP server's, and what that had read beyond the request.
    pub(super) fn of(upgraded: Upgraded) -> (Self, Vec<u8>) {
        let upgraded = match socket_of::<TcpStream>(upgraded) {
            Ok(socket) => return socket,
            Err(upgraded) => upgraded,
        };
        #[cfg(unix)]
        let upgraded = match socket_of::<UnixStream>(upgraded) {
            Ok(socket) => return socket,
            Err(upgraded) => upgraded,
        };
        (Self::Other(Box::new(upgraded)), Vec::new())
    }

    /// The socket, if nothing is between it and the frames.
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

    /// Reads from the socket itself. `Pending` when nothing is there.
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
        // Without it the connection closes in order, which is slower and no less correct.
        let _ = socket.map(|socket| socket.set_linger(Some(Duration::ZERO)));
    }
}

/// The connection if it is a `T`, and what an HTTP server had read beyond the request.
fn socket_of<T>(upgraded: Upgraded) -> Result<(Stream, Vec<u8>), Upgraded>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + Into<RawSocket> + 'static,
{
    // Servers that choose between HTTP/1.1 and HTTP/2, axum's and our own among them, wrap the socket once more. Our own
    // watches it besides.
    let upgraded = match auto::upgrade::downcast::<TokioIo<WatchedIo<T>>>(upgraded) {
        Ok(parts) => {
            let (socket, permit) = parts.io.into_inner().into_parts();
            return Ok((Stream::Socket { socket: socket.into(), _permit: permit }, parts.read_buf.to_vec()));
        }
        Err(upgraded) => upgraded,
    };
    let (io, read) = match auto::upgrade::downcast::<TokioIo<T>>(upgraded) {
        Ok(parts) => (parts.io, parts.read_buf),
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<T>>()?;
            (parts.io, parts.read_buf)
        }
    };
    Ok((Stream::Socket { socket: io.into_inner().into(), _permit: None }, read.to_vec()))
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use http::{Request, Response, StatusCode};
    use hyper::body::Incoming;
    use hyper_util::rt::TokioExecutor;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    /// Upgrades a connection whose client sends a frame without waiting, and returns what the session gets of it.
    async fn upgraded(any_http: bool) -> (Stream, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let client = tokio::spawn(async move {
            let mut client = TcpStream::connect(address).await.unwrap();
            let head = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nframe";
            client.write_all(head.as_bytes()).await.unwrap();
            let _ = client.read(&mut [0; 512]).await;
            client
        });
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let sender = sender.clone();
            tokio::spawn(async move { sender.send(hyper::upgrade::on(&mut request).await.unwrap()).await });
            let mut response = Response::new(String::new());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            async move { Ok::<_, Infallible>(response) }
        });
        let io = TokioIo::new(listener.accept().await.unwrap().0);
        if any_http {
            auto::Builder::new(TokioExecutor::new())
                .serve_connection_with_upgrades(io, service)
                .await
                .unwrap();
        } else {
            let server = hyper::server::conn::http1::Builder::new();
            server.serve_connection(io, service).with_upgrades().await.unwrap();
        }
        drop(client.await);
        Stream::of(receiver.recv().await.unwrap())
    }

    #[tokio::test]
    async fn the_socket_is_found_under_both_of_hypers_servers_with_what_was_read_of_it() {
        for any_http in [true, false] {
            let (stream, tail) = upgraded(any_http).await;
            assert!(matches!(stream, Stream::Socket { socket: RawSocket::Tcp(_), .. }), "{stream:?}");
            assert_eq!(tail, b"frame");
        }
    }
}
