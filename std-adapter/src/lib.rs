#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod carrier;
mod client;
mod server;
mod session;
mod web;
mod wire;

// Crates whose types are in this crate's signatures, so that an application names the same versions.
#[doc(no_inline)]
pub use {bytes, bytestring, eio_core as core, http, http_body, http_body_util, hyper, tower_service};

#[cfg(feature = "tls")]
pub use client::TlsError;
pub use client::{
    Client, ClientBuildError, ClientBuilder, ClientEvent, ClientSender, ClientSocket, ConnectError,
    HandshakeInfo, ProxyError, Reconnecting, RefusalKind, Refused,
};
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use rustls;
pub use server::Server;
pub use server::broadcast::Broadcast;
pub use server::builder::ServerBuilder;
pub use server::builder::build::BuildError;
pub use server::listener::Listener;
pub use server::observer::{CannotAccept, Observer, RefusedRequest};
pub use server::service::EngineService;
pub use server::shutdown::CutOff;
pub use server::socket::{Sender, Socket};
pub use session::end::Disconnect;
pub use session::metrics;
pub use session::send::{SendError, SendErrorKind, TrySendError};
pub use web::cookie::{Cookie, InvalidCookie, SameSite};
pub use web::cors::Cors;
pub use web::origins::{AllowedOrigins, InvalidOrigin, Origin, OriginPattern};
pub use web::peer_addr::PeerAddr;
pub use web::proxies::{Forwarding, InvalidNetwork, Network, TrustedProxies};
pub use wire::close_frame::CloseFrame;
pub use wire::message::Message;
pub use wire::redact::redact_url;
pub use wire::session_id::SessionId;
pub use wire::transport::Transport;
