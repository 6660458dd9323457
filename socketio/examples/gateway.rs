//! A gateway that tells everybody who is there, and who has left and why.
//!
//! `cargo run --example gateway` serves it at `http://127.0.0.1:3000`. Stock clients connect with
//! `io("http://127.0.0.1:3000", { auth: { name: "Ada" } })`; kill one of them, and the others hear of it at most 8 seconds
//! later.

use core::time::Duration;
use std::error::Error;

use eio_socketio::engine::{Cors, Heartbeat};
use eio_socketio::{Auth, Data, Disconnect, EmitError, Namespace, Refusal, Reply, Server, Socket};
use serde::Deserialize;
use tokio::net::TcpListener;

#[derive(Deserialize)]
struct Login {
    name: String,
}

/// The user of a socket.
#[derive(Clone)]
struct User(String);

async fn log_in(socket: Socket, Auth(login): Auth<Login>) -> Result<(), Refusal> {
    if login.name.is_empty() {
        return Err(Refusal::new("a name is needed"));
    }
    socket.insert(User(login.name));
    Ok(())
}

async fn joined(socket: Socket) -> Result<(), EmitError> {
    if let Some(User(name)) = socket.get() {
        socket.broadcast().emit("joined", name)?;
    }
    Ok(())
}

async fn say(socket: Socket, Data(text): Data<String>) -> Result<Reply<usize>, EmitError> {
    let heard = socket.broadcast().emit("said", text)?;
    Ok(Reply(heard.sent))
}

async fn left(socket: Socket, end: Disconnect) -> Result<(), EmitError> {
    if let Some(User(name)) = socket.get() {
        println!("{name} left: {end}");
        socket.broadcast().emit("left", eio_socketio::Args((name, end.reason.as_str())))?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let heartbeat = Heartbeat::new(Duration::from_secs(5), Duration::from_secs(3))?;
    let users = Namespace::new().middleware(log_in).on_connect(joined).on("say", say).on_disconnect(left);
    let server = Server::builder()
        .namespace("/", users)
        .engine(move |engine| engine.heartbeat(heartbeat).cors(Cors::any()))
        .build()?;
    let listener = TcpListener::bind(address).await?;
    println!("serving http://{}", listener.local_addr()?);
    let stop = tokio::signal::ctrl_c();
    server.serve_until(listener, stop, Duration::from_secs(10)).await?;
    Ok(())
}
