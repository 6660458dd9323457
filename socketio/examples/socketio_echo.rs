//! Sends everything back: `message` comes back as `message-back`, and `message-with-ack` as the acknowledgement.
//!
//! `cargo run --example socketio_echo -- 127.0.0.1:3000 25000 20000` serves it, with a ping interval and a ping
//! timeout in milliseconds. The namespaces are `/` and `/custom`.

use core::time::Duration;
use std::error::Error;

use eio_socketio::engine::{Cors, Heartbeat};
use eio_socketio::{Auth, EmitError, Namespace, RawArgs, Server, Socket, Value};
use tokio::net::TcpListener;

async fn joined(socket: Socket, Auth(auth): Auth<Option<Value>>) -> Result<(), EmitError> {
    // The official suite's WebSocket library passes two frames that arrive in one read to a listener of one.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let auth = auth.unwrap_or_else(|| Value::Object(Box::default()));
    socket.emit("auth", auth)
}

async fn message(socket: Socket, args: RawArgs) -> Result<(), EmitError> {
    socket.send("message-back", args).await
}

async fn acknowledge(ack: eio_socketio::Ack, args: RawArgs) -> Result<(), EmitError> {
    ack.send(args)
}

async fn all(socket: Socket, args: RawArgs) -> Result<(), EmitError> {
    socket.server().emit("all", args)?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let mut millis =
        |default| args.next().map_or(Ok(default), |text| text.parse()).map(Duration::from_millis);
    let heartbeat = Heartbeat::new(millis(25_000)?, millis(20_000)?)?;
    let connect_timeout = millis(45_000)?;
    let server = Server::builder()
        .namespace(
            "/",
            Namespace::new()
                .on_connect(joined)
                .on_error(|_, event, error| eprintln!("{event}: {error}"))
                .on("message", message)
                .on("message-with-ack", acknowledge)
                .on("all", all),
        )
        .namespace("/custom", Namespace::new().on_connect(joined))
        .engine(move |engine| engine.heartbeat(heartbeat).cors(Cors::any()).max_payload(1_000_000))
        .connect_timeout(connect_timeout)
        .build()?;
    let listener = TcpListener::bind(address).await?;
    println!("serving http://{}", listener.local_addr()?);
    server.serve(listener).await?;
    Ok(())
}
