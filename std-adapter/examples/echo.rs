//! An Engine.IO server that sends every message back.
//!
//! Run `cargo run --example echo`, and connect with `eio connect http://127.0.0.1:3000` or any Engine.IO client.

use eio_tokio::{Server, Socket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder(echo).eio3(true).build()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    server.serve(listener).await?;
    Ok(())
}

async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
    println!("{} {}", socket.id().short(), socket.closed().await);
}
