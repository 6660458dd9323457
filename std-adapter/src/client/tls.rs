//! TLS through rustls: the ring provider and given roots, or the application's own configuration.

pub(crate) mod error;
mod verifier;

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub use self::error::TlsError;
use self::verifier::Verifier;
use crate::carrier::dialed::Link;
use crate::client::error::ClientBuildError;
use crate::wire::tls_reason;

/// The TLS settings of a builder.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsSetting {
    pub(super) without_public_roots: bool,
    pub(super) accepts_any: bool,
    pub(super) own: Vec<OwnRoots>,
    pub(super) config: Option<Arc<ClientConfig>>,
}

/// Root certificates as the application provides them.
#[derive(Clone, Debug)]
pub(super) enum OwnRoots {
    Der(Vec<u8>),
    Pem(Vec<u8>),
}

/// Opens TLS connections to servers.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    pub(crate) fn new(setting: TlsSetting) -> Result<Self, ClientBuildError> {
        let has_roots = setting.without_public_roots || setting.accepts_any || !setting.own.is_empty();
        let mut config = match setting.config {
            Some(_) if has_roots => return Err(ClientBuildError::RootsBesideTlsConfig),
            Some(config) => Arc::unwrap_or_clone(config),
            None => trusting(setting)?,
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(crate) async fn connect(&self, host: &str, link: Link) -> Result<TlsStream<Link>, TlsError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Host(host.to_owned()))?;
        self.0.connect(name, link).await.map_err(TlsError::of)
    }
}

/// Returns a configuration that trusts the roots of the builder, or every certificate.
fn trusting(setting: TlsSetting) -> Result<ClientConfig, ClientBuildError> {
    let unusable = |why: String| ClientBuildError::RootCertificate(why);
    let own =
        setting.own.into_iter().map(certificates).collect::<Result<Vec<_>, _>>().map_err(unusable)?.concat();
    let mut store = RootCertStore::empty();
    if !setting.without_public_roots {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for certificate in &own {
        store.add(certificate.clone()).map_err(|error| unusable(tls_reason::unusable(&error)))?;
    }
    if store.is_empty() {
        return Err(ClientBuildError::NoRoots);
    }
    let provider = Arc::new(ring::default_provider());
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider))
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(error.to_string()))?
        // The verifier is as strict as webpki, unless the builder accepts any certificate.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(webpki, own, setting.accepts_any)))
        .with_no_client_auth();
    Ok(config)
}

fn certificates(roots: OwnRoots) -> Result<Vec<CertificateDer<'static>>, String> {
    match roots {
        OwnRoots::Der(der) => Ok(vec![CertificateDer::from(der)]),
        OwnRoots::Pem(pem) => {
            let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
            let certificates = certificates
                .map_err(|error| format!("it is not PEM as it should be: {}", tls_reason::not_pem(&error)))?;
            if certificates.is_empty() {
                return Err("there is no -----BEGIN CERTIFICATE----- in it, as PEM has it".to_owned());
            }
            Ok(certificates)
        }
    }
}
