//! The client over a tunnel: what holds over a stream whose futures may be dropped holds over every other.
//!
//! The tests of the folder `client` run once more here, over another stream. Those of `unsent.rs` do not: a record counts
//! as sent only when the stream has taken all of it.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that goes wrong may panic"
)]

#[path = "../client/bad_frames.rs"]
mod bad_frames;
#[path = "../client/binary.rs"]
mod binary;
#[path = "../client/cancel.rs"]
mod cancel;
#[path = "../client/clock.rs"]
mod clock;
#[path = "../client/connect.rs"]
mod connect;
mod ends;
#[path = "../client/fakes.rs"]
mod fakes;
#[path = "../client/heartbeat.rs"]
mod heartbeat;
#[path = "../client/namespaces.rs"]
mod namespaces;
#[path = "../client/receive.rs"]
mod receive;
#[path = "../client/recovery.rs"]
mod recovery;
#[path = "../client/request.rs"]
mod request;
#[path = "../client/send.rs"]
mod send;
#[path = "../client/socketio.rs"]
mod socketio;
#[path = "../client/storm.rs"]
mod storm;
#[path = "tunnelled.rs"]
mod stream;
