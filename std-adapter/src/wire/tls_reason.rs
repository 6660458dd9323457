//! What is wrong with a certificate or a key, in words. The messages of the libraries have lists of bytes, and names of
//! their own variants.

use rustls::pki_types::pem;
use rustls::{CertificateError, Error};

/// Returns why a text is not PEM (RFC 7468).
pub(crate) fn not_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            let line = format!("-----END {}-----", String::from_utf8_lossy(end_marker));
            format!("the line {line:?} is missing")
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a line begins with -----BEGIN and does not end with -----".to_owned()
        }
        pem::Error::Base64Decode(_) => "what is between -----BEGIN and -----END is not base64".to_owned(),
        other => other.to_string(),
    }
}

/// Returns why a certificate or a key cannot be used.
pub(crate) fn unusable(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "its bytes are not a certificate as in RFC 5280".to_owned()
        }
        Error::InvalidCertificate(CertificateError::UnhandledCriticalExtension) => {
            "it has a critical extension that is not supported".to_owned()
        }
        // Without the prefixes "invalid peer certificate" and "unexpected error", which are wrong here.
        Error::InvalidCertificate(error) => error.to_string(),
        Error::General(message) => message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_text_in_pem_is_told_without_lists_of_bytes() {
        for (text, reason) in [
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "the line \"-----END CERTIFICATE-----\" is missing"),
            ("-----BEGIN CERTIFICATE\nAAAA\n", "a line begins with -----BEGIN and does not end with -----"),
            (
                "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n",
                "what is between -----BEGIN and -----END is not base64",
            ),
        ] {
            let error = CertificateDer::from_pem_slice(text.as_bytes()).unwrap_err();
            assert_eq!(not_pem(&error), reason);
        }
    }

    #[test]
    fn what_is_wrong_with_a_certificate_or_a_key_is_told_without_the_librarys_prefix() {
        for (error, reason) in [
            (CertificateError::BadEncoding.into(), "its bytes are not a certificate as in RFC 5280"),
            (
                CertificateError::UnhandledCriticalExtension.into(),
                "it has a critical extension that is not supported",
            ),
            (Error::General("no key".to_owned()), "no key"),
            (Error::DecryptError, "cannot decrypt peer's message"),
        ] {
            assert_eq!(unusable(&error), reason);
        }
    }
}
