//! The settings of a server for its requests and connections.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::request::Parts;

use crate::server::decision::Decide;
use crate::web::cookie::Cookie;
use crate::web::cors::Cors;
use crate::web::limits::HandshakeLimiter;
use crate::web::origins::AllowedOrigins;
use crate::web::proxies::TrustedProxies;
use crate::web::respond::replace_with;

/// Adds headers to answers.
pub(crate) type AddHeaders = Arc<dyn Fn(&Parts, &mut HeaderMap) + Send + Sync>;

/// Chooses one of the subprotocols that a client offers for a WebSocket.
pub(crate) type ChooseSubprotocol = Arc<dyn for<'o> Fn(&Parts, &[&'o str]) -> Option<&'o str> + Send + Sync>;

/// The settings of a server for its requests and connections.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each with a name of the reference's"
)]
pub(crate) struct HttpConfig {
    pub(crate) path: String,
    pub(crate) polling: bool,
    pub(crate) websocket: bool,
    pub(crate) allow_upgrades: bool,
    pub(crate) eio3: bool,
    pub(crate) request_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) max_connections: Option<usize>,
    pub(crate) max_connections_per_address: Option<usize>,
    pub(crate) allow_request: Option<Decide>,
    /// Reads from the request what the application is given with its session. Runs after `allow_request`.
    pub(crate) extract: Option<Decide>,
    pub(crate) cors: Option<Cors>,
    pub(crate) allowed_origins: AllowedOrigins,
    pub(crate) trusted_proxies: Option<TrustedProxies>,
    pub(crate) handshakes: Option<HandshakeLimiter>,
    pub(crate) cookie: Option<Cookie>,
    pub(crate) headers: HeaderMap,
    pub(crate) add_headers: Option<AddHeaders>,
    pub(crate) add_initial_headers: Option<AddHeaders>,
    /// `None` chooses the first offered subprotocol.
    pub(crate) choose_subprotocol: Option<ChooseSubprotocol>,
    /// The size in bytes from which a polling payload is compressed.
    #[cfg(feature = "compression")]
    pub(crate) compression_threshold: Option<usize>,
    #[cfg(feature = "http2")]
    pub(crate) http2: bool,
    pub(crate) max_head: usize,
    pub(crate) max_headers: usize,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            path: Self::DEFAULT_PATH.to_owned(),
            polling: true,
            websocket: true,
            allow_upgrades: true,
            eio3: false,
            request_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            max_connections: None,
            max_connections_per_address: None,
            allow_request: None,
            extract: None,
            cors: None,
            allowed_origins: AllowedOrigins::Any,
            trusted_proxies: None,
            handshakes: None,
            cookie: None,
            headers: HeaderMap::new(),
            add_headers: None,
            add_initial_headers: None,
            choose_subprotocol: None,
            #[cfg(feature = "compression")]
            compression_threshold: Some(1024),
            #[cfg(feature = "http2")]
            http2: true,
            max_head: 16 * 1024,
            max_headers: 100,
        }
    }
}

impl HttpConfig {
    pub(crate) const DEFAULT_PATH: &str = "/engine.io/";

    /// Returns whether connections may speak HTTP/2.
    #[cfg_attr(
        not(feature = "http2"),
        expect(clippy::unused_self, reason = "it has no setting without HTTP/2")
    )]
    pub(crate) fn speaks_http2(&self) -> bool {
        #[cfg(feature = "http2")]
        return self.http2;
        #[cfg(not(feature = "http2"))]
        return false;
    }

    /// Returns the headers that every answer to this request carries.
    pub(crate) fn common_headers(&self, request: &Parts) -> HeaderMap {
        let mut headers = self.headers.clone();
        if let Some(cors) = &self.cors {
            replace_with(&mut headers, cors.headers(request));
        }
        if let Some(add) = &self.add_headers {
            add(request, &mut headers);
        }
        headers
    }

    /// Adds the application's headers to the answer that opens a session.
    pub(crate) fn add_initial_headers(&self, request: &Parts, headers: &mut HeaderMap) {
        if let Some(add) = &self.add_initial_headers {
            add(request, headers);
        }
    }
}
