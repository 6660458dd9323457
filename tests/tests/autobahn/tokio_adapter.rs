//! A server and a client of the tokio adapter. Their applications send every message back.

use core::time::Duration;
use std::net::SocketAddr;

use eio_core::Heartbeat;
use eio_tokio::{Client, Server, Socket, Transport};
use tokio::net::TcpListener;

use crate::MAX_MESSAGE;

/// Starts a server, which says nothing of its own while a case is played.
pub(crate) async fn serve() -> SocketAddr {
    let heartbeat = Heartbeat::new(Duration::from_hours(1), Duration::from_hours(1)).expect("valid periods");
    let server =
        Server::builder(echo).heartbeat(heartbeat).max_payload(MAX_MESSAGE).build().expect("valid settings");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move { server.serve(listener).await });
    address
}

async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
    // The session writes what it still has to say.
    socket.closed().await;
}

/// Connects for one case.
pub(crate) async fn connect(port: u16, number: String) {
    let client = Client::builder(format!("ws://127.0.0.1:{port}"))
        .path(format!("/{number}/"))
        .transports([Transport::WebSocket])
        .max_payload(MAX_MESSAGE)
        .build()
        .expect("valid settings");
    let mut socket = client.connect().await.expect("the suite accepts it");
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
    socket.closed().await;
}
