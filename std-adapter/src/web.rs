//! Requests and responses of HTTP: heads, origins, proxies, limits, compression.
//!
//! The module is not called `http`, because the crate re-exports the crate `http` under that name.

pub(crate) mod activity;
pub(crate) mod compression;
pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod head;
pub(crate) mod keep_alive;
pub(crate) mod limits;
pub(crate) mod opening_handshake;
pub(crate) mod origins;
pub(crate) mod peer_addr;
pub(crate) mod proxies;
pub(crate) mod request;
pub(crate) mod request_body;
pub(crate) mod respond;
pub(crate) mod upgraded;
pub(crate) mod watched;
