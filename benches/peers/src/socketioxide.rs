//! socketioxide on hyper, as its documentation shows it, with the least that an application can do.

// The command line, the runtime, and the beginning and end are those of our own servers.
#[path = "../../servers/src/lib.rs"]
#[allow(dead_code, reason = "each peer needs a part of it")]
mod harness;

use std::io;
use std::process::ExitCode;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpListener;

use harness::{App, Options, run};

const ROOM: &str = "all";

async fn echo(socket: SocketRef) {
    socket.on("echo", async |socket: SocketRef, Data(text): Data<String>| {
        let _ = socket.emit("echo", &text);
    });
    socket.on("ask", async |ack: AckSender, Data(text): Data<String>| {
        let _ = ack.send(&text);
    });
}

async fn broadcast(socket: SocketRef) {
    socket.join(ROOM);
    socket.on("echo", async |io: SocketIo, Data(text): Data<String>| {
        let _ = io.to(ROOM).emit("echo", &text).await;
    });
}

async fn serve(listener: TcpListener, options: Options) -> io::Result<()> {
    let (service, io) = SocketIo::builder()
        .ping_interval(options.ping_interval())
        .ping_timeout(options.ping_timeout())
        .build_svc();
    match options.app {
        App::Echo => io.ns("/", echo),
        App::Broadcast => io.ns("/", broadcast),
    }
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades());
    }
}

fn main() -> ExitCode {
    run(Options::refuse_tls, serve)
}
