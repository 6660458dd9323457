//! What a request's query and headers say.

use http::request::Parts;
use http::{HeaderMap, header};

/// The query parameters that the protocol knows.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) eio: Option<String>,
    pub(crate) transport: Option<String>,
    pub(crate) sid: Option<String>,
    /// `b64`: this client cannot take binary data.
    pub(crate) base64_only: bool,
    /// `j`: answer as JSONP.
    pub(crate) jsonp: Option<String>,
}

impl Query {
    pub(crate) fn parse(parts: &Parts) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "EIO" => query.eio = Some(value.into_owned()),
                "transport" => query.transport = Some(value.into_owned()),
                "sid" => query.sid = Some(value.into_owned()),
                "b64" => query.base64_only = !value.is_empty() && value != "0",
                "j" => query.jsonp = Some(value.into_owned()),
                _ => {}
            }
        }
        query
    }
}

/// Whether the request asks for a WebSocket.
pub(crate) fn is_websocket_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade") && has_token(headers, header::UPGRADE, "websocket")
}

/// Whether a comma-separated header names `token`, in any case.
pub(crate) fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}
