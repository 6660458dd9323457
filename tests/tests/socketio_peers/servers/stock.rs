//! Stock servers. Each case has one of its own, on a port of its own, in a process that all cases share.
//!
//! Commands to such a process, a line of JSON each, with the `id` of a server: `open` with `options` as the library for
//! JavaScript takes them, and a `port` if it has to be a certain one; `emit` with `namespace`, `name`, `args`, the number of
//! the `call` to be answered, and `volatile`; `broadcast` with `name` and `args`, to a room that every socket joins; `flood`
//! with the numbers of its events, `from` and `to`, and `tell_numbers`; `disconnect` with `namespace` and whether to `close`
//! the connection; `abandon`, to end the session without a word; `raw` with `text`; `close`. Without a `namespace`, `/` is
//! meant. A program obeys the commands that its library can obey: `library.rs` says which are not among them.
//!
//! What it tells, with the `id` and the `namespace`: `listening` with `port`, `join` with `auth`, `sid`, `session` and
//! `recovered`, `event` with `name` and `args`, `answer` to a `call` with `args`, `leave` with `reason`, `flooded`, and
//! `numbers` with how many numbered events came, on which `transports`, and how many of them in `wrong` places. Events are
//! answered with their arguments; `back` comes back, `silent` is not answered, `sum` is answered with a sum, `late` after as
//! many milliseconds as its argument, and `twice` twice where the library has a way to do it.

use core::net::SocketAddr;
use core::ops::{Deref, DerefMut};

use eio_tests::interop::{Case, Log, Mode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::library::{LIBRARIES, Library, Need, Program, Words};
use crate::lines::canonical;
use crate::process::{Line, Process};

/// A library, and how our client connects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) library: &'static Library,
    pub(super) mode: Mode,
}

impl Peer {
    pub(super) fn all() -> Vec<Self> {
        LIBRARIES.iter().flat_map(|library| Mode::ALL.map(|mode| Self { library, mode })).collect()
    }

    /// A case that gets this peer as an argument.
    pub(super) fn case<F, R>(self, sentence: &str, run: F) -> Case
    where
        F: FnOnce(Self, Log) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let name = format!("our client on {} over {}: {sentence}", self.library.name, self.mode.name());
        Case::new(name, move |log| run(self, log))
    }

    /// The same, ignored where the library cannot do what the case needs.
    pub(super) fn case_that_needs<F, R>(self, need: Need, sentence: &str, run: F) -> Case
    where
        F: FnOnce(Self, Log) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let case = self.case(sentence, run);
        match self.lacks(need) {
            None => case,
            Some(reason) => case.ignored(reason),
        }
    }

    fn lacks(self, need: Need) -> Option<&'static str> {
        self.library.lacks.iter().find(|(lacking, _)| *lacking == need).map(|(_, reason)| *reason)
    }

    pub(super) fn can(self, need: Need) -> bool {
        self.lacks(need).is_none()
    }

    /// Whether our client speaks the revision of Socket.IO 2.
    pub(super) fn is_old(self) -> bool {
        self.library.is_old
    }

    /// Why the server says that sockets leave.
    pub(super) fn words(self) -> &'static Words {
        &self.library.words
    }

    /// The transport on which sessions end up.
    pub(super) fn transport(self) -> &'static str {
        if self.mode == Mode::Polling { "polling" } else { "websocket" }
    }
}

/// A server of a stock library.
pub(super) struct StockServer {
    line: Line,
    pub(super) port: u16,
    calls: u64,
}

impl StockServer {
    pub(super) async fn start(peer: Peer, log: &Log) -> Self {
        Self::start_with(peer, json!({}), log).await
    }

    /// Starts one with these options.
    pub(super) async fn start_with(peer: Peer, options: Value, log: &Log) -> Self {
        Self::start_at(peer, options, Value::Null, log).await
    }

    /// Starts one at this port.
    pub(super) async fn start_at(peer: Peer, options: Value, port: Value, log: &Log) -> Self {
        static PROCESSES: [OnceCell<Process>; Program::COUNT] =
            [const { OnceCell::const_new() }; Program::COUNT];
        let program = peer.library.program;
        let start = || async { Process::start(program.command(), "server") };
        let process = PROCESSES[program as usize].get_or_init(start).await;
        Self::start_in(process, peer, options, port, log).await
    }

    /// Starts one in a process of its own, for a case that kills it.
    pub(super) async fn start_alone(peer: Peer, log: &Log) -> (Self, Process) {
        let process = Process::start(peer.library.program.command(), "server");
        (Self::start_in(&process, peer, json!({}), Value::Null, log).await, process)
    }

    async fn start_in(process: &Process, peer: Peer, mut options: Value, port: Value, log: &Log) -> Self {
        let mut line = process.line(log);
        // Some cases keep it waiting.
        options["upgradeTimeout"] = 30_000.into();
        options["allowEIO3"] = peer.is_old().into();
        line.command("open", json!({ "options": options, "port": port }));
        let port = line.hears("listening").await["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Self { line, port: port.expect("a port"), calls: 0 }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub(super) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Sends an event on `/`.
    pub(super) fn emit(&self, name: &str, args: &Value) {
        self.command("emit", json!({ "name": name, "args": args }));
    }

    /// Sends an event on `/` that asks for an answer. Returns what names the answer.
    pub(super) fn ask(&mut self, name: &str, args: &Value) -> u64 {
        self.calls += 1;
        self.command("emit", json!({ "name": name, "args": args, "call": self.calls }));
        self.calls
    }

    /// The arguments of the next answer, which is to this question.
    pub(super) async fn answered(&mut self, call: u64) -> Value {
        let answer = self.hears("answer").await;
        assert_eq!(answer["call"], call);
        canonical(&answer["args"])
    }

    /// The name and the arguments of the next event.
    pub(super) async fn event(&mut self) -> (String, Value) {
        let event = self.hears("event").await;
        (event["name"].as_str().unwrap_or_default().to_owned(), canonical(&event["args"]))
    }

    /// The reason of the next socket that ends.
    pub(super) async fn left(&mut self) -> String {
        self.hears("leave").await["reason"].as_str().unwrap_or_default().to_owned()
    }
}

impl Deref for StockServer {
    type Target = Line;

    fn deref(&self) -> &Line {
        &self.line
    }
}

impl DerefMut for StockServer {
    fn deref_mut(&mut self) -> &mut Line {
        &mut self.line
    }
}

/// Its process goes on without it.
impl Drop for StockServer {
    fn drop(&mut self) {
        self.command("close", json!({}));
    }
}
