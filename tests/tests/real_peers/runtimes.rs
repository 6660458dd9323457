//! engine.io-client with the core's servers on other runtimes: its examples on threads, smol and mio.

use core::time::Duration;
use std::process::Stdio;

use eio_tests::built::example;
use eio_tests::interop::{Case, LATE, Log, Mode, StockClients, StockKind, soon};
use eio_tests::signal::send_signal;
use eio_tokio::Message;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::Instant;

use crate::samples;

const RUNTIMES: [&str; 3] = ["on_threads", "on_smol", "on_mio"];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for runtime in RUNTIMES {
        for mode in Mode::ALL {
            let name = |sentence: &str| {
                format!("engine.io-client 6 over {}, server {runtime}: {sentence}", mode.name())
            };
            cases.push(Case::new(name("every message comes back as it went"), move |log| {
                echoes(runtime, mode, log)
            }));
            cases.push(Case::new(name("several clients live and leave"), move |log| {
                several(runtime, mode, log)
            }));
            cases.push(Case::new(name("a client that stops is noticed on time"), move |log| {
                stopped(runtime, mode, log)
            }));
        }
    }
    cases
}

/// A server in a process of its own.
pub(super) struct ExampleServer {
    pub(super) url: String,
    process: Child,
    /// The lines in which it says how its sessions ended.
    ends: UnboundedReceiver<String>,
}

impl ExampleServer {
    /// The interval and the timeout are in milliseconds.
    pub(super) async fn start(runtime: &str, interval: u32, timeout: u32, log: &Log) -> Self {
        let mut command = Command::new(example(runtime));
        command.args(["127.0.0.1:0", &interval.to_string(), &timeout.to_string()]);
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
        let (lines_to, mut ends) = mpsc::unbounded_channel();
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe was asked for")).lines();
        let log = log.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.line("server", &line);
                // A case that is over has dropped the receiver.
                let _ = lines_to.send(line);
            }
        });
        let first: String =
            soon("the server's address", ends.recv()).await.expect("it says where it listens");
        let url = first.strip_prefix("listening on ").expect("its first line").to_owned();
        Self { url, process, ends }
    }

    /// The end of a session, in the server's words.
    pub(super) async fn end(&mut self) -> String {
        soon("a session to end", self.ends.recv()).await.expect("the server lives")
    }

    /// Whether a session has ended whose end nobody has waited for.
    pub(super) fn has_ended_one(&self) -> bool {
        !self.ends.is_empty()
    }

    pub(super) fn signal(&self, signal: &str) {
        send_signal(signal, self.process.id().expect("the server lives"));
    }

    /// The processor time that it has used, in ticks of 10 ms.
    fn ticks(&self) -> u64 {
        let id = self.process.id().expect("the server lives");
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
    }
}

async fn echoes(runtime: &'static str, mode: Mode, log: Log) {
    let mut server = ExampleServer::start(runtime, 400, 20_000, &log).await;
    let mut clients = StockClients::start(StockKind::JavaScript6, &log);
    let mut client = clients.open(&server.url, mode);
    let handshake = client.opened().await;
    assert_eq!((&handshake["pingInterval"], &handshake["pingTimeout"]), (&json!(400), &json!(20_000)));
    if mode == Mode::Upgrade {
        client.upgraded().await;
    }
    let messages: Vec<_> = samples::every_kind()
        .into_iter()
        .chain([Message::text("x".repeat(900_000)), Message::binary(vec![7; 700_000])])
        .chain((0..200).map(|number| Message::text(format!("message {number}"))))
        .collect();
    for message in &messages {
        client.send(message);
    }
    for message in &messages {
        let back = client.message().await;
        assert!(back == *message, "{} bytes came back differently, as {}", message.len(), back.len());
    }
    client.heartbeat().await;
    client.heartbeat().await;
    // The server closes, behind what it has to say.
    client.send(&Message::text("last words"));
    client.send(&Message::text("close"));
    assert_eq!(client.message().await, Message::text("last words"));
    assert_eq!(client.closed().await.reason, "transport close");
    let end = server.end().await;
    assert!(end.contains("forced close"), "{end}");
}

async fn several(runtime: &'static str, mode: Mode, log: Log) {
    const COUNT: usize = 20;
    let mut server = ExampleServer::start(runtime, 25_000, 20_000, &log).await;
    let mut clients = StockClients::start(StockKind::JavaScript6, &log);
    let mut sessions: Vec<_> = (0..COUNT).map(|_| clients.open(&server.url, mode)).collect();
    for client in &mut sessions {
        client.opened().await;
        if mode == Mode::Upgrade {
            client.upgraded().await;
        }
    }
    for (number, client) in sessions.iter().enumerate() {
        client.send(&Message::text(format!("I am {number}")));
    }
    for (number, client) in sessions.iter_mut().enumerate() {
        assert_eq!(client.message().await, Message::text(format!("I am {number}")));
    }
    // Everybody waits: the server does nothing.
    let before = server.ticks();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = server.ticks() - before;
    assert!(used <= 20, "an idle server has used {} ms of 2 s", used * 10);
    let (leaving, staying) = sessions.split_at_mut(COUNT / 2);
    for client in leaving.iter_mut() {
        client.close();
        assert_eq!(client.closed().await.reason, "forced close");
        let end = server.end().await;
        assert!(end.contains("transport close"), "{end}");
    }
    for client in staying {
        client.send(&Message::text("still here"));
        assert_eq!(client.message().await, Message::text("still here"));
    }
    // By then their next polls wait.
    tokio::time::sleep(Duration::from_secs(1)).await;
    // The kernel closes the connections of a process that is killed.
    let before = Instant::now();
    clients.kill().await;
    for _ in COUNT / 2..COUNT {
        let end = server.end().await;
        let expected = if mode == Mode::Polling { "transport error" } else { "transport close" };
        assert!(end.contains(expected), "{end}");
    }
    let took = before.elapsed();
    assert!(took < LATE, "noticed after {took:?}: silence alone would have been noticed after 20 s");
}

async fn stopped(runtime: &'static str, mode: Mode, log: Log) {
    let mut server = ExampleServer::start(runtime, 500, 4_000, &log).await;
    let due = Duration::from_millis(4_500);
    let mut silent = StockClients::start(StockKind::JavaScript6, &log);
    let mut living = StockClients::start(StockKind::JavaScript6, &log);
    let (mut client, mut other) = (silent.open(&server.url, mode), living.open(&server.url, mode));
    for client in [&mut client, &mut other] {
        client.opened().await;
        if mode == Mode::Upgrade {
            client.upgraded().await;
        }
        client.heartbeat().await;
    }
    let before = Instant::now();
    silent.signal("STOP");
    let end = server.end().await;
    let took = before.elapsed();
    assert!(end.contains("ping timeout"), "{end}");
    assert!(took < due + LATE, "noticed after {took:?}");
    let seconds = end.rsplit("after ").next().and_then(|time| time.split("s of").next()?.parse().ok());
    let seconds: f64 = seconds.unwrap_or_else(|| panic!("no seconds in {end}"));
    assert!(seconds >= 4.0, "{end}: before the ping timeout");
    other.send(&Message::text("still here"));
    assert_eq!(other.message().await, Message::text("still here"));
    silent.signal("KILL");
}
