//! The server that is compared: this library, with the least that an application can do.
#![forbid(unsafe_code)]

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use eio_bench_servers::{App, Options, run};
use eio_core::settings::Heartbeat;
use eio_tokio::{Server, ServerBuilder, Socket, TlsListener};
use tokio::net::TcpListener;

async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn broadcast(mut socket: Socket) {
    let server = socket.server();
    while let Ok(message) = socket.recv().await {
        server.broadcast(message);
    }
}

fn heartbeat(options: &Options) -> Result<Heartbeat, &'static str> {
    let heartbeat = Heartbeat::new(options.ping_interval(), options.ping_timeout());
    heartbeat.map_err(|_| "eio refuses this ping interval or timeout")
}

async fn serve(listener: TcpListener, options: Options) -> io::Result<()> {
    let heartbeat = heartbeat(&options).map_err(io::Error::other)?;
    let build = |builder: ServerBuilder| builder.heartbeat(heartbeat).build().expect("default settings");
    let server = match options.app {
        App::Broadcast => build(Server::builder(broadcast)),
        _ => build(Server::builder(echo)),
    };
    match options.tls()? {
        None => server.serve(listener).await,
        Some(acceptor) => {
            let config = Arc::clone(acceptor.config());
            // The load comes from one address, which may have a tenth of the handshakes.
            server.serve(TlsListener::with_config(listener, config).max_handshakes(10_000)).await
        }
    }
}

fn main() -> ExitCode {
    run(|options| heartbeat(options).map(drop), serve)
}
