//! The client's opening handshake of a WebSocket (RFC 6455 section 4.1).

use core::pin::Pin;
use std::io;

use eio_core::handshake::Transport;
use eio_core::ws::Key;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};

use crate::carrier::websocket::WebSocketIo;
use crate::client::error::ConnectError;
use crate::client::http::{Dialer, connect};
use crate::client::http_connection::{Body, Unsent};
use crate::client::secrets::Secrets;
use crate::web::tokens::has_token;

/// A future that opens a WebSocket.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Opened, ConnectError>> + Send>>;

/// A WebSocket that the server has opened.
pub(crate) struct Opened {
    pub(crate) io: Box<WebSocketIo>,
    /// The subprotocol that the server chose.
    pub(crate) protocol: Option<String>,
}

/// Opens a WebSocket: for a new session, or for the session `sid` to move to.
pub(crate) async fn open(dialer: Dialer, sid: Option<String>) -> Result<Opened, ConnectError> {
    let config = &dialer.config;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| ConnectError::random(io::Error::other(error)))?;
    let key = Key::from_random(random);
    let target = config.target(Transport::WebSocket, sid.as_deref(), 0)?;
    let mut request = dialer.request(target, Body::default());
    let headers = request.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(key.as_str()) {
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    if let Some(offered) = &config.offered_protocols {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offered.clone());
    }
    // Servers may repeat parts of the request in their refusal.
    let secrets = Secrets::of(request.uri());
    let mut connection = connect(&dialer).await?;
    let answer = connection.send(request).await.map_err(|unsent| match unsent {
        Unsent::NotBegun(_, error) | Unsent::Failed(error) => ConnectError::http(error),
    })?;
    dialer.take_cookies(&answer);
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(connection.refusal(answer, &secrets).await);
    }
    if answer.version() != Version::HTTP_11 {
        return Err(ConnectError::NotWebSocket("the response is not HTTP/1.1"));
    }
    check(answer.headers(), &key).map_err(ConnectError::NotWebSocket)?;
    let protocol = chosen(answer.headers(), &config.protocols).map_err(ConnectError::NotWebSocket)?;
    let (stream, received) = connection.into_stream().await;
    let io = Box::new(WebSocketIo::client(stream, &received, config.revision, config.max_payload));
    Ok(Opened { io, protocol })
}

/// Checks that the answer accepts exactly the request.
fn check(headers: &HeaderMap, key: &Key) -> Result<(), &'static str> {
    let upgrade = only(headers, &header::UPGRADE);
    if !upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        return Err("the response's Upgrade header does not name websocket");
    }
    if !has_token(headers, header::CONNECTION, "upgrade") {
        return Err("the response's Connection header does not name Upgrade");
    }
    let accept = only(headers, &header::SEC_WEBSOCKET_ACCEPT);
    if !accept.is_some_and(|accept| key.is_accepted_by(accept.as_bytes())) {
        return Err("the response's Sec-WebSocket-Accept header does not match the request's key");
    }
    if headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err("the response uses an extension that the client did not offer");
    }
    Ok(())
}

/// Returns the subprotocol that the server chose, or `None` if it chose none.
fn chosen(headers: &HeaderMap, offered: &[String]) -> Result<Option<String>, &'static str> {
    if !headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Ok(None);
    }
    let chosen = only(headers, &header::SEC_WEBSOCKET_PROTOCOL);
    let chosen =
        chosen.and_then(|chosen| offered.iter().find(|offered| offered.as_bytes() == chosen.as_bytes()));
    match chosen {
        Some(chosen) => Ok(Some(chosen.clone())),
        None => Err("the response uses a subprotocol that the client did not offer"),
    }
}

/// Returns the value of a header that comes exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
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
        let mut headers = good();
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static("permessage-deflate"));
        assert!(check(&headers, &key).is_err(), "an extension that was not asked for");
        for name in [header::UPGRADE, header::SEC_WEBSOCKET_ACCEPT] {
            let mut headers = good();
            let value = headers[&name].clone();
            headers.append(&name, value);
            assert!(check(&headers, &key).is_err(), "{name} twice");
        }
    }

    #[test]
    fn the_server_chooses_one_of_the_offered_subprotocols_or_none() {
        let offered = ["soap".to_owned(), "wamp".to_owned()];
        let answer = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value));
            }
            chosen(&headers, &offered)
        };
        assert_eq!(answer(&[]), Ok(None));
        assert_eq!(answer(&["wamp"]), Ok(Some("wamp".to_owned())));
        for not_offered in
            [&["mqtt"][..], &["WAMP"], &["soap, wamp"], &["soap", "wamp"], &["soap", "soap"], &[""]]
        {
            assert!(answer(not_offered).is_err(), "{not_offered:?}");
        }
    }
}
