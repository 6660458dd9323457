#![doc = include_str!("../README.md")]

mod accept;
mod broadcast;
mod candidate;
mod client;
mod clock;
mod close_frame;
mod compression;
mod config;
mod connection;
mod cookie;
mod cors;
mod grace;
mod guard;
mod head;
mod hub;
mod limits;
mod lingering;
mod listener;
mod mailbox;
mod mask_keys;
mod message;
pub mod metrics;
mod notice;
mod observer;
mod opening_handshake;
mod origins;
mod passes;
mod polling;
mod proxies;
mod raw_socket;
mod redact;
mod request;
mod respond;
mod server;
mod service;
mod session_id;
mod shutdown;
mod socket;
mod state;
mod surplus;
mod task;
mod waiting;
mod websocket;

pub use broadcast::Broadcast;
#[cfg(feature = "tls")]
pub use client::TlsError;
pub use client::{
    Client, ClientBuildError, ClientBuilder, ClientEvent, ClientSender, ClientSocket, ConnectError,
    HandshakeInfo, ProxyError, Reconnecting, RefusalKind, Refused,
};
pub use close_frame::CloseFrame;
pub use cookie::{Cookie, InvalidCookie, SameSite};
pub use cors::Cors;
pub use listener::Listener;
pub use message::Message;
pub use observer::{CannotAccept, Observer, RefusedRequest};
pub use origins::{AllowedOrigins, InvalidOrigin, Origin, OriginPattern};
pub use proxies::{Forwarding, InvalidNetwork, Network, TrustedProxies};
pub use redact::redact_url;
#[cfg(feature = "tls")]
#[doc(no_inline)]
pub use rustls;
pub use server::{BuildError, Server, ServerBuilder};
pub use service::{EngineService, PeerAddr};
pub use session_id::SessionId;
pub use shutdown::CutOff;
pub use socket::{Disconnect, SendError, SendErrorKind, Sender, Socket, Transport, TrySendError};
