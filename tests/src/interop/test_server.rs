//! Our server, as a test holds it: on a port of its own, with every session in the test's hands.

use std::net::SocketAddr;

use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::{Disconnect, Message, Observer, Sender, Server, ServerBuilder, SessionId, Socket, Transport};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;

use super::{Log, soon};

/// A running server. Dropping it stops accepting.
#[derive(Debug)]
pub struct TestServer {
    /// Its handle.
    pub server: Server,
    /// Where it listens.
    pub address: SocketAddr,
    accepted: Mutex<UnboundedReceiver<ServerEnd>>,
    task: JoinHandle<()>,
}

impl TestServer {
    /// A server whose sessions hand what they receive to the test.
    pub async fn start(log: &Log, settings: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::start_with(log, settings, |socket, received| async move { listen(socket, received).await })
            .await
    }

    /// A server that sends every message back, and hands it to the test as well.
    pub async fn start_echo(log: &Log, settings: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::start_with(log, settings, |socket, received| async move { echo(socket, received).await }).await
    }

    async fn start_with<F, R>(
        log: &Log,
        settings: impl FnOnce(ServerBuilder) -> ServerBuilder,
        application: F,
    ) -> Self
    where
        F: Fn(Socket, UnboundedSender<(Message, Transport)>) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let (accept, accepted) = mpsc::unbounded_channel();
        let builder = Server::builder(move |socket: Socket| {
            let (received, messages) = mpsc::unbounded_channel();
            let query = socket.request().and_then(|parts| parts.uri.query()).unwrap_or_default().to_owned();
            // A test that looks at no session of the server's has dropped the receiver.
            let _ = accept.send(ServerEnd { sender: socket.sender(), messages, query });
            application(socket, received)
        });
        let server = settings(builder.eio3(true).max_payload(2_000_000).observer(LogObserver(log.clone())))
            .build()
            .expect("the settings are valid");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let serving = server.clone();
        let task = tokio::spawn(async move {
            // It ends with the test.
            let _ = serving.serve(listener).await;
        });
        Self { server, address, accepted: Mutex::new(accepted), task }
    }

    /// The URL that clients connect to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next session that opens.
    ///
    /// # Panics
    /// When none does.
    pub async fn accept(&self) -> ServerEnd {
        let mut accepted = self.accepted.lock().await;
        soon("a session to open", accepted.recv()).await.expect("the server lives")
    }

    /// Waits until no session is left.
    pub async fn emptied(&self) {
        soon("the server's last session to end", async {
            while !self.server.is_empty() {
                tokio::time::sleep(core::time::Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(mut socket: Socket, received: UnboundedSender<(Message, Transport)>) {
    while let Ok(message) = socket.recv().await {
        // A test that does not look at messages has dropped the receiver.
        let _ = received.send((message, socket.transport()));
    }
}

async fn echo(mut socket: Socket, received: UnboundedSender<(Message, Transport)>) {
    while let Ok(message) = socket.recv().await {
        let transport = socket.transport();
        let sent = socket.send(message.clone()).await;
        // The echo is on its way before the message is handed on.
        let _ = received.send((message, transport));
        if sent.is_err() {
            return;
        }
    }
}

/// The server's end of one session.
#[derive(Debug)]
pub struct ServerEnd {
    /// Sends and closes.
    pub sender: Sender,
    /// The query of the opening request.
    pub query: String,
    messages: UnboundedReceiver<(Message, Transport)>,
}

impl ServerEnd {
    /// The next message, and what carried the session when the application took it.
    ///
    /// # Panics
    /// When none comes.
    pub async fn message_and_transport(&mut self) -> (Message, Transport) {
        soon("a message at the server", self.messages.recv()).await.expect("the session lives")
    }

    /// The next message.
    ///
    /// # Panics
    /// When none comes.
    pub async fn message(&mut self) -> Message {
        self.message_and_transport().await.0
    }

    /// How the session ended.
    pub async fn closed(&self) -> Disconnect {
        soon("the server's session to end", self.sender.closed()).await
    }
}

/// Writes what the server does into the case's log.
struct LogObserver(Log);

impl LogObserver {
    fn line(&self, id: SessionId, what: &str) {
        self.0.line("server", &format!("{} {what}", id.short()));
    }
}

impl Observer for LogObserver {
    fn opened(&self, session: &Sender) {
        self.line(session.id(), &format!("opened on {}", session.transport().as_str()));
    }

    fn heartbeat(&self, id: SessionId, rtt: Option<core::time::Duration>) {
        self.line(id, &format!("heartbeat, round trip {rtt:?}"));
    }

    fn message(&self, id: SessionId, message: &Message) {
        let text = message.as_text().map_or_else(|| format!("{} bytes", message.len()), ToOwned::to_owned);
        self.line(id, &format!("message {text}"));
    }

    fn upgrade(&self, id: SessionId, outcome: UpgradeOutcome) {
        self.line(id, &format!("upgrade: {outcome:?}"));
    }

    fn closed(&self, id: SessionId, disconnect: &Disconnect) {
        self.line(id, &format!("ended: {disconnect}"));
    }
}
