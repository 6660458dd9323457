//! Other people's servers, each a process that speaks lines of JSON: `tests/interop/README.md` says how.

use eio_tests::built::nest;
use eio_tests::interop::{Child, Event, Events, Log};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::runtime::{Builder, Handle, Runtime};

/// Servers of Socket.IO.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Library {
    SocketIo,
    Nest,
}

impl Library {
    pub(crate) const ALL: [Self; 2] = [Self::SocketIo, Self::Nest];

    /// Starts a server with these options.
    pub(crate) fn start(self, options: &Value) -> Server {
        let command = match self {
            Self::SocketIo => node(&["socketio-server.cjs", "socket.io"]),
            Self::Nest => nest("gateways").into(),
        };
        Server::start(command, Some(options))
    }
}

/// Starts engine.io 6 with these options.
pub(crate) fn engineio(options: &Value) -> Server {
    Server::start(node(&["server.cjs", "engine.io-6", &options.to_string()]), None)
}

fn node(arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.args(arguments);
    command
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    told: Events,
    port: u16,
    log: Log,
    /// Runs what reads the process. It ends last.
    runtime: Runtime,
}

impl Server {
    fn start(command: Command, open: Option<&Value>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (child, told, port, log) = runtime.block_on(async {
            let log = Log::start();
            let (child, told) = Child::start(command, "server", &log);
            let mut told = Events::new("server", told);
            if let Some(options) = open {
                let _ = child.commands().send(json!({ "command": "open", "id": 1, "options": options }));
            }
            let port = told.next("listening").await["port"].as_u64();
            (child, told, port.and_then(|port| u16::try_from(port).ok()).expect("a port"), log)
        });
        Self { child, told, port, log, runtime }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where its timers run.
    pub(crate) fn runtime(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// Gives a command to the one server of a process of Socket.IO.
    pub(crate) fn command(&self, command: &str, mut what: Value) {
        what["command"] = command.into();
        what["id"] = 1.into();
        self.log.line("test", &what.to_string());
        let _ = self.child.commands().send(what);
    }

    /// The next that is told of this kind.
    pub(crate) async fn hears(&mut self, kind: &str) -> Event {
        self.told.next(kind).await
    }

    /// Whether something of this kind was told that nobody has asked for.
    pub(crate) fn has_told(&mut self, kind: &str) -> bool {
        self.told.has(kind)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log.text());
        }
    }
}
