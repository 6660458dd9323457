//! What an answer says about how long its connection is kept.

use core::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};

use crate::http::request::has_token;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Whether the connection of this request may carry another one, as far as the client is concerned (RFC 9112 section
/// 9.3). HTTP/2 has no such thing to say, and forbids the header (RFC 9113 section 8.2.2).
pub(crate) fn is_wanted(version: Version, request: &HeaderMap) -> bool {
    match version {
        Version::HTTP_11 => !has_token(request, header::CONNECTION, "close"),
        Version::HTTP_10 => has_token(request, header::CONNECTION, "keep-alive"),
        _ => false,
    }
}

/// Announces that the connection is kept for `hold` after this answer, in whole seconds, rounded down: `Keep-Alive:
/// timeout=N` (RFC 2068 section 19.7.1). An answer after which the connection is closed, or is no longer HTTP's, says
/// nothing, and what the application says itself stays.
pub(crate) fn announce(hold: Duration, status: StatusCode, headers: &mut HeaderMap) {
    if status == StatusCode::SWITCHING_PROTOCOLS
        || has_token(headers, header::CONNECTION, "close")
        || headers.contains_key(KEEP_ALIVE)
    {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(format!("timeout={}", hold.as_secs())) {
        headers.insert(KEEP_ALIVE, value);
        // Names the header above as one that is not for those behind a proxy (RFC 9110 section 7.6.1).
        headers.append(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::with_headers;

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
