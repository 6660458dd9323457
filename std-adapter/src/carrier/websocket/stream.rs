//! The connection under a WebSocket.

use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::io;

use bytes::BufMut as _;
#[cfg(feature = "server")]
use hyper::upgrade::Upgraded;
#[cfg(feature = "server")]
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

#[cfg(feature = "client")]
use crate::carrier::dialed::Dialed;
use crate::carrier::raw_socket::Direct;
#[cfg(all(feature = "server", feature = "tls"))]
use crate::carrier::tls::stream::TlsStream;
#[cfg(feature = "server")]
use crate::carrier::{gate::Permit, raw_socket::RawSocket};

/// The connection under a WebSocket.
pub(crate) enum Stream {
    /// A socket, which can be read without the runtime's cached readiness, and reset. A server also holds the permit to
    /// have it open.
    #[cfg(feature = "server")]
    Socket { socket: RawSocket, _permit: Option<Permit> },
    /// A connection of this crate's TLS listener, whose socket can be read and reset in the same way.
    #[cfg(all(feature = "server", feature = "tls"))]
    Tls { stream: TlsStream, _permit: Option<Permit> },
    /// A client's connection. It is boxed, so that a server's connection does not need room for it.
    #[cfg(feature = "client")]
    Dialed(Box<Dialed>),
    /// Another stream under the HTTP server, such as TLS of another listener.
    #[cfg(feature = "server")]
    Other(Box<TokioIo<Upgraded>>),
}

/// Calls the same on whichever stream it is.
macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self {
            #[cfg(feature = "server")]
            Self::Socket { socket: $stream, .. } => $call,
            #[cfg(all(feature = "server", feature = "tls"))]
            Self::Tls { stream: $stream, .. } => $call,
            #[cfg(feature = "client")]
            Self::Dialed($stream) => $call,
            #[cfg(feature = "server")]
            Self::Other($stream) => $call,
        }
    };
}

impl Stream {
    /// Returns the socket at the bottom, if there is one.
    pub(super) fn socket(&self) -> Option<Direct<'_>> {
        match self {
            #[cfg(feature = "server")]
            Self::Socket { socket, .. } => Some(socket.direct()),
            #[cfg(all(feature = "server", feature = "tls"))]
            Self::Tls { stream, .. } => stream.socket(),
            #[cfg(feature = "client")]
            Self::Dialed(stream) => stream.socket(),
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
            #[cfg(all(feature = "server", feature = "tls"))]
            Self::Tls { .. } => false,
            #[cfg(feature = "client")]
            Self::Dialed(stream) => stream.is_plain_socket(),
            #[cfg(feature = "server")]
            Self::Other(_) => false,
        }
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
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

    /// Reads what has arrived at the socket itself. Returns `Pending` if nothing has arrived, and without a socket.
    pub(super) fn read_now(&mut self, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            #[cfg(feature = "server")]
            Self::Socket { socket, .. } => socket.direct().read_now(room),
            #[cfg(all(feature = "server", feature = "tls"))]
            Self::Tls { stream, .. } => stream.read_now(room),
            #[cfg(feature = "client")]
            Self::Dialed(stream) => stream.read_now(room),
            #[cfg(feature = "server")]
            Self::Other(_) => Poll::Pending,
        }
    }

    /// Writes the first bytes of `chunk` and `large`.
    pub(crate) fn poll_write(
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

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    /// Tells the peer that no more bytes follow, where that takes bytes: TLS demands it of both sides (RFC 8446 section 6.1).
    /// The end of a plain connection says it by itself.
    pub(super) fn poll_close_notify(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            #[cfg(feature = "server")]
            Self::Socket { .. } => Poll::Ready(Ok(())),
            #[cfg(feature = "client")]
            Self::Dialed(stream) if stream.is_plain() => Poll::Ready(Ok(())),
            _ => self.poll_shutdown(cx),
        }
    }

    /// Lets the connection be reset when it is dropped.
    pub(crate) fn reset_when_dropped(&self) {
        if let Some(socket) = self.socket() {
            socket.reset_when_dropped();
        }
    }
}

#[cfg(all(feature = "client", feature = "server", feature = "tls"))]
#[cfg(test)]
mod tests {
    use core::future::poll_fn;
    use core::time::Duration;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use rustls::pki_types::ServerName;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::carrier::dialed::Link;
    use crate::carrier::tls::places::Places;
    use crate::carrier::tls::test_configs::configs;

