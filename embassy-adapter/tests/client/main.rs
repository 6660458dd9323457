//! The client against a server made of bytes, on embassy-time's mock clock.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that goes wrong may panic"
)]

mod cancel;
mod connect;
mod fakes;
mod heartbeat;
#[cfg(feature = "embassy-net")]
mod net;
mod receive;
mod reconnect;
mod send;
mod socketio;
mod storm;
#[path = "plain.rs"]
mod stream;
