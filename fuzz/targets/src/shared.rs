//! Models, oracles and fakes of other crates' tests, as they are there.

#![allow(
    dead_code,
    unfulfilled_lint_expectations,
    unused_imports,
    unused_macros,
    clippy::expect_used,
    clippy::pedantic,
    reason = "here these files are used in part, and their own crates have further lints"
)]

/// The machines of the core.
#[path = "../../../core/tests/model/main.rs"]
pub(crate) mod model;

/// A server and a client.
#[path = "../../../tests/tests/every_order/main.rs"]
pub(crate) mod every_order;

/// Frames beside tungstenite.
#[path = "../../../core/tests/ws/main.rs"]
pub(crate) mod ws;

/// The timers of Socket.IO 0.9.
#[path = "../../../legacy/tests/model.rs"]
pub(crate) mod legacy_model;
