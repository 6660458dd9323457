//! Which servers a board trusts over TLS: OpenSSL, Node.js, and servers that break the rules.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that goes wrong may panic"
)]

mod board;
mod keys;
mod peers;
mod pinned;
mod private_ca;
mod rules;
mod scripted;
