//! Opens connections to the server in phases: the route, a proxy's tunnel, TLS.
//!
//! Every phase runs in the future of [`dial`]. Dropping it, as each timeout of the client does, also drops the connection
//! that has been opened so far.

use core::future::poll_fn;
use std::io;
use std::sync::Arc;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
#[cfg(unix)]
use tokio::net::UnixStream;
use tower_service::Service as _;

use crate::client::config::Config;
use crate::client::error::ConnectError;
use crate::client::proxy::error::ProxyError;
use crate::client::route::Route;

use crate::carrier::dialed::{Dialed, Link};
use crate::wire::sync::AtomicBool;

/// Connects to the server of `config`.
///
/// Once `reset` is set, dropping the connection resets it.
pub(crate) async fn dial(config: &Config, reset: &Arc<AtomicBool>) -> Result<Dialed, ConnectError> {
    let link = match &config.route {
        Route::Direct => {
            let base = config.endpoint.base().map_err(ConnectError::unsendable)?;
            tcp(base, reset).await.map_err(ConnectError::io)?
        }
        #[cfg(unix)]
        Route::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Link::socket(stream, reset),
            Err(error) => {
                let text = format!("{}: {error}", path.display());
                return Err(ConnectError::io(io::Error::new(error.kind(), text)));
            }
        },
        Route::Own(connect) => {
            let stream = connect(config.endpoint.host().to_owned(), config.endpoint.port()).await;
            Link::Own(stream.map_err(ConnectError::io)?)
        }
        Route::Proxy(proxy) => {
            let link = tcp(proxy.uri().clone(), reset).await.map_err(ProxyError::io)?;
            // Boxed, because its future is large and most connections do not need it.
            Box::pin(proxy.tunnel(link, &config.endpoint)).await?
        }
        #[cfg(feature = "test-util")]
        Route::Link(link) => Link::socket(link.connect().await.map_err(ConnectError::io)?, reset),
    };
    #[cfg(feature = "tls")]
    if let Some(tls) = &config.tls {
        let stream = tls.connect(config.endpoint.host(), link).await?;
        return Ok(Dialed::Tls(Box::new(stream)));
    }
    Ok(Dialed::plain(link))
}

/// Connects to a host. Tries its addresses of both families at the same time (RFC 8305).
async fn tcp(to: Uri, reset: &Arc<AtomicBool>) -> io::Result<Link> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    poll_fn(|cx| connector.poll_ready(cx)).await.map_err(io_error)?;
    let io = connector.call(to).await.map_err(io_error)?;
    Ok(Link::socket(io.into_inner(), reset))
}

/// Wraps an error with the kind of the system's error inside it.
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
