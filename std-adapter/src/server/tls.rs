//! TLS under the server: a listener above another one.

pub(crate) mod certificates;
pub(crate) mod error;
mod files;

use core::fmt;
use core::pin::pin;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::sync::Semaphore;

use crate::carrier::tls::stream::TlsStream;
use crate::server::listener::Listener;
use crate::server::tls::certificates::{H2, TlsCertificates};

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many handshakes may be under way.
const MAX_HANDSHAKES: usize = 1_000;

/// Accepts TLS connections, `https` and `wss`, on another listener.
///
/// Each handshake runs in the task of its connection, so a slow client holds nobody up. A connection counts from its
/// first byte: the limits of the server hold during the handshake, such as
/// [`max_connections_per_address`](crate::ServerBuilder::max_connections_per_address).
///
/// A session over TLS has what a session over TCP has: before it ends for silence, the server reads what has arrived at
/// the socket beneath TLS, and it resets the connection of a silent client.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use eio_tokio::{Server, TlsCertificates, TlsListener};
/// use tokio::net::TcpListener;
///
/// let server = Server::builder(|_socket| async {}).build()?;
/// let certificates = TlsCertificates::from_pem_files("fullchain.pem", "privkey.pem")?;
/// let listener = TcpListener::bind("0.0.0.0:443").await?;
/// server.serve(TlsListener::new(listener, certificates)).await?;
/// # Ok(())
/// # }
/// ```
pub struct TlsListener<L> {
    listener: L,
    source: Source,
    config: Arc<ServerConfig>,
    handshakes: Arc<Semaphore>,
    handshake_timeout: Duration,
}

/// Where the configuration of TLS comes from.
enum Source {
    Files(Box<TlsCertificates>),
    /// The application.
    Given,
}

impl<L: Listener> TlsListener<L> {
    /// Accepts TLS 1.2 and 1.3 with these certificates, by ring. It loads them again when their files change.
    ///
    /// ALPN offers HTTP/1.1, and HTTP/2 if the [server](crate::Server::serve) speaks it. Clients resume their sessions of
    /// TLS with tickets, until the certificate changes. Client certificates are not asked for: see
    /// [`with_config`](Self::with_config).
    #[must_use]
    pub fn new(listener: L, mut certificates: TlsCertificates) -> Self {
        let config = certificates.config(false);
        Self::from_parts(listener, Source::Files(Box::new(certificates)), config)
    }

    /// Accepts TLS with this configuration as it is: for client certificates, several host names, certificates from
    /// elsewhere than files, another crypto provider.
    ///
    /// Set the `alpn_protocols` of the configuration to `h2` and `http/1.1`, or only to the latter. `h2` is left out if
    /// the [server](crate::Server::serve) does not speak HTTP/2. The configuration must come from the version of rustls
    /// that this crate [re-exports](crate::rustls).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    ///
    /// use eio_tokio::TlsListener;
    /// use eio_tokio::rustls::ServerConfig;
    /// use eio_tokio::rustls::crypto::ring;
    /// use eio_tokio::rustls::server::ResolvesServerCertUsingSni;
    /// use tokio::net::TcpListener;
    ///
    /// let names = ResolvesServerCertUsingSni::new(); // filled with a certificate for each host name
    /// let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///     .with_safe_default_protocol_versions()?
    ///     .with_no_client_auth() // or `with_client_cert_verifier(..)`
    ///     .with_cert_resolver(Arc::new(names));
    /// config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    /// let listener = TlsListener::with_config(TcpListener::bind("127.0.0.1:0").await?, config);
    /// # drop(listener);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_config(listener: L, config: impl Into<Arc<ServerConfig>>) -> Self {
        Self::from_parts(listener, Source::Given, config.into())
    }

    fn from_parts(listener: L, source: Source, config: Arc<ServerConfig>) -> Self {
        Self {
            listener,
            source,
            config,
            handshakes: Arc::new(Semaphore::new(MAX_HANDSHAKES)),
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }

    /// Sets how long a handshake may take, from accepting the connection. Default: 10 s. The server's [request
    /// timeout](crate::ServerBuilder::request_timeout) runs at the same time, until the head of the first request.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets how many handshakes may be under way. Further connections wait until one of them ends. Default: 1,000. Zero
    /// counts as one.
    #[must_use]
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.handshakes = Arc::new(Semaphore::new(handshakes.clamp(1, Semaphore::MAX_PERMITS)));
        self
    }
}

impl<L: Listener> Listener for TlsListener<L> {
    type Io = TlsStream;

    async fn accept(&mut self) -> io::Result<(TlsStream, Option<SocketAddr>)> {
        let Self { listener, source, config, handshakes, handshake_timeout } = self;
        let (permit, io, peer) = {
            let mut accepting = pin!(async {
                let permit = Arc::clone(handshakes).acquire_owned().await.map_err(io::Error::other)?;
                let (io, peer) = listener.accept().await?;
                io::Result::Ok((permit, io, peer))
            });
            loop {
                tokio::select! {
                    biased;
                    renewed = source.renewed() => *config = renewed,
                    accepted = &mut accepting => break accepted?,
                }
            }
        };
        Ok((TlsStream::accept(io, Arc::clone(config), *handshake_timeout, permit), peer))
    }

    fn set_http2(&mut self, is_spoken: bool) {
        match &mut self.source {
            Source::Files(certificates) => self.config = certificates.config(is_spoken),
            Source::Given if !is_spoken => {
                Arc::make_mut(&mut self.config).alpn_protocols.retain(|protocol| protocol != H2);
            }
            Source::Given => {}
        }
    }
}

impl Source {
    /// Waits until there is a new configuration.
    async fn renewed(&mut self) -> Arc<ServerConfig> {
        match self {
            Self::Files(certificates) => certificates.renewed().await,
            Self::Given => core::future::pending().await,
        }
    }
}

impl<L: fmt::Debug> fmt::Debug for TlsListener<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsListener").field("listener", &self.listener).finish_non_exhaustive()
    }
}
