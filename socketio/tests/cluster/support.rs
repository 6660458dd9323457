//! Nodes on one bus, and their clients.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_socketio::cluster::Cluster;
use eio_socketio::cluster::bus::Memory;
use eio_socketio::engine::{Client as EngineClient, ClientSocket, Heartbeat, Message, Transport};
use eio_socketio::{Namespace, Server, ServerBuilder, Value};

/// How much the two buffers of a connection hold, in bytes.
const PIPE: usize = 16 * 1024;

/// Some servers that act as one.
pub(crate) struct Nodes {
    pub(crate) bus: Memory,
    pub(crate) servers: Vec<Server>,
}

impl Nodes {
    /// Returns the nodes `a`, `b` and `c` with this namespace as `/`.
    pub(crate) async fn of(namespace: fn() -> Namespace) -> Self {
        Self::with(|builder| builder.namespace("/", namespace())).await
    }

    /// Returns the nodes `a`, `b` and `c`.
    pub(crate) async fn with(configure: impl Fn(ServerBuilder) -> ServerBuilder) -> Self {
        let mut nodes = Self { bus: Memory::new(), servers: Vec::new() };
        for name in ["a", "b", "c"] {
            nodes.add(name, &configure).await;
        }
        nodes
    }

    /// Adds a node of this name.
    pub(crate) async fn add(
        &mut self,
        name: &'static str,
        configure: impl Fn(ServerBuilder) -> ServerBuilder,
    ) {
        let server = build(name, configure);
        let cluster = Cluster::builder(server.engine(), self.bus.end(name)).join().unwrap();
        server.join_cluster(&cluster).unwrap();
        cluster.connected().await;
        self.servers.push(server);
        settle().await;
    }

    /// Returns the node of this number.
    pub(crate) fn node(&self, number: usize) -> &Server {
        &self.servers[number]
    }

    /// Joins `/` on the node of this number.
    pub(crate) async fn join(&self, number: usize) -> Client {
        Client::join(self.node(number), "/", "").await
    }

    /// Returns how many messages each node gets of the bus while `action` runs.
    pub(crate) async fn received<T>(&self, action: impl Future<Output = T>) -> ([u64; 3], T) {
        settle().await;
        let count = || ["a", "b", "c"].map(|name| self.bus.received(name));
        let before = count();
        let done = action.await;
        settle().await;
        let after = count();
        ([0, 1, 2].map(|number| after[number] - before[number]), done)
    }
}

/// Builds a server of this name, with clients that are silent for long.
pub(crate) fn build(name: &'static str, configure: impl Fn(ServerBuilder) -> ServerBuilder) -> Server {
    let heartbeat = Heartbeat::new(Duration::from_mins(5), Duration::from_mins(1)).unwrap();
    configure(Server::builder().engine(move |engine| engine.node(name).heartbeat(heartbeat))).build().unwrap()
}

/// A client that sends and expects the texts of packets.
pub(crate) struct Client {
    pub(crate) engine: ClientSocket,
    /// The identifier of its socket.
    pub(crate) id: String,
    /// The identifier of its session for recovery.
    pub(crate) pid: Option<String>,
}

impl Client {
    /// Opens a session and joins a namespace with this data.
    pub(crate) async fn join(server: &Server, namespace: &str, auth: &str) -> Self {
        let mut client = Self::open(server).await;
        client.enter(namespace, auth).await;
        client
    }

    /// Opens a session.
    pub(crate) async fn open(server: &Server) -> Self {
        let engine = server.engine().clone();
        let client = EngineClient::builder("http://server.test")
            .path("/socket.io/")
            .transports([Transport::WebSocket])
            .connector(move |_, _| {
                let (ours, theirs) = tokio::io::duplex(PIPE);
                let engine = engine.clone();
                tokio::spawn(async move { engine.serve_connection(theirs, None).await });
                core::future::ready(io::Result::Ok(ours))
            });
        let engine = client.build().unwrap().connect().await.unwrap();
        Self { engine, id: String::new(), pid: None }
    }

    /// Joins a namespace with this data.
    pub(crate) async fn enter(&mut self, namespace: &str, auth: &str) {
        let prefix = if namespace == "/" { "0".to_owned() } else { format!("0{namespace},") };
        self.send(&format!("{prefix}{auth}")).await;
        let packet = self.next().await;
        let data = packet.strip_prefix(&prefix).unwrap_or_else(|| panic!("{packet}"));
        let joined: Value = serde_json::from_str(data).unwrap();
        let text = |key| joined.get(key).and_then(|value| value.as_str().map(str::to_owned));
        (self.id, self.pid) = (text("sid").unwrap(), text("pid"));
    }

    pub(crate) async fn send(&self, packet: &str) {
        self.engine.send(packet).await.unwrap();
    }

    pub(crate) async fn next_message(&mut self) -> Message {
        tokio::time::timeout(Duration::from_mins(1), self.engine.recv())
            .await
            .expect("something comes")
            .unwrap()
    }

    /// Returns the next packet.
    pub(crate) async fn next(&mut self) -> String {
        match self.next_message().await {
            Message::Text(text) => text.to_string(),
            other @ Message::Binary(_) => panic!("{other:?} instead of a text"),
        }
    }

    pub(crate) async fn expect(&mut self, packet: &str) {
        assert_eq!(self.next().await, packet);
    }

    /// Nothing has come, now that everybody has had their turn.
    pub(crate) async fn expect_nothing(&mut self) {
        settle().await;
        if let Ok(received) = tokio::time::timeout(Duration::ZERO, self.engine.recv()).await {
            panic!("{received:?} instead of nothing");
        }
    }
}

/// Waits until nothing is left to do but to wait, on any node.
pub(crate) async fn settle() {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What has happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn add(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }

    /// Returns the notes since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        core::mem::take(&mut *self.0.lock().unwrap())
    }
}
