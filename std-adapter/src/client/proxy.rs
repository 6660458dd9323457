//! HTTP proxies: choosing one, and opening a tunnel through it (RFC 9110 section 9.3.6).

pub(crate) mod error;

use core::net::IpAddr;
use core::str::FromStr as _;

use eio_core::Instant;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};

use crate::carrier::dialed::{Dialed, Link};
use crate::client::credentials;
use crate::client::endpoint::Endpoint;
use crate::client::error::ClientBuildError;
use crate::client::http_connection::{Body, HttpConnection, Unsent};
use crate::client::proxy::error::ProxyError;
use crate::web::network::Network;
use crate::wire::redact::redact_url;

/// A proxy and the credentials for it.
#[derive(Clone)]
pub(crate) struct Proxy {
    authority: Authority,
    credentials: Option<HeaderValue>,
}

impl Proxy {
    /// Parses `http://[user:password@]host[:port]`. The scheme may be missing.
    pub(crate) fn parse(url: &str) -> Result<Self, ClientBuildError> {
        let bad = |why: &str| ClientBuildError::Proxy { url: redact_url(url), why: why.to_owned() };
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(bad("expected http://, the only kind of proxy that is supported")),
            None => url,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, host) = credentials::split(rest).map_err(bad)?;
        let authority = Authority::from_str(host).map_err(|_| bad("expected a host and an optional port"))?;
        let has_port = authority.port_u16().is_some() || authority.as_str() == authority.host();
        if authority.host().is_empty() || !has_port {
            return Err(bad("expected a host and an optional port up to 65535"));
        }
        Ok(Self { authority, credentials })
    }

    /// Returns the host, and the port if the URL has one.
    pub(crate) fn host_and_port(&self) -> &str {
        self.authority.as_str()
    }

    /// Returns the host without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(80)
    }

    /// Opens a tunnel to the server over a connection to the proxy.
    pub(crate) async fn tunnel(&self, link: Link, endpoint: &Endpoint) -> Result<Link, ProxyError> {
        // The time does not matter: nothing asks how long this connection has been idle.
        let now = Instant::from_micros(0);
        let mut connection = HttpConnection::on(Dialed::plain(link), now).await.map_err(ProxyError::http)?;
        let answer = connection.send(self.request(endpoint)).await.map_err(|unsent| match unsent {
            Unsent::NotBegun(_, error) | Unsent::Failed(error) => ProxyError::http(error),
        })?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::PROXY_AUTHENTICATION_REQUIRED if self.credentials.is_none() => {
                return Err(ProxyError::CredentialsMissing);
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => return Err(ProxyError::CredentialsRefused),
            status => return Err(ProxyError::Refused(status)),
        }
        let (stream, received) = connection.into_stream().await;
        match stream.into_link() {
            Some(link) if received.is_empty() => Ok(link),
            _ => Err(ProxyError::TooMuch),
        }
    }

    fn request(&self, endpoint: &Endpoint) -> Request<Body> {
        let target = endpoint.host_and_port();
        let mut request = Request::new(Body::default());
        *request.method_mut() = Method::CONNECT;
        if let Ok(host) = HeaderValue::from_str(&target) {
            request.headers_mut().insert(header::HOST, host);
        }
        if let Ok(authority) = Authority::try_from(target) {
            *request.uri_mut() = Uri::from(authority);
        }
        if let Some(credentials) = &self.credentials {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, credentials.clone());
        }
        request
    }
}

