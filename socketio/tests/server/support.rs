//! A server and raw clients in one process.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_socketio::engine::{self, Client, ClientSocket, Heartbeat, Message, Transport};
use eio_socketio::{Disconnect, Namespace, Server, ServerBuilder, Socket};
use tokio::time::timeout;

/// Longer than any silence that a test waits for: the client answers pings, so without a limit a test that fails would
/// never end.
const PATIENCE: Duration = Duration::from_mins(10);

/// How much the connection's two buffers hold, in bytes.
const PIPE: usize = 4096;

/// Returns a server that pings every 5 s and waits for 3 s.
pub(crate) fn build<S: Send + Sync + 'static>(builder: ServerBuilder<S>) -> Server {
    let heartbeat = Heartbeat::new(Duration::from_secs(5), Duration::from_secs(3)).unwrap();
    builder.engine(move |engine| engine.heartbeat(heartbeat)).build().unwrap()
}

/// Returns a server with this namespace as `/`.
pub(crate) fn serve(namespace: Namespace) -> Server {
    build(Server::builder().namespace("/", namespace))
}

/// A client that sends and expects the texts of packets.
pub(crate) struct Raw {
    pub(crate) engine: ClientSocket,
}

impl Raw {
    /// Opens a session on a WebSocket.
    pub(crate) async fn open(server: &Server) -> Self {
        Self::open_with(server, |client| client).await
    }

    /// Opens a session on a WebSocket, with a client that `configure` changes.
    pub(crate) async fn open_with(
        server: &Server,
        configure: impl FnOnce(engine::ClientBuilder) -> engine::ClientBuilder,
    ) -> Self {
        let engine = server.engine().clone();
        let client = Client::builder("http://server.test")
            .path("/socket.io/")
            .transports([Transport::WebSocket])
            .connector(move |_, _| {
                let (ours, theirs) = tokio::io::duplex(PIPE);
                let engine = engine.clone();
                tokio::spawn(async move { engine.serve_connection(theirs, None).await });
                core::future::ready(io::Result::Ok(ours))
            });
        Self { engine: configure(client).build().unwrap().connect().await.unwrap() }
    }

    /// Opens a session and joins `/`.
    pub(crate) async fn join(server: &Server) -> Self {
        let mut client = Self::open(server).await;
        client.send("0").await;
        assert!(client.next().await.starts_with("0{\"sid\":"));
        client
    }

    pub(crate) async fn send(&self, packet: &str) {
        self.engine.send(packet).await.unwrap();
    }

    /// Returns the next packet.
    pub(crate) async fn next(&mut self) -> String {
        match timeout(PATIENCE, self.engine.recv()).await.expect("no packet comes") {
            Ok(Message::Text(text)) => text.to_string(),
            other => panic!("expected a text, got {other:?}"),
        }
    }

    pub(crate) async fn expect(&mut self, packet: &str) {
        assert_eq!(self.next().await, packet);
    }

    /// Waits until the server has closed the connection. What arrives before is not looked at.
    pub(crate) async fn closed(&mut self) -> engine::Disconnect {
        let closed = async {
            loop {
                if let Err(end) = self.engine.recv().await {
                    return end;
                }
            }
        };
        timeout(PATIENCE, closed).await.expect("the server does not close the connection")
    }
}

/// Joins a namespace with this data, on a new connection. Returns the answer's private identifier as well.
pub(crate) async fn join(server: &Server, namespace: &str, auth: &str) -> (Raw, String) {
    let mut client = Raw::open(server).await;
    client.send(&format!("0{namespace}{auth}")).await;
    let answer = client.next().await;
    let (_, pid) = answer.split_once("\"pid\":\"").unwrap_or_else(|| panic!("{answer}"));
    let pid = pid.trim_end_matches("\"}").to_owned();
    (client, pid)
}

/// Loses the connection.
pub(crate) async fn lose(mut client: Raw) {
    client.engine.close();
    client.closed().await;
    settle().await;
}

/// What has happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Returns a namespace that notes the ends of its sockets, with the rooms that they were in.
    pub(crate) fn of_ends(&self) -> Namespace {
        let (leaving, left) = (self.clone(), self.clone());
        Namespace::new()
            .on_disconnecting(move |socket: Socket, end: Disconnect| {
                leaving.note(format!("{} in {:?}", end.reason.as_str(), socket.rooms()));
                core::future::ready(())
            })
            .on_disconnect(move |socket: Socket, end: Disconnect| {
                left.note(format!("{} in {:?}", end.reason.as_str(), socket.rooms()));
                core::future::ready(())
            })
    }
}

/// Lets all tasks run until nothing is left to do without the clock.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}
