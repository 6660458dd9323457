//! What the firmware's tests share: a board that QEMU emulates, and the servers it talks to.
//!
//! ```text
//!   test ── orders ──▶ Peer (node, NestJS, eio) ◀── TCP ── Board (QEMU) ◀── cable, power ── test
//!   test ◀─ reports ── Peer                                 Board ── log, exit code ──▶ test
//! ```
//!
//! The board's log lines carry the board's own clock: that is the clock by which its lateness is judged. What the
//! host sees of the servers is judged generously, because the host is busy.

mod board;
mod log;
mod peer;
mod qmp;

pub use board::{Board, Power, pause};
pub use log::Line;
pub use peer::{Peer, Report};
