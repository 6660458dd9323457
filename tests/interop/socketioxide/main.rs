//! socketioxide's server, driven by lines of JSON: commands on standard input, what happens on standard output.
//!
//! It ends when standard input does. The protocol is described in tests/tests/socketio_peers/servers/stock.rs. The manifest is
//! `benches/peers/Cargo.toml`, so that what the comparison and the tests need is built once.

mod line;
mod server;

use std::collections::HashMap;
use std::io::BufRead as _;

use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedSender};

use server::Server;

/// Handlers of events are tasks. One thread runs them in the order in which the events came.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (lines, mut commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = lines.send(serde_json::from_str::<Value>(&line).expect("a line of JSON"));
        }
        std::process::exit(0);
    });
    let mut servers: HashMap<u64, UnboundedSender<Value>> = HashMap::new();
    while let Some(command) = commands.recv().await {
        let id = command["id"].as_u64().expect("the number of a server");
        if command["command"] == "open" {
            servers.insert(id, open(id, &command));
        } else if let Some(server) = servers.get(&id) {
            let _ = server.send(command);
        }
    }
}

/// Starts a server. It obeys its commands one after the other.
fn open(id: u64, settings: &Value) -> UnboundedSender<Value> {
    let (server, mut commands) = mpsc::unbounded_channel();
    let settings = settings.clone();
    tokio::spawn(async move {
        let server = Server::start(id, &settings).await.expect("the port is free");
        while let Some(command) = commands.recv().await {
            server.obey(&command).await;
        }
    });
    server
}
