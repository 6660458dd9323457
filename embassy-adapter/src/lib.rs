//! x
#![no_std]
#![forbid(unsafe_code)]

mod client;
mod clock;
mod endpoint;
mod error;
mod inbox;
mod link;
#[cfg(feature = "embassy-net")]
mod net;
mod outbox;
mod reconnect;
mod response;
mod run;
mod settings;
pub mod socketio;

pub use client::{Client, Event};
pub use endpoint::Endpoint;
pub use error::{ConnectError, SendError};
#[cfg(feature = "embassy-net")]
pub use net::{Limits, TcpClient, TcpConnector};
pub use reconnect::{Attempt, Loss, Reconnect, Report, State};
pub use run::{Command, Flushed, Message};
pub use settings::{Buffers, Revision, Settings};
