//! Responses, in the reference server's words.

use core::fmt::Write as _;
use core::time::Duration;

use bytes::Bytes;
use eio_core::Revision;
use eio_core::handshake::Transport;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::web::rejection::Rejection;
use crate::web::unknown_session::UnknownSession;
use crate::wire::targets;

/// The `Retry-After` for a client that found no room, in seconds. The server cannot know when there will be room. This is
/// the longest delay between two attempts of the reference's clients (`reconnectionDelayMax` of socket.io-client).
const COME_BACK: u64 = 5;

/// The body of every response of the service.
pub(crate) type Body = Full<Bytes>;

/// The refusal of a request.
///
/// The reference has only the protocol's own refusals, each with a code. The other ones use the code for a bad or a
/// forbidden request, and a more exact status.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    TransportUnknown,
    SessionUnknown(UnknownSession),
    BadHandshakeMethod,
    BadRequest(BadRequest),
    /// A session has no requests with this method.
    BadMethod,
    /// The payload of a POST is larger than `max_payload`. `announced` says whether its length was announced, so that it
    /// was not read.
    PayloadTooLarge {
        announced: bool,
    },
    /// A header breaks a rule.
    Header {
        name: HeaderName,
        message: &'static str,
        /// What the rule wants of the header.
        expected: &'static str,
    },
    /// The application refused the request.
    Rejected(Rejection),
    UnsupportedProtocolVersion,
    /// The page's origin is not allowed.
    Origin,
    /// This address opens sessions too often.
    TooManyHandshakes {
        retry_after: Duration,
    },
    /// The server has no room for a session, or is closing.
    Full,
    /// The application took too long to decide: the function with this name.
    NoDecision(&'static str),
    /// A callback of the application panicked, the system has no random bytes, or an impossible error has happened. The
    /// log contains the cause.
    Internal,
    /// The request asks for a version of the WebSocket protocol other than 13.
    WebSocketVersion,
}

/// Why a request does not fit. The protocol has one code for all of these.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BadRequest {
    /// The `Origin` is not text.
    Origin,
    /// The session speaks this revision, and the request another one.
    Revision(Revision),
    /// The request names the transport WebSocket, and has no headers of an upgrade.
    NoUpgrade,
    /// The request asks for a WebSocket, and names another transport.
    Upgrade,
    /// The session is no longer on polling.
    Moved,
    /// The server allows no upgrades.
    UpgradesOff,
    /// The session closes one WebSocket that it does not need already.
    Surplus,
}

impl Refusal {
    /// Logs that a part of an answer cannot be written, which should be impossible, and returns an internal error.
    pub(crate) fn impossible(part: &'static str) -> Self {
        tracing::error!(target: targets::REQUEST, part, "a part of an answer cannot be written");
        Self::Internal
    }

