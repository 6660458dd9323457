//! A connection that the client has opened: a socket or the application's own stream, with TLS above it if requested.

use core::pin::Pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(feature = "tls")]
use tokio_rustls::client::TlsStream;

use crate::carrier::delegate::{read_from_variants, write_to_variants};
use crate::carrier::raw_socket::{Direct, RawSocket};
#[cfg(feature = "tls")]
use crate::carrier::tls;
use crate::wire::sync::AtomicBool;

/// A connection that this client has opened.
pub(crate) enum Dialed {
    Plain(Plain),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Link>>),
}

/// A connection without TLS.
pub(crate) struct Plain {
    link: Link,
    /// Whether anything has been read. The first byte shows whether the server expects TLS.
    has_read: bool,
}

/// The lowest layer.
pub(crate) enum Link {
    Socket(DialedSocket),
    /// The stream that the application's connector returned.
    Own(Box<dyn Duplex>),
}

/// A stream of bytes in both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// A socket whose connection is reset when it is dropped, if its session says so.
pub(crate) struct DialedSocket {
    socket: RawSocket,
    reset: Arc<AtomicBool>,
}

impl Drop for DialedSocket {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            self.socket.direct().reset_when_dropped();
        }
    }
}

/// The error for a server that answered a plain request with a TLS record.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the server speaks TLS on this port: expected https or wss in the URL")]
pub(crate) struct SpeaksTls;

impl SpeaksTls {
    /// Returns whether this error is the cause of a failed request.
    pub(crate) fn is_behind(error: &hyper::Error) -> bool {
        let cause = core::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
        cause.and_then(io::Error::get_ref).is_some_and(|within| within.downcast_ref::<Self>().is_some())
    }
}

/// The first byte of a TLS alert or handshake record (RFC 8446 section 5.1). No answer of HTTP/1 begins with it.
const TLS_RECORDS: [u8; 2] = [0x15, 0x16];

impl Link {
    /// Once `reset` is set, dropping the connection resets it.
    pub(crate) fn socket(socket: impl Into<RawSocket>, reset: &Arc<AtomicBool>) -> Self {
        Self::Socket(DialedSocket { socket: socket.into(), reset: Arc::clone(reset) })
    }

    fn direct(&self) -> Option<Direct<'_>> {
        match self {
            Self::Socket(dialed) => Some(dialed.socket.direct()),
            Self::Own(_) => None,
        }
    }
}

impl Dialed {
    pub(crate) fn plain(link: Link) -> Self {
        Self::Plain(Plain { link, has_read: false })
    }

    /// Returns the lowest layer, if there is no TLS above it.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unnecessary_wraps, reason = "only TLS comes above it"))]
    pub(crate) fn into_link(self) -> Option<Link> {
        match self {
            Self::Plain(plain) => Some(plain.link),
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
        }
    }

    /// Returns whether there is no TLS.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Returns whether this is a socket without TLS above it.
    pub(crate) fn is_plain_socket(&self) -> bool {
        matches!(self, Self::Plain(Plain { link: Link::Socket(_), .. }))
    }

    /// Reads what has arrived at the socket itself, past the readiness that the runtime has cached. Returns `Pending` if
    /// nothing has arrived, and without a socket.
    pub(crate) fn read_now(&mut self, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(plain) => plain.link.direct().map_or(Poll::Pending, |socket| socket.read_now(room)),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => {
                let (link, session) = stream.get_mut();
                link.direct().map_or(Poll::Pending, |socket| tls::read_now(session, socket, room))
            }
        }
    }

    /// Returns the socket at the bottom, if there is one.
    pub(crate) fn socket(&self) -> Option<Direct<'_>> {
        match self {
            Self::Plain(plain) => plain.link.direct(),
            #[cfg(feature = "tls")]
            Self::Tls(tls) => tls.get_ref().0.direct(),
        }
    }
}

impl Plain {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let begin = buf.filled().len();
        ready!(Pin::new(&mut self.link).poll_read(cx, buf))?;
        if !self.has_read
            && let Some(first) = buf.filled().get(begin)
        {
            self.has_read = true;
            if TLS_RECORDS.contains(first) {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, SpeaksTls)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

read_from_variants!(Link: Socket(dialed) => dialed.socket, Own(stream) => *stream);
write_to_variants!(Link: Socket(dialed) => dialed.socket, Own(stream) => *stream);
write_to_variants!(Dialed: Plain(plain) => plain.link, #[cfg(feature = "tls")] Tls(stream) => **stream);

impl AsyncRead for Dialed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(plain) => plain.poll_read(cx, buf),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
        }
    }
}
