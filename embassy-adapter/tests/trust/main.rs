//! Which servers a board trusts over TLS: OpenSSL, Node.js, and servers that break the rules.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that goes wrong may panic")]

mod board;
mod keys;
mod peers;
mod pinned;
