//! TLS by rustls: the ring provider, named roots, and never an unverified server.

use std::io;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::dial::Tcp;
use crate::client::error::{ClientBuildError, ConnectError};

/// Whom a client trusts.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    /// Mozilla's list, as of the version of `webpki-roots`.
    pub(crate) public: bool,
    pub(crate) own: Vec<Vec<u8>>,
}

/// Makes connections secret and their server known.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    pub(crate) fn new(roots: Roots) -> Result<Self, ClientBuildError> {
        let mut store = RootCertStore::empty();
        if roots.public {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for der in roots.own {
            store
                .add(CertificateDer::from(der))
                .map_err(|error| ClientBuildError::RootCertificate(error.to_string()))?;
        }
        if store.is_empty() {
            return Err(ClientBuildError::NoRoots);
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientBuildError::RootCertificate(error.to_string()))?
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(crate) async fn connect(&self, host: &str, tcp: Tcp) -> Result<TlsStream<Tcp>, ConnectError> {
        let failed = |error| ConnectError::Tls(Arc::new(error));
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(io::Error::other(error)))?;
        self.0.connect(name, tcp).await.map_err(failed)
    }
}
