//! The configuration of a client, which [`ClientBuilder`](crate::ClientBuilder) builds and validates.

use core::time::Duration;
use std::sync::Arc;

use eio_core::Heartbeat;
use eio_core::handshake::Transport;
use http::{HeaderMap, HeaderValue, Request, Uri, header};

use crate::client::endpoint::Endpoint;
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::http_connection::Body;
use crate::client::route::Route;
#[cfg(feature = "tls")]
use crate::client::tls::Tls;
use crate::session::limits::Limits;
use eio_core::Revision;

/// The function that receives the client's events.
pub(crate) type OnEvent = Arc<dyn Fn(ClientEvent) + Send + Sync>;

/// The validated settings of a client.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "settings that do not depend on each other")]
pub(crate) struct Config {
    pub(crate) endpoint: Endpoint,
    pub(crate) route: Route,
    /// Whether the route comes from the environment, which is read again for the target of a redirect.
    pub(crate) route_from_env: bool,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<Tls>,
    pub(crate) revision: Revision,
    /// The transport on which sessions open.
    pub(crate) first: Transport,
    /// The other transports, in the order of preference.
    pub(crate) others: Vec<Transport>,
    /// Whether a session opens on the next transport if the first one is refused.
    pub(crate) try_all_transports: bool,
    /// Whether a session on polling moves to WebSocket if the server offers it.
    pub(crate) upgrade: bool,
    /// How many redirects are followed until a session opens.
    pub(crate) follow_redirects: u32,
    /// The TLS settings for a redirect to TLS.
    #[cfg(feature = "tls")]
    pub(crate) tls_of_redirects: Option<Tls>,
    /// The subprotocols that the client offers for WebSockets, and the header that offers them.
    pub(crate) protocols: Vec<String>,
    pub(crate) offered_protocols: Option<HeaderValue>,
    pub(crate) keep_cookies: bool,
    pub(crate) open_timeout: Duration,
    pub(crate) upgrade_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) app_stall_timeout: Option<Duration>,
    pub(crate) ping_timeout_at_most: Option<Duration>,
    pub(crate) max_payload: u32,
    /// The largest number of packets in one POST.
    pub(crate) max_packets_per_payload: usize,
    pub(crate) limits: Limits,
    pub(crate) on_event: Option<OnEvent>,
}

impl Config {
    /// Returns how long an application may leave its inbox full.
    pub(crate) fn app_stall_timeout(&self, heartbeat: Heartbeat) -> Duration {
        self.app_stall_timeout.unwrap_or(heartbeat.max_silence())
    }

    pub(crate) fn target(
        &self,
        transport: Transport,
        sid: Option<&str>,
        stamp: u64,
    ) -> Result<Uri, ConnectError> {
        self.endpoint
            .target(&self.path, transport, self.revision, sid, stamp)
            .map_err(ConnectError::unsendable)
    }

    /// Returns a request with the headers that every request carries.
    pub(crate) fn request(&self, target: Uri, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.uri_mut() = target;
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(&self.endpoint.authority) {
            headers.insert(header::HOST, host);
        }
        let agent = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        // Without this header a server may answer in any coding (RFC 9110 section 12.5.3).
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // `extend` replaces headers of the same name, and keeps all values of a name that comes twice.
        headers.extend(self.headers.clone());
        request
    }
}
