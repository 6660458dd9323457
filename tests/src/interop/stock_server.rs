//! Stock servers: processes of other people's libraries.
//!
//! Commands to such a process, a line of JSON each: `send` with `id` and a message; `close` with `id`; `close-all`.
//! engine.io also takes, with `id`, `close-with` with a `code` and a `reason` for the close frame, `cut` for the connection,
//! `send-raw` with a `text` that is no packet, and `forget`; and `block` with how many `ms` its event loop is busy, and
//! `shut-down`, which also closes what listens. A
//! Socket.IO server takes `emit` and `ask` (an event that wants an acknowledgement) with `id`, `namespace`, `name` and
//! `args`; `leave` with `id`, `namespace` and whether to `close` the connection; and `close-all`. What they tell, with
//! the `id` and the `transport` of that moment: `open` with the `revision`, `heartbeat`, `message`, `upgrade`, `error`,
//! `close` with a `reason`; and, from Socket.IO, `join`, `event`, `answer`, `leave` with a `reason`.

use std::collections::HashMap;
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::events::{Events, text};
use super::stock_client::python;
use super::{Child, Log, StockSession, soon};

/// A library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests name them all")]
pub enum ServerKind {
    /// engine.io 6: revision 4, and 3 if allowed.
    Engine6,
    /// engine.io 3.6: revision 3.
    Engine3,
    /// socket.io 4, on engine.io 6.
    SocketIo4,
    /// python-engineio, on polling: revision 4.
    Python,
}

impl ServerKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine6 => "engine.io 6",
            Self::Engine3 => "engine.io 3.6",
            Self::SocketIo4 => "socket.io 4",
            Self::Python => "python-engineio",
        }
    }

    fn command(self, options: &Value) -> Command {
        let (program, arguments): (_, &[&str]) = match self {
            Self::Engine6 => ("node".to_owned(), &["server.cjs", "engine.io-6"]),
            Self::Engine3 => ("node".to_owned(), &["server.cjs", "engine.io-3"]),
            Self::SocketIo4 => ("node".to_owned(), &["socketio.cjs"]),
            Self::Python => (python(), &["server.py"]),
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(options.to_string());
        command
    }
}

/// A process of one library.
#[derive(Debug)]
pub struct StockServer {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    opened: UnboundedReceiver<StockSession>,
}

impl StockServer {
    /// Starts the process, and waits until it listens.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(kind: ServerKind, options: &Value, log: &Log) -> Self {
        let (child, mut events) = Child::start(kind.command(options), "server", log);
        let first = soon("the server to listen", events.recv()).await.expect("the server's process lives");
        let port = first.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("its first line tells the port")));
        let (open, opened) = mpsc::unbounded_channel();
        let commands = child.commands();
        tokio::spawn(async move {
            let mut inboxes = HashMap::new();
            while let Some(event) = events.recv().await {
                let inbox: &UnboundedSender<_> = inboxes.entry(text(&event, "id")).or_insert_with_key(|id| {
                    let (inbox, events) = mpsc::unbounded_channel();
                    let events = Events::new("server", events);
                    // A test that looks at no session of the server's has dropped the receiver.
                    let _ = open.send(StockSession::new(id.as_str(), commands.clone(), events));
                    inbox
                });
                // A session that nobody looks at any more.
                let _ = inbox.send(event);
            }
        });
        Self { address, child, opened }
    }

    /// The URL of its Engine.IO endpoint's host.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next session that opens.
    ///
    /// # Panics
    /// When none does.
    pub async fn accept(&mut self) -> StockSession {
        soon("a session to open at the server", self.opened.recv()).await.expect("the server's process lives")
    }

    /// Closes the server with all its sessions.
    pub fn close_all(&self) {
        self.command(json!({ "command": "close-all" }));
    }

    /// Sends a command.
    pub fn command(&self, command: Value) {
        // A process that has ended says so by the events that stay away.
        let _ = self.child.commands().send(command);
    }

    /// Ends the process by SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await;
    }

    /// The process's id, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }
}
