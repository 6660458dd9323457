//! Engine.IO on tokio: a server whose disconnects come on time and with a true reason, and a client.

mod broadcast;
mod client;
mod clock;
mod config;
mod grace;
mod hub;
mod lingering;
mod mailbox;
mod mask_keys;
mod message;
mod observer;
mod polling;
mod request;
mod respond;
mod server;
mod service;
mod session_id;
mod socket;
mod state;
mod task;
mod websocket;

pub use client::{
    Client, ClientBuildError, ClientBuilder, ClientEvent, ClientSender, ClientSocket, ConnectError,
    HandshakeInfo, Reconnecting, Refused,
};
pub use message::Message;
pub use observer::Observer;
pub use server::{BuildError, Server, ServerBuilder};
pub use service::{EngineService, PeerAddr};
pub use session_id::SessionId;
pub use socket::{Disconnect, SendError, SendErrorKind, Sender, Socket, Transport, TrySendError};
