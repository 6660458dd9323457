//! The settings of TLS.

use std::sync::Arc;

use rustls::ClientConfig;

use crate::client::builder::ClientBuilder;
use crate::client::tls::OwnRoots;

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
    /// The configuration also holds for a server that a [redirect](Self::follow_redirects) leads to. That server gets the
    /// client certificate if it asks for one.
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
