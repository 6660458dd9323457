//! Requests and responses of HTTP: heads, origins, proxies, limits, compression.
//!
//! The module is not called `http`, because the crate re-exports the crate `http` under that name.

#[cfg(feature = "server")]
pub(crate) mod activity;
#[cfg(feature = "compression")]
pub(crate) mod compression;
#[cfg(feature = "server")]
pub(crate) mod cookie;
#[cfg(feature = "server")]
pub(crate) mod cors;
#[cfg(feature = "server")]
pub(crate) mod head;
#[cfg(feature = "server")]
pub(crate) mod keep_alive;
#[cfg(feature = "server")]
pub(crate) mod limits;
pub(crate) mod network;
#[cfg(feature = "server")]
pub(crate) mod opening_handshake;
#[cfg(feature = "server")]
pub(crate) mod origins;
pub(crate) mod path;
#[cfg(feature = "server")]
pub(crate) mod peer_addr;
#[cfg(feature = "server")]
pub(crate) mod proxies;
#[cfg(feature = "server")]
pub(crate) mod rejection;
#[cfg(feature = "server")]
pub(crate) mod request;
#[cfg(feature = "server")]
pub(crate) mod request_body;
#[cfg(feature = "server")]
pub(crate) mod respond;
#[cfg(feature = "server")]
pub(crate) mod timed_body;
pub(crate) mod tokens;
#[cfg(feature = "server")]
pub(crate) mod unknown_session;
#[cfg(feature = "server")]
pub(crate) mod upgraded;
#[cfg(feature = "server")]
pub(crate) mod upgraded_stream;
#[cfg(feature = "server")]
pub(crate) mod watched;
pub(crate) mod whole_body;
