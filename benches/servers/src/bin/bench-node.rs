//! One node of several: a server of Engine.IO that forwards, or one of Socket.IO, with the least that an application can do.
#![forbid(unsafe_code)]

use std::error::Error;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use eio_bench_servers::{announce, start};
use eio_cluster::bus::{Nats, Redis};
use eio_cluster::forward::{Forwarder, Secret};
use eio_cluster::{Cluster, ClusterBuilder};
use eio_socketio::{Data, EmitError, Namespace, Socket};
use tokio::net::TcpListener;

const ROOM: &str = "all";
const SECRET: &str = "nobody but this machine reaches the nodes";

/// What a node is asked for.
#[derive(Parser)]
struct Options {
    /// The name of the node, of one to four characters
    #[arg(long)]
    node: String,
    /// The server over which the nodes talk, as redis://HOST:PORT or nats://HOST:PORT
    #[arg(long)]
    bus: String,
    /// Serves Socket.IO and sends events to a room that all sockets are in, instead of Engine.IO whose messages come back
    #[arg(long)]
    socketio: bool,
}

async fn join(socket: Socket) {
    let _ = socket.join(ROOM);
}

async fn broadcast(socket: Socket, Data(text): Data<String>) -> Result<(), EmitError> {
    socket.server().to(ROOM).emit("echo", text).map(drop)
}

async fn echo(mut socket: eio_tokio::Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

fn cluster(server: &eio_tokio::Server, url: &str) -> Result<ClusterBuilder, Box<dyn Error + Send + Sync>> {
    Ok(match url.split_once(':') {
        Some(("nats", _)) => Cluster::builder(server, Nats::new([url])?),
        _ => Cluster::builder(server, Redis::new([url])?),
    })
}

async fn socketio(listener: TcpListener, options: Options) -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = eio_socketio::Server::builder()
        .namespace("/", Namespace::new().on_connect(join).on("echo", broadcast))
        .engine(|engine| engine.node(options.node))
        .build()?;
    let cluster = cluster(server.engine(), &options.bus)?.join()?;
    server.join_cluster(&cluster)?;
    cluster.connected().await;
    announce(&listener)?;
    Ok(server.serve(listener).await?)
}

async fn engine(listener: TcpListener, options: Options) -> Result<(), Box<dyn Error + Send + Sync>> {
    let server = eio_tokio::Server::builder(echo).node(options.node).build()?;
    let address = listener.local_addr()?.to_string();
    let cluster = cluster(&server, &options.bus)?.address(address).join()?;
    let forwarder = Forwarder::builder(&server, cluster.clone(), Secret::new(SECRET)?).build()?;
    cluster.connected().await;
    announce(&listener)?;
    Ok(server.serve_with(listener, forwarder.service()).await?)
}

async fn serve(listener: TcpListener, options: Options) -> io::Result<()> {
    let served =
        if options.socketio { socketio(listener, options).await } else { engine(listener, options).await };
    served.map_err(io::Error::other)
}

fn main() -> ExitCode {
    let options = Options::parse();
    start(1, |listener| serve(listener, options))
}
