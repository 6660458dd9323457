//! The address that a request came from.

use core::net::SocketAddr;

#[cfg(feature = "axum")]
use axum::extract::connect_info::{ConnectInfo, MockConnectInfo};
use http::Extensions;

/// The address of the connection that carried a request. If you mount the server in another one, put it into the
/// request's extensions, as [`Server::serve`](crate::Server::serve) does, so that sockets know their peer. With the
/// feature `axum`, the address in `ConnectInfo<SocketAddr>` serves as well, if there is no `PeerAddr`.
///
/// Without it, the limit on handshakes per address counts all clients as one. The server then also ignores the headers
/// of proxies, unless [those without an address](crate::TrustedProxies::and_without_address) are trusted.
///
/// In a route beside the server, it is the address of the connection: behind a proxy that of the proxy, whoever the client is,
/// and whatever proxies are trusted. In the head that [`allow_request`](crate::ServerBuilder::allow_request) and
/// [`Socket::request`](crate::Socket::request) see, it holds the address of the client behind [trusted
/// proxies](crate::ServerBuilder::trusted_proxies).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an address")]
pub struct PeerAddr(pub SocketAddr);

impl PeerAddr {
    /// Returns the address in the extensions of a request: this one, or, with the feature `axum`, that in `ConnectInfo`.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Option<Self> {
        let own = extensions.get::<Self>().copied();
        #[cfg(feature = "axum")]
        let own = own.or_else(|| connect_info(extensions));
        own
    }
}

/// Puts the address of the peer into a request's extensions, for axum's extractor too. An address that axum knows already
/// stays.
pub(crate) fn put(extensions: &mut Extensions, peer: SocketAddr) {
    extensions.insert(PeerAddr(peer));
    #[cfg(feature = "axum")]
    if extensions.get::<ConnectInfo<SocketAddr>>().is_none() {
        extensions.insert(ConnectInfo(peer));
    }
}

/// Removes the address of the peer, which [`put`] puts back. axum's form of it remains if it is another one, such as that
/// of a proxy.
pub(crate) fn take(extensions: &mut Extensions) {
    let peer = extensions.remove::<PeerAddr>();
    #[cfg(feature = "axum")]
    if extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0) == peer.map(|peer| peer.0) {
        extensions.remove::<ConnectInfo<SocketAddr>>();
    }
    #[cfg(not(feature = "axum"))]
    let _ = peer;
}

/// Takes the address that axum knows, unless the request has one already.
#[cfg(feature = "axum")]
pub(crate) fn adopt_connect_info(extensions: &mut Extensions) {
    if extensions.get::<PeerAddr>().is_none()
        && let Some(peer) = connect_info(extensions)
    {
        extensions.insert(peer);
    }
}

/// Returns the address that axum knows.
#[cfg(feature = "axum")]
fn connect_info(extensions: &Extensions) -> Option<PeerAddr> {
    // As axum's own extractor: the address of a test counts if there is no connection.
    let connected = extensions.get::<ConnectInfo<SocketAddr>>().map(|connected| connected.0);
    let mocked = || extensions.get::<MockConnectInfo<SocketAddr>>().map(|mocked| mocked.0);
    connected.or_else(mocked).map(PeerAddr)
}
