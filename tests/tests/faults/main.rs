//! Real faults in real time: processes stopped and killed, cables pulled, readers and writers stalled, a runtime that
//! stands still under the pongs of thousands, a disk that is full under the tool's output. A dead peer's session ends on
//! time and for the right reason; no other session ends. And what TCP does when a cable is cut is what the simulated world
//! says.
//!
//! `cargo xtask test faults` runs this as root, which network namespaces and disks need. The clients, and where memory is
//! measured the server, are processes of their own: this program, told so by its environment.

mod full_disk;
mod idle;
mod process;
mod roles;
mod single;
mod stalled_runtime;
mod tcp;
mod witness;

use std::process::ExitCode;
use std::sync::Arc;

/// The largest fleet has 10,000 connections, and some more are beside it.
const DESCRIPTORS: u64 = 12_000;

fn main() -> ExitCode {
    if roles::play() {
        return ExitCode::SUCCESS;
    }
    eio_tests::interop::need_descriptors(DESCRIPTORS);
    let mut alone = single::cases();
    alone.extend(stalled_runtime::cases());
    alone.extend(idle::cases());
    alone.extend(full_disk::cases());
    // One after the other: each measures time or memory. Beside them, a case that mostly waits.
    let mut cases = tcp::cases();
    let turn = Arc::default();
    cases.extend(alone.into_iter().map(|case| case.in_turn(&turn)));
    eio_tests::interop::run(cases, 2)
}
