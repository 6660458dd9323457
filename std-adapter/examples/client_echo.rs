//! A client that sends every message back to its server, until one of the two closes. It is meant for tests of servers.
//!
//! ```text
//! cargo run --example client_echo -- URL [--eio3] [--path PATH] [--polling | --websocket] [--stay]
//! ```
//!
//! Prints a line for each event. The last line begins with `closed` or `failed`. If the server sends the text `close`, the
//! client closes instead of sending it back. With `--stay` the client reconnects after each end.

use core::time::Duration;
use std::process::ExitCode;

use eio_tokio::{Backoff, Client, ClientEvent, ClientSocket, Transport};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn core::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut client = Client::builder(args.next().ok_or("expected a URL")?).on_event(print);
    let mut stay = false;
    while let Some(arg) = args.next() {
        client = match &*arg {
            "--eio3" => client.eio3(true),
            "--path" => client.path(args.next().ok_or("expected a path")?),
            "--polling" => client.transports([Transport::Polling]),
            "--websocket" => client.transports([Transport::WebSocket]),
            "--stay" => {
                stay = true;
                client
            }
            other => return Err(format!("unknown argument {other:?}").into()),
        };
    }
    let client = client.build()?;
    if !stay {
        echo(client.connect().await?).await;
        return Ok(());
    }
    let backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2))?;
    let mut sessions = client.reconnecting(backoff);
    loop {
        echo(sessions.next().await?).await;
    }
}

async fn echo(mut socket: ClientSocket) {
    while let Ok(message) = socket.recv().await {
        if message.as_text() == Some("close") {
            socket.close();
        } else if let Err(error) = socket.send(message).await {
            println!("unsent {}", error.kind);
        }
    }
}

fn print(event: ClientEvent) {
    match event {
        ClientEvent::Opened { handshake, transport } => {
            println!("open {} {}", transport.as_str(), handshake.heartbeat().ping_interval().as_millis());
        }
        ClientEvent::Closed(end) => {
            println!(
                "closed {} unsent={} on={} ({end})",
                end.reason.as_str(),
                end.unsent,
                end.transport.as_str()
            );
        }
        ClientEvent::Message(message) => println!("message {}", message.len()),
        ClientEvent::UpgradeEnded(outcome) => println!("upgrade {outcome:?}"),
        event => println!("event {event:?}"),
    }
}
