#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

pub mod bus;
mod channel;
mod clock;
mod cluster;
mod emitter;
#[cfg(feature = "forward")]
pub mod forward;
mod frame;
pub mod guide;
#[cfg_attr(
    not(any(feature = "forward", test)),
    expect(dead_code, reason = "only forwarding asks where nodes were")
)]
mod last_addresses;
mod link;
mod members;
pub mod metrics;
mod node;
mod once;
mod orders;
mod reply;
mod request;
mod sessions;
mod sync;
mod targets;

// Crates whose types are in this crate's signatures, so that an application names the same versions.
#[cfg(any(feature = "forward-tls", feature = "tls"))]
#[doc(no_inline)]
pub use tokio_rustls::rustls;
#[doc(no_inline)]
pub use {bytes, eio_core as core, eio_tokio as engine};
#[cfg(feature = "forward")]
#[doc(no_inline)]
pub use {http, http_body, http_body_util, tower_layer, tower_service};

pub use channel::{Channel, Handler, Incoming, ServiceTaken, To};
pub use cluster::{Cluster, ClusterBuilder, ClusterStatus, JoinError, NodeInfo, NodeState};
pub use emitter::Emitter;
pub use reply::Reply;
pub use request::{NoAnswer, Response, Responses};
pub use sessions::{ClusterBroadcast, Member, Members, NotSent};
