//! The route to the server: direct, over a Unix socket, through a proxy, or by the application's own connector.

use core::pin::Pin;
use std::io;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;

use crate::carrier::dialed::Duplex;
use crate::client::endpoint::Endpoint;
use crate::client::error::ClientBuildError;
use crate::client::proxy::{self, Proxy};
#[cfg(feature = "test-util")]
use crate::test_util::Link;

/// An application's own connector.
pub(crate) type Connect = Arc<dyn Fn(String, u16) -> Connecting + Send + Sync>;

pub(crate) type Connecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn Duplex>>> + Send>>;

/// How connections are made.
#[derive(Clone)]
pub(crate) enum Route {
    /// TCP to the URL's host and port.
    Direct,
    #[cfg(unix)]
    Unix(PathBuf),
    Own(Connect),
    Proxy(Proxy),
    #[cfg(feature = "test-util")]
    Link(Link),
}

/// The route setting of a builder.
pub(crate) enum RouteSetting {
    Route(Route),
    /// The proxy with this URL.
    ProxyUrl(String),
    /// The proxy that the environment names.
    Environment,
}

impl RouteSetting {
    pub(crate) fn route(self, endpoint: &Endpoint) -> Result<Route, ClientBuildError> {
        match self {
            Self::Route(route) => Ok(route),
            Self::ProxyUrl(url) => Proxy::parse(&url).map(Route::Proxy),
            Self::Environment => {
                let proxy = proxy::from_env(endpoint, |name| std::env::var(name).ok())?;
                Ok(proxy.map_or(Route::Direct, Route::Proxy))
            }
        }
    }
}
