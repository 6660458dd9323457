//! A server on pipes, and clients that send exactly what a test tells them to.

mod pipe;
mod websocket;

use core::time::Duration;
use std::sync::{Arc, Mutex};

use eio_socketio::{
    Ack, Auth, Disconnect, EmitError, Namespace, RawArgs, Server, ServerBuilder, Socket, State, Value,
};
use eio_tokio::Heartbeat;
use tokio::time::Instant;

pub(crate) use pipe::{Pipe, Response};
pub(crate) use websocket::{Client, Received};

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Lets everybody else have their turn, while time stands still.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// What the application of a test has seen, in order.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    /// Returns the notes since the last call, once everybody has had their turn.
    pub(crate) async fn read(&self) -> Vec<String> {
        settle().await;
        core::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A server, and when it started.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) journal: Journal,
    start: Instant,
}

impl World {
    /// The server of the protocol's test suite: a ping every 300 ms, answered within 200 ms, and 1,000 ms to join the
    /// first namespace.
    pub(crate) fn new(configure: impl FnOnce(ServerBuilder<Journal>) -> ServerBuilder<Journal>) -> Self {
        let heartbeat = Heartbeat::new(ms(300), ms(200)).unwrap();
        let journal = Journal::default();
        let builder = Server::with_state(journal.clone())
            .engine(move |engine| engine.heartbeat(heartbeat).max_payload(1_000_000))
            .connect_timeout(ms(1000));
        Self { server: configure(builder).build().unwrap(), journal, start: Instant::now() }
    }

    /// The same, for clients of Socket.IO 2 as well.
    pub(crate) fn for_all_revisions(
        configure: impl FnOnce(ServerBuilder<Journal>) -> ServerBuilder<Journal>,
    ) -> Self {
        Self::new(|builder| configure(builder.engine(|engine| engine.eio3(true))))
    }

    /// The server of the suite, with what its application does: `/` sends `message` back and acknowledges `message-with-ack`; in `/` and
    /// in `/custom`, each client is sent what it joined with.
    pub(crate) fn suite() -> Self {
        Self::new(echo_and_greet)
    }

    /// A server with this namespace at `/`.
    pub(crate) fn of(namespace: Namespace<Journal>) -> Self {
        Self::new(|builder| builder.namespace("/", namespace))
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits until so many milliseconds have passed since the start.
    pub(crate) async fn at(&self, millis: u64) {
        tokio::time::sleep_until(self.start + ms(millis)).await;
    }

    /// A new connection to the server.
    pub(crate) fn pipe(&self) -> Pipe {
        Pipe::new(&self.server)
    }

    /// A client on WebSocket that has got its handshake.
    pub(crate) async fn connect(&self) -> Client {
        let mut client = self.connect_raw(4).await;
        client.sid = handshake(&client.text().await);
        client
    }

    /// A client that has joined `/`, without what the server sends then.
    pub(crate) async fn join(&self) -> Client {
        let mut client = self.connect().await;
        client.join("/", "").await;
        client
    }

    /// A client of the suite that has joined `/` and has been greeted.
    pub(crate) async fn init(&self) -> Client {
        let mut client = self.join().await;
        client.expect(r#"2["auth",{}]"#).await;
        client
    }

    /// A client on WebSocket of this revision of Engine.IO, which has got nothing yet.
    pub(crate) async fn connect_raw(&self, revision: u8) -> Client {
        let query = format!("EIO={revision}&transport=websocket");
        self.pipe().upgrade(&query).await.expect("the server refuses the WebSocket").of_revision(revision)
    }
}

/// Reads the identifier of the session out of the packet that opens it.
pub(crate) fn handshake(packet: &str) -> String {
    let json: Value = serde_json::from_str(packet.strip_prefix('0').unwrap_or(packet)).unwrap();
    json.get("sid").unwrap().as_str().unwrap().to_owned()
}

/// A namespace that sends each client what it joined with.
pub(crate) fn greeting() -> Namespace<Journal> {
    Namespace::new().on_connect(greet)
}

async fn greet(socket: Socket, Auth(auth): Auth<Option<Value>>) -> Result<(), EmitError> {
    socket.emit("auth", auth.unwrap_or_else(|| Value::Object(Box::default())))
}

/// Sets what the application of the suite does.
pub(crate) fn echo_and_greet(builder: ServerBuilder<Journal>) -> ServerBuilder<Journal> {
    builder.namespace("/", echoing()).namespace("/custom", greeting())
}

fn echoing() -> Namespace<Journal> {
    greeting().on("message", echo).on("message-with-ack", acknowledge)
}

async fn echo(socket: Socket, args: RawArgs) -> Result<(), EmitError> {
    socket.emit("message-back", args)
}

async fn acknowledge(ack: Ack, args: RawArgs) -> Result<(), EmitError> {
    ack.send(args)
}

/// A namespace that notes who joins and how they leave.
pub(crate) fn noting() -> Namespace<Journal> {
    Namespace::new()
        .on_connect(note_connect)
        .on_disconnecting(note_disconnecting)
        .on_disconnect(note_disconnect)
}

async fn note_connect(socket: Socket, State(journal): State<Journal>) {
    journal.note(format!("{} joined", socket.namespace()));
}

async fn note_disconnecting(socket: Socket, end: Disconnect, State(journal): State<Journal>) {
    let rooms = socket.rooms().join(" ");
    journal.note(format!("{} leaves [{rooms}]: {}", socket.namespace(), end.reason.as_str()));
}

async fn note_disconnect(socket: Socket, end: Disconnect, State(journal): State<Journal>) {
    let rooms = socket.rooms().join(" ");
    journal.note(format!("{} left [{rooms}]: {}", socket.namespace(), end.reason.as_str()));
}
