//! Autobahn's test suite, as it is published, against everything of ours that speaks WebSocket: as the suite's server and as
//! its client.
//!
//! | peer | what of ours the suite meets |
//! |---|---|
//! | `core` | `eio_core::ws::Connection` and `eio_core::ws::opening` over TCP, and nothing else: every case byte by byte as it is |
//! | `tokio` | a server and a client of `eio-tokio`: their sockets, reading, writing and closing |
//! | `board` | the client of `eio-embassy`, over the sockets of the standard library, with each of its three readers |
//!
//! The last two speak Engine.IO, so the suite puts Engine.IO's `4` before each text for them, and takes it away again. Nothing
//! else of a case changes. The suite is Python: `tests/interop/autobahn/` converts and plays it.
//!
//! `cargo xtask test autobahn` installs it and runs this, with all cases about correctness. `cargo xtask prove
//! autobahn-limits` runs those about size and speed, by `EIO_AUTOBAHN_GROUPS=9`.

mod board;
mod core_ws;
mod expectations;
mod fuzzer;
mod tokio_adapter;

#[allow(dead_code, reason = "only its clock and its randomness are used")]
#[path = "../../../embassy-adapter/examples/ppp.rs"]
mod ppp;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use eio_tests::interop::Case;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};

use crate::board::Receives;
use crate::fuzzer::{Dialect, Fuzzer, Plan};

/// The longest message: the suite sends up to 16 MiB.
const MAX_MESSAGE: u32 = 64 * 1024 * 1024;

/// How many peers play at a time. They mostly wait.
const AT_ONCE: usize = 3;

fn main() -> ExitCode {
    // The clock of the boards is one for the whole program.
    let clock = Arc::default();
    let cases = vec![
        server("core, server", Dialect::WebSocket, "/", core_ws::serve),
        client("core, client", Dialect::WebSocket, core_ws::connect),
        server(
            "tokio, server",
            Dialect::EngineIo,
            "/engine.io/?EIO=4&transport=websocket",
            tokio_adapter::serve,
        ),
        client("tokio, client", Dialect::EngineIo, tokio_adapter::connect),
        board("board, client", Receives::Whole).in_turn(&clock),
        board("board that checks late, client", Receives::CheckedLate).in_turn(&clock),
        board("board with a small buffer, client", Receives::InPieces).in_turn(&clock),
    ];
    let limit = Plan::from_env().limit;
    eio_tests::interop::run(cases.into_iter().map(|case| case.within(limit)).collect(), AT_ONCE)
}

/// The suite plays to a server.
fn server<R>(peer: &'static str, dialect: Dialect, path: &'static str, serve: fn() -> R) -> Case
where
    R: Future<Output = SocketAddr> + Send + 'static,
{
    Case::new(peer, move |log| async move {
        let url = format!("ws://{}{path}", serve().await);
        Fuzzer::client(&log, peer, dialect, &Plan::from_env(), &url).await.finish().await;
    })
}

/// The suite plays to clients: one for each case.
fn client<R>(peer: &'static str, dialect: Dialect, connect: fn(u16, String) -> R) -> Case
where
    R: Future<Output = ()> + Send + 'static,
{
    Case::new(peer, move |log| async move {
        let plan = Plan::from_env();
        let fuzzer = Fuzzer::server(&log, peer, dialect, &plan).await;
        let turns = Arc::new(Semaphore::new(plan.at_once));
        let mut clients = JoinSet::new();
        for number in fuzzer.numbers.clone() {
            let (turns, port) = (Arc::clone(&turns), fuzzer.port);
            clients.spawn(async move {
                let _turn = turns.acquire().await;
                connect(port, number).await;
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended.expect("no client panics");
        }
        fuzzer.finish().await;
    })
}

/// The suite plays to clients for boards.
fn board(peer: &'static str, receives: Receives) -> Case {
    Case::new(peer, move |log| async move {
        let plan = Plan::from_env();
        let fuzzer = Fuzzer::server(&log, peer, Dialect::EngineIo, &plan).await;
        let (port, numbers) = (fuzzer.port, fuzzer.numbers.clone());
        let boards = spawn_blocking(move || board::connect_all(port, &numbers, receives, plan.at_once));
        boards.await.expect("no board panics");
        fuzzer.finish().await;
    })
}
