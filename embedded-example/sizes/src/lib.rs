//! The part that all images share: the board, its network stack, and a task that talks to a server.
//!
//! ```text
//!   stack ──────▶ client ──────▶ connector ──────▶ socketio
//!   bytes by TCP  + a session    + reconnects,     + a namespace, events,
//!                                  reports states    acknowledgements
//! ```
//!
//! Each image does what the one before does and adds one feature. `cargo xtask test sizes` prints the differences and
//! compares them with `budget.json`.
#![no_std]

use embassy_executor::Spawner;
use embassy_net::Stack;
use qemu_mps2::{clock, executor, fault, network};

/// The length of the TCP socket's buffers, in every image.
pub const TCP: usize = 1024;
/// The length of the session's two buffers, which the caller lends. Every image has them except the first, and they are
/// not counted as the client's cost.
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
