//! Connections to the server: TCP, and TLS above it.

use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::io::{self, IoSlice};
use std::sync::Arc;

use hyper_util::client::legacy::connect::HttpConnector;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(feature = "tls")]
use tokio_rustls::client::TlsStream;
use tower_service::Service as _;

use crate::client::config::Config;
use crate::client::error::ConnectError;

/// A connection that this client has opened.
#[derive(Debug)]
pub(crate) enum Dialed {
    Tcp(Tcp),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream<Tcp>>),
}

/// A socket whose connection is reset when it is dropped, if its session says so.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Tcp {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // Without it the connection closes in order, which is slower and no less correct.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Connects to the server of `config`, trying its addresses of both families beside each other (RFC 8305).
///
/// Once `reset` is set, dropping the connection resets it.
pub(crate) async fn dial(config: &Config, reset: &Arc<AtomicBool>) -> Result<Dialed, ConnectError> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let base = config.endpoint.base().map_err(ConnectError::unsendable)?;
    poll_fn(|cx| connector.poll_ready(cx)).await.map_err(|error| ConnectError::io(io_error(error)))?;
    let io = connector.call(base).await.map_err(|error| ConnectError::io(io_error(error)))?;
    let tcp = Tcp { stream: io.into_inner(), reset: Arc::clone(reset) };
    #[cfg(feature = "tls")]
    if let Some(tls) = &config.tls {
        let stream = tls.connect(config.endpoint.host(), tcp).await?;
        return Ok(Dialed::Tls(Box::new(stream)));
    }
    Ok(Dialed::Tcp(tcp))
}

/// The same error, of the kind of the system's error within.
fn io_error<E: core::error::Error + Send + Sync + 'static>(error: E) -> io::Error {
    let mut source: Option<&(dyn core::error::Error + 'static)> = Some(&error);
    let mut kind = io::ErrorKind::Other;
    let mut text = error.to_string();
    while let Some(cause) = source {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            kind = cause.kind();
            text = cause.to_string();
            break;
        }
        source = cause.source();
    }
    io::Error::new(kind, text)
}

impl Dialed {
    /// The socket, if nothing is between it and the bytes.
    #[cfg_attr(not(feature = "tls"), expect(clippy::unnecessary_wraps, reason = "only TLS comes in between"))]
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(&tcp.stream),
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
        }
    }

    /// The socket below everything.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(tcp) => &tcp.stream,
            #[cfg(feature = "tls")]
            Self::Tls(tls) => &tls.get_ref().0.stream,
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Calls the same on whichever stream it is.
macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Dialed::Tcp(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            #[cfg(feature = "tls")]
            Dialed::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Dialed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Dialed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }
}