    /// The client's and the server's stream of one TLS connection.
    async fn over_tls() -> [Stream; 2] {
        let (server, client) = configs();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let place = Places::enter(&Places::new(1), None).await.unwrap();
        let accepted = listener.accept().await.unwrap().0;
        let accepted = TlsStream::accept(accepted, server, Duration::from_secs(10), place);
        let mut server = Stream::Tls { stream: accepted, _permit: None };
        let link = Link::socket(socket, &Arc::new(AtomicBool::new(false)));
        let connector = tokio_rustls::TlsConnector::from(client);
        let name = ServerName::try_from("localhost").unwrap();
        // The handshake of the server runs with its first write.
        let (client, written) =
            tokio::join!(connector.connect(name, link), poll_fn(|cx| server.poll_write(cx, b"hello", &[])));
        assert_eq!(written.unwrap(), 5);
        let mut client = Stream::Dialed(Box::new(Dialed::Tls(Box::new(client.unwrap()))));
        let mut room = [0; 64];
        assert_eq!(poll_fn(|cx| client.poll_read(cx, &mut room)).await.unwrap(), 5);
        [client, server]
    }

    #[cfg(feature = "test-util")]
    #[tokio::test(start_paused = true)]
    async fn what_has_arrived_in_memory_is_read_past_the_runtime_in_both_roles() {
        let network = crate::test_util::Network::new();
        let (mut listener, link) = (network.listen(), network.link());
        let client = Link::socket(link.connect().await.unwrap(), &Arc::default());
        let mut client = Stream::Dialed(Box::new(Dialed::plain(client)));
        let mut server = Stream::Socket { socket: listener.accept().await.0.into(), _permit: None };
        link.set_delay(Duration::from_millis(10));
        for client_sends in [true, false] {
            let [sender, receiver] =
                if client_sends { [&mut client, &mut server] } else { [&mut server, &mut client] };
            assert!(sender.writes_to_kernel() && receiver.socket().is_some());
            let mut room = [0; 64];
            assert_eq!(poll_fn(|cx| sender.poll_write(cx, b"alive", &[])).await.unwrap(), 5);
            tokio::time::advance(Duration::from_millis(9)).await;
            assert!(receiver.read_now(&mut room).is_pending());
            tokio::time::advance(Duration::from_millis(1)).await;
            let Poll::Ready(read) = receiver.read_now(&mut room) else { panic!("it has arrived") };
            assert_eq!(&room[..read.unwrap()], b"alive");
        }
    }

    #[tokio::test]
    async fn only_a_plain_socket_passes_each_write_on_to_the_kernel() {
        let [client, server] = Box::pin(over_tls()).await;
        assert!(!client.writes_to_kernel() && !server.writes_to_kernel());
        let own = Dialed::plain(Link::Own(Box::new(tokio::io::duplex(1).0)));
        assert!(!Stream::Dialed(Box::new(own)).writes_to_kernel());
    }

    #[tokio::test]
    async fn the_end_of_what_is_sent_over_tls_is_told_in_both_roles() {
        for client_ends in [true, false] {
            let [client, server] = Box::pin(over_tls()).await;
            let [mut ending, mut other] = if client_ends { [client, server] } else { [server, client] };
            poll_fn(|cx| ending.poll_close_notify(cx)).await.unwrap();
            drop(ending);
            // Without close_notify, this is an unexpected end.
            assert_eq!(poll_fn(|cx| other.poll_read(cx, &mut [0; 64])).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn what_has_arrived_is_read_through_tls_past_the_runtime_in_both_roles() {
        let [mut client, mut server] = Box::pin(over_tls()).await;
        assert!(client.socket().is_some() && server.socket().is_some());
        for client_sends in [true, false] {
            let [sender, receiver] =
                if client_sends { [&mut client, &mut server] } else { [&mut server, &mut client] };
            let mut room = [0; 64];
            assert!(receiver.read_now(&mut room).is_pending());
            assert_eq!(poll_fn(|cx| sender.poll_write(cx, b"alive", &[])).await.unwrap(), 5);
            // The kernel needs a moment. The runtime has no turn meanwhile.
            let read = loop {
                if let Poll::Ready(read) = receiver.read_now(&mut room) {
                    break read.unwrap();
                }
                std::thread::yield_now();
            };
            assert_eq!(&room[..read], b"alive");
        }
    }
}
