//! How long a server takes from nothing to its first answer.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::clock;
use crate::failure::{Failure, Result};
use crate::process::Process;
use crate::report::Report;
use crate::statistics::Observations;
use crate::target::Target;
use crate::websocket;

/// Starts the server `times` times, and each time opens a WebSocket as soon as it says where it listens.
///
/// # Errors
/// Fails if the program cannot be started, or does not answer.
pub fn measure(program: &[String], path: &str, times: usize) -> Result<Report> {
    let mut durations = Observations::default();
    for _ in 0..times {
        let begun = clock::now();
        let mut server = Server::start(program)?;
        let target = Target::new(server.port()?, path.to_owned(), Process::new(server.child.id()));
        let opened = websocket::open(&target)?;
        durations.add(i64::try_from((opened.at - begun).as_micros()).unwrap_or(i64::MAX));
    }
    let durations = durations.sorted();
    Ok(Report::default()
        .with("ms", milliseconds(durations.at(500)))
        .with("min_ms", milliseconds(durations.at(0))))
}

/// A server that this program has started. It ends when this value is dropped.
struct Server {
    child: Child,
}

impl Server {
    fn start(program: &[String]) -> Result<Self> {
        let (name, arguments) = program
            .split_first()
            .ok_or_else(|| Failure::Options("the program to start is missing".to_owned()))?;
        let child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Failure::system("the server cannot be started"))?;
        Ok(Self { child })
    }

    /// Waits for the line that says where it listens.
    fn port(&mut self) -> Result<u16> {
        let output = self.child.stdout.take().expect("its standard output is a pipe");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(Failure::system("the server's output cannot be read"))?;
        let port = line.trim_end().strip_prefix("listening ").and_then(|port| port.parse().ok());
        port.ok_or_else(|| {
            Failure::server(format!("began with {line:?} instead of the port that it listens on"))
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with its standard input. One that does not is stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
fn milliseconds(microseconds: i64) -> f64 {
    microseconds as f64 / 1e3
}
