//! Opens a session in several attempts: follows redirects, and tries other transports.

use std::sync::Arc;

use eio_core::handshake::Transport;
use http::StatusCode;

use crate::client::Client;
use crate::client::config::Config;
use crate::client::cookies::Cookies;
use crate::client::endpoint::Endpoint;
use crate::client::error::ConnectError;
use crate::client::event::ClientEvent;
use crate::client::http::Dialer;
use crate::client::route::RouteSetting;
use crate::client::secrets::Secrets;
use crate::client::session;
use crate::client::socket::ClientSocket;
use crate::wire::sync;

/// Opens a session, within the open timeout, however many attempts it takes.
pub(crate) async fn open(client: &Client) -> Result<ClientSocket, ConnectError> {
    let mut config = Arc::clone(&client.config);
    let until = client.clock.now().saturating_add(config.open_timeout);
    let mut redirects = config.follow_redirects;
    let mut cookies = Arc::new(Cookies::default());
    loop {
        let dialer = Dialer {
            config: Arc::clone(&config),
            clock: client.clock,
            reset: Arc::default(),
            cookies: Arc::clone(&cookies),
        };
        let open_timeout = until.saturating_duration_since(client.clock.now());
        let (shared, running) = session::start(dialer, open_timeout);
        sync::spawn(running);
        let error = match ClientSocket::open(shared).await {
            Ok(socket) => return Ok(socket),
            Err(error) => error,
        };
        if redirects > 0
            && let Some(next) = redirected(&config, &error)?
        {
            redirects -= 1;
            if !shares_secrets(&config.endpoint, &next.endpoint) {
                cookies = Arc::default();
            }
            let shown_path = Secrets::of_query(&config.endpoint.query).hide(&next.path);
            client.tell(&ClientEvent::Redirected { to: next.endpoint.url(&shown_path) });
            config = Arc::new(next);
        } else if let Some(next) = on_next_transport(&config, &error) {
            client.tell(&ClientEvent::TryingTransport { transport: next.first });
            config = Arc::new(next);
        } else {
            return Err(error);
        }
    }
}

/// Returns the configuration for the next transport, if that transport may succeed. Only the answer of a server depends
/// on the transport. Its reachability and its certificate do not.
fn on_next_transport(config: &Config, error: &ConnectError) -> Option<Config> {
    let may_depend_on_it = matches!(
        error,
        ConnectError::Http(_)
            | ConnectError::Refused(_)
            | ConnectError::NotWebSocket(_)
            | ConnectError::Coding(_)
            | ConnectError::WebPage(_)
            | ConnectError::OtherRevision { .. }
            | ConnectError::TooLarge { .. }
            | ConnectError::Session(_)
    );
    if !config.try_all_transports || !may_depend_on_it || config.others.is_empty() {
        return None;
    }
    let mut next = config.clone();
    next.first = next.others.remove(0);
    next.upgrade = config.upgrade && next.may_upgrade();
    Some(next)
}

impl Config {
    /// Returns whether the transports allow a session to move from polling to WebSocket.
    pub(crate) fn may_upgrade(&self) -> bool {
        self.first == Transport::Polling && self.others.contains(&Transport::WebSocket)
    }
}

/// Returns the configuration for the target of a redirect, if the error is a redirect that may be followed.
///
/// It never leads from TLS to plain text. The caller's headers and subprotocols, which may hold credentials, are sent only
/// to the same server. If the proxy comes from the environment, the environment is read again for the new URL.
fn redirected(config: &Config, error: &ConnectError) -> Result<Option<Config>, ConnectError> {
    let Some(endpoint) = endpoint_of_redirect(config, error) else { return Ok(None) };
    let mut next = config.clone();
    next.path = endpoint.path.clone().unwrap_or_else(|| "/".to_owned());
    if !shares_secrets(&config.endpoint, &endpoint) {
        next.headers.clear();
        next.protocols.clear();
        next.offered_protocols = None;
    }
    if config.route_from_env {
        next.route = RouteSetting::Environment.route(&endpoint)?;
    }
    #[cfg(feature = "tls")]
    {
        next.tls = config.tls_of_redirects.clone().filter(|_| endpoint.secure);
    }
    next.endpoint = endpoint;
    Ok(Some(next))
}

