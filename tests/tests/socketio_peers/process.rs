//! A process of a stock library that many cases share: starting one takes longer than a case. Each socket or server in it
//! has a number, which its commands and what is told of it bear.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use eio_tests::interop::{Child, Event, Events, Log};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::mpsc::{self, UnboundedSender};

/// Where to hand what is told of each number, and the log of its case.
type Inboxes = Arc<Mutex<HashMap<u64, (Log, UnboundedSender<Event>)>>>;

/// A running process.
pub(crate) struct Process {
    who: &'static str,
    child: Child,
    inboxes: Inboxes,
    last: AtomicU64,
}

impl Process {
    /// Starts a process of which logs speak as `who`.
    pub(crate) fn start(command: Command, who: &'static str) -> Self {
        let log = Log::start();
        let (child, mut told) = Child::start(command, who, &log);
        let inboxes = Inboxes::default();
        let routes = Arc::clone(&inboxes);
        tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                let id = event.get("id").and_then(Value::as_u64).unwrap_or_default();
                if let Some((log, inbox)) = routes.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
                    log.line(who, &Value::from(event.clone()).to_string());
                    // A case that has ended.
                    let _ = inbox.send(event);
                }
            }
            // What it said on its standard error is the reason.
            let text = log.text();
            for (_, (log, _)) in routes.lock().unwrap_or_else(PoisonError::into_inner).drain() {
                log.line(who, &format!("its process has ended: {}", text.lines().last().unwrap_or_default()));
            }
        });
        Self { who, child, inboxes, last: AtomicU64::new(0) }
    }

    /// A line with a number of its own.
    pub(crate) fn line(&self, log: &Log) -> Line {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (inbox, told) = mpsc::unbounded_channel();
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (log.clone(), inbox));
        Line {
            who: self.who,
            id,
            commands: self.child.commands(),
            told: Events::new(self.who, told),
            inboxes: Arc::clone(&self.inboxes),
            log: log.clone(),
        }
    }

    /// Ends it by SIGKILL.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await;
    }
}

/// The line between a case and a socket or a server in a process.
pub(crate) struct Line {
    who: &'static str,
    id: u64,
    commands: UnboundedSender<Value>,
    told: Events,
    inboxes: Inboxes,
    log: Log,
}

impl Line {
    pub(crate) fn number(&self) -> u64 {
        self.id
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Sends a command.
    pub(crate) fn command(&self, command: &str, mut what: Value) {
        what["command"] = command.into();
        what["id"] = self.id.into();
        self.log.line("test", &format!("tells the {} {what}", self.who));
        // A process that has ended says so by what it does not tell any more.
        let _ = self.commands.send(what);
    }

    /// The next that is told of this kind. What is told of other kinds waits for those who ask for it.
    pub(crate) async fn hears(&mut self, kind: &str) -> Event {
        self.told.next(kind).await
    }

    /// Whether something of this kind was told that nobody has asked for.
    pub(crate) fn has_told(&mut self, kind: &str) -> bool {
        self.told.has(kind)
    }
}

/// The process goes on without it.
impl Drop for Line {
    fn drop(&mut self) {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
