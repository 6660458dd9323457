//! The `Keep-Alive` header: announces how long a connection is kept.

use core::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};

use crate::web::tokens::has_token;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Returns whether the client wants to use the connection of this request for another one (RFC 9112 section 9.3). Returns
/// false for HTTP/2, which forbids the header (RFC 9113 section 8.2.2).
pub(crate) fn is_wanted(version: Version, request: &HeaderMap) -> bool {
    match version {
        Version::HTTP_11 => !has_token(request, header::CONNECTION, "close"),
        Version::HTTP_10 => has_token(request, header::CONNECTION, "keep-alive"),
        _ => false,
    }
}

/// Announces that the connection is kept for `hold` after this answer, rounded down to whole seconds: `Keep-Alive:
/// timeout=N` (RFC 2068 section 19.7.1). Adds nothing if the connection closes or switches protocols after the answer,
/// or if the application has set the header itself.
pub(crate) fn announce(hold: Duration, status: StatusCode, headers: &mut HeaderMap) {
    if status == StatusCode::SWITCHING_PROTOCOLS
        || has_token(headers, header::CONNECTION, "close")
        || headers.contains_key(KEEP_ALIVE)
    {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(format!("timeout={}", hold.as_secs())) {
        headers.insert(KEEP_ALIVE, value);
        // Tells proxies not to pass the header above on (RFC 9110 section 7.6.1).
        headers.append(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::request::with_headers;

    fn announced(status: u16, headers: &[(&str, &str)]) -> Option<String> {
        let mut headers = with_headers(headers).headers;
        announce(Duration::from_millis(75_999), StatusCode::from_u16(status).unwrap(), &mut headers);
        headers.get(KEEP_ALIVE).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn whole_seconds_are_announced_where_the_connection_stays() {
        assert_eq!(announced(200, &[]).as_deref(), Some("timeout=75"));
        assert_eq!(announced(404, &[]).as_deref(), Some("timeout=75"));
        assert_eq!(announced(101, &[("connection", "upgrade")]), None);
        assert_eq!(announced(400, &[("connection", "close")]), None);
        assert_eq!(announced(200, &[("keep-alive", "timeout=5")]).as_deref(), Some("timeout=5"));
    }

    #[test]
    fn a_client_that_closes_is_told_nothing() {
        let wanted = |version, headers: &[_]| is_wanted(version, &with_headers(headers).headers);
        assert!(wanted(Version::HTTP_11, &[]));
        assert!(wanted(Version::HTTP_11, &[("connection", "keep-alive")]));
        assert!(!wanted(Version::HTTP_11, &[("connection", "Close")]));
        assert!(!wanted(Version::HTTP_10, &[]));
        assert!(wanted(Version::HTTP_10, &[("connection", "Keep-Alive")]));
        assert!(!wanted(Version::HTTP_2, &[]));
    }
}
