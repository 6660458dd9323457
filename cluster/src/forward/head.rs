//! The heads of requests and answers on their way between the nodes.

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version};
use hyper::ext::Protocol;

/// The headers of one connection (RFC 9110 section 7.6.1). `Keep-Alive` and `Proxy-Connection` are older than that list.
const OF_A_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// How a request asks for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// It does not.
    Nothing,
    /// It is an upgrade of HTTP/1.1.
    Upgrade,
    /// It is a stream of HTTP/2 (RFC 8441).
    Stream,
}

/// Returns how a request asks for a WebSocket. One that announces a body does not: no node would take it, and the bytes of the
/// body must not become those of frames.
pub(super) fn asks(head: &Parts) -> Asks {
    if head.method == Method::CONNECT
        && head.extensions.get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket")
    {
        return Asks::Stream;
    }
    let has = |name, token: &str| {
        let tokens = head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        tokens.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    let announces_body = head.headers.contains_key(header::TRANSFER_ENCODING)
        || head.headers.get_all(header::CONTENT_LENGTH).iter().any(|length| length != "0");
    if head.version == Version::HTTP_11
        && !announces_body
        && has(header::CONNECTION, "upgrade")
        && has(header::UPGRADE, "websocket")
    {
        return Asks::Upgrade;
    }
    Asks::Nothing
}

/// Turns the head of a client's request into that of a request to another node over HTTP/1.1. The URI is for the caller.
/// `key` is for a WebSocket on a stream of HTTP/2, which needs none.
pub(super) fn to_node(head: &mut Parts, asks: Asks, key: &str) {
    if !head.headers.contains_key(header::HOST)
        && let Some(host) = head.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok())
    {
        head.headers.insert(header::HOST, host);
    }
    remove_of_connection(&mut head.headers);
    if asks != Asks::Nothing {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    if asks == Asks::Stream {
        head.headers.remove(header::CONTENT_LENGTH);
        head.method = Method::GET;
        if let Ok(key) = HeaderValue::from_str(key) {
            head.headers.insert(header::SEC_WEBSOCKET_KEY, key);
        }
    }
    head.version = Version::HTTP_11;
    // They belong to the client's connection.
    head.extensions = http::Extensions::new();
}

/// Turns the head of a node's answer into that of the answer to the client.
pub(super) fn to_client<B>(answer: &mut Response<B>, version: Version, asks: Asks) {
    let switches = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
    remove_of_connection(answer.headers_mut());
    if switches && asks == Asks::Stream {
        *answer.status_mut() = StatusCode::OK;
        answer.headers_mut().remove(header::SEC_WEBSOCKET_ACCEPT);
    } else if switches {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    *answer.version_mut() = version;
}

/// What a client must not have removed by naming it in `Connection`: without its host, a request would be another one, and
/// without these names of its sender, it would be one of a proxy in between.
const OF_THE_WHOLE_WAY: [HeaderName; 3] =
    [header::HOST, header::FORWARDED, HeaderName::from_static("x-forwarded-for")];

fn remove_of_connection(headers: &mut HeaderMap) {
    let named = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<HeaderName> =
        named.flat_map(|names| names.split(',')).filter_map(|name| name.trim().parse().ok()).collect();
    for name in named.iter().chain(&OF_A_CONNECTION) {
        if !OF_THE_WHOLE_WAY.contains(name) {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("http://chat.test/engine.io/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_is_of_one_connection_stays_there() {
        let mut head = head(&[
            ("connection", "keep-alive, x-secret, host, Forwarded"),
            ("connection", "X-Forwarded-For"),
            ("forwarded", "for=192.0.2.60"),
            ("x-forwarded-for", "192.0.2.60"),
            ("keep-alive", "timeout=5"),
            ("x-secret", "1"),
            ("te", "trailers"),
            ("cookie", "a=b"),
            ("host", "chat.test:8080"),
        ]);
        to_node(&mut head, Asks::Nothing, "");
        assert_eq!(names(&head.headers), ["cookie", "forwarded", "host", "x-forwarded-for"]);
        assert_eq!(head.headers[header::HOST], "chat.test:8080");
    }

    #[test]
    fn a_websocket_of_either_version_of_http_is_an_upgrade_to_the_node() {
        let mut upgrade = head(&[
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-key", "its own"),
        ]);
        assert_eq!(asks(&upgrade), Asks::Upgrade);
        for (name, value, still) in [
            ("content-length", "0", true),
            ("content-length", "5", false),
            ("transfer-encoding", "chunked", false),
        ] {
            let mut with_body = upgrade.headers.clone();
            core::mem::swap(&mut with_body, &mut upgrade.headers);
            upgrade.headers.insert(name, value.parse().unwrap());
            assert_eq!(asks(&upgrade) == Asks::Upgrade, still, "{name}: {value}");
            upgrade.headers = with_body;
        }
        to_node(&mut upgrade, Asks::Upgrade, "unused");
        assert_eq!(upgrade.headers[header::SEC_WEBSOCKET_KEY], "its own");

        let mut stream = head(&[("sec-websocket-version", "13")]);
        assert_eq!(asks(&stream), Asks::Nothing);
        stream.method = Method::CONNECT;
        stream.extensions.insert(Protocol::from_static("websocket"));
        assert_eq!(asks(&stream), Asks::Stream);
        to_node(&mut stream, Asks::Stream, "a new one");
        let expected = ["connection", "host", "sec-websocket-key", "sec-websocket-version", "upgrade"];
        assert_eq!((names(&stream.headers).as_slice(), stream.method), (&expected[..], Method::GET));
        assert_eq!(stream.headers[header::HOST], "chat.test");

        let answer = || {
            Response::builder()
                .status(101)
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-accept", "x")
                .header("sec-websocket-protocol", "chat")
                .body(())
                .unwrap()
        };
        let mut to_stream = answer();
        to_client(&mut to_stream, Version::HTTP_2, Asks::Stream);
        assert_eq!(
            (to_stream.status(), names(to_stream.headers())),
            (StatusCode::OK, vec!["sec-websocket-protocol"])
        );
        let mut to_upgrade = answer();
        to_client(&mut to_upgrade, Version::HTTP_11, Asks::Upgrade);
        assert_eq!((to_upgrade.status().as_u16(), to_upgrade.headers().len()), (101, 4));
    }
}
