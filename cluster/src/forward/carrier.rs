//! The stream under a connection to another node: TCP or one of the application's, with or without TLS.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::forward::dial::Stream;

/// A stream without TLS.
pub(super) enum Raw {
    Tcp(TcpStream),
    Other(Box<dyn Stream>),
}

/// The stream under a connection to another node.
pub(super) enum Carrier {
    Plain(Raw),
    #[cfg(feature = "forward-tls")]
    Tls(Box<tokio_rustls::client::TlsStream<Raw>>),
}

/// Runs the handshake of TLS with the node of this name.
#[cfg(feature = "forward-tls")]
pub(super) async fn over_tls(
    raw: Raw,
    config: &std::sync::Arc<tokio_rustls::rustls::ClientConfig>,
    host: &str,
) -> Result<Carrier, crate::forward::dial::DialError> {
    use std::sync::Arc;
    use tokio_rustls::rustls::pki_types::ServerName;

    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| Arc::new(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
    let stream = connector.connect(name, raw).await.map_err(Arc::new)?;
    Ok(Carrier::Tls(Box::new(stream)))
}

impl Carrier {
    /// Drops the stream with a reset. Streams of the application are closed.
    pub(super) fn reset(self) {
        let raw = match &self {
            Self::Plain(raw) => raw,
            #[cfg(feature = "forward-tls")]
            Self::Tls(stream) => stream.get_ref().0,
        };
        if let Raw::Tcp(socket) = raw {
            // If this fails, the connection closes in order, which is slower but also correct.
            let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }
}

/// Passes the calls on to whichever stream it is.
macro_rules! pass_on {
    ($type:ident: $($(#[$cfg:meta])? $variant:ident),+) => {
        impl AsyncRead for $type {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $($(#[$cfg])? Self::$variant(stream) => Pin::new(stream).poll_read(cx, buf)),+ }
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() { $($(#[$cfg])? Self::$variant(stream) => Pin::new(stream).poll_write(cx, bytes)),+ }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $($(#[$cfg])? Self::$variant(stream) => Pin::new(stream).poll_flush(cx)),+ }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() { $($(#[$cfg])? Self::$variant(stream) => Pin::new(stream).poll_shutdown(cx)),+ }
            }
        }
    };
}

pass_on!(Raw: Tcp, Other);
pass_on!(Carrier: Plain, #[cfg(feature = "forward-tls")] Tls);
