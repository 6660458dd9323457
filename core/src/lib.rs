//! Engine.IO sessions and heartbeats without a runtime.
#![no_std]
#![forbid(unsafe_code)]

pub mod backoff;
mod client;
pub mod detect;
pub mod handshake;
pub mod heartbeat;
mod json;
pub mod legacy;
pub mod packet;
pub mod payload;
mod server;
pub mod session;
pub mod settings;
pub mod socketio;
mod text;
mod time;
pub mod upgrade;
pub mod ws;

pub use client::ClientSession;
pub use server::ServerSession;
pub use session::{DisconnectReason, Event};
pub use settings::{Heartbeat, Liveness};
pub use time::Instant;

/// The caller's buffer is too small for what was to be written into it. Nothing was written, and nothing is lost:
/// the same call with at least `needed` bytes succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[error("the buffer is too small: {needed} bytes are needed")]
#[non_exhaustive]
pub struct BufferTooSmall {
    /// How many bytes the whole output takes.
    pub needed: usize,
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
