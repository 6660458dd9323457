//! Engine.IO on tokio: a server whose disconnects come on time and with a true reason, and a client.

mod broadcast;
mod candidate;
mod clock;
mod config;
mod grace;
mod hub;
mod lingering;
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

pub use message::Message;
pub use observer::Observer;
pub use server::{BuildError, Server, ServerBuilder};
pub use service::{EngineService, PeerAddr};
pub use session_id::SessionId;
pub use socket::{Disconnect, SendError, SendErrorKind, Sender, Socket, Transport, TrySendError};
