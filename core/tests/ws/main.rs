//! The WebSocket codec against the cases of the Autobahn suite, against another implementation, and against itself.
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

#[cfg(test)]
mod autobahn;
pub(crate) mod differential;
#[cfg(test)]
mod properties;
pub(crate) mod support;