/// Returns the target of a redirect, if the error is a redirect that may be followed.
fn endpoint_of_redirect(config: &Config, error: &ConnectError) -> Option<Endpoint> {
    let ConnectError::Refused(refused) = error else { return None };
    let is_redirect = matches!(
        refused.status,
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = refused.location.as_deref().filter(|_| is_redirect)?;
    let url = resolve(&config.endpoint.url(&config.path), location);
    let endpoint = Endpoint::parse(&url).ok()?;
    let follows = match (config.endpoint.secure, endpoint.secure) {
        (true, false) => false,
        (_, true) => cfg!(feature = "tls"),
        (false, false) => true,
    };
    follows.then_some(endpoint)
}

/// Returns whether credentials for the first server may be sent to the target of a redirect: on the same host and port, or
/// from the default port of plain text to that of TLS on the same host.
fn shares_secrets(from: &Endpoint, to: &Endpoint) -> bool {
    let turns_to_tls = !from.secure && from.port() == 80 && to.secure && to.port() == 443;
    from.host().eq_ignore_ascii_case(to.host()) && (from.port() == to.port() || turns_to_tls)
}

/// Resolves `location` relative to `base`, an absolute URL without a query (RFC 3986 section 5.2).
fn resolve(base: &str, location: &str) -> String {
    let location = location.trim().split('#').next().unwrap_or_default();
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let first = location.split(['/', '?']).next().unwrap_or_default();
    let has_scheme = first.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    });
    if has_scheme {
        return location.to_owned();
    }
    if location.starts_with("//") {
        return format!("{scheme}:{location}");
    }
    if location.starts_with('/') {
        return format!("{scheme}://{authority}{location}");
    }
    if location.is_empty() || location.starts_with('?') {
        return format!("{scheme}://{authority}{path}{location}");
    }
    // Relative to the folder of the base's path.
    let (location, query) = location.split_at(location.find('?').unwrap_or(location.len()));
    let mut folders: Vec<&str> = path.split('/').collect();
    folders.pop();
    for folder in location.split('/') {
        match folder {
            // `..` cannot go above the root.
            ".." if folders.len() > 1 => drop(folders.pop()),
            "." | ".." => {}
            folder => folders.push(folder),
        }
    }
    if location.ends_with('.') {
        folders.push("");
    }
    format!("{scheme}://{authority}{}{query}", folders.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_the_same_host_and_port_or_from_port_80_to_tls_on_443() {
        for (from, to, expected) in [
            ("http://h", "http://H:80/x/", true),
            ("http://h:3000", "ws://h:3000", true),
            ("http://h:3000", "https://h:3000", true),
            ("http://h", "https://h", true),
            ("ws://[::1]:80", "wss://[::1]:443", true),
            ("http://h:3000", "http://h:3001", false),
            ("http://h", "http://h:8080", false),
            ("http://h:3000", "https://h", false),
            ("http://h", "https://h:8443", false),
            ("https://h", "https://h:8443", false),
            ("http://h", "http://h.example", false),
            ("http://[::1]", "http://[::2]", false),
        ] {
            let endpoint = |url| Endpoint::parse(url).unwrap();
            assert_eq!(shares_secrets(&endpoint(from), &endpoint(to)), expected, "{from} to {to}");
        }
    }

    #[test]
    fn a_location_is_resolved_against_the_url_that_was_asked() {
        for (location, expected) in [
            ("https://b.example:8443/x/?EIO=4", "https://b.example:8443/x/?EIO=4"),
            ("//b.example/x/", "http://b.example/x/"),
            ("/other/?a=b", "http://a.example:81/other/?a=b"),
            ("?a=b", "http://a.example:81/one/two/?a=b"),
            ("", "http://a.example:81/one/two/"),
            ("three/?to=http://c/", "http://a.example:81/one/two/three/?to=http://c/"),
            ("../three/", "http://a.example:81/one/three/"),
            ("../../../..", "http://a.example:81/"),
            ("./", "http://a.example:81/one/two/"),
            ("mailto:x", "mailto:x"),
            ("/x:y", "http://a.example:81/x:y"),
            ("/x#part", "http://a.example:81/x"),
        ] {
            assert_eq!(resolve("http://a.example:81/one/two/", location), expected, "{location}");
        }
    }
}
