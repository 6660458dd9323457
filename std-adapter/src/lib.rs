#![doc = include_str!("../README.md")]
//!
//! **Next: [the guide](guide).**
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]
// Without a role there is nothing to use.
#![cfg(any(feature = "client", feature = "server"))]
#![cfg_attr(
    not(all(feature = "client", feature = "server")),
    allow(dead_code, reason = "one role alone does not use everything that both share")
)]

mod carrier;
#[cfg(feature = "client")]
mod client;
pub mod guide;
/// What `eio-cluster` shares with this crate. It is not part of the API: any version may change it, and `eio-cluster` pins the
/// exact version.
#[doc(hidden)]
pub mod internal {
    pub use crate::wire::tcp::connect_to;
}
#[cfg(feature = "server")]
mod server;
mod session;
#[cfg(shuttle)]
#[doc(hidden)]
pub mod sync {
    pub use crate::wire::sync::*;
}
#[cfg(feature = "test-util")]
pub mod test_util;
mod web;
mod wire;

// Crates whose types are in this crate's signatures, so that an application names the same versions.
#[doc(no_inline)]
pub use {
    bytes, bytestring, eio_core as core, http, http_body, http_body_util, hyper, tower_layer, tower_service,
};

// The core's types in this crate's signatures, and what makes them.
pub use eio_core::{
    DisconnectReason, Heartbeat, Liveness, Revision,
    backoff::{Backoff, BackoffError},
    handshake::{Transport, Transports},
    session::CheckSendError,
    settings::{HeartbeatError, ServerSettings, SettingsError},
    upgrade::{UpgradeFailure, UpgradeOutcome},
    ws::{CloseCode, CloseError},
};

#[cfg(all(feature = "client", feature = "tls"))]
pub use client::TlsError;
#[cfg(feature = "stream")]
#[doc(no_inline)]
pub use {futures_core, futures_sink};

#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use rustls;
pub use session::end::Disconnect;
pub use session::metrics;
pub use session::send::{SendBatchError, SendError, SendErrorKind, TrySendBatchError, TrySendError};
#[cfg(feature = "stream")]
pub use session::sink::{MessageSink, SinkError};
pub use web::network::{InvalidNetwork, Network};
pub use wire::close_frame::CloseFrame;
pub use wire::message::Message;
pub use wire::redact::redact_url;

#[cfg(feature = "client")]
pub use client::builder::ClientBuilder;
#[cfg(feature = "client")]
pub use client::{
    Client, ClientBuildError, ClientEvent, ClientSender, ClientSocket, ConnectError, HandshakeInfo,
    ProxyError, Reconnecting, RefusalKind, Refused,
};
#[cfg(feature = "axum")]
pub use server::axum;
#[cfg(feature = "serde")]
pub use server::builder::server_config::ServerConfig;
#[cfg(all(feature = "server", feature = "tls"))]
pub use {
    carrier::tls::stream::{ClientCertificates, TlsStream},
    server::tls::TlsListener,
    server::tls::certificates::TlsCertificates,
    server::tls::error::TlsFileError,
};
#[cfg(feature = "server")]
pub use {
    server::Server,
    server::audience::Audience,
    server::broadcast::Broadcast,
    server::builder::ServerBuilder,
    server::builder::build::BuildError,
    server::decision::Admission,
    server::group_changes::{GroupChange, GroupChanges},
    server::incident::{CannotAccept, RefusedRequest},
    server::layer::{EngineLayer, Layered, LayeredFuture},
    server::listener::Listener,
    server::observer::Observer,
    server::service::EngineService,
    server::shutdown::CutOff,
    server::socket::{Sender, Socket},
    web::cookie::{Cookie, InvalidCookie, SameSite},
    web::cors::Cors,
    web::origins::{AllowedOrigins, InvalidOrigin, Origin, OriginPattern},
    web::peer_addr::PeerAddr,
    web::proxies::{Forwarding, TrustedProxies},
    web::rejection::Rejection,
    web::timed_body::{TimedBody, TimedBodyError},
    web::unknown_session::UnknownSession,
    web::upgraded_stream::UpgradedStream,
    wire::session_id::{InvalidSessionId, SessionId},
};
