//! `eio connect` with the real thing: each diagnosis of docs/diagnoses.md behind nginx, HAProxy and tinyproxy, with
//! engine.io and socket.io on Node.js, with a cable that is pulled and with processes that are stopped.
//!
//! `cargo xtask test diagnoses` installs those programs and runs this. Periods are shorter than usual, so that sessions end
//! in seconds: a server that is blocked for 30 s with pings every 25 s is blocked for 5 s here, with pings every 4 s.

mod answers;
mod balancers;
mod engines;
mod fleet;
mod limits;
mod machines;
mod openings;
mod page;
mod proxies;
mod socket_io;
mod tls;
mod tool;

use std::process::ExitCode;

/// Most of what the cases do is waiting. The first ones wait longest.
const AT_ONCE: usize = 16;

/// Makes a case of each function. Its name is a sentence.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        vec![$(eio_tests::interop::Case::new(stringify!($case).replace('_', " "), |log| Box::pin($case(log)))),*]
    };
}

use cases;

fn main() -> ExitCode {
    let mut cases = openings::cases();
    cases.extend(engines::cases());
    cases.extend(machines::cases());
    cases.extend(socket_io::cases());
    cases.extend(limits::cases());
    cases.extend(balancers::cases());
    cases.extend(fleet::cases());
    cases.extend(answers::cases());
    cases.extend(tls::cases());
    eio_tests::interop::run(cases, AT_ONCE)
}
