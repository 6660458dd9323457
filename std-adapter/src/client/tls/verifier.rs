//! Whom a client believes: webpki's rules, and two words more about certificates that nobody else has signed.

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
    /// The roots that the application has added.
    own: Vec<CertificateDer<'static>>,
    /// Every certificate is accepted.
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
            // A self-signed certificate as most tools make it says that it is an authority's. The application trusts
            // this very one, and webpki has found its dates in order before it looked at what it is for.
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

/// Whether a certificate names itself as its issuer and comes alone. Only words depend on it: the signature is not
/// looked at.
fn is_self_signed(certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> bool {
    let names_itself = webpki::EndEntityCert::try_from(certificate)
        .is_ok_and(|certificate| certificate.issuer() == certificate.subject());
    names_itself && others.iter().all(|other| other == certificate)
}
