//! The machines beside a slow, obvious model: random calls at random times, every output and deadline compared.
//!
//! The model is the protocol's tables written down line by line (`tables`, `upgrade`). It keeps the
//! whole history of a session and works everything out again after each call. The `mistakes` prove that the
//! comparison can fail: each is a plausible error in the model, and the same comparison must find it.
//!
//! `PROPTEST_CASES` sets the number of cases of each property, as usual.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

pub(crate) mod machine;
pub(crate) mod mistakes;
pub(crate) mod session;
pub(crate) mod tables;
mod times;
pub(crate) mod upgrade;
