//! Connections to servers.

use eio_tokio::internal::connect_to;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

use crate::bus::server::{Broken, ServerUrl, Settings};

/// A connection, with or without TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects, without TLS.
pub(crate) async fn connect(url: &ServerUrl) -> Result<TcpStream, Broken> {
    let addresses = lookup_host((url.host.as_str(), url.port)).await?;
    Ok(connect_to(addresses.collect()).await?)
}

/// Speaks TLS on a connection from now on.
#[cfg(feature = "tls")]
pub(crate) async fn encrypt(
    stream: TcpStream,
    url: &ServerUrl,
    settings: &Settings,
) -> Result<Box<dyn Stream>, Broken> {
    settings.tls.connect(&url.host, stream).await
}

/// Refuses to, because this program cannot.
#[cfg(not(feature = "tls"))]
pub(crate) async fn encrypt(_: TcpStream, _: &ServerUrl, _: &Settings) -> Result<Box<dyn Stream>, Broken> {
    core::future::ready(Err(Broken::refused(
        "it asks for TLS, and this program was built without the feature `tls` of eio-cluster",
    )))
    .await
}
