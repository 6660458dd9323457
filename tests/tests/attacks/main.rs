//! What killed or starved other implementations, tried on our server, over loopback, bounded in count and in time.
//!
//! The attacks are those of the last table of `docs/peers.md`. Each is made on a server in a process of its own,
//! three times: large, so that everything is warm, a fourth of that for comparison, and large again. All the while
//! two well-behaved sessions talk to the server and answer its pings. It holds, for each attack:
//!
//! - every attempt is answered or closed as documented, which the attack itself checks;
//! - the well-behaved sessions live, and none of their messages waits longer than [`attack::PATIENT`];
//! - the server's sessions are gone again, what it has allocated returns to within [`attack::HEAP`] of what it was
//!   before the attack, and its resident memory, some of which the allocator keeps for later, to within
//!   [`attack::RESIDENT`];
//! - the processor time of the large attempt is less than [`attack::LINEAR`] times that of the small one, and
//!   [`attack::SLACK`].

mod attack;
mod bystander;
mod connection;
mod crowds;
mod frames;
mod heads;
mod payloads;
mod process;
mod server;

use std::process::ExitCode;

use peak_alloc::PeakAlloc;

/// Counts, so that the server can say how much it holds.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The attackers' work and the servers' fill the processors: more at a time would measure the waiting.
const AT_ONCE: usize = 3;

/// Three attacks at a time have up to 4,000 connections each.
const DESCRIPTORS: u64 = 16_000;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(server::ARGUMENT) {
        return server::serve();
    }
    eio_tests::interop::need_descriptors(DESCRIPTORS);
    let mut cases = Vec::new();
    heads::cases(&mut cases);
    payloads::cases(&mut cases);
    frames::cases(&mut cases);
    crowds::cases(&mut cases);
    eio_tests::interop::run(cases, AT_ONCE)
}