    /// Returns the protocol's code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown(_) => 1,
            Self::BadHandshakeMethod | Self::BadMethod => 2,
            Self::BadRequest(_)
            | Self::PayloadTooLarge { .. }
            | Self::Header { .. }
            | Self::WebSocketVersion => 3,
            Self::Rejected(_)
            | Self::Origin
            | Self::TooManyHandshakes { .. }
            | Self::Full
            | Self::NoDecision(_)
            | Self::Internal => 4,
            Self::UnsupportedProtocolVersion => 5,
        }
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown(_) => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest(_) => "Bad request",
            Self::BadMethod => "Bad method",
            Self::PayloadTooLarge { .. } => "Payload too large",
            Self::Header { message, .. } => message,
            Self::Rejected(rejection) => rejection.message(),
            Self::UnsupportedProtocolVersion => "Unsupported protocol version",
            Self::Origin => "Origin not allowed",
            Self::TooManyHandshakes { .. } => "Too many handshakes",
            Self::Full => "Server full",
            Self::NoDecision(_) => "Not decided in time",
            Self::Internal => "Internal error",
            Self::WebSocketVersion => "WebSocket version not supported",
        }
    }

    /// Returns the status of the answer.
    pub(crate) fn status(&self, transport: Transport) -> StatusCode {
        match self {
            Self::Rejected(rejection) => rejection.status(transport),
            Self::Origin => StatusCode::FORBIDDEN,
            Self::TooManyHandshakes { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Full | Self::NoDecision(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::WebSocketVersion => StatusCode::UPGRADE_REQUIRED,
            Self::PayloadTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Internal | Self::BadMethod => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Returns the answer to a request of this transport. A WebSocket request is answered without JSON, as in the
    /// reference, and what the reference answers without a body has none.
    pub(crate) fn response(&self, transport: Transport) -> Response<Body> {
        let status = self.status(transport);
        let mut response = if let Self::Rejected(rejection) = self
            && let Some(ready) = rejection.ready()
        {
            ready
        } else if matches!(self, Self::BadMethod | Self::PayloadTooLarge { .. }) {
            empty(status)
        } else if transport == Transport::WebSocket {
            respond(status, "text/html", self.message().to_owned())
        } else {
            let body = format!("{{\"code\":{},\"message\":{}}}", self.code(), json_string(self.message()));
            respond(status, "application/json", body)
        };
        if transport == Transport::WebSocket {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.with_hints(response)
    }

    fn with_hints(&self, mut response: Response<Body>) -> Response<Body> {
        match self {
            Self::TooManyHandshakes { retry_after } => {
                let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            Self::Full | Self::NoDecision(_) => {
                response.headers_mut().insert(header::RETRY_AFTER, COME_BACK.into());
            }
            // RFC 6455 section 4.4, and for the other two RFC 9110 section 15.5.22.
            Self::WebSocketVersion => {
                for (name, value) in [
                    (header::SEC_WEBSOCKET_VERSION, "13"),
                    (header::UPGRADE, "websocket"),
                    (header::CONNECTION, "close, Upgrade"),
                ] {
                    response.headers_mut().insert(name, HeaderValue::from_static(value));
                }
            }
            Self::Rejected(rejection) => {
                if let Some(headers) = rejection.headers() {
                    append_all(response.headers_mut(), headers);
                }
            }
            _ => {}
        }
        response
    }
}

/// Adds the headers in `more`, besides those of the same names.
pub(crate) fn append_all(headers: &mut HeaderMap, more: &HeaderMap) {
    for (name, value) in more {
        headers.append(name, value.clone());
    }
}

/// Adds the headers in `more`. They replace those of the same names, except `Set-Cookie` and `Vary`: each of their values
/// says something for itself.
pub(crate) fn replace_with(headers: &mut HeaderMap, mut more: HeaderMap) {
    for name in [header::SET_COOKIE, header::VARY] {
        for value in more.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
        more.remove(name);
    }
    headers.extend(more);
}

/// Returns the text as a JSON string literal.
fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => _ = write!(json, "\\u{:04x}", u32::from(c)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

pub(crate) fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn text(response: Response<Body>) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn refusals_carry_the_protocols_codes() {
        for (refusal, status, body) in [
            (Refusal::TransportUnknown, 400, r#"{"code":0,"message":"Transport unknown"}"#),
            (
                Refusal::SessionUnknown(UnknownSession::NoTrace),
                400,
                r#"{"code":1,"message":"Session ID unknown"}"#,
            ),
            (Refusal::BadHandshakeMethod, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
            (Refusal::BadRequest(BadRequest::Moved), 400, r#"{"code":3,"message":"Bad request"}"#),
            (
                Refusal::Header { name: header::HOST, message: "Two hosts", expected: "one" },
                400,
                r#"{"code":3,"message":"Two hosts"}"#,
            ),
            (Refusal::Rejected("a \"b\"\n\\".into()), 403, r#"{"code":4,"message":"a \"b\"\u000a\\"}"#),
            (
                Refusal::UnsupportedProtocolVersion,
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
            (Refusal::Origin, 403, r#"{"code":4,"message":"Origin not allowed"}"#),
            (Refusal::Full, 503, r#"{"code":4,"message":"Server full"}"#),
            (Refusal::Internal, 500, r#"{"code":4,"message":"Internal error"}"#),
        ] {
            let response = refusal.response(Transport::Polling);
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
            assert_eq!(text(response).await, body);
        }
    }

    #[tokio::test]
    async fn a_refused_websocket_is_told_in_plain_words_and_closed() {
        let response = Refusal::Rejected("not you".into()).response(Transport::WebSocket);
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()[header::CONNECTION], "close");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html");
        assert_eq!(text(response).await, "not you");
        let response = Refusal::WebSocketVersion.response(Transport::WebSocket);
        assert_eq!(response.headers()[header::SEC_WEBSOCKET_VERSION], "13");
    }

    #[test]
    fn a_client_that_comes_too_often_is_told_when_to_come_back() {
        let retry_after = Duration::from_millis(1_001);
        let response = Refusal::TooManyHandshakes { retry_after }.response(Transport::Polling);
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        for refusal in [Refusal::Full, Refusal::NoDecision("allow_request")] {
            for transport in [Transport::Polling, Transport::WebSocket] {
                assert_eq!(refusal.response(transport).headers()[header::RETRY_AFTER], "5");
            }
        }
    }
}
