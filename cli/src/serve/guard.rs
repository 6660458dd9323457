//! Which names and which pages a server answers to, where it is meant for this machine alone.
//!
//! Every page in a browser on this machine may send requests to a loopback address, and open WebSockets there. And a name
//! in a stranger's hands may be made to point there once the stranger's page is open (DNS rebinding), so that the page
//! even counts as the server's own. So both are looked at: the name that was asked for, and the page that asks.

use core::net::IpAddr;
use std::sync::Arc;

use eio_tokio::AllowedOrigins;
use http::request::Parts;
use http::uri::Authority;
use http::{StatusCode, Uri, Version, header};

use super::listen::Place;
use super::options::Options;
use crate::style::harmless;

/// What a request has to say to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// The names that are allowed beside those of this machine; `None` when every name will do.
    names: Option<Arc<[String]>>,
    origins: AllowedOrigins,
}

/// Why a request is not answered: a status, and a sentence.
pub(crate) type Objection = (StatusCode, String);

impl Guard {
    /// Strict where only this machine can connect, and where names are given; `*` among them allows every name.
    pub(crate) fn new(options: &Options, place: &Place) -> Self {
        let is_local = matches!(place, Place::Tcp(address) if address.ip().is_loopback());
        if options.host.iter().any(|name| name == "*") || !is_local && options.host.is_empty() {
            return Self { names: None, origins: AllowedOrigins::Any };
        }
        let listening = options.listen.rsplit_once(':').map(|(host, _)| host.to_ascii_lowercase());
        let names: Arc<[String]> = options.host.iter().cloned().chain(listening).collect();
        let origins = match &options.cors {
            Some(cors) if cors.pattern.is_none() => AllowedOrigins::Any,
            cors => {
                let pattern = cors.as_ref().and_then(|cors| cors.pattern.clone());
                let names = Arc::clone(&names);
                AllowedOrigins::matching(move |origin| {
                    is_page_of(origin, &names)
                        || pattern.as_ref().is_some_and(|pattern| {
                            origin.parse().is_ok_and(|origin| pattern.matches(&origin))
                        })
                })
            }
        };
        Self { names: Some(names), origins }
    }

    /// Which pages may open sessions, if that is not for `--cors` alone to say.
    pub(crate) fn origins(&self) -> Option<AllowedOrigins> {
        self.names.is_some().then(|| self.origins.clone())
    }

    /// Whether the request asks for this server, under a name that is known.
    pub(crate) fn check_host(&self, request: &Parts) -> Result<(), Objection> {
        let mut hosts = request.headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) if host.is_empty() => None,
            // What stands before an @ is no part of a host.
            (Some(host), None) => match host.to_str().ok().filter(|host| !host.contains('@')) {
                Some(host) if let Ok(host) = host.parse::<Authority>() => Some(host),
                _ => {
                    return Err((StatusCode::BAD_REQUEST, "expected a host in the Host header\n".to_owned()));
                }
            },
            (None, _) if request.version != Version::HTTP_11 => request.uri.authority().cloned(),
            _ => return Err((StatusCode::BAD_REQUEST, "expected one Host header\n".to_owned())),
        };
        let Some(names) = &self.names else { return Ok(()) };
        let host = host.as_ref().map_or("", Authority::host);
        if is_known(host, names) {
            return Ok(());
        }
        let name = harmless(host);
        Err((
            StatusCode::FORBIDDEN,
            format!(
                "this server does not answer to the name {name:?}: add --host {name}, or --host '*' for every name\n"
            ),
        ))
    }

    /// Whether the page that asks may.
    pub(crate) fn check_origin(&self, request: &Parts) -> Result<(), Objection> {
        if self.origins.allows(request) {
            return Ok(());
        }
        let origin = request.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let origin = harmless(origin.unwrap_or("another site"));
        Err((
            StatusCode::FORBIDDEN,
            format!("pages of {origin} may not use this server: name their origin with --cors\n"),
        ))
    }
}

/// A name of this machine, one of `names`, or an address: who asks by address relies on no name that may have been made to
/// point here.
fn is_known(host: &str, names: &[String]) -> bool {
    address(host).is_some() || is_localhost(host) || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// Whether a page comes from a server on this machine, or from one of `names`.
fn is_page_of(origin: &str, names: &[String]) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else { return false };
    let (Some("http" | "https"), Some(host)) = (uri.scheme_str(), uri.host()) else { return false };
    let is_loopback = address(host).is_some_and(|address| address.to_canonical().is_loopback());
    is_loopback || is_localhost(host) || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// RFC 6761 section 6.3: these names are this machine's, whatever a resolver says.
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
    fn this_machine_is_known_by_its_names_and_by_addresses() {
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
    fn pages_of_this_machine_may_ask_and_strangers_may_not() {
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
