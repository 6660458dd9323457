//! Origins as browsers write them, and patterns of them.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use http::HeaderValue;
use http::uri::Scheme;

use crate::wire::redact::redact_url;

/// The origin of a page, as its browser reports it: scheme, host, and a port if it is not the scheme's own (RFC 6454).
///
/// Write it as browsers do: `https://example.org`, `http://localhost:5173`. Pages without an origin send `null`: files,
/// and sandboxed frames *of any site*. Arduino clients and web views of packaged applications send `file://`. Text that
/// no browser sends is an error: a path, even a lone slash, a port above 65535, an address that is written
/// incompletely, or a host that is not ASCII (its encoded form begins with `xn--`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(String);

/// An error for text that is neither an origin nor a pattern of origins.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an origin: expected only a scheme and a host, such as https://example.org, or \
     https://*.example.org for all subdomains"
)]
#[non_exhaustive]
pub struct InvalidOrigin(pub String);

impl Origin {
    /// Returns the origin as a header carries it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the scheme, the host, and the port if that is not the scheme's own; `None` for an origin without a host.
    pub(super) fn parts(&self) -> Option<(&str, &str, Option<&str>)> {
        let (scheme, authority) = self.0.split_once("://").filter(|(_, authority)| !authority.is_empty())?;
        let (host, port) = split_port(authority);
        Some((scheme, host, port))
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        if text == "null" || text.eq_ignore_ascii_case("file://") {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        canonical(&text.to_ascii_lowercase()).map(Self).ok_or_else(|| InvalidOrigin(redact_url(text)))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pattern that matches one origin, or the origins of all subdomains.
///
/// `https://*.example.org` matches every origin with that scheme, without a port of its own, whose host ends in
/// `.example.org` and has at least one label before that. It matches `https://a.example.org` and
/// `https://a.b.example.org`. It does not match `https://example.org` itself, `https://evilexample.org`,
/// `http://a.example.org` or `https://a.example.org:8443`; `https://*.example.org:8443` matches the last one. A star
/// anywhere else, or before an address, is an error.
///
/// ```
/// use eio_tokio::OriginPattern;
///
/// let pattern: OriginPattern = "https://*.example.org".parse()?;
/// assert!(pattern.matches(&"https://app.example.org".parse()?));
/// assert!(!pattern.matches(&"https://example.org".parse()?));
/// # Ok::<(), eio_tokio::InvalidOrigin>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginPattern {
    /// The origin, or for a pattern of subdomains the origin of their domain.
    origin: Origin,
    subdomains: bool,
}

impl OriginPattern {
    /// Returns whether the pattern matches this origin.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        if !self.subdomains {
            return self.origin == *origin;
        }
        let (Some((scheme, domain, port)), Some((their_scheme, host, their_port))) =
            (self.origin.parts(), origin.parts())
        else {
            return false;
        };
        (scheme, port) == (their_scheme, their_port)
            && host.strip_suffix(domain).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
    }

    /// Returns whether the pattern matches the text of a header.
    pub(crate) fn matches_text(&self, origin: &str) -> bool {
        origin.parse().is_ok_and(|origin| self.matches(&origin))
    }

    /// Returns the pattern as a header, if it matches only one origin.
    pub(crate) fn lone_header(&self) -> Option<HeaderValue> {
        if self.subdomains { None } else { HeaderValue::from_str(self.origin.as_str()).ok() }
    }
}

impl FromStr for OriginPattern {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let Some((scheme, domain)) = text.split_once("://*.") else {
            return Ok(Self { origin: text.parse()?, subdomains: false });
        };
        let invalid = || InvalidOrigin(redact_url(text));
        let origin: Origin = format!("{scheme}://{domain}").parse().map_err(|_| invalid())?;
        let is_name =
            origin.parts().is_some_and(|(_, host, _)| !host.starts_with('[') && !ends_in_a_number(host));
        if is_name { Ok(Self { origin, subdomains: true }) } else { Err(invalid()) }
    }
}

impl From<Origin> for OriginPattern {
    fn from(origin: Origin) -> Self {
        Self { origin, subdomains: false }
    }
}

/// Parses a list of origins and patterns. `*` is not one.
pub(crate) fn parse_all<I>(origins: I) -> Result<Vec<OriginPattern>, InvalidOrigin>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    origins.into_iter().map(|origin| origin.as_ref().parse()).collect()
}

