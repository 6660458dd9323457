//! Tokens in headers that hold a list of them.

use http::{HeaderMap, header};

/// Returns whether a comma-separated header contains `token`, ignoring case.
pub(crate) fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim().eq_ignore_ascii_case(token))
}
