//! Reads the query and the headers of a request.

use std::borrow::Cow;

use eio_core::handshake::Transport;
#[cfg(feature = "http2")]
use http::Method;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Version, header};

use crate::web::tokens::has_token;
use crate::wire::session_id::SessionId;

/// The query parameters that the protocol knows. They borrow nothing of the request, because a poll keeps them while it
/// waits.
///
/// A parameter that comes twice has both values, joined by a comma, which makes it invalid. The reference refuses it too,
/// and two servers cannot read one request differently.
///
/// `eio_core::request` reads the same from the bytes of a head. Here, an HTTP server has read the head, also of HTTP/2, and
/// values may be percent-encoded.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// Whether `EIO` is 4.
    pub(crate) is_eio4: bool,
    /// `None` if it is missing or unknown.
    pub(crate) transport: Option<Transport>,
    /// The session that the request names. An empty identifier counts as missing.
    pub(crate) sid: Option<NamedSession>,
    /// `b64`: whether the client cannot receive binary data.
    pub(crate) base64_only: bool,
    /// `j`: the client asks for an answer as JSONP.
    pub(crate) jsonp: Option<String>,
}

/// The session that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedSession {
    Id(SessionId),
    /// The text has not the form of an identifier.
    Invalid,
}

impl Query {
    pub(crate) fn parse(parts: &Parts) -> Self {
        let text = parts.uri.query().unwrap_or_default();
        let mut texts = Texts::default();
        // Decoding costs as much as the rest, and hardly any request needs it.
        if text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
            form_urlencoded::parse(text.as_bytes()).for_each(|(name, value)| texts.put(&name, value));
        } else {
            let mut rest = text;
            while !rest.is_empty() {
                let (parameter, behind) = cut(rest, b'&');
                let (name, value) = cut(parameter, b'=');
                texts.put(name, Cow::Borrowed(value));
                rest = behind;
            }
        }
        Self {
            is_eio4: texts.eio.as_deref() == Some("4"),
            transport: match texts.transport.as_deref() {
                Some("polling") => Some(Transport::Polling),
                Some("websocket") => Some(Transport::WebSocket),
                _ => None,
            },
            sid: texts
                .sid
                .filter(|sid| !sid.is_empty())
                .map(|sid| SessionId::parse(&sid).map_or(NamedSession::Invalid, NamedSession::Id)),
            base64_only: texts.base64_only,
            jsonp: texts.jsonp.map(Cow::into_owned),
        }
    }
}

/// Returns what is before the first `separator` and what is behind it. `split_once` searches in a way that pays for longer
/// texts only.
fn cut(text: &str, separator: u8) -> (&str, &str) {
    let at = text.bytes().position(|byte| byte == separator).unwrap_or(text.len());
    (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default())
}

/// The texts of the parameters.
#[derive(Default)]
struct Texts<'q> {
    eio: Option<Cow<'q, str>>,
    transport: Option<Cow<'q, str>>,
    sid: Option<Cow<'q, str>>,
    base64_only: bool,
    jsonp: Option<Cow<'q, str>>,
}

impl<'q> Texts<'q> {
    fn put(&mut self, name: &str, value: Cow<'q, str>) {
        let slot = match name {
            "EIO" => &mut self.eio,
            "transport" => &mut self.transport,
            "sid" => &mut self.sid,
            "j" => &mut self.jsonp,
            "b64" => {
                self.base64_only |= !value.is_empty();
                return;
            }
            _ => return,
        };
        match slot {
            None => *slot = Some(value),
            Some(before) => {
                let both = before.to_mut();
                both.push(',');
                both.push_str(&value);
            }
        }
    }
}

/// Takes the head of a request, and leaves an empty one.
pub(crate) fn take(head: &mut Parts) -> Parts {
    core::mem::replace(head, http::Request::new(()).into_parts().0)
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

/// Returns whether the request asks for a WebSocket: on a connection of HTTP/1.1, or on a stream of HTTP/2.
pub(crate) fn is_websocket_upgrade(parts: &Parts) -> bool {
    let on_connection = parts.version == Version::HTTP_11
        && has_token(&parts.headers, header::CONNECTION, "upgrade")
        && has_token(&parts.headers, header::UPGRADE, "websocket");
    on_connection || is_websocket_stream(parts)
}

/// Returns whether the request asks for a WebSocket on a stream of HTTP/2 (RFC 8441 section 4). Clients do that only if the
/// HTTP server has offered it. axum's does, and this crate's does not.
#[cfg(feature = "http2")]
pub(crate) fn is_websocket_stream(parts: &Parts) -> bool {
    let protocol = || parts.extensions.get::<hyper::ext::Protocol>();
    parts.method == Method::CONNECT && protocol().is_some_and(|protocol| protocol.as_str() == "websocket")
}

#[cfg(not(feature = "http2"))]
pub(crate) fn is_websocket_stream(_: &Parts) -> bool {
    false
}

/// Returns whether the client is Internet Explorer. Its filter against cross-site scripting changes answers unless a
/// header turns it off.
pub(crate) fn is_internet_explorer(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.is_some_and(|agent| agent.contains("MSIE ") || agent.contains("Trident/"))
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
        let id = SessionId::parse("abcdefghijklmnopqrs-").unwrap();
        for read in [
            query("EIO=4&transport=polling&sid=abcdefghijklmnopqrs-&j=3&b64=1&t=x"),
            query("EIO=%34&transport=pollin%67&sid=abcdefghijklmnopqrs%2D&j=%33&b64=+&t=x"),
        ] {
            assert!(read.is_eio4 && read.base64_only);
            assert_eq!(read.transport, Some(Transport::Polling));
            assert_eq!(read.sid, Some(NamedSession::Id(id)));
            assert_eq!(read.jsonp.as_deref(), Some("3"));
        }
        assert_eq!(query("transport=websocket").transport, Some(Transport::WebSocket));
        assert_eq!(query("transport=webtransport").transport, None);
        assert_eq!(query("sid=abc").sid, Some(NamedSession::Invalid));
        for empty in ["", "&", "=", "sid=&b64=", "sid&b64", "EIO", "EIO=3", "transport&&EIO=44"] {
            let read = query(empty);
            assert!(!read.is_eio4 && !read.base64_only, "{empty}");
            assert_eq!((read.transport, read.sid, read.jsonp), (None, None, None), "{empty}");
        }
        assert_eq!(query("j").jsonp.as_deref(), Some(""));
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
        let id = "sid=abcdefghijklmnopqrst";
        for more in ["", "&t=%20"] {
            assert!(!query(&format!("EIO=4&EIO=4{more}")).is_eio4);
            assert_eq!(query(&format!("transport=polling&transport=polling{more}")).transport, None);
            for sids in [format!("{id}&{id}"), format!("sid=&{id}"), "sid&sid".to_owned()] {
                assert_eq!(query(&format!("{sids}{more}")).sid, Some(NamedSession::Invalid), "{sids}");
            }
            assert_eq!(query(&format!("j=1&j=2{more}")).jsonp.as_deref(), Some("1,2"));
        }
    }
}
