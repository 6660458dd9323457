//! Checking the settings.

use core::time::Duration;

use eio_core::Revision;
use eio_core::handshake::Transport;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;

use crate::client::Client;
use crate::client::builder::ClientBuilder;
use crate::client::config::Config;
use crate::client::endpoint::Endpoint;
use crate::client::error::ClientBuildError;
use crate::client::route::RouteSetting;
#[cfg(feature = "tls")]
use crate::client::tls::Tls;
use crate::web::path::with_slash;
use crate::wire::redact::redact_url;

impl ClientBuilder {
    /// Checks the settings and returns the client.
    ///
    /// # Errors
    /// Returns a [`ClientBuildError`] that names the invalid setting.
    pub fn build(self) -> Result<Client, ClientBuildError> {
        let mut endpoint = Endpoint::parse(&self.url)?;
        for (name, value) in &self.query {
            endpoint.add_parameter(name, value)?;
        }
        self.check_limits()?;
        let (first, others) = transports(self.transports, endpoint.websocket_only)?;
        #[cfg(not(feature = "tls"))]
        if endpoint.secure {
            return Err(ClientBuildError::NoTls);
        }
        let mut headers = headers(&self.headers)?;
        if let Some(credentials) = endpoint.credentials.clone() {
            headers.entry(header::AUTHORIZATION).or_insert(credentials);
        }
        #[cfg(feature = "tls")]
        let tls = if endpoint.secure || self.follow_redirects > 0 { Some(Tls::new(self.tls)?) } else { None };
        let mut config = Config {
            path: path(self.path.or_else(|| endpoint.path.clone()), self.trailing_slash)?,
            headers,
            route_from_env: matches!(self.route, RouteSetting::Environment),
            route: self.route.route(&endpoint)?,
            #[cfg(feature = "tls")]
            tls: tls.clone().filter(|_| endpoint.secure),
            #[cfg(feature = "tls")]
            tls_of_redirects: tls,
            endpoint,
            follow_redirects: self.follow_redirects,
            offered_protocols: offered(&self.protocols)?,
            protocols: self.protocols,
            keep_cookies: self.cookies,
            revision: if self.eio3 { Revision::V3 } else { Revision::V4 },
            first,
            others,
            try_all_transports: self.try_all_transports,
            upgrade: self.upgrade,
            open_timeout: self.open_timeout,
            upgrade_timeout: self.upgrade_timeout,
            close_timeout: self.close_timeout,
            app_stall_timeout: self.app_stall_timeout,
            ping_timeout_at_most: self.ping_timeout_at_most,
            max_payload: self.max_payload,
            max_packets_per_payload: self.max_packets_per_payload,
            limits: self.limits,
            on_event: self.on_event,
        };
        config.upgrade &= config.may_upgrade();
        Ok(Client::new(config))
    }

    /// A limit or a time of zero would let nothing through.
    fn check_limits(&self) -> Result<(), ClientBuildError> {
        let are_zero = [
            ("open_timeout", self.open_timeout.is_zero()),
            ("upgrade_timeout", self.upgrade_timeout.is_zero()),
            ("close_timeout", self.close_timeout.is_zero()),
            ("app_stall_timeout", self.app_stall_timeout == Some(Duration::ZERO)),
            ("ping_timeout_at_most", self.ping_timeout_at_most == Some(Duration::ZERO)),
            ("max_payload", self.max_payload == 0),
            ("max_packets_per_payload", self.max_packets_per_payload == 0),
            ("inbox messages", self.limits.inbox_messages == 0),
            ("inbox bytes", self.limits.inbox_bytes == 0),
            ("outbox messages", self.limits.outbox_messages == 0),
            ("outbox bytes", self.limits.outbox_bytes == 0),
        ];
        match are_zero.into_iter().find(|(_, is_zero)| *is_zero) {
            Some((name, _)) => Err(ClientBuildError::Zero(name)),
            None => Ok(()),
        }
    }
}

/// The transport to open on, and the others, in the order in which they are tried.
fn transports(
    chosen: Option<Vec<Transport>>,
    websocket_only: bool,
) -> Result<(Transport, Vec<Transport>), ClientBuildError> {
    let mut transports = chosen.unwrap_or_else(|| {
        let both = [Transport::Polling, Transport::WebSocket];
        both.into_iter().filter(|one| *one == Transport::WebSocket || !websocket_only).collect()
    });
    let is_supported = |one: &Transport| matches!(one, Transport::Polling | Transport::WebSocket);
    if let Some(other) = transports.iter().find(|one| !is_supported(one)) {
        return Err(ClientBuildError::Transport(*other));
    }
    let first = *transports.first().ok_or(ClientBuildError::NoTransport)?;
    transports.retain(|transport| *transport != first);
    transports.dedup();
    Ok((first, transports))
}

fn path(path: Option<String>, trailing_slash: bool) -> Result<String, ClientBuildError> {
    let path = path.unwrap_or_else(|| "/engine.io".to_owned());
    let path = if trailing_slash { with_slash(path) } else { path };
    let fits = path.starts_with('/')
        && PathAndQuery::try_from(path.as_str())
            .is_ok_and(|parsed| parsed.as_str() == path && parsed.query().is_none());
    if fits { Ok(path) } else { Err(ClientBuildError::Path(redact_url(&path))) }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, ClientBuildError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let (Ok(parsed), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            return Err(ClientBuildError::Header(name.clone()));
        };
        let reserved = [
            header::ACCEPT_ENCODING,
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::CONTENT_TYPE,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
        ];
        if reserved.contains(&parsed) || parsed.as_str().starts_with("sec-websocket-") {
            return Err(ClientBuildError::ReservedHeader(name.clone()));
        }
        headers.append(parsed, value);
    }
    Ok(headers)
}

/// Returns the header that offers these subprotocols. Each must be a token and come only once (RFC 6455 section 4.1).
fn offered(protocols: &[String]) -> Result<Option<HeaderValue>, ClientBuildError> {
    let is_token = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !name.is_empty() && name.bytes().all(allowed)
    };
    for (at, protocol) in protocols.iter().enumerate() {
        if !is_token(protocol) || protocols[..at].contains(protocol) {
            return Err(ClientBuildError::Protocol(protocol.clone()));
        }
    }
    let offered = (!protocols.is_empty()).then(|| protocols.join(", "));
    Ok(offered.and_then(|offered| HeaderValue::try_from(offered).ok()))
}
