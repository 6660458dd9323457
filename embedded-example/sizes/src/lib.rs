//! The part that all images share: the board, its network stack, and a task that talks to a server.
//!
//! ```text
//!   stack ──────▶ client ──────▶ connector ──────▶ socketio ──────────────▶ tls
//!   bytes by TCP  + a session    + reconnects,     + a namespace, events,   + over TLS, with
//!                                  reports states    acknowledgements         a pinned key
//! ```
//!
//! Each image does what the one before does and adds one feature. `cargo xtask test sizes` prints the differences and
//! compares them with `budget.json`.
#![no_std]
#![forbid(unsafe_code)]

use core::time::Duration;

use eio_embassy::Client;
use eio_embassy::socketio::{Incoming, Socket};
use embassy_executor::Spawner;
use embassy_net::Stack;
use embedded_io_async::{Read, Write};
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

/// Joins a namespace and answers events, until the session ends.
pub async fn exchange_events<R: Read, W: Write>(client: &mut Client<'_, R, W>) -> Option<()> {
    let token = "{\"token\":\"s3cret\"}";
    let mut socket = Socket::join(client, "/devices", token, Duration::from_secs(10)).await.ok()?;
    loop {
        let ack = match socket.recv().await.ok()? {
            Incoming::Event { event, ack, .. } if event.is("byte") => ack,
            _ => continue,
        };
        defmt::info!("received");
        socket.emit("byte", "1").await.ok()?;
        if let Some(id) = ack {
            socket.ack(id, "").await.ok()?;
        }
    }
}
