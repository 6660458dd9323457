//! The server's end of a TLS connection, whose handshake takes place with the first read or write.
//!
//! So a handshake runs in the task of its connection, where it counts as a connection and every limit of connections
//! applies to it.

use core::any::Any;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::{InvalidMessage, ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_rustls::{Accept, TlsAcceptor, server};

use crate::carrier::raw_socket::Direct;
use crate::carrier::tls;
use crate::carrier::tls::hello::Hello;
use crate::carrier::tls::places::Place;

/// A connection of a [`TlsListener`](crate::TlsListener).
///
/// The handshake takes place with the first read or write. If it fails or takes too long, that read or write returns the
/// error, and so does every later one.
pub struct TlsStream(State);

enum State {
    Handshake(Box<Handshake>),
    Open(Box<Open>),
    Failed,
}

struct Open {
    stream: server::TlsStream<Link>,
    /// The longest content of a record, if the client has asked for one. The records of the handshake are not cut: a client
    /// with little memory may be unable to join their messages again.
    longest_record: Option<usize>,
}

struct Handshake {
    accept: Accept<Link>,
    time: Duration,
    timer: Pin<Box<Sleep>>,
    identity: Identity,
    place: Place,
}

/// The certificates of the client, once the handshake is complete.
pub(crate) type Identity = Arc<OnceLock<ClientCertificates>>;

/// The certificates that the client of a TLS connection has proven to own, its own first, in DER form.
///
/// A [`TlsListener`](crate::TlsListener) whose [configuration](crate::TlsListener::with_config) asks for client
/// certificates puts them into the [extensions](http::request::Parts::extensions) of each request. Without a client
/// certificate there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates(Arc<[CertificateDer<'static>]>);

impl ClientCertificates {
    fn of(connection: &ServerConnection) -> Option<Self> {
        connection.peer_certificates().map(|certificates| Self(certificates.into()))
    }

    /// Returns the certificates in DER form. The first one is the client's own.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// What TLS runs on: a connection of the listener beneath.
trait Beneath: AsyncRead + AsyncWrite + Unpin + Send {
    /// Returns the socket itself, if this is one.
    fn direct(&self) -> Option<Direct<'_>>;
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Beneath for T {
    fn direct(&self) -> Option<Direct<'_>> {
        Direct::of(self)
    }
}

/// The connection beneath, and what its client has said, until the handshake is complete.
struct Link {
    io: Box<dyn Beneath>,
    hello: Option<Hello>,
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { io, hello } = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(io).poll_read(cx, buf))?;
        if let Some(hello) = hello {
            hello.take(buf.filled().get(before..).unwrap_or_default());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The failure of a handshake.
#[derive(Debug, thiserror::Error)]
enum HandshakeError {
    #[error("the client did not complete the TLS handshake within {0:?}")]
    Slow(Duration),
    #[error("the client did not speak TLS: it probably used http or ws in the URL")]
    NotTls,
    #[error("the client did not complete the TLS handshake before its place was needed for another one")]
    Displaced,
    #[error("the TLS handshake failed: {0}")]
    Failed(io::Error),
    #[error("the TLS handshake has failed before")]
    Earlier,
}

impl HandshakeError {
    fn of(error: io::Error) -> Self {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match cause {
            // The first bytes of a request in plain HTTP are not a TLS record.
            Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Self::NotTls,
            _ => Self::Failed(error),
        }
    }

    fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::Slow(_) | Self::Displaced => io::ErrorKind::TimedOut,
            Self::Failed(error) => error.kind(),
            Self::NotTls | Self::Earlier => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, self)
    }
}

impl TlsStream {
    /// Prepares a handshake that may take `time` from now, while it has its place.
    pub(crate) fn accept<I>(io: I, config: Arc<ServerConfig>, time: Duration, place: Place) -> Self
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let link = Link { io: Box::new(io), hello: Some(Hello::default()) };
        Self(State::Handshake(Box::new(Handshake {
            accept: TlsAcceptor::from(config).accept(link),
            time,
            timer: Box::pin(tokio::time::sleep(time)),
            identity: Identity::default(),
            place,
        })))
    }

    /// Returns the state of TLS: its version, the protocol that ALPN has chosen, the client's certificates. Returns `None`
    /// before the handshake is complete.
    #[must_use]
    pub fn connection(&self) -> Option<&ServerConnection> {
        match &self.0 {
            State::Open(open) => Some(open.stream.get_ref().1),
            State::Handshake(_) | State::Failed => None,
        }
    }

    /// Returns where the client's certificates are after the handshake, if `io` is of this type.
    pub(crate) fn identity_of<I: 'static>(io: &I) -> Option<Identity> {
        match &(io as &dyn Any).downcast_ref::<Self>()?.0 {
            State::Handshake(handshake) => Some(Arc::clone(&handshake.identity)),
            State::Open(open) => {
                ClientCertificates::of(open.stream.get_ref().1).map(|own| Arc::new(own.into()))
            }
            State::Failed => None,
        }
    }

    /// Returns the socket beneath TLS, if there is one.
    pub(crate) fn socket(&self) -> Option<Direct<'_>> {
        match &self.0 {
            State::Open(open) => Beneath::direct(&*open.stream.get_ref().0.io),
            State::Handshake(_) | State::Failed => None,
        }
    }

    /// Reads what has arrived at the socket itself, past the readiness that the runtime has cached. Returns `Pending` if
    /// nothing has arrived, and without a socket.
    pub(crate) fn read_now(&mut self, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let State::Open(open) = &mut self.0 else { return Poll::Pending };
        let (link, connection) = open.stream.get_mut();
        Beneath::direct(&*link.io).map_or(Poll::Pending, |socket| tls::read_now(connection, socket, room))
    }

    /// Returns the stream of data once the handshake is complete.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Open>> {
        if let State::Handshake(handshake) = &mut self.0 {
            match ready!(handshake.poll(cx)) {
                Ok(open) => self.0 = State::Open(Box::new(open)),
                Err(error) => {
                    self.0 = State::Failed;
                    return Poll::Ready(Err(error.into_io()));
                }
            }
        }
        Poll::Ready(match &mut self.0 {
            State::Open(open) => Ok(open),
            State::Handshake(_) | State::Failed => Err(HandshakeError::Earlier.into_io()),
        })
    }
}

