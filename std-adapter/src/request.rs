//! What a request's query and headers say.

use http::request::Parts;
use http::{HeaderMap, Version, header};

/// The query parameters that the protocol knows.
///
/// One that comes twice has both values with a comma between them, which no valid one has: the reference refuses it
/// too, and nobody gets two servers to read one request differently.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) eio: Option<String>,
    pub(crate) transport: Option<String>,
    /// Empty is none.
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

/// Whether the request asks for a WebSocket. Only HTTP/1.1 has a way to ask that is served here.
pub(crate) fn is_websocket_upgrade(parts: &Parts) -> bool {
    parts.version == Version::HTTP_11
        && has_token(&parts.headers, header::CONNECTION, "upgrade")
        && has_token(&parts.headers, header::UPGRADE, "websocket")
}

/// Whether the browser would take an answer for an attack on itself: Internet Explorer's filter mangles it, unless told
/// not to.
pub(crate) fn is_internet_explorer(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.is_some_and(|agent| agent.contains("MSIE ") || agent.contains("Trident/"))
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

/// A request that says this, for tests.
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
    fn a_parameter_that_comes_twice_fits_nothing() {
        assert_eq!(query("EIO=4&EIO=4").eio.as_deref(), Some("4,4"));
        assert_eq!(
            query("transport=polling&transport=websocket").transport.as_deref(),
            Some("polling,websocket")
        );
        assert_eq!(query("sid=a&sid=b").sid.as_deref(), Some("a,b"));
    }
}
