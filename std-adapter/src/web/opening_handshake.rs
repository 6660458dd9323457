//! The opening handshake of a WebSocket: checks the request (RFC 6455 section 4.2.1) and writes the answer that switches
//! protocols (section 4.2.2), or that opens a stream of HTTP/2 (RFC 8441 section 5).

use std::collections::HashSet;

use eio_core::ws::Key;
use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::web::request::is_websocket_stream;
use crate::web::respond::{Body, Refusal, empty};

/// The only supported version of the WebSocket protocol.
const VERSION: &str = "13";

/// A valid request for a WebSocket.
#[derive(Debug)]
pub(crate) struct OpeningHandshake<'r> {
    /// `None` on a stream of HTTP/2, which needs no proof that the server knows WebSockets.
    key: Option<Key>,
    /// The subprotocols that the client offers, in its order of preference.
    pub(crate) subprotocols: Vec<&'r str>,
}

impl<'r> OpeningHandshake<'r> {
    /// Reads the head of a request for a WebSocket. The answer will name no extensions, which declines them.
    pub(crate) fn read(parts: &'r Parts) -> Result<Self, Refusal> {
        let is_stream = is_websocket_stream(parts);
        if parts.method != Method::GET && !is_stream {
            return Err(Refusal::BadHandshakeMethod);
        }
        if let Some(name) = announces_body(&parts.headers) {
            // The bytes of a body would be read as frames.
            return Err(Refusal::Header { name, message: "Unexpected body", expected: "no body" });
        }
        let key = if is_stream { None } else { Some(key(&parts.headers)?) };
        if parts.headers.get_all(header::SEC_WEBSOCKET_VERSION).iter().count() > 1 {
            return Err(Refusal::Header {
                name: header::SEC_WEBSOCKET_VERSION,
                message: "Repeated Sec-WebSocket-Version header",
                expected: "13, once",
            });
        }
        if parts.headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
            return Err(Refusal::WebSocketVersion);
        }
        let subprotocols = subprotocols(&parts.headers).ok_or(Refusal::Header {
            name: header::SEC_WEBSOCKET_PROTOCOL,
            message: "Invalid Sec-WebSocket-Protocol header",
            expected: "a list of different tokens",
        })?;
        Ok(Self { key, subprotocols })
    }

    /// Returns the answer, with the chosen subprotocol if there is one.
    pub(crate) fn accept(&self, subprotocol: Option<&str>) -> Result<Response<Body>, Refusal> {
        let mut response = empty(StatusCode::OK);
        if let Some(key) = &self.key {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            let accept = HeaderValue::from_bytes(&key.accept())
                .map_err(|_| Refusal::impossible("Sec-WebSocket-Accept"))?;
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(subprotocol) = subprotocol {
            // Cannot fail: a token is a valid header value.
            let subprotocol = HeaderValue::from_str(subprotocol)
                .map_err(|_| Refusal::impossible("Sec-WebSocket-Protocol"))?;
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        Ok(response)
    }
}

/// Returns the key, which must come exactly once.
fn key(headers: &HeaderMap) -> Result<Key, Refusal> {
    only(headers, header::SEC_WEBSOCKET_KEY).and_then(|key| Key::parse(key.as_bytes()).ok()).ok_or(
        Refusal::Header {
            name: header::SEC_WEBSOCKET_KEY,
            message: "Missing, repeated or invalid Sec-WebSocket-Key header",
            expected: "exactly one, 16 bytes as base64",
        },
    )
}

/// Returns the value of a header that must come exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Returns the header that announces a body, if there is one.
fn announces_body(headers: &HeaderMap) -> Option<HeaderName> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Some(header::TRANSFER_ENCODING);
    }
    let has_length = headers.get_all(header::CONTENT_LENGTH).iter().any(|length| length != "0");
    has_length.then_some(header::CONTENT_LENGTH)
}

/// Returns the offered subprotocols in order, from one or several headers. Returns `None` if they are not a list of
/// different tokens (RFC 6455 section 4.1).
fn subprotocols(headers: &HeaderMap) -> Option<Vec<&str>> {
    let mut offered = Vec::new();
    // A head has room for thousands of subprotocols, so they are not compared pairwise.
    let mut seen = HashSet::new();
    for list in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        for subprotocol in list.to_str().ok()?.split(',').map(str::trim) {
            if !is_token(subprotocol) || !seen.insert(subprotocol) {
                return None;
            }
            offered.push(subprotocol);
        }
    }
    Some(offered)
}

/// Returns whether the text is a token (RFC 9110 section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::request::with_headers;

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const VERSION_13: (&str, &str) = ("sec-websocket-version", "13");

    fn offered(values: &[&str]) -> Option<Vec<String>> {
        let offers = values.iter().map(|value| ("sec-websocket-protocol", *value));
        let parts = with_headers(&[KEY, VERSION_13].into_iter().chain(offers).collect::<Vec<_>>());
        let read = OpeningHandshake::read(&parts).ok()?;
        Some(read.subprotocols.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn subprotocols_are_a_list_of_different_tokens_in_one_header_or_several() {
        assert_eq!(offered(&[]), Some(vec![]));
        assert_eq!(offered(&["arduino"]), Some(vec!["arduino".into()]));
        assert_eq!(offered(&["b, a\t,c", "d"]), Some(vec!["b".into(), "a".into(), "c".into(), "d".into()]));
        for wrong in
            [&[""][..], &["a,"], &["a,,b"], &["a b"], &["a,a"], &["a", "a"], &["caf\u{e9}"], &["a;b"]]
        {
            assert_eq!(offered(wrong), None, "{wrong:?}");
        }
    }
}
