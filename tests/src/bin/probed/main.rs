//! eio's servers and its client, as the programs in `tests/interop/failures` start them to provoke the failures of others:
//! `cargo xtask prove peers-table`.
//!
//! `probed engine <options>`, `probed socketio <options>`, `probed client`. Like the stock programs in `tests/interop`, each
//! reads commands as lines of JSON and writes what happens as lines of JSON, and ends when its standard input does. Options
//! are JSON, too: `pingInterval`, `pingTimeout` and `upgradeTimeout` in milliseconds, `allowEIO3`, `allowUpgrades`, and
//! what `engine.rs` and `socket.rs` name.
//!
//! Each runs on one thread, so what blocks one session's task blocks all.
#![forbid(unsafe_code)]

mod client;
mod engine;
mod socket;

use core::time::Duration;
use std::net::SocketAddr;

use eio_core::Heartbeat;
use eio_core::settings::HeartbeatError;
use eio_tokio::ServerBuilder;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let options = arguments.next().and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let (options, commands) = (Options(options), Commands(BufReader::new(tokio::io::stdin()).lines()));
    match role.as_str() {
        "engine" => engine::run(&options, commands).await,
        "socketio" => socket::run(&options, commands).await,
        "client" => client::run(commands).await,
        other => eprintln!("no such role: {other:?}"),
    }
}

/// What the command line asks for.
#[derive(Clone)]
struct Options(Value);

impl Options {
    fn number(&self, name: &str) -> usize {
        self.0[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
    }

    fn millis(&self, name: &str) -> Option<Duration> {
        self.0[name].as_u64().map(Duration::from_millis)
    }

    fn heartbeat(&self) -> Result<Heartbeat, HeartbeatError> {
        let usual = Heartbeat::DEFAULT;
        let interval = self.millis("pingInterval").unwrap_or(usual.ping_interval());
        Heartbeat::new(interval, self.millis("pingTimeout").unwrap_or(usual.ping_timeout()))
    }

    /// The settings that both servers have.
    fn apply(&self, heartbeat: Heartbeat, server: ServerBuilder) -> ServerBuilder {
        let flag = |name: &str, default: bool| self.0[name].as_bool().unwrap_or(default);
        let server = server
            .heartbeat(heartbeat)
            .eio3(flag("allowEIO3", false))
            .allow_upgrades(flag("allowUpgrades", true));
        match self.millis("upgradeTimeout") {
            Some(timeout) => server.upgrade_timeout(timeout),
            None => server,
        }
    }
}

/// What standard input says, line by line.
struct Commands(Lines<BufReader<Stdin>>);

impl Commands {
    async fn next(&mut self) -> Option<Value> {
        let line = self.0.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }
}

/// Writes a line of JSON: the event, and what belongs to it.
fn say(event: &str, mut more: Value) {
    more["event"] = event.into();
    println!("{more}");
}

/// Listens on a port of its own, and says which.
async fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let port = listener.local_addr().as_ref().map(SocketAddr::port).expect("a bound socket has an address");
    say("listening", json!({ "port": port }));
    listener
}
