//! The process that plays the suite, and the comparison of its verdicts with what is expected.

use core::time::Duration;
use std::collections::BTreeMap;

use eio_tests::interop::{Child, Event, Events, Log, interop_folder};
use serde_json::Value;
use tokio::process::Command;

use crate::expectations::{self, Verdict};

/// Which cases are played.
#[derive(Clone)]
pub(crate) struct Plan {
    groups: String,
    /// How many at a time.
    pub(crate) at_once: usize,
    /// How long all of them may take for one peer.
    pub(crate) limit: Duration,
}

impl Plan {
    /// The groups that `EIO_AUTOBAHN_GROUPS` names, or those about correctness.
    pub(crate) fn from_env() -> Self {
        let groups = std::env::var("EIO_AUTOBAHN_GROUPS").unwrap_or_else(|_| "1,2,3,4,5,6,7,10".to_owned());
        // Those about size and speed fill a processor. Most cases of the others wait.
        let (at_once, minutes) = if groups == "9" { (4, 20) } else { (32, 2) };
        Self { groups, at_once, limit: Duration::from_mins(minutes) }
    }
}

/// What a peer speaks above WebSocket.
#[derive(Clone, Copy)]
pub(crate) enum Dialect {
    /// Nothing.
    WebSocket,
    /// Engine.IO 4.
    EngineIo,
}

/// The suite, playing to one peer.
pub(crate) struct Fuzzer {
    peer: &'static str,
    /// The cases, by their numbers.
    pub(crate) numbers: Vec<String>,
    /// Where it listens, if it is a server.
    pub(crate) port: u16,
    events: Events,
    log: Log,
    _child: Child,
}

impl Fuzzer {
    /// Starts the suite as a client, which plays all cases to this server.
    pub(crate) async fn client(
        log: &Log,
        peer: &'static str,
        dialect: Dialect,
        plan: &Plan,
        url: &str,
    ) -> Self {
        Self::start(log, peer, dialect, plan, "client", &[url, &plan.at_once.to_string()]).await
    }

    /// Starts the suite as a server. A client's path names its case, such as `/5.19/`.
    pub(crate) async fn server(log: &Log, peer: &'static str, dialect: Dialect, plan: &Plan) -> Self {
        let mut fuzzer = Self::start(log, peer, dialect, plan, "server", &[]).await;
        let port = fuzzer.events.next("listening").await["port"].as_u64();
        fuzzer.port = port.and_then(|port| u16::try_from(port).ok()).expect("a port");
        fuzzer
    }

    async fn start(
        log: &Log,
        peer: &'static str,
        dialect: Dialect,
        plan: &Plan,
        role: &str,
        more: &[&str],
    ) -> Self {
        let python = std::env::var("EIO_AUTOBAHN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut command = Command::new(python);
        // Nothing of the suite is written beside our own files.
        command.arg("-B").arg(interop_folder().join("autobahn/fuzzer.py"));
        let dialect = match dialect {
            Dialect::WebSocket => "websocket",
            Dialect::EngineIo => "engine.io",
        };
        command.args([role, dialect, &plan.groups]).args(more);
        let (child, told) = Child::start(command, "autobahn", log);
        let mut events = Events::new("autobahn", told);
        let cases = events.next("cases").await;
        expectations::check_suite(&cases["suite"]);
        let numbers = cases["numbers"].as_array().expect("a list").iter();
        let numbers: Vec<_> = numbers.filter_map(Value::as_str).map(str::to_owned).collect();
        assert!(!numbers.is_empty(), "the suite has no case in the groups {}", plan.groups);
        Self { peer, numbers, port: 0, events, log: log.clone(), _child: child }
    }

    /// Waits for the verdict of every case, prints how many there are of each kind, and fails unless each is expected.
    pub(crate) async fn finish(mut self) {
        let mut verdicts = BTreeMap::new();
        while verdicts.len() < self.numbers.len() {
            let result = self.events.next("result").await;
            verdicts.insert(text(&result, "case").to_owned(), result);
        }
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        let mut surprises = 0;
        for number in &self.numbers {
            let result = verdicts.get(number).unwrap_or_else(|| panic!("case {number} was not played"));
            let verdict = Verdict { behavior: text(result, "behavior"), close: text(result, "close") };
            *counts.entry(verdict.behavior.to_owned()).or_default() += 1;
            let last = result["received"].as_array().and_then(|parts| parts.last()).and_then(Value::as_str);
            if let Err(expected) = expectations::check(self.peer, number, verdict, last.unwrap_or_default()) {
                surprises += 1;
                let said = text(result, "said");
                self.log.line(
                    "test",
                    &format!("{number}: {verdict:?}, expected {expected}: {said}, last {last:?}"),
                );
            }
        }
        let counts: Vec<_> = counts.iter().map(|(behavior, count)| format!("{count} {behavior}")).collect();
        let as_expected = self.numbers.len() - surprises;
        let sum = format!(
            "{}: {} cases: {}; {as_expected} as expected",
            self.peer,
            self.numbers.len(),
            counts.join(", ")
        );
        println!("autobahn: {sum}");
        self.log.line("test", &sum);
        assert_eq!(surprises, 0, "verdicts are not as expected, see above");
    }
}

fn text<'e>(event: &'e Event, name: &str) -> &'e str {
    event.get(name).and_then(Value::as_str).unwrap_or_default()
}
