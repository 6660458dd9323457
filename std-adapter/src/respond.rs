//! Responses, as the reference server words them.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// What every response of the service carries.
pub(crate) type Body = Full<Bytes>;

/// A request that is refused with the protocol's own error code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TransportUnknown,
    SessionUnknown,
    BadHandshakeMethod,
    BadRequest,
    /// What `allow_request` said.
    Forbidden(String),
    UnsupportedProtocolVersion,
}

impl Refusal {
    fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden(_) => 4,
            Self::UnsupportedProtocolVersion => 5,
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden(message) => message,
            Self::UnsupportedProtocolVersion => "Unsupported protocol version",
        }
    }

    /// The answer to a plain HTTP request.
    pub(crate) fn response(&self) -> Response<Body> {
        let status =
            if let Self::Forbidden(_) = self { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
        let body = format!("{{\"code\":{},\"message\":{}}}", self.code(), json_string(self.message()));
        respond(status, "application/json", body)
    }

    /// The answer to a WebSocket request, which the reference answers without JSON.
    pub(crate) fn upgrade_response(&self) -> Response<Body> {
        let mut response = respond(StatusCode::BAD_REQUEST, "text/html", self.message().to_owned());
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// A JSON string literal.
fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
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
