//! Which host names and which web pages may use a server that is meant for this machine only.
//!
//! Every web page in a browser on this machine can send requests to a loopback address, and open WebSockets there. The
//! owner of a web page can also make its host name point to that address (DNS rebinding), so that the browser treats the
//! server as part of that page's site. So two things are checked: the name in the request, and the origin of the page.

use core::net::IpAddr;
use std::sync::Arc;

use eio_tokio::{AllowedOrigins, Cors};
use http::request::Parts;
use http::uri::Authority;
use http::{StatusCode, Uri, Version, header};

use super::listen::Address;
use super::settings::Settings;
use super::values::HostName;
use crate::style::{cut, escape};

/// The host names and origins that may use the server.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// The names that are allowed in addition to those of this machine. `None` allows every name.
    names: Option<Arc<[String]>>,
    origins: AllowedOrigins,
}

/// A refusal: a status, and a sentence for the body, with only the beginning of what the client sent.
pub(crate) type Denial = (StatusCode, String);

impl Access {
    /// Restricts access if only this machine can connect, or if names are given. The name `*` allows every name.
    pub(crate) fn new(settings: &Settings, address: &Address) -> Self {
        let is_local = matches!(address, Address::Tcp(address) if address.ip().to_canonical().is_loopback());
        let hosts = settings.hosts();
        if hosts.iter().any(|name| name.as_str() == "*") || !is_local && hosts.is_empty() {
            return Self { names: None, origins: AllowedOrigins::Any };
        }
        let listening = settings.listen().host().to_ascii_lowercase();
        let names: Arc<[String]> =
            hosts.iter().map(HostName::as_str).map(str::to_owned).chain([listening]).collect();
        let origins = match settings.allowed_origins() {
            Some(origins) => origins.clone(),
            None => origins_with_local(settings.cors(), Arc::clone(&names)),
        };
        Self { names: Some(names), origins }
    }

    /// Returns the origins that may open sessions, or `None` if only `--cors` decides.
    pub(crate) fn origins(&self) -> Option<AllowedOrigins> {
        self.names.is_some().then(|| self.origins.clone())
    }

    /// Checks that the request names this server by an allowed name.
    pub(crate) fn check_host(&self, request: &Parts) -> Result<(), Denial> {
        let mut hosts = request.headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) if host.is_empty() => None,
            // A host has no user before an @.
            (Some(host), None) => {
                let host = host.to_str().ok().filter(|host| !host.contains('@'));
                let host = host.and_then(|host| host.parse::<Authority>().ok()).ok_or_else(|| {
                    (StatusCode::BAD_REQUEST, "expected a host in the Host header\n".to_owned())
                })?;
                Some(host)
            }
            (None, _) if request.version != Version::HTTP_11 => request.uri.authority().cloned(),
            _ => return Err((StatusCode::BAD_REQUEST, "expected one Host header\n".to_owned())),
        };
        let Some(names) = &self.names else { return Ok(()) };
        let host = host.as_ref().map_or("", Authority::host);
        if is_known(host, names) {
            return Ok(());
        }
        let name = escape(&cut(host));
        Err((
            StatusCode::FORBIDDEN,
            format!(
                "eio serve does not answer to the host name {name:?}: start it with --host {name}, or with --host '*' for \
                 every name\n"
            ),
        ))
    }

    /// Checks that the page that sent the request may use this server.
    pub(crate) fn check_origin(&self, request: &Parts) -> Result<(), Denial> {
        if self.origins.allows(request) {
            return Ok(());
        }
        let origin = request.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let origin = escape(&cut(origin.unwrap_or("another site")));
        Err((
            StatusCode::FORBIDDEN,
            format!(
                "pages of {origin} may not use this server: start eio serve with --cors and their origin\n"
            ),
        ))
    }
}

/// Allows the pages of this machine, and those that CORS allows.
fn origins_with_local(cors: Option<&Cors>, names: Arc<[String]>) -> AllowedOrigins {
    let patterns = match cors.map(Cors::allowed_origins) {
        Some(AllowedOrigins::Any) => return AllowedOrigins::Any,
        Some(AllowedOrigins::List(patterns)) => patterns,
        _ => Vec::new(),
    };
    AllowedOrigins::matching(move |origin| {
        is_page_of(origin, &names)
            || origin.parse().is_ok_and(|origin| patterns.iter().any(|pattern| pattern.matches(&origin)))
    })
}

/// Returns whether a host is a name of this machine, one of `names`, or an address. An address is safe, because DNS cannot
/// change where it points.
fn is_known(host: &str, names: &[String]) -> bool {
    address(host).is_some() || is_localhost(host) || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// Returns whether a page comes from a server on this machine, or from one of `names`.
fn is_page_of(origin: &str, names: &[String]) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let (Some("http" | "https"), Some(host)) = (uri.scheme_str(), uri.host()) else { return false };
    let is_loopback = address(host).is_some_and(|address| address.to_canonical().is_loopback());
    is_loopback || is_localhost(host) || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// RFC 6761 section 6.3: these names always mean this machine, whatever a resolver answers.
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_and_addresses_are_known() {
        let names = ["dev.example".to_owned()];
        for host in
            ["localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "[::1]", "10.0.2.2", "Dev.example"]
        {
            assert!(is_known(host, &names), "{host}");
        }
        for host in
            ["", "evil.test", "localhost.evil.test", "notlocalhost", "a.dev.example", "127.0.0.1.evil.test"]
        {
            assert!(!is_known(host, &names), "{host}");
        }
    }

    #[test]
    fn pages_of_this_machine_are_known_and_others_are_not() {
        let names = ["dev.example".to_owned()];
        for origin in [
            "http://localhost:5173",
            "https://app.localhost",
            "http://127.0.0.1:8080",
            "http://[::1]",
            "https://dev.example:8443",
        ] {
            assert!(is_page_of(origin, &names), "{origin}");
        }
        for origin in [
            "http://evil.test",
            "http://localhost.evil.test",
            "null",
            "file://",
            "http://10.0.0.5",
            "evil://localhost",
            "localhost",
        ] {
            assert!(!is_page_of(origin, &names), "{origin}");
        }
    }
}
