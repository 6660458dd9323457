//! What tasks and threads share, in whatever order they go on: every message arrives, in its order and once, everybody who
//! waits is woken, and every end comes once. Needs `--cfg shuttle`: `cargo xtask prove shuttle`.
#![cfg(shuttle)]

mod ends;
mod events;
mod groups;
mod limits;
mod messages;
mod nodes;
mod pieces;
mod requests;
mod running;
mod shutdown;
