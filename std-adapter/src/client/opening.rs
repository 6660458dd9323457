//! The client's opening handshake of a WebSocket (RFC 6455 section 4.1).

use std::io;

use eio_core::ws::Key;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::client::config::Body;
use crate::client::error::ConnectError;
use crate::client::http::{Dialer, HttpConnection, Unsent};
use crate::request::has_token;
use crate::socket::Transport;
use crate::websocket::WebSocketIo;

/// Opens a WebSocket: for a new session, or for the session `sid` to move to.
pub(crate) async fn open(dialer: Dialer, sid: Option<String>) -> Result<Box<WebSocketIo>, ConnectError> {
    let config = &dialer.config;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| ConnectError::random(io::Error::other(error)))?;
    let key = Key::from_random(random);
    let target = config.target(Transport::WebSocket, sid.as_deref(), 0)?;
    let mut request = config.request(target, Body::default());
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(key.as_str()) {
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    let mut connection = HttpConnection::open(&dialer).await?;
    let answer = connection.send(request).await.map_err(|unsent| match unsent {
        Unsent::NotBegun(_, error) | Unsent::Failed(error) => ConnectError::http(error),
    })?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(connection.refusal(answer).await);
    }
    check(answer.headers(), &key).map_err(ConnectError::NotWebSocket)?;
    let (stream, received) = connection.into_stream().await;
    Ok(Box::new(WebSocketIo::client(stream, &received, config.revision, config.max_payload)))
}

/// Whether the answer accepts what was asked for, and nothing else.
fn check(headers: &HeaderMap, key: &Key) -> Result<(), &'static str> {
    if !has_token(headers, header::UPGRADE, "websocket") {
        return Err("the answer's Upgrade header does not say websocket");
    }
    if !has_token(headers, header::CONNECTION, "upgrade") {
        return Err("the answer's Connection header does not say Upgrade");
    }
    let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT);
    if !accept.is_some_and(|accept| key.is_accepted_by(accept.as_bytes())) {
        return Err("the answer's Sec-WebSocket-Accept header does not fit the key");
    }
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err("the answer uses an extension that was not asked for");
    }
    if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Err("the answer uses a subprotocol that was not asked for");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_header_of_the_answer_is_checked() {
        let key = Key::from_random([7; 16]);
        let good = || {
            let mut headers = HeaderMap::new();
            headers.insert(header::UPGRADE, HeaderValue::from_static("WebSocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_bytes(&key.accept()).unwrap());
            headers
        };
        assert_eq!(check(&good(), &key), Ok(()));
        for name in [header::UPGRADE, header::CONNECTION, header::SEC_WEBSOCKET_ACCEPT] {
            let mut headers = good();
            headers.remove(&name);
            assert!(check(&headers, &key).is_err(), "without {name}");
            headers.insert(&name, HeaderValue::from_static("something"));
            assert!(check(&headers, &key).is_err(), "wrong {name}");
        }
        for name in [header::SEC_WEBSOCKET_EXTENSIONS, header::SEC_WEBSOCKET_PROTOCOL] {
            let mut headers = good();
            headers.insert(&name, HeaderValue::from_static("x"));
            assert!(check(&headers, &key).is_err(), "with {name}");
        }
    }
}
