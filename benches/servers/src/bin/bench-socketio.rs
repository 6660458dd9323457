//! The Socket.IO server that is compared: this library, with the least that an application can do.
#![forbid(unsafe_code)]

use std::io;
use std::process::ExitCode;

use eio_bench_servers::{App, Options, run};
use eio_core::settings::Heartbeat;
use eio_socketio::{Data, EmitError, Namespace, Reply, Server, Socket};
use tokio::net::TcpListener;

const ROOM: &str = "all";

async fn echo(socket: Socket, Data(text): Data<String>) -> Result<(), EmitError> {
    socket.emit("echo", text)
}

async fn ask(Data(text): Data<String>) -> Reply<String> {
    Reply(text)
}

async fn join(socket: Socket) {
    let _ = socket.join(ROOM);
}

async fn broadcast(socket: Socket, Data(text): Data<String>) -> Result<(), EmitError> {
    socket.server().to(ROOM).emit("echo", text).map(drop)
}

fn heartbeat(options: &Options) -> Result<Heartbeat, &'static str> {
    let heartbeat = Heartbeat::new(options.ping_interval(), options.ping_timeout());
    heartbeat.map_err(|_| "eio refuses this ping interval or timeout")
}

async fn serve(listener: TcpListener, options: Options) -> io::Result<()> {
    let heartbeat = heartbeat(&options).map_err(io::Error::other)?;
    let namespace = match options.app {
        App::Broadcast => Namespace::new().on_connect(join).on("echo", broadcast),
        _ => Namespace::new().on("echo", echo).on("ask", ask),
    };
    let server = Server::builder()
        .namespace("/", namespace)
        .engine(move |engine| engine.heartbeat(heartbeat))
        .build()
        .expect("default settings");
    server.serve(listener).await
}

fn main() -> ExitCode {
    run(|options| options.refuse_tls().and_then(|()| heartbeat(options).map(drop)), serve)
}
