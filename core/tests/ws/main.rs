//! The WebSocket codec against the cases of the Autobahn suite, against another implementation, and against itself.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[cfg(test)]
mod autobahn;
pub(crate) mod differential;
#[cfg(test)]
mod properties;
pub(crate) mod support;
