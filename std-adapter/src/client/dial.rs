//! Opens connections to the server in phases: the route, a proxy's tunnel, TLS.
//!
//! Every phase runs in the future of [`dial`]. Dropping it, as each timeout of the client does, also drops the connection
//! that has been opened so far.

#[cfg(unix)]
use std::io;
use std::sync::Arc;

#[cfg(unix)]
use tokio::net::UnixStream;

use crate::client::config::Config;
use crate::client::error::ConnectError;
use crate::client::proxy::error::ProxyError;
use crate::client::route::Route;

use crate::carrier::dialed::{Dialed, Link};
use crate::wire::sync::AtomicBool;
use crate::wire::tcp;

/// Connects to the server of `config`.
///
/// Once `reset` is set, dropping the connection resets it.
pub(crate) async fn dial(config: &Config, reset: &Arc<AtomicBool>) -> Result<Dialed, ConnectError> {
    let link = match &config.route {
        Route::Direct => {
            let stream = tcp::connect(config.endpoint.host(), config.endpoint.port()).await;
            Link::socket(stream.map_err(ConnectError::io)?, reset)
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
            let stream = tcp::connect(proxy.host(), proxy.port()).await.map_err(ProxyError::io)?;
            // Boxed, because its future is large and most connections do not need it.
            Box::pin(proxy.tunnel(Link::socket(stream, reset), &config.endpoint)).await?
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
