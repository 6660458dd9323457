//! Reads the query and the headers of a request.

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Version, header};

/// The query parameters that the protocol knows.
///
/// A parameter that comes twice has both values, joined by a comma, which makes it invalid. The reference refuses it too,
/// and two servers cannot read one request differently.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) eio: Option<String>,
    pub(crate) transport: Option<String>,
    /// The session's identifier. An empty one counts as missing.
    pub(crate) sid: Option<String>,
    /// `b64`: whether the client cannot receive binary data.
    pub(crate) base64_only: bool,
    /// `j`: the client asks for an answer as JSONP.
    pub(crate) jsonp: Option<String>,
}

impl Query {
    pub(crate) fn parse(parts: &Parts) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            let slot = match &*name {
                "EIO" => &mut query.eio,
                "transport" => &mut query.transport,
                "sid" => &mut query.sid,
                "j" => &mut query.jsonp,
                "b64" => {
                    query.base64_only |= !value.is_empty();
                    continue;
                }
                _ => continue,
            };
            match slot {
                None => *slot = Some(value.into_owned()),
                Some(before) => {
                    before.push(',');
                    before.push_str(&value);
                }
            }
        }
        query.sid = query.sid.filter(|sid| !sid.is_empty());
        query
    }
}

/// Returns whether `path` is `root`, with its final slash or without it, or a path below `root`. `root` must end with a
/// slash.
pub(crate) fn is_at(root: &str, path: &str) -> bool {
    path.starts_with(root) || root.strip_suffix('/') == Some(path)
}

/// Returns whether the request names its host exactly once and in a valid form. HTTP/1.1 requires it (RFC 9112 section
/// 3.2), and two servers could choose differently between two hosts.
pub(crate) fn names_its_host(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => parts.version != Version::HTTP_11,
        (Some(host), None) => is_host(host),
        (Some(_), Some(_)) => false,
    }
}

/// Returns whether a `Host` header is a host with an optional port. It may be empty for a target without a host.
fn is_host(host: &HeaderValue) -> bool {
    host.is_empty()
        || host.to_str().is_ok_and(|host| !host.contains('@') && host.parse::<Authority>().is_ok())
}

/// Returns whether the request asks for a WebSocket. This server accepts that only on HTTP/1.1.
pub(crate) fn is_websocket_upgrade(parts: &Parts) -> bool {
    parts.version == Version::HTTP_11
        && has_token(&parts.headers, header::CONNECTION, "upgrade")
        && has_token(&parts.headers, header::UPGRADE, "websocket")
}

/// Returns whether the client is Internet Explorer. Its filter against cross-site scripting changes answers unless a
/// header turns it off.
pub(crate) fn is_internet_explorer(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.is_some_and(|agent| agent.contains("MSIE ") || agent.contains("Trident/"))
}

/// Returns whether a comma-separated header contains `token`, ignoring case.
pub(crate) fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// Returns the head of a request with these headers, for tests.
#[cfg(test)]
pub(crate) fn with_headers(headers: &[(&str, &str)]) -> Parts {
    let mut builder = http::Request::builder().uri("/engine.io/");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(query: &str) -> Query {
        let request = http::Request::builder().uri(format!("/engine.io/?{query}")).body(()).unwrap();
        Query::parse(&request.into_parts().0)
    }

    #[test]
    fn parameters_are_read_and_unescaped() {
        let read = query("EIO=4&transport=polling&sid=a%2Db&j=3&b64=1&t=x");
        assert_eq!(read.eio.as_deref(), Some("4"));
        assert_eq!(read.transport.as_deref(), Some("polling"));
        assert_eq!(read.sid.as_deref(), Some("a-b"));
        assert_eq!(read.jsonp.as_deref(), Some("3"));
        assert!(read.base64_only);
        assert!(!query("b64=").base64_only);
        assert_eq!(query("sid=").sid, None);
    }

    #[test]
    fn a_path_is_at_its_root_with_a_slash_at_the_end_or_without() {
        for path in ["/engine.io/", "/engine.io", "/engine.io/x", "/engine.io//"] {
            assert!(is_at("/engine.io/", path), "{path}");
        }
        for path in ["/engine.iox", "/engine", "/", "/x/engine.io/"] {
            assert!(!is_at("/engine.io/", path), "{path}");
        }
        assert!(is_at("/", "/") && is_at("/", "/x"));
    }

    #[test]
    fn a_request_of_http_1_1_names_one_host() {
        let names = |headers: &[(&str, &str)]| names_its_host(&with_headers(headers));
        for host in ["example.org", "example.org:8080", "[::1]:80", "a_b.test", ""] {
            assert!(names(&[("host", host)]), "{host}");
        }
        for host in ["a b", "a@b", "a/b", "a, b", "http://a", "[::1"] {
            assert!(!names(&[("host", host)]), "{host}");
        }
        assert!(!names(&[]));
        assert!(!names(&[("host", "a"), ("host", "a")]));
        let mut old = with_headers(&[]);
        old.version = Version::HTTP_10;
        assert!(names_its_host(&old));
    }

    #[test]
    fn a_parameter_that_comes_twice_fits_nothing() {
        assert_eq!(query("EIO=4&EIO=4").eio.as_deref(), Some("4,4"));
        assert_eq!(
            query("transport=polling&transport=websocket").transport.as_deref(),
            Some("polling,websocket")
        );
        assert_eq!(query("sid=a&sid=b").sid.as_deref(), Some("a,b"));
    }
}
