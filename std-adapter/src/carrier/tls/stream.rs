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
use crate::carrier::tls::places::Place;

/// A connection of a [`TlsListener`](crate::TlsListener).
///
/// The handshake takes place with the first read or write. If it fails or takes too long, that read or write returns the
/// error, and so does every later one.
pub struct TlsStream(State);

enum State {
    Handshake(Box<Handshake>),
    Open(Box<server::TlsStream<Link>>),
    Failed,
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

type Link = Box<dyn Beneath>;

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
        Self(State::Handshake(Box::new(Handshake {
            accept: TlsAcceptor::from(config).accept(Box::new(io) as Link),
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
            State::Open(stream) => Some(stream.get_ref().1),
            State::Handshake(_) | State::Failed => None,
        }
    }

    /// Returns where the client's certificates are after the handshake, if `io` is of this type.
    pub(crate) fn identity_of<I: 'static>(io: &I) -> Option<Identity> {
        match &(io as &dyn Any).downcast_ref::<Self>()?.0 {
            State::Handshake(handshake) => Some(Arc::clone(&handshake.identity)),
            State::Open(stream) => ClientCertificates::of(stream.get_ref().1).map(|own| Arc::new(own.into())),
            State::Failed => None,
        }
    }

    /// Returns the socket beneath TLS, if there is one.
    pub(crate) fn socket(&self) -> Option<Direct<'_>> {
        match &self.0 {
            State::Open(stream) => Beneath::direct(&**stream.get_ref().0),
            State::Handshake(_) | State::Failed => None,
        }
    }

    /// Reads what has arrived at the socket itself, past the readiness that the runtime has cached. Returns `Pending` if
    /// nothing has arrived, and without a socket.
    pub(crate) fn read_now(&mut self, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let State::Open(stream) = &mut self.0 else { return Poll::Pending };
        let (link, connection) = stream.get_mut();
        Beneath::direct(&**link).map_or(Poll::Pending, |socket| tls::read_now(connection, socket, room))
    }

    /// Returns the stream of data once the handshake is complete.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut server::TlsStream<Link>>> {
        if let State::Handshake(handshake) = &mut self.0 {
            match ready!(handshake.poll(cx)) {
                Ok(stream) => self.0 = State::Open(Box::new(stream)),
                Err(error) => {
                    self.0 = State::Failed;
                    return Poll::Ready(Err(error.into_io()));
                }
            }
        }
        Poll::Ready(match &mut self.0 {
            State::Open(stream) => Ok(stream),
            State::Handshake(_) | State::Failed => Err(HandshakeError::Earlier.into_io()),
        })
    }
}

impl Handshake {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<server::TlsStream<Link>, HandshakeError>> {
        match Pin::new(&mut self.accept).poll(cx) {
            Poll::Ready(Ok(stream)) => {
                if let Some(certificates) = ClientCertificates::of(stream.get_ref().1) {
                    // Nothing else sets it.
                    let _ = self.identity.set(certificates);
                }
                Poll::Ready(Ok(stream))
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
        Pin::new(ready!(self.get_mut().poll_open(cx))?).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.get_mut().poll_open(cx))?).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(ready!(self.get_mut().poll_open(cx))?).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            State::Open(stream) => Pin::new(&mut **stream).poll_flush(cx),
            // Nothing has been written.
            State::Handshake(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            State::Open(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            State::Handshake(handshake) => match handshake.accept.get_mut() {
                Some(link) => Pin::new(link).poll_shutdown(cx),
                None => Poll::Ready(Ok(())),
            },
            State::Failed => Poll::Ready(Ok(())),
        }
    }
}
