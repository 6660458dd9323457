//! Connections to other nodes.

use core::fmt;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use eio_tokio::internal::connect_to;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

use crate::forward::address::Address;
use crate::forward::carrier::{Carrier, Raw};
use crate::forward::lookup::Lookups;

/// Why no connection to a node came about.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name of the host could not be resolved, nobody listens there, or the handshake of TLS has failed.
    #[error("{0}")]
    Io(#[from] Arc<io::Error>),
    /// It took longer than [`connect_timeout`](crate::forward::ForwarderBuilder::connect_timeout).
    #[error("no connection within the connect_timeout of {0:?}")]
    TimedOut(Duration),
    /// As many connections to the node are open as
    /// [`max_connections`](crate::forward::ForwarderBuilder::max_connections) allows, and none became free in time.
    #[error("max_connections: {0} connections to the node are open")]
    Full(usize),
    /// The address begins with `https`, and the forwarder has no settings for TLS.
    #[error("the address begins with https: expected settings by ForwarderBuilder::tls")]
    NoTls,
}

/// A stream of bytes to another node.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for T {}

/// Opens a stream to an address in another way than by TCP.
pub(super) type DialWith =
    Arc<dyn Fn(Address) -> Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>> + Send + Sync>;

/// At how many known nodes those without connections are first forgotten: clients choose the names that they ask for.
const MANY: usize = 256;

/// Opens connections to other nodes, at most so many to each.
#[derive(Clone)]
pub(super) struct Dialler(Arc<Inner>);

pub(super) struct Settings {
    pub(super) timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) dial_with: Option<DialWith>,
    #[cfg(feature = "forward-tls")]
    pub(super) tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
}

struct Inner {
    settings: Settings,
    nodes: Mutex<Nodes>,
    lookups: Lookups,
}

struct Nodes {
    /// By their addresses.
    known: HashMap<String, Node>,
    /// At how many known nodes those without connections are forgotten.
    forget_at: usize,
}

/// What is known of a node.
#[derive(Clone)]
struct Node {
    places: Arc<Semaphore>,
    /// The last connection to it came about.
    was_reached: Arc<AtomicBool>,
}

impl Dialler {
    pub(super) fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner { settings, nodes: Mutex::new(Nodes::new()), lookups: Lookups::new() }))
    }

    /// Opens a connection, within the limit of time.
    async fn dial(self, address: Address) -> Result<Link, DialError> {
        let Settings { timeout, max_connections, .. } = self.0.settings;
        let deadline = tokio::time::Instant::now() + timeout;
        let Node { places, was_reached } = self.0.node(&address);
        let waiting = tokio::time::timeout_at(deadline, places.acquire_owned());
        let Ok(Ok(place)) = waiting.await else { return Err(DialError::Full(max_connections)) };
        let connecting = self.0.connect(&address, was_reached.load(Ordering::Relaxed));
        let connected = tokio::time::timeout_at(deadline, connecting).await;
        was_reached.store(matches!(connected, Ok(Ok(_))), Ordering::Relaxed);
        let carrier = connected.map_err(|_| DialError::TimedOut(timeout))??;
        Ok(Link { carrier, _place: place })
    }
}

impl Nodes {
    fn new() -> Self {
        Self { known: HashMap::new(), forget_at: MANY }
    }

    /// Forgets the nodes without connections, if many are known. The work for each dial is constant on average, also while
    /// many dials are under way.
    fn forget_unused(&mut self) {
        if self.known.len() >= self.forget_at {
            self.known.retain(|_, node| Arc::strong_count(&node.places) > 1);
            self.forget_at = MANY.max(self.known.len().saturating_mul(2));
        }
    }
}

impl Inner {
    /// Returns what is known of the node at this address.
    fn node(&self, address: &Address) -> Node {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.forget_unused();
        let max = self.settings.max_connections.min(Semaphore::MAX_PERMITS);
        let new = || Node { places: Arc::new(Semaphore::new(max)), was_reached: Arc::default() };
        nodes.known.entry(address.to_string()).or_insert_with(new).clone()
    }

    async fn connect(&self, address: &Address, was_reached: bool) -> Result<Carrier, DialError> {
        let raw = if let Some(dial) = &self.settings.dial_with {
            Raw::Other(dial(address.clone()).await.map_err(Arc::new)?)
        } else {
            let addresses = self.lookups.addresses(address.host(), address.port(), was_reached);
            let addresses = addresses.await.map_err(Arc::new)?;
            Raw::Tcp(connect_to(addresses).await.map_err(Arc::new)?)
        };
        if !address.is_tls() {
            return Ok(Carrier::Plain(raw));
        }
        #[cfg(feature = "forward-tls")]
        if let Some(tls) = &self.settings.tls {
            return crate::forward::carrier::over_tls(raw, tls, address.host()).await;
        }
        Err(DialError::NoTls)
    }
}

/// As the client of hyper wants it. The URI is that of the request.
impl Service<Uri> for Dialler {
    type Response = TokioIo<Link>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialler = self.clone();
        Box::pin(async move {
            let address = Address::of(&uri).ok_or_else(|| Arc::new(io::ErrorKind::InvalidInput.into()))?;
            dialler.dial(address).await.map(TokioIo::new)
        })
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialler").finish_non_exhaustive()
    }
}

/// A connection to another node, and its place among those that may be open.
pub(super) struct Link {
    carrier: Carrier,
    _place: OwnedSemaphorePermit,
}

impl Link {
    /// Drops the connection with a reset, so that the node learns of a failure.
    pub(super) fn reset(self) {
        self.carrier.reset();
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_read(cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.carrier).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_in_use_are_not_looked_at_again_for_each_dial_and_others_are_forgotten() {
        let node = || Node { places: Arc::new(Semaphore::new(1)), was_reached: Arc::default() };
        let mut nodes = Nodes::new();
        let mut in_use = Vec::new();
        let mut looks = 0;
        for number in 0..16 * MANY {
            let before = nodes.forget_at;
            nodes.forget_unused();
            looks += usize::from(nodes.forget_at != before);
            in_use.push(node());
            nodes.known.insert(number.to_string(), in_use[number].clone());
        }
        assert_eq!((looks, nodes.known.len()), (4, 16 * MANY));
        in_use.truncate(1);
        for number in 0..=16 * MANY {
            nodes.forget_unused();
            nodes.known.insert(format!("made up {number}"), node());
        }
        assert!(nodes.known.len() < 4 * MANY && nodes.known.contains_key("0"), "{}", nodes.known.len());
    }
}
