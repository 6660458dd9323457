//! Our server, as a test holds it: on a port of its own, with what happens in the test's hands.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use eio_core::Heartbeat;
use eio_socketio::{
    Ack, Args, Auth, Disconnect, EmitError, EventName, Namespace, RawArgs, Refusal, Reply, Server,
    ServerBuilder, Socket, State, Value,
};
use eio_tests::interop::{Log, soon};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use crate::lines::from_ours;

/// What has happened at the server.
#[derive(Debug)]
pub(crate) enum Happened {
    /// A client has joined a namespace.
    Joined(Socket),
    /// A client has sent an event that has no handler of its own.
    Event { socket: Socket, name: String, args: serde_json::Value, ack: Option<Ack> },
    /// A socket has ended: in these rooms, for this reason.
    Left { socket: Socket, rooms: Vec<String>, reason: &'static str },
}

/// Where handlers tell what has happened.
#[derive(Clone)]
pub(crate) struct Tell {
    happened: UnboundedSender<Happened>,
    log: Log,
}

impl Tell {
    fn tell(&self, happened: Happened) {
        self.log.line("server", &format!("{happened:?}"));
        // A case that has ended.
        let _ = self.happened.send(happened);
    }
}

/// A running server. Dropping it stops accepting.
pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
    happened: Mutex<UnboundedReceiver<Happened>>,
    task: JoinHandle<()>,
}

impl TestServer {
    /// A server with the namespaces `/` and `/chat`, all whose names begin with `/tenant-`, and one that refuses.
    pub(crate) async fn start(log: &Log) -> Self {
        Self::start_with(log, |builder| builder).await
    }

    /// The same, with these settings.
    pub(crate) async fn start_with(
        log: &Log,
        settings: impl FnOnce(ServerBuilder<Tell>) -> ServerBuilder<Tell>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        Self::start_on(listener, log, settings)
    }

    /// The same, on this listener.
    pub(crate) fn start_on(
        listener: TcpListener,
        log: &Log,
        settings: impl FnOnce(ServerBuilder<Tell>) -> ServerBuilder<Tell>,
    ) -> Self {
        let (tell, happened) = mpsc::unbounded_channel();
        let builder = Server::with_state(Tell { happened: tell, log: log.clone() })
            .namespace("/", namespace())
            .namespace("/chat", namespace())
            .namespace("/ünï 😀", namespace())
            .namespace_matching(|name| name.starts_with("/tenant-"), namespace())
            .namespace("/guarded", namespace().middleware(guard))
            .engine(|engine| engine.eio3(true));
        let server = settings(builder).build().expect("the settings are valid");
        let address = listener.local_addr().expect("a bound socket has an address");
        let serving = server.clone();
        let task = tokio::spawn(async move {
            // It ends with the test.
            let _ = serving.serve(listener).await;
        });
        Self { server, address, happened: Mutex::new(happened), task }
    }

