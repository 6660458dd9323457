//! A process that many cases share: starting one takes longer than a case. Each case has a number, which its commands and
//! what it is told bear.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use eio_tests::interop::{Child, Log, soon};
use serde_json::{Map, Value};
use tokio::process::Command;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// One line of JSON.
pub(super) type Told = Map<String, Value>;

type Inboxes = Arc<Mutex<HashMap<u64, (Log, UnboundedSender<Told>)>>>;

/// A running process.
pub(super) struct Process {
    child: Child,
    inboxes: Inboxes,
    last: AtomicU64,
}

impl Process {
    pub(super) fn start(command: Command) -> Self {
        let log = Log::start();
        let (child, mut told) = Child::start(command, "server", &log);
        let inboxes = Inboxes::default();
        let routes = Arc::clone(&inboxes);
        tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                let id = event.get("id").and_then(Value::as_u64).unwrap_or_default();
                if let Some((log, inbox)) = routes.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
                    log.line("server", &Value::from(event.clone()).to_string());
                    // A case that has ended.
                    let _ = inbox.send(event);
                }
            }
            // What it said on its standard error is the reason.
            let text = log.text();
            for (_, (log, _)) in routes.lock().unwrap_or_else(PoisonError::into_inner).drain() {
                log.line(
                    "server",
                    &format!("its process has ended: {}", text.lines().last().unwrap_or_default()),
                );
            }
        });
        Self { child, inboxes, last: AtomicU64::new(0) }
    }

    /// Begins a case.
    pub(super) fn line(&self, log: &Log) -> Line {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (inbox, told) = mpsc::unbounded_channel();
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).insert(id, (log.clone(), inbox));
        Line {
            id,
            commands: self.child.commands(),
            told,
            waiting: VecDeque::new(),
            inboxes: Arc::clone(&self.inboxes),
            log: log.clone(),
        }
    }
}

/// The line between a case and the process.
pub(super) struct Line {
    id: u64,
    commands: UnboundedSender<Value>,
    told: UnboundedReceiver<Told>,
    /// What was told while something else was waited for.
    waiting: VecDeque<Told>,
    inboxes: Inboxes,
    log: Log,
}

impl Line {
    /// Sends a command.
    pub(super) fn command(&self, command: &str, mut what: Value) {
        what["command"] = command.into();
        what["id"] = self.id.into();
        self.log.line("test", &format!("tells the server {what}"));
        // A process that has ended says so by what it does not tell any more.
        let _ = self.commands.send(what);
    }

    /// The next that is told of this kind. What is told of other kinds waits for those who ask for it.
    pub(super) async fn hears(&mut self, kind: &str) -> Told {
        let is_wanted = |told: &Told| told.get("event").and_then(Value::as_str) == Some(kind);
        if let Some(at) = self.waiting.iter().position(is_wanted) {
            return self.waiting.remove(at).unwrap_or_default();
        }
        let (told, waiting) = (&mut self.told, &mut self.waiting);
        soon(&format!("the server's `{kind}`"), async {
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
    pub(super) fn has_told(&mut self, kind: &str) -> bool {
        while let Ok(told) = self.told.try_recv() {
            self.waiting.push_back(told);
        }
        self.waiting.iter().any(|told| told.get("event").and_then(Value::as_str) == Some(kind))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}
