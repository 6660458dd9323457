//! TLS through rustls: the ring provider and given roots, or the application's own configuration.

mod error;
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
use crate::client::ClientBuilder;
use crate::client::error::ClientBuildError;

/// The TLS settings of a builder.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsSetting {
    without_public_roots: bool,
    accepts_any: bool,
    own: Vec<OwnRoots>,
    config: Option<Arc<ClientConfig>>,
}

/// Root certificates as the application provides them.
#[derive(Clone, Debug)]
enum OwnRoots {
    Der(Vec<u8>),
    Pem(Vec<u8>),
}

/// TLS settings: which servers the client trusts, and how it encrypts connections.
impl ClientBuilder {
    /// Adds a root certificate, in DER form. The client then also trusts servers whose certificate chain ends at it. It
    /// also trusts a server whose certificate is this very one, for the names in it and until it expires.
    pub fn root_certificate(mut self, der: impl Into<Vec<u8>>) -> Self {
        self.tls.own.push(OwnRoots::Der(der.into()));
        self
    }

    /// Adds all certificates of a file in PEM form as root certificates. Authorities usually publish certificates in this
    /// form: as blocks between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`. Text around them and keys
    /// are ignored. If the file has no certificate, `build` fails.
    pub fn root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.own.push(OwnRoots::Pem(pem.into()));
        self
    }

    /// Trusts only the roots that you add, and no public authority. Default: Mozilla's list, from `webpki-roots`.
    pub fn without_public_roots(mut self) -> Self {
        self.tls.without_public_roots = true;
        self
    }

    /// Accepts every certificate: self-signed, expired, of another host, or made by an attacker.
    ///
    /// **Dangerous.** Anybody on the network path can pose as the server, and read and change the traffic. The server
    /// only has to hold the key of the certificate that it presents. Use this to examine a server whose certificate is
    /// broken, and never with credentials. To trust one certificate or a private authority, use
    /// [`root_certificate`](Self::root_certificate) instead.
    ///
    /// ```
    /// use eio_tokio::Client;
    ///
    /// let client = Client::builder("https://127.0.0.1:8443").danger_accept_any_certificate().build()?;
    /// # drop(client);
    /// # Ok::<(), eio_tokio::ClientBuildError>(())
    /// ```
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.tls.accepts_any = true;
        self
    }

    /// Sets the whole configuration of TLS: for the roots of the system, client certificates, another crypto provider,
    /// or your own rules about servers. Default: TLS 1.2 and 1.3 by ring, with the roots from the other setters. You
    /// cannot combine those setters with this one.
    ///
    /// The configuration must come from the version of rustls that this crate [re-exports](crate::rustls). The client
    /// replaces its ALPN protocols with `http/1.1`, the only one that it speaks.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use eio_tokio::Client;
    /// use eio_tokio::rustls::crypto::ring;
    /// use eio_tokio::rustls::{ClientConfig, RootCertStore, version};
    ///
    /// // Filled by a crate such as `rustls-native-certs`, which reads the system's roots.
    /// let roots = RootCertStore::empty();
    /// let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///     .with_protocol_versions(&[&version::TLS13])?
    ///     .with_root_certificates(roots)
    ///     .with_no_client_auth(); // or `with_client_auth_cert(..)`
    /// let client = Client::builder("https://app.example").tls_config(config).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tls_config(mut self, config: impl Into<Arc<ClientConfig>>) -> Self {
        self.tls.config = Some(config.into());
        self
    }
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
        store.add(certificate.clone()).map_err(|error| unusable(error.to_string()))?;
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
            let certificates =
                certificates.map_err(|error| format!("it is not PEM as it should be: {error}"))?;
            if certificates.is_empty() {
                return Err("there is no -----BEGIN CERTIFICATE----- in it, as PEM has it".to_owned());
            }
            Ok(certificates)
        }
    }
}
