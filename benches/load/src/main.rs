//! `eio-load MEASURE --port PORT --pid PID ..` prints the figures of one measure as one line of JSON.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use eio_load::failure::Result;
use eio_load::frames::Kind;
use eio_load::measures::{churn, echo, memory};
use eio_load::process::{Process, raise_open_files};
use eio_load::report::Report;
use eio_load::target::Target;

/// Generates load for an Engine.IO server on this machine, and measures the server.
#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// Opens WebSockets that stay idle: the memory of each
    Memory {
        #[command(flatten)]
        server: ServerOptions,
        /// How many are opened
        #[arg(long, default_value_t = 5_000)]
        connections: usize,
    },
    /// Opens and closes WebSockets, one after the other: how many a second
    Churn {
        #[command(flatten)]
        server: ServerOptions,
        #[command(flatten)]
        time: TimeOptions,
        /// How many are open at once
        #[arg(long, default_value_t = 32)]
        connections: usize,
    },
    /// Sends messages that come back: how many a second
    Echo {
        #[command(flatten)]
        server: ServerOptions,
        #[command(flatten)]
        time: TimeOptions,
        #[command(flatten)]
        messages: MessageOptions,
        /// The number of WebSockets
        #[arg(long, default_value_t = 100)]
        connections: usize,
        /// How many messages of a WebSocket are on their way at any time
        #[arg(long, default_value_t = 1)]
        in_flight: usize,
    },
}

/// The server.
#[derive(Args)]
struct ServerOptions {
    /// The port that it listens on, on the loopback interface
    #[arg(long)]
    port: u16,
    /// The id of its process
    #[arg(long)]
    pid: u32,
    /// The path of its Engine.IO endpoint
    #[arg(long, default_value = "/engine.io/")]
    path: String,
}

impl ServerOptions {
    fn target(self) -> Target {
        Target::new(self.port, self.path, Process::new(self.pid))
    }
}

/// How long something is measured.
#[derive(Args)]
struct TimeOptions {
    /// For how many seconds it is measured
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// For how many seconds it is done before it is measured
    #[arg(long, default_value_t = 0.3)]
    warm_up: f64,
}

impl TimeOptions {
    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up)
    }
}

/// What is sent.
#[derive(Args)]
struct MessageOptions {
    /// The bytes of a message
    #[arg(long, default_value_t = 20)]
    size: usize,
    /// Sends binary messages instead of text
    #[arg(long)]
    binary: bool,
}

impl MessageOptions {
    fn kind(&self) -> Kind {
        if self.binary { Kind::Binary } else { Kind::Text }
    }
}

fn measure(command: Command) -> Result<Report> {
    match command.measure {
        Measure::Memory { server, connections } => memory::measure(&server.target(), connections),
        Measure::Churn { server, time, connections } => {
            churn::measure(&server.target(), connections, time.warm_up(), time.time())
        }
        Measure::Echo { server, time, messages, connections, in_flight } => {
            let options = echo::Options {
                connections,
                size: messages.size,
                in_flight,
                kind: messages.kind(),
                time: time.time(),
                warm_up: time.warm_up(),
            };
            echo::measure(&server.target(), &options)
        }
    }
}

fn main() -> ExitCode {
    let command = Command::parse();
    // A connection that cannot be opened says why.
    let _ = raise_open_files();
    match measure(command) {
        Ok(report) => {
            println!("{}", report.to_json());
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
