//! The user name and the password in a URL, as `Basic` credentials (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;

/// Splits the credentials from the host and the port of a URL.
///
/// Without a colon the password is empty. Errors do not repeat any part of the credentials.
pub(crate) fn split(authority: &str) -> Result<(Option<HeaderValue>, &str), &'static str> {
    let Some((user_info, host)) = authority.rsplit_once('@') else { return Ok((None, authority)) };
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let user: Vec<u8> = percent_decode_str(user).collect();
    if user.contains(&b':') {
        return Err("a user name cannot hold a colon");
    }
    let password = percent_decode_str(password);
    let plain: Vec<u8> = user.into_iter().chain([b':']).chain(password).collect();
    let mut encoded = vec![0; base64::encoded_len(plain.len(), true).unwrap_or_default()];
    let len = STANDARD.encode_slice(&plain, &mut encoded).map_err(|_| TOO_LONG)?;
    let value = [b"Basic ", encoded.get(..len).unwrap_or_default()].concat();
    let mut value = HeaderValue::from_bytes(&value).map_err(|_| TOO_LONG)?;
    value.set_sensitive(true);
    Ok((Some(value), host))
}

const TOO_LONG: &str = "the user name and the password are too long";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_become_basic_credentials() {
        let credentials = |authority| {
            let (value, host) = split(authority).unwrap();
            assert_eq!(host, "h:1");
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        // The example of RFC 7617 section 2.
        assert_eq!(
            credentials("Aladdin:open%20sesame@h:1").as_deref(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(credentials("a@h:1").as_deref(), Some("Basic YTo="));
        assert_eq!(credentials("a:b:c@h:1").as_deref(), Some("Basic YTpiOmM="));
        assert_eq!(credentials("h:1"), None);
        assert!(split("a%3Ab:c@h").is_err());
        assert!(!format!("{:?}", split("a:b@h").unwrap()).contains("YT"));
    }
}
