//! Verifies certificates by webpki's rules, with two additions for self-signed certificates.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use super::error::{SelfSigned, is_authority};

/// Verifies a server's certificate.
#[derive(Debug)]
pub(super) struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    /// The root certificates that the application has added.
    own: Vec<CertificateDer<'static>>,
    /// Whether every certificate is accepted.
    accepts_any: bool,
}

impl Verifier {
    pub(super) fn new(
        webpki: Arc<WebPkiServerVerifier>,
        own: Vec<CertificateDer<'static>>,
        accepts_any: bool,
    ) -> Self {
        Self { webpki, own, accepts_any }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.accepts_any {
            return Ok(ServerCertVerified::assertion());
        }
        let verified =
            self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(Error::InvalidCertificate(cause)) = &verified else { return verified };
        if is_authority(cause) && self.own.iter().any(|own| own == end_entity) {
            // Most tools mark a self-signed certificate as an authority's. The application trusts exactly this one, and
            // webpki has checked its dates before its purpose.
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        let unknown = matches!(cause, CertificateError::UnknownIssuer) || is_authority(cause);
        if unknown && is_self_signed(end_entity, intermediates) {
            return Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(SelfSigned)))));
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Returns whether a certificate names itself as its issuer and comes alone. Does not check the signature, because only
/// the text of an error depends on the result.
fn is_self_signed(certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> bool {
    let names_itself = webpki::EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.issuer() == certificate.subject());
    names_itself && others.iter().all(|other| other == certificate)
}
