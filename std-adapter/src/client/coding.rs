//! Codings of an answer's body, of which a client reads only `identity`.

use http::{HeaderMap, header};

use crate::client::secrets::Secrets;

/// Returns the content codings of a body that the client cannot read, quoted: all except `identity`.
pub(crate) fn foreign_coding(headers: &HeaderMap, secrets: impl FnOnce() -> Secrets) -> Option<String> {
    let codings = headers.get_all(header::CONTENT_ENCODING);
    let codings: Vec<_> = codings.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let codings = codings.join(", ");
    let is_foreign = |coding: &str| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity");
    let foreign = codings.split(',').any(|coding| is_foreign(coding.trim()));
    foreign.then(|| format!("{:?}", secrets().hide(&codings).chars().take(64).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_another_coding_than_identity_is_named() {
        let coding = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, value.parse().unwrap());
            }
            foreign_coding(&headers, Secrets::default)
        };
        assert_eq!(coding(&[]), None);
        assert_eq!(coding(&["Identity"]), None);
        assert_eq!(coding(&["", "identity, "]), None);
        assert_eq!(coding(&["gzip"]).as_deref(), Some("\"gzip\""));
        assert_eq!(coding(&["identity", "br"]).as_deref(), Some("\"identity, br\""));
        assert!(coding(&[&"x".repeat(500)]).unwrap().len() < 70);
    }
}
