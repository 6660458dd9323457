//! The client's time at each tick rate: when a session ends, when a board reconnects, what wakes it.
//!
//! embassy-time's tick rate is a feature, chosen once for a whole build, so these tests are built once for each rate.
//! `cargo xtask test ticks` does that. Their clock knows the true time between two ticks, which the client cannot see.
#![cfg(test)]
#![forbid(unsafe_code)]

mod backoff;
mod clock;
#[expect(dead_code, unused_imports, reason = "these tests need only some of the fakes")]
#[path = "../../../embassy-adapter/tests/client/fakes.rs"]
mod fakes;
mod join;
mod late;
mod session;
mod silence;
#[expect(dead_code, reason = "as above")]
#[path = "../../../embassy-adapter/tests/client/plain.rs"]
mod stream;
mod wakes;
