//! TLS through rustls: by ring, with Mozilla's roots and those that are added, or with the application's configuration.

use core::fmt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::bus::server::{Broken, Stream};

/// How connections are encrypted. Unless it is told otherwise, it trusts the public authorities.
#[derive(Clone, Default)]
pub(crate) struct Tls(Option<Arc<ClientConfig>>);

/// Root certificates that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the root certificates of the bus cannot be used: {0}")]
pub struct InvalidRoots(String);

impl Tls {
    pub(crate) fn with_config(config: Arc<ClientConfig>) -> Self {
        Self(Some(config))
    }

    /// Trusts these authorities, besides the public ones.
    pub(crate) fn trusting(pem: &[u8]) -> Result<Self, InvalidRoots> {
        let invalid = |why: &dyn fmt::Display| InvalidRoots(why.to_string());
        let roots = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| invalid(&format_args!("they are not PEM: {error}")))?;
        if roots.is_empty() {
            return Err(invalid(&"expected a -----BEGIN CERTIFICATE-----, as PEM has it"));
        }
        let mut store = public_roots();
        for root in roots {
            store.add(root).map_err(|error| invalid(&error))?;
        }
        Ok(Self(Some(config(store).map_err(|error| invalid(&error))?)))
    }

    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> Result<Box<dyn Stream>, Broken> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Broken::refused("its host is no name that a certificate could have"))?;
        let config = match &self.0 {
            Some(config) => Arc::clone(config),
            None => config(public_roots()).map_err(Broken::refused)?,
        };
        let stream = TlsConnector::from(config).connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| Broken::from(error).within("TLS"))?))
    }
}

fn public_roots() -> RootCertStore {
    webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_that_are_none_are_refused() {
        for pem in ["", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", "no PEM"] {
            assert!(Tls::trusting(pem.as_bytes()).is_err(), "{pem}");
        }
    }
}
