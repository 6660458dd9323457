//! The client against a server made of bytes, on embassy-time's mock clock.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that goes wrong may panic"
)]

mod bad_frames;
mod binary;
mod cancel;
mod clock;
mod connect;
mod endpoint;
mod fakes;
mod flood;
mod heartbeat;
mod namespaces;
#[cfg(feature = "embassy-net")]
mod net;
mod owed;
mod receive;
mod reconnect;
mod recovery;
mod request;
mod send;
mod socketio;
mod storm;
#[path = "plain.rs"]
mod stream;
mod unsent;
