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

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use eio_tests::interop::{Child, Log, Mode, python, soon};
use serde_json::{Map, Value, json};
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::lines::canonical;
use crate::peer::{Library, Peer};
use crate::server::TestServer;

/// One line of JSON.
pub(crate) type Told = Map<String, Value>;

/// The numbers of sockets, and where to hand what is told of them.
type Inboxes = Arc<Mutex<HashMap<u64, (Log, UnboundedSender<Told>)>>>;

/// A process of one library.
pub(crate) struct Process {
    child: Child,
    inboxes: Inboxes,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Process {
    /// The process that all cases share.
    async fn shared(library: Library) -> &'static Self {
        static PROCESSES: [OnceCell<Process>; 3] = [const { OnceCell::const_new() }; 3];
        let process = &PROCESSES[library as usize];
        process.get_or_init(|| async { Self::start(library) }).await
    }

    /// A process of its own, for a case that kills it.
    pub(crate) fn start(library: Library) -> Self {
        let mut command;
        match library {
            Library::Python => {
                command = Command::new(python());
                command.arg("socketio_client.py");
            }
            Library::JavaScript4 | Library::JavaScript2 => {
                let package =
                    if library == Library::JavaScript4 { "socket.io-client-4" } else { "socket.io-client-2" };
                command = Command::new("node");
                command.args(["socketio-client.cjs", package]);
            }
        }
        let log = Log::start();
        let (child, mut told) = Child::start(command, "client", &log);
        let inboxes = Inboxes::default();
        let routes = Arc::clone(&inboxes);
        tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                let id = event.get("id").and_then(Value::as_u64).unwrap_or_default();
                if let Some((log, inbox)) = routes.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
                    log.line("client", &Value::from(event.clone()).to_string());
                    // A case that has ended.
                    let _ = inbox.send(event);
                }
            }
            // What it said on its standard error is the reason.
            let text = log.text();
            for (log, _) in
                routes.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, inbox)| inbox)
            {
                log.line(
                    "client",
                    &format!("its process has ended: {}", text.lines().last().unwrap_or_default()),
                );
            }
        });
        Self { child, inboxes }
    }

    /// Ends it by SIGKILL.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await;
    }

    fn socket(&self, peer: Peer, log: &Log) -> Client {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let (inbox, told) = mpsc::unbounded_channel();
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (log.clone(), inbox));
        Client {
            peer,
            id,
            commands: self.child.commands(),
            told,
            waiting: VecDeque::new(),
            inboxes: Arc::clone(&self.inboxes),
            log: log.clone(),
        }
    }
}

/// A socket of a stock client: a namespace on a connection.
pub(crate) struct Client {
    peer: Peer,
    id: u64,
    commands: UnboundedSender<Value>,
    told: UnboundedReceiver<Told>,
    /// What was told while something else was waited for.
    waiting: VecDeque<Told>,
    inboxes: Inboxes,
    log: Log,
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
        Self::open_in(Process::shared(peer.library).await, peer, &server.url(), namespace, more, log)
    }

    /// The same, to `/` at this URL.
    pub(crate) async fn open_at(peer: Peer, url: &str, more: Value, log: &Log) -> Self {
        Self::open_in(Process::shared(peer.library).await, peer, url, "/", more, log)
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
        let client = process.socket(peer, log);
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
        let other = Process::shared(self.peer.library).await.socket(self.peer, &self.log);
        other.command("join", json!({ "of": self.id, "namespace": namespace, "auth": auth }));
        other
    }

    /// A socket that the command `open` is given the number of.
    pub(crate) async fn reserve(peer: Peer, log: &Log) -> Self {
        Process::shared(peer.library).await.socket(peer, log)
    }

    pub(crate) fn number(&self) -> u64 {
        self.id
    }

    /// Sends a command.
    pub(crate) fn command(&self, command: &str, mut what: Value) {
        what["command"] = command.into();
        what["id"] = self.id.into();
        self.log.line("test", &format!("tells the client {what}"));
        // A process that has ended says so by what it does not tell any more.
        let _ = self.commands.send(what);
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

    /// The next that is told of this kind. What is told of other kinds waits for those who ask for it.
    pub(crate) async fn hears(&mut self, kind: &str) -> Told {
        let is_wanted = |told: &Told| told.get("event").and_then(Value::as_str) == Some(kind);
        if let Some(at) = self.waiting.iter().position(is_wanted) {
            return self.waiting.remove(at).unwrap_or_default();
        }
        let (told, waiting) = (&mut self.told, &mut self.waiting);
        soon(&format!("the client's `{kind}`"), async {
            loop {
                let next = told.recv().await.unwrap_or_else(|| panic!("no `{kind}`: the process has ended"));
                if is_wanted(&next) {
                    return next;
                }
                waiting.push_back(next);
            }
        })
        .await
    }

    /// Whether something of this kind was told that nobody has asked for.
    pub(crate) fn has_told(&mut self, kind: &str) -> bool {
        while let Ok(told) = self.told.try_recv() {
            self.waiting.push_back(told);
        }
        self.waiting.iter().any(|told| told.get("event").and_then(Value::as_str) == Some(kind))
    }
}

/// Its process goes on without it.
impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.commands.send(json!({ "command": "leave", "id": self.id }));
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
