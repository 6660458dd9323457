//! Stock clients: processes of other people's libraries, each of which may hold many sessions.
//!
//! Commands to such a process, a line of JSON each: `open` with `id`, `url`, `options` as the JavaScript client takes
//! them, and a `burst` to send once open, of `count` messages, `prefix` and a number, with a `pause` in milliseconds
//! after every ten, the last `afterUpgrade` of which wait for the upgrade; `send` with `id` and a message; `close` with
//! `id`. What it tells, with the `id` and the `transport` of that moment: `handshake`, `open`, `heartbeat`, `message`,
//! `upgrade`, `upgrade-error` and `error` with a `detail`, `close` with a `reason`.

use serde_json::{Value, json};
use tokio::process::Command;

use super::routes::Routes;
use super::{Child, Log, StockSession};
use crate::built::target_directory;
use crate::signal::send_signal;

/// A library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests name them all")]
pub enum StockKind {
    /// engine.io-client 6: revision 4.
    JavaScript6,
    /// engine.io-client 3.5: revision 3.
    JavaScript3,
    /// python-engineio: revision 4.
    Python,
}

impl StockKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::JavaScript6, Self::JavaScript3, Self::Python];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::JavaScript6 => "engine.io-client 6",
            Self::JavaScript3 => "engine.io-client 3.5",
            Self::Python => "python-engineio",
        }
    }

    fn command(self) -> Command {
        let program = |name: &str, arguments: &[&str]| {
            let mut command = Command::new(name);
            command.args(arguments);
            command
        };
        match self {
            Self::JavaScript6 => program("node", &["client.cjs", "engine.io-client-6"]),
            Self::JavaScript3 => program("node", &["client.cjs", "engine.io-client-3"]),
            Self::Python => program(&python(), &["client.py"]),
        }
    }
}

/// The interpreter of the virtual environment: `EIO_INTEROP_PYTHON`, or where `cargo xtask` makes it.
#[must_use]
pub fn python() -> String {
    std::env::var("EIO_INTEROP_PYTHON").unwrap_or_else(|_| {
        target_directory("Cargo.toml").join("interop/venv/bin/python").to_string_lossy().into_owned()
    })
}

/// How a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "tests name them all")]
pub enum Mode {
    /// Long-polling only.
    Polling,
    /// WebSocket from the start.
    WebSocket,
    /// Polling first, then WebSocket.
    Upgrade,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Polling, Self::WebSocket, Self::Upgrade];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "WebSocket",
            Self::Upgrade => "an upgrade",
        }
    }

    /// The transports, as the JavaScript client names them.
    #[must_use]
    pub fn transports(self) -> &'static [&'static str] {
        match self {
            Self::Polling => &["polling"],
            Self::WebSocket => &["websocket"],
            Self::Upgrade => &["polling", "websocket"],
        }
    }
}

/// A process of one library.
#[derive(Debug)]
pub struct StockClients {
    child: Child,
    routes: Routes,
}

impl StockClients {
    /// Starts the process.
    #[must_use]
    pub fn start(kind: StockKind, log: &Log) -> Self {
        let (child, events) = Child::start(kind.command(), "client", log);
        Self { child, routes: Routes::start("client", events) }
    }

    /// Opens a session.
    pub fn open(&mut self, url: &str, mode: Mode) -> StockSession {
        self.open_with(url, mode, json!({}), &Value::Null)
    }

    /// Opens a session with more options than the transports, and perhaps a burst of messages once it is open.
    pub fn open_with(&mut self, url: &str, mode: Mode, mut options: Value, burst: &Value) -> StockSession {
        let (id, events) = self.routes.session();
        options["transports"] = json!(mode.transports());
        let session = StockSession::new(id, self.child.commands(), events);
        session.command("open", json!({ "url": url, "options": options, "burst": burst }));
        session
    }

    /// Sends a signal to the process, such as `STOP`.
    ///
    /// # Panics
    /// When the process has ended.
    pub fn signal(&self, signal: &str) {
        send_signal(signal, self.child.id().expect("the process lives"));
    }

    /// Ends the process by SIGKILL.
    pub async fn kill(&mut self) {
        self.child.kill().await;
    }
}
