//! What all images have in common: the board, its network stack, and a task that talks to a server.
//!
//! ```text
//!   stack ──────▶ client ──────▶ connector ──────▶ socketio
//!   bytes by TCP  + a session    + connects again, + a namespace, events,
//!                                  tells its state   acknowledgements
//! ```
//!
//! Each does what the one before does, and one thing more; `cargo xtask test sizes` prints the differences, and holds
//! them against `budget.json`.
#![no_std]

use embassy_executor::Spawner;
use embassy_net::Stack;
use qemu_mps2::{clock, executor, fault, network};

/// The TCP socket's buffers, in every image.
pub const TCP: usize = 1024;
/// The session's two buffers, which the caller lends, in every image but the first: not the client's own cost.
pub const LENT: usize = 2 * 512;

/// Starts the board; `spawn` starts the task that differs.
pub fn start(spawn: impl FnOnce(Spawner, Stack<'static>)) -> ! {
    clock::start();
    let (stack, runner) = network::start(1);
    executor::run(|spawner| {
        let (Ok(run), Ok(awake)) = (network::run(runner), network::keep_qemu_awake()) else {
            fault::exit(fault::FAILED)
        };
        spawner.spawn(run);
        spawner.spawn(awake);
        spawn(spawner, stack);
    })
}