    /// The same, with a heartbeat of these periods.
    pub(crate) async fn start_beating(log: &Log, interval: Duration, timeout: Duration) -> Self {
        let heartbeat = Heartbeat::new(interval, timeout).expect("periods are not zero");
        Self::start_with(log, |builder| builder.engine(move |engine| engine.heartbeat(heartbeat))).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What happens next.
    pub(crate) async fn next(&self) -> Happened {
        let mut happened = self.happened.lock().await;
        soon("something to happen at the server", happened.recv()).await.expect("the server lives")
    }

    /// The next socket that joins.
    pub(crate) async fn joined(&self) -> Socket {
        match self.next().await {
            Happened::Joined(socket) => socket,
            other => panic!("expected a socket to join, not {other:?}"),
        }
    }

    /// The next event: the socket, the name, the arguments.
    pub(crate) async fn event(&self) -> (Socket, String, serde_json::Value) {
        match self.next().await {
            Happened::Event { socket, name, args, .. } => (socket, name, args),
            other => panic!("expected an event, not {other:?}"),
        }
    }

    /// What answers the next event.
    pub(crate) async fn asked(&self) -> (serde_json::Value, Ack) {
        match self.next().await {
            Happened::Event { args, ack: Some(ack), .. } => (args, ack),
            other => panic!("expected an event that asks for an answer, not {other:?}"),
        }
    }

    /// The rooms and the reason of the next socket that ends.
    pub(crate) async fn left(&self) -> (Socket, Vec<String>, &'static str) {
        match self.next().await {
            Happened::Left { socket, rooms, reason } => (socket, rooms, reason),
            other => panic!("expected a socket to end, not {other:?}"),
        }
    }

    /// Whether something has happened that no test has asked for.
    pub(crate) fn assert_quiet(&self) {
        let mut happened = self.happened.try_lock().expect("nobody else waits");
        if let Ok(happened) = happened.try_recv() {
            panic!("{happened:?}");
        }
    }

    pub(crate) fn stop_accepting(&self) {
        self.task.abort();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn namespace() -> Namespace<Tell> {
    Namespace::new()
        .on_connect(joined)
        .on("back", back)
        .on("back, read", back_read)
        .on("sum", sum)
        .on("join", join)
        .on("numbered", numbered)
        .on_any(any)
        .on_disconnecting(leaving)
        .on_disconnect(left)
        .on_error(|socket, event, error| {
            // A test that expects it waits for it.
            let _ = socket.emit("failed", Args((event, error.to_string())));
        })
}

async fn joined(socket: Socket, State(tell): State<Tell>) {
    socket.insert(Numbers::default());
    tell.tell(Happened::Joined(socket));
}

/// Sends the arguments back as they came.
async fn back(socket: Socket, args: RawArgs, ack: Option<Ack>) -> Result<(), EmitError> {
    match ack {
        Some(ack) => ack.send(args),
        None => socket.send("back", args).await,
    }
}

/// Reads the arguments, and writes them anew.
async fn back_read(args: Args<Vec<Value>>) -> Reply<Args<Vec<Value>>> {
    Reply(args)
}

async fn sum(Args((a, b)): Args<(i64, i64)>) -> Reply<i64> {
    Reply(a + b)
}

async fn join(
    socket: Socket,
    Args(rooms): Args<Vec<String>>,
) -> Result<Reply<usize>, eio_socketio::JoinError> {
    for room in rooms {
        socket.join(room)?;
    }
    Ok(Reply(socket.rooms().len()))
}

/// Counts events that are numbered.
#[derive(Clone, Default)]
pub(crate) struct Numbers(Arc<std::sync::Mutex<(u64, u64)>>);

impl Numbers {
    /// How many came, and how many of them in the wrong place.
    pub(crate) fn counts(&self) -> (u64, u64) {
        *self.0.lock().expect("nobody panics with it")
    }
}

async fn numbered(socket: Socket, args: RawArgs) {
    let number = args.first::<u64>().unwrap_or(u64::MAX);
    let is_whole = !number.is_multiple_of(50) || args.attachments() == [&number.to_le_bytes()[..1]];
    if let Some(Numbers(counts)) = socket.get::<Numbers>() {
        let mut counts = counts.lock().expect("nobody panics with it");
        counts.1 += u64::from(number != counts.0 || !is_whole);
        counts.0 += 1;
    }
}

async fn any(
    socket: Socket,
    EventName(name): EventName,
    args: RawArgs,
    ack: Option<Ack>,
    State(tell): State<Tell>,
) -> Result<(), eio_socketio::DecodeError> {
    let args = args.values()?.iter().map(from_ours).collect();
    tell.tell(Happened::Event { socket, name: name.to_string(), args, ack });
    Ok(())
}

/// The rooms that a socket was in.
#[derive(Clone)]
struct WasIn(Vec<String>);

async fn leaving(socket: Socket) {
    socket.insert(WasIn(socket.rooms()));
}

async fn left(socket: Socket, end: Disconnect, State(tell): State<Tell>) {
    assert!(socket.rooms().is_empty(), "the rooms are known before, not now");
    tell.log.line("server", &format!("{} has ended: {end}", socket.id()));
    let WasIn(rooms) = socket.get().expect("`on_disconnecting` runs first");
    tell.tell(Happened::Left { socket, rooms, reason: end.reason.as_str() });
}

/// Lets in who has the token, and tells others what they have sent.
async fn guard(Auth(auth): Auth<serde_json::Value>) -> Result<(), Refusal> {
    match auth["token"].as_str() {
        Some("right") => Ok(()),
        Some(_) => Refusal::new("wrong token")
            .with_data(json!({ "code": 7, "sent": auth }))
            .map_or_else(|error| Err(Refusal::new(error.to_string())), Err),
        None => Err(Refusal::new("a token is needed")),
    }
}