/// Returns the proxy that environment variables name for this server. `get` reads a variable.
pub(crate) fn from_env(
    endpoint: &Endpoint,
    get: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, ClientBuildError> {
    let first = |names: &[&str]| names.iter().find_map(|name| get(name));
    // HTTP_PROXY is ignored: in a CGI program it holds the header `Proxy` of the client.
    let own: &[&str] = if endpoint.secure { &["https_proxy", "HTTPS_PROXY"] } else { &["http_proxy"] };
    let Some(url) = first(own).or_else(|| first(&["all_proxy", "ALL_PROXY"])) else { return Ok(None) };
    let exceptions = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    let (host, port) = (endpoint.host().to_ascii_lowercase(), endpoint.port());
    let url = url.trim();
    if url.is_empty()
        || is_this_machine(&host)
        || exceptions.split(',').any(|rule| is_listed(rule, &host, port))
    {
        return Ok(None);
    }
    Proxy::parse(url).map(Some)
}

fn is_this_machine(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Returns whether one rule of `no_proxy` names this host, which must be in lower case and without brackets.
fn is_listed(rule: &str, host: &str, port: u16) -> bool {
    let rule = rule.trim().to_ascii_lowercase();
    if rule.is_empty() {
        return false;
    }
    if rule == "*" {
        return true;
    }
    if let (Ok(network), Ok(address)) = (rule.parse::<Network>(), host.parse()) {
        return network.contains(address);
    }
    let (name, at_port) = match rule.rsplit_once(':') {
        Some((name, at_port)) if at_port.bytes().all(|byte| byte.is_ascii_digit()) => (name, Some(at_port)),
        _ => (rule.as_str(), None),
    };
    if at_port.is_some_and(|at_port| at_port.parse() != Ok(port)) {
        return false;
    }
    let name = name.trim_start_matches(['.', '[']).trim_end_matches(']');
    host.strip_suffix(name).is_some_and(|rest| !name.is_empty() && (rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy_of(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let endpoint = Endpoint::parse(url).unwrap();
        let get =
            |name: &str| variables.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned());
        from_env(&endpoint, get).unwrap().map(|proxy| proxy.host_and_port().to_owned())
    }

    #[test]
    fn the_environment_names_a_proxy_by_the_urls_scheme() {
        let all = [("https_proxy", "http://tls:1"), ("http_proxy", "plain:2"), ("ALL_PROXY", "rest:3")];
        assert_eq!(proxy_of("https://h", &all).as_deref(), Some("tls:1"));
        assert_eq!(proxy_of("wss://h", &all).as_deref(), Some("tls:1"));
        assert_eq!(proxy_of("ws://h", &all).as_deref(), Some("plain:2"));
        assert_eq!(proxy_of("http://h", &[("ALL_PROXY", "rest:3")]).as_deref(), Some("rest:3"));
        assert_eq!(
            proxy_of("https://h", &[("HTTPS_PROXY", "a:1"), ("https_proxy", "b:2")]).as_deref(),
            Some("b:2")
        );
        // A client of a CGI program could have set this variable.
        assert_eq!(proxy_of("http://h", &[("HTTP_PROXY", "evil:1")]), None);
        assert_eq!(proxy_of("https://h", &[("https_proxy", ""), ("all_proxy", "a:1")]), None);
        assert_eq!(proxy_of("https://h", &[]), None);
    }

    #[test]
    fn some_servers_are_reached_without_the_environments_proxy() {
        let direct = |url: &str, no_proxy: &str| {
            proxy_of(url, &[("all_proxy", "http://p:1"), ("no_proxy", no_proxy)]).is_none()
        };
        for url in [
            "http://localhost:3000",
            "ws://127.0.0.1:1",
            "ws://127.9.9.9",
            "https://[::1]:8",
            "http://a.localhost",
        ] {
            assert!(direct(url, ""), "{url}");
        }
        for (url, no_proxy) in [
            ("https://example.org", "example.org"),
            ("https://a.Example.org", "x, .example.ORG ,y"),
            ("https://example.org", ".example.org"),
            ("https://example.org:8443", "example.org:8443"),
            ("https://10.1.2.3", "10.0.0.0/8"),
            ("https://[fd00::1]:8", "fd00::/8"),
            ("https://[fd00::1]:8", "[fd00::1]:8"),
            ("https://10.1.2.3", "10.1.2.3"),
            ("https://anything", "*"),
        ] {
            assert!(direct(url, no_proxy), "{url} {no_proxy}");
        }
        for (url, no_proxy) in [
            ("https://badexample.org", "example.org"),
            ("https://example.org:8443", "example.org:443"),
            ("https://11.1.2.3", "10.0.0.0/8"),
            ("https://example.org", "10.0.0.0/8,,., :443"),
            ("https://example.org", "org.example"),
        ] {
            assert!(!direct(url, no_proxy), "{url} {no_proxy}");
        }
    }

    #[test]
    fn a_proxys_url_has_a_host_and_nothing_that_is_not_supported() {
        for (url, host, port) in [
            ("http://p", "p", 80),
            ("http://p:3128/", "p", 3128),
            ("p:3128", "p", 3128),
            ("HTTP://u:p%40@[::1]:3128", "::1", 3128),
        ] {
            let proxy = Proxy::parse(url).unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port), "{url}");
        }
        for url in [
            "",
            "http://",
            "https://p",
            "socks5://p:1080",
            "http://p:x",
            "http://p/path",
            "http://p:99999",
            "a b",
        ] {
            assert!(Proxy::parse(url).is_err(), "{url}");
        }
        let error = Proxy::parse("socks5://ann:secret@p").err().unwrap().to_string();
        assert!(error.contains("socks5://…@p") && !error.contains("secret"), "{error}");
    }
}