/// Returns an origin in the form in which browsers send it. `text` must be in lower case.
fn canonical(text: &str) -> Option<String> {
    let (scheme, authority) = text.split_once("://")?;
    let _: Scheme = scheme.parse().ok()?;
    let (host, port) = split_port(authority);
    let host = if let Some(address) = host.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        format!("[{address}]")
    } else if is_name(host) && (!ends_in_a_number(host) || host.parse::<Ipv4Addr>().is_ok()) {
        host.to_owned()
    } else {
        return None;
    };
    let port: Option<u16> = match port {
        None => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port > 0)?)
        }
        Some(_) => return None,
    };
    match (scheme, port) {
        (_, None) | ("http" | "ws", Some(80)) | ("https" | "wss", Some(443)) => {
            Some(format!("{scheme}://{host}"))
        }
        (_, Some(port)) => Some(format!("{scheme}://{host}:{port}")),
    }
}

/// Splits an authority into host and port. An IPv6 address must be in brackets.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Returns whether a host consists of labels of letters, digits, hyphens and underscores. One dot may follow.
fn is_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.split('.').all(is_label)
}

/// Returns whether browsers treat a host as an IPv4 address and send it as one: its last label is a number.
fn ends_in_a_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        for (text, origin) in [
            ("https://Example.org", "https://example.org"),
            ("https://example.org:443", "https://example.org"),
            ("https://example.org:80", "https://example.org:80"),
            ("http://example.org:443", "http://example.org:443"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://localhost:05173", "http://localhost:5173"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://[0:0::1]:8080", "http://[::1]:8080"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
            ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
            ("https://example.org.", "https://example.org."),
            ("file://", "file://"),
            ("null", "null"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().as_str(), origin);
        }
    }

    #[test]
    fn what_no_browser_sends_is_no_origin_and_no_pattern() {
        for text in [
            "",
            "example.org",
            "https://",
            "https://example.org/",
            "https://example.org?a",
            "*",
            "https://*",
            "https://a b",
            "https://a..b",
            "https://.example.org",
            "https://b\u{fc}cher.example",
            "https://ex%61mple.org",
            "https://example.org:",
            "https://example.org:0",
            "https://example.org:65536",
            "https://example.org:+80",
            "https://example.org:80:80",
            "http://127.1",
            "http://1",
            "http://0x7f000001",
            "http://[::1",
            "http://::1",
            "http://[::1%25eth0]",
            "file:///",
            "NULL",
            "https://a.*.example.org",
            "https://*example.org",
            "https://*.*.example.org",
            "https://*.",
            "*.example.org",
            "https://*.example.org:*",
            "*://example.org",
            "https://*.127.0.0.1",
            "http://*.[::1]",
            "file://*.",
        ] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_error_shows_no_password() {
        for text in ["https://ann:secret@example.org/", "https://ann:secret@example.org"] {
            let error = text.parse::<OriginPattern>().unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let error = "https://*.ann:secret@example.org".parse::<OriginPattern>().unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_pattern_stands_for_whole_labels_before_a_domain_with_its_scheme_and_port() {
        let stands_for =
            |pattern: &str, origin: &str| pattern.parse::<OriginPattern>().unwrap().matches_text(origin);
        for (pattern, origin, expected) in [
            ("https://*.example.org", "https://a.example.org", true),
            ("https://*.example.org", "https://A.B.Example.org:443", true),
            ("https://*.example.org", "https://example.org", false),
            ("https://*.example.org", "https://evilexample.org", false),
            ("https://*.example.org", "https://a.example.org.evil.test", false),
            ("https://*.example.org", "https://.example.org", false),
            ("https://*.example.org", "http://a.example.org", false),
            ("https://*.example.org", "https://a.example.org:8443", false),
            ("https://*.example.org", "https://a.example.org@evil.test", false),
            ("https://*.example.org", "null", false),
            ("https://*.Example.org:8443", "https://a.example.org:8443", true),
            ("https://*.example.org:8443", "https://a.example.org", false),
            ("https://*.example.org:443", "https://a.example.org", true),
            ("http://*.localhost:3000", "http://app.localhost:3000", true),
            ("https://example.org", "https://example.org:443", true),
            ("https://example.org", "https://a.example.org", false),
            ("null", "null", true),
            ("null", "file://", false),
            ("file://", "file://", true),
        ] {
            assert_eq!(stands_for(pattern, origin), expected, "{pattern} {origin}");
        }
    }
}
