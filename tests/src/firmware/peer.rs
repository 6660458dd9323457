//! The servers that the board talks to.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::{Value, json};

use super::board::now;
use crate::signal::send_signal;

/// What a server says has happened: an object with an `event`.
pub type Report = Value;

/// A server process. It ends with the value.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    reports: Receiver<Report>,
    seen: Vec<Report>,
    port: u16,
}

impl Peer {
    /// Starts `tests/nest/dist/<script>.js`, which `npm run build` makes, and waits until it listens. Port 0 takes any.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn node(script: &str, port: u16, ping_interval: u64, ping_timeout: u64) -> Self {
        let settings = json!({"port": port, "pingInterval": ping_interval, "pingTimeout": ping_timeout});
        Self::node_with(script, &settings)
    }

    /// The same with all settings that the script takes (`tests/nest/src/wire.ts`).
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn node_with(script: &str, settings: &Value) -> Self {
        let mut command = crate::built::nest(script);
        command.arg(settings.to_string());
        Self::start(command)
    }

    /// Starts this project's own server, `eio serve`, which has to be built: `cargo build --package eio-cli`.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn eio(port: u16, ping_interval: u64, ping_timeout: u64) -> Self {
        let mut command = Command::new(crate::built::eio());
        command.args(["serve", "--json", "--listen", &format!("127.0.0.1:{port}")]);
        command.args(["--ping-interval", &format!("{ping_interval}ms")]);
        command.args(["--ping-timeout", &format!("{ping_timeout}ms")]);
        Self::start(command)
    }

    /// Starts any server that speaks as those in `tests/nest` do.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("piped above");
        let (sender, reports) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let report =
                    serde_json::from_str(&line).unwrap_or_else(|_| json!({"event": "?", "text": line}));
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        let mut peer = Self { child, reports, seen: Vec::new(), port: 0 };
        let listening = peer.expect("listening", Duration::from_secs(30));
        let address =
            listening["address"].as_str().and_then(|address| address.rsplit_once(':')?.1.parse().ok());
        let port = listening["port"].as_u64().or(address);
        peer.port = port.and_then(|port| port.try_into().ok()).expect("a port");
        peer
    }

    /// Where it listens, on the host's loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the next report that `wanted` accepts; those before it are only kept.
    ///
    /// # Panics
    /// When none comes in time. The message holds all reports.
    pub fn wait(&mut self, what: &str, within: Duration, wanted: impl Fn(&Report) -> bool) -> Report {
        let deadline = now() + within;
        loop {
            let Ok(report) = self.reports.recv_timeout(deadline.saturating_duration_since(now())) else {
                panic!("the server did not report {what} within {within:?}, but {:#?}", self.seen);
            };
            self.seen.push(report.clone());
            if wanted(&report) {
                return report;
            }
        }
    }

    /// Waits for the next report of this event.
    ///
    /// # Panics
    /// When none comes in time.
    pub fn expect(&mut self, event: &str, within: Duration) -> Report {
        self.wait(event, within, |report| report["event"] == event)
    }

    /// Everything reported until now.
    pub fn reports(&mut self) -> &[Report] {
        self.seen.extend(self.reports.try_iter());
        &self.seen
    }

    /// Gives an order.
    ///
    /// # Panics
    /// When the server has gone.
    #[expect(clippy::needless_pass_by_value, reason = "orders are written where they are given")]
    pub fn order(&mut self, order: Value) {
        let stdin = self.child.stdin.as_mut().expect("piped at the start");
        stdin.write_all(format!("{order}\n").as_bytes()).expect("the server reads its orders");
    }

    /// Stops its process, as a hung server: its kernel goes on acknowledging what arrives.
    pub fn freeze(&self) {
        send_signal("STOP", self.child.id());
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        send_signal("CONT", self.child.id());
    }

    /// Kills it: the kernel closes its connections, the application says nothing.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // A frozen process dies of this as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}
