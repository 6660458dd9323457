//! The address that a request came from.

use core::net::SocketAddr;

/// The address of the connection that carried a request. If you mount the server in another one, put it into the
/// request's extensions, as [`Server::serve`](crate::Server::serve) does, so that sockets know their peer.
///
/// Without it, the limit on handshakes per address counts all clients as one. The server then also ignores the headers
/// of proxies, unless [those without an address](crate::TrustedProxies::and_without_address) are trusted.
///
/// In the head that [`allow_request`](crate::ServerBuilder::allow_request) and
/// [`Socket::request`](crate::Socket::request) see, it holds the address of the client behind [trusted
/// proxies](crate::ServerBuilder::trusted_proxies).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an address")]
pub struct PeerAddr(pub SocketAddr);
