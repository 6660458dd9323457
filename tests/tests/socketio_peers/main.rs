//! Other people's Socket.IO clients with our server, our client on their servers, in real time, on loopback, and browsers
//! that vanish.
//!
//! `cargo xtask test socketio-peers` installs those programs and runs this, as root, which network namespaces need.

mod acknowledgements;
mod client;
mod ends;
mod gateway;
mod lines;
mod namespaces;
mod nodes;
mod order;
mod payloads;
mod peer;
mod process;
mod reconnects;
mod rooms;
mod samples;
mod server;
mod servers;

use std::process::ExitCode;

use eio_tests::interop::Case;

use crate::peer::Peer;

/// How many cases run at a time: most of what they do is waiting.
const AT_ONCE: usize = 16;

fn main() -> ExitCode {
    let mut cases: Vec<Case> = Vec::new();
    for peer in Peer::all() {
        payloads::cases(peer, &mut cases);
        acknowledgements::cases(peer, &mut cases);
        namespaces::cases(peer, &mut cases);
        nodes::cases(peer, &mut cases);
        rooms::cases(peer, &mut cases);
        order::cases(peer, &mut cases);
        ends::cases(peer, &mut cases);
        reconnects::cases(peer, &mut cases);
    }
    servers::cases(&mut cases);
    // Browsers come when the machine is free, because their cases measure times, and beside one another, because they wait.
    eio_tests::interop::run_in_turn([(cases, AT_ONCE), (gateway::cases(), AT_ONCE)])
}
