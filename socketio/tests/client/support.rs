//! Servers for the client's tests, and clients on each way to carry a session.

use core::time::Duration;

use bytestring::ByteString;
use eio_socketio::client::{Ack, Client, ClientBuilder, Incoming, Socket};
use eio_socketio::engine::Transport;
use eio_socketio::{RawArgs, Server, Value};
use tokio::net::TcpListener;

/// The ways to carry a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Polling,
    WebSocket,
    Upgrade,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Polling, Self::WebSocket, Self::Upgrade];

    pub(crate) fn client(self, url: &str) -> ClientBuilder {
        Client::builder(url).engine(move |engine| match self {
            Self::Polling => engine.upgrade(false),
            Self::WebSocket => engine.transports([Transport::WebSocket]),
            Self::Upgrade => engine,
        })
    }
}

/// Runs a server, and returns where.
pub(crate) async fn serve(server: &Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = server.clone();
    tokio::spawn(async move { server.serve(listener).await });
    url
}

/// A runtime on one thread, which ends when it is dropped.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Waits for something that should happen at once.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it happens soon")
}

/// Returns what arrives next.
pub(crate) async fn next(socket: &mut Socket) -> Incoming {
    soon(socket.recv()).await.expect("the namespace is joined")
}

/// Returns the event that arrives next.
pub(crate) async fn event(socket: &mut Socket) -> (ByteString, RawArgs, Option<Ack>) {
    match next(socket).await {
        Incoming::Event { name, args, ack } => (name, args, ack),
        other => panic!("expected an event, got {other:?}"),
    }
}

/// Returns the arguments of the event that arrives next, which has this name.
pub(crate) async fn args(socket: &mut Socket, expected: &str) -> Vec<Value> {
    let (name, args, _) = event(socket).await;
    assert_eq!(name, expected);
    args.values().unwrap()
}
