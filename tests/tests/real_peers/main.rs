//! Other people's Engine.IO programs, and a browser, against ours, in real time, on loopback.
//!
//! `cargo xtask test real-peers` installs those programs and runs this.

mod browser;
mod browser_client;
mod clients;
mod protocol;
mod runtimes;
mod samples;
mod servers;
mod socket_io;

use std::process::ExitCode;

/// How many cases run at a time: most of what they do is waiting.
const AT_ONCE: usize = 16;

fn main() -> ExitCode {
    let mut cases = clients::cases();
    cases.extend(servers::cases());
    cases.extend(socket_io::cases());
    cases.extend(protocol::cases());
    cases.extend(runtimes::cases());
    // Last: a browser takes processor time when it starts, and most cases have short times.
    cases.extend(browser::cases());
    cases.extend(browser_client::cases());
    eio_tests::interop::run(cases, AT_ONCE)
}
