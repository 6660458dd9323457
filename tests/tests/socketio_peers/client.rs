//! A stock client, held by a process of its library that all cases share: starting one takes longer than a case.
//!
//! Commands to such a process, a line of JSON each, with the `id` of a socket: `open` with `url`, `namespace`, `options` as
//! the JavaScript client takes them, and `auth`, or `everyAuth` with one for each connection; `join` with the socket `of`
//! whose connection carries another `namespace`; `emit` with `name`, `args`, the number of the `call` to be answered,
//! `timeout` in milliseconds and `volatile`; `flood` with the numbers of its events, `from` and `to`, and `tell_numbers`; `leave` and
//! `connect`; `abandon`, `cut`, `mute` and `raw` with `text`, to behave badly.
//!
//! What it tells, with the `id` and the `transport` of that moment: `connect` with `sid`, `connect-error` with `message` and
//! `data`, `disconnect` with `reason`, `upgrade`, `ready` when
//! python-socketio has joined all namespaces, `event` with `name` and `args`, `answer` to a `call` with `args` and
//! `error`, `flooded`, and `numbers` with how many numbered events came, on which `transports`, and how many of them in `wrong` places.
//! Events are answered with their arguments; `silent` is not answered, `late` after as many milliseconds as its argument,
//! and `twice` twice.

use core::ops::{Deref, DerefMut};

use eio_tests::interop::{Log, Mode, python};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::lines::canonical;
use crate::peer::{Library, Peer};
use crate::process::{Line, Process};
use crate::server::TestServer;

/// The process of a library that all cases share.
async fn shared_process(library: Library) -> &'static Process {
    static PROCESSES: [OnceCell<Process>; 3] = [const { OnceCell::const_new() }; 3];
    PROCESSES[library as usize].get_or_init(|| async { start_process(library) }).await
}

/// A process of its own, for a case that kills it.
pub(crate) fn start_process(library: Library) -> Process {
    let (program, arguments): (_, &[&str]) = match library {
        Library::Python => (python(), &["socketio_client.py"]),
        Library::JavaScript4 => ("node".to_owned(), &["socketio-client.cjs", "socket.io-client-4"]),
        Library::JavaScript2 => ("node".to_owned(), &["socketio-client.cjs", "socket.io-client-2"]),
    };
    let mut command = Command::new(program);
    command.args(arguments);
    Process::start(command, "client")
}

/// A socket of a stock client: a namespace on a connection.
pub(crate) struct Client {
    peer: Peer,
    line: Line,
}

impl Client {
    /// Opens a connection and asks to join a namespace.
    pub(crate) async fn open(peer: Peer, server: &TestServer, namespace: &str, log: &Log) -> Self {
        Self::open_with(peer, server, namespace, json!({}), log).await
    }

    /// The same, with more of what the command `open` takes. It does not reconnect, unless the options say so.
    pub(crate) async fn open_with(
        peer: Peer,
        server: &TestServer,
        namespace: &str,
        more: Value,
        log: &Log,
    ) -> Self {
        Self::open_in(shared_process(peer.library).await, peer, &server.url(), namespace, more, log)
    }

    /// The same, to `/` at this URL.
    pub(crate) async fn open_at(peer: Peer, url: &str, more: Value, log: &Log) -> Self {
        Self::open_in(shared_process(peer.library).await, peer, url, "/", more, log)
    }

    /// The same, in this process.
    pub(crate) fn open_in(
        process: &Process,
        peer: Peer,
        url: &str,
        namespace: &str,
        mut more: Value,
        log: &Log,
    ) -> Self {
        let client = Self { peer, line: process.line(log) };
        let options = more["options"].as_object().cloned().unwrap_or_default();
        let mut all = json!({ "transports": peer.mode.transports(), "reconnection": false });
        all.as_object_mut().expect("an object").extend(options);
        more["options"] = all;
        more["url"] = url.into();
        more["namespace"] = namespace.into();
        client.command("open", more);
        client
    }

    /// Joins another namespace on the same connection. python-socketio names all of them when it connects.
    pub(crate) async fn join(&self, namespace: &str, auth: Value) -> Self {
        let other = Self::reserve(self.peer, self.line.log()).await;
        other.command("join", json!({ "of": self.number(), "namespace": namespace, "auth": auth }));
        other
    }

    /// A socket that the command `open` is given the number of.
    pub(crate) async fn reserve(peer: Peer, log: &Log) -> Self {
        Self { peer, line: shared_process(peer.library).await.line(log) }
    }

    /// Sends an event.
    pub(crate) fn emit(&self, name: &str, args: &Value) {
        self.command("emit", json!({ "name": name, "args": args }));
    }

    /// Sends an event, and returns the arguments of the server's answer.
    pub(crate) async fn call(&mut self, name: &str, args: &Value) -> Value {
        self.command("emit", json!({ "name": name, "args": args, "call": 0 }));
        let answer = self.hears("answer").await;
        canonical(&answer["args"])
    }

    /// Waits until it has joined. Returns its identifier.
    pub(crate) async fn joined(&mut self) -> String {
        self.hears("connect").await["sid"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the session is on its final transport.
    pub(crate) async fn settled(&mut self) {
        let transport = match (self.peer.library, self.peer.mode) {
            (Library::Python, _) => self.hears("ready").await,
            (_, Mode::Upgrade) => self.hears("upgrade").await,
            _ => return,
        };
        assert_eq!(transport["transport"], self.peer.transport());
    }

    /// The name and the arguments of the next event.
    pub(crate) async fn event(&mut self) -> (String, Value) {
        let event = self.hears("event").await;
        (event["name"].as_str().unwrap_or_default().to_owned(), canonical(&event["args"]))
    }

    /// The reason of its end.
    pub(crate) async fn disconnected(&mut self) -> String {
        self.hears("disconnect").await["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// The message and the data with which it was refused. Before revision 5 one value is both.
    pub(crate) async fn refused(&mut self) -> (Value, Value) {
        let error = self.hears("connect-error").await;
        let member = |name| canonical(error.get(name).unwrap_or(&Value::Null));
        (member("message"), member("data"))
    }
}

impl Deref for Client {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.line
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Line {
        &mut self.line
    }
}

/// Its process goes on without it.
impl Drop for Client {
    fn drop(&mut self) {
        self.command("leave", json!({}));
    }
}
