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

use crate::carrier::tls::places::{Place, Places};
use crate::carrier::tls::stream::TlsStream;
use crate::server::events;
use crate::server::incident::Incident;
use crate::server::listener::Listener;
use crate::server::tls::certificates::{H2, TlsCertificates};

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many handshakes may be under way.
const MAX_HANDSHAKES: usize = 1_000;

/// Accepts TLS connections, `https` and `wss`, on another listener.
///
/// Each handshake runs in the task of its connection, beside those of [others](Self::max_handshakes). While all places
/// are taken, a new connection gets the place of the oldest handshake, once that has had a second, and one address has at
/// most a tenth of the places. So stalled handshakes delay a new connection by at most about a second, as long as fewer
/// connections arrive in a second than there are places.
///
/// A connection counts from its first byte: the limits of the server hold during the handshake, such as
/// [`max_connections_per_address`](crate::ServerBuilder::max_connections_per_address).
///
/// A session over TLS has what a session over TCP has: before it ends for silence, the server reads what has arrived at
/// the socket beneath TLS, and it resets the connection of a silent client.
///
/// A client with little memory, such as a board, can ask for short records: `max_fragment_length` of RFC 6066, section 4.
/// Once its handshake is complete, it gets them, whatever the configuration says. The records of the handshake are not shortened,
/// because such a client may be unable to join their messages again, and the answer does not confirm the request.
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
    places: Arc<Places>,
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
            places: Places::new(MAX_HANDSHAKES),
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }

    /// Sets how long a handshake may take, from accepting the connection. Default: 10 s. Zero, which would
    /// refuse everybody, counts as the default. While [all places](Self::max_handshakes) are taken, the oldest one may end
    /// after a second. The server's [request timeout](crate::ServerBuilder::request_timeout) runs at the same time, until the
    /// head of the first request.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = if timeout.is_zero() { HANDSHAKE_TIMEOUT } else { timeout };
        self
    }

    /// Sets how many handshakes may be under way. Default: 1,000. Zero counts as one.
    ///
    /// A further connection waits until one of them ends, or until the oldest has had a second, which then ends.
    ///
    /// One address, or one IPv6 network of 64 bits, may have a tenth of them under way, and at least one. Its further
    /// connections are closed. They are in the log and the metrics like those above
    /// [`max_connections_per_address`](crate::ServerBuilder::max_connections_per_address), but the
    /// [`Observer`](crate::Observer) is not told. Connections without an address have no such limit. Set a greater number
    /// if a proxy that speaks TLS to the server opens more than 100 connections at a time from one address.
    #[must_use]
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.places = Places::new(handshakes);
        self
    }
}

impl<L: Listener> Listener for TlsListener<L> {
    type Io = TlsStream;

    async fn accept(&mut self) -> io::Result<(TlsStream, Option<SocketAddr>)> {
        let Self { listener, source, config, places, handshake_timeout } = self;
        let (place, io, peer) = {
            let mut accepting = pin!(admitted(listener, places));
            loop {
                tokio::select! {
                    biased;
                    renewed = source.renewed() => *config = renewed,
                    accepted = &mut accepting => break accepted?,
                }
            }
        };
        Ok((TlsStream::accept(io, Arc::clone(config), *handshake_timeout, place), peer))
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

/// Waits for a connection and its place. Closes those whose address has too many.
async fn admitted<L: Listener>(
    listener: &mut L,
    places: &Arc<Places>,
) -> io::Result<(Place, L::Io, Option<SocketAddr>)> {
    loop {
        let (io, peer) = listener.accept().await?;
        match Places::enter(places, peer).await {
            Some(place) => return Ok((place, io, peer)),
            // The observer is the server's, which a listener does not know.
            None => events::tell_incident(&Incident::ConnectionRefused(peer), None),
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