impl Handshake {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Open, HandshakeError>> {
        match Pin::new(&mut self.accept).poll(cx) {
            Poll::Ready(Ok(mut stream)) => {
                let (link, connection) = stream.get_mut();
                if let Some(certificates) = ClientCertificates::of(connection) {
                    // Nothing else sets it.
                    let _ = self.identity.set(certificates);
                }
                let longest_record = link.hello.take().and_then(|hello| hello.longest_record());
                Poll::Ready(Ok(Open { stream, longest_record }))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(HandshakeError::of(error))),
            Poll::Pending if self.place.poll_lost(cx).is_ready() => {
                Poll::Ready(Err(HandshakeError::Displaced))
            }
            Poll::Pending => self.timer.as_mut().poll(cx).map(|()| Err(HandshakeError::Slow(self.time))),
        }
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TlsStream").field(&self.connection()).finish()
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut ready!(self.get_mut().poll_open(cx))?.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Open { stream, longest_record } = ready!(self.get_mut().poll_open(cx))?;
        // Each write becomes a record of its own.
        let buf = longest_record.and_then(|longest| buf.get(..longest)).unwrap_or(buf);
        Pin::new(stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Open { stream, longest_record: None } = ready!(self.poll_open(cx))? {
            return Pin::new(stream).poll_write_vectored(cx, bufs);
        }
        self.poll_write(cx, bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            State::Open(open) => Pin::new(&mut open.stream).poll_flush(cx),
            // Nothing has been written.
            State::Handshake(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            State::Open(open) => Pin::new(&mut open.stream).poll_shutdown(cx),
            State::Handshake(handshake) => match handshake.accept.get_mut() {
                Some(link) => Pin::new(link).poll_shutdown(cx),
                None => Poll::Ready(Ok(())),
            },
            State::Failed => Poll::Ready(Ok(())),
        }
    }
}
