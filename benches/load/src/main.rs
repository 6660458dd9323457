//! `eio-load MEASURE --port PORT --pid PID ..` prints the figures of one measure as one line of JSON.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use eio_load::failure::Result;
use eio_load::frames::Kind;
use eio_load::measures::forwarded::Transport;
use eio_load::measures::{
    broadcast, churn, echo, forwarded, heartbeats, latency, memory, nodes, polling, silent, start, upgrades,
    vanish,
};
use eio_load::process::{Process, raise_open_files};
use eio_load::report::Report;
use eio_load::target::Target;
use eio_load::tls;

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
        /// Opens sessions on long-polling whose poll waits, instead of WebSockets
        #[arg(long)]
        polling: bool,
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
        /// Speaks TLS, and trusts the certificate in this PEM file
        #[arg(long, value_name = "CERTIFICATE")]
        tls: Option<PathBuf>,
    },
    /// Sends messages at a fixed rate: how long each takes to come back
    Latency {
        #[command(flatten)]
        server: ServerOptions,
        #[command(flatten)]
        time: TimeOptions,
        #[command(flatten)]
        messages: MessageOptions,
        /// The number of WebSockets
        #[arg(long, default_value_t = 100)]
        connections: usize,
        /// How many messages are sent a second, on all of them together
        #[arg(long)]
        rate: f64,
    },
    /// Opens WebSockets that only answer pings: what each heartbeat costs
    Heartbeats {
        #[command(flatten)]
        server: ServerOptions,
        /// For how many seconds heartbeats are counted
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// The number of WebSockets
        #[arg(long, default_value_t = 5_000)]
        connections: usize,
    },
    /// Opens sessions on long-polling: how many a second
    PollingHandshakes {
        #[command(flatten)]
        server: ServerOptions,
        #[command(flatten)]
        time: TimeOptions,
        /// The number of connections
        #[arg(long, default_value_t = 32)]
        connections: usize,
    },
    /// Posts a message and polls until it comes back: how many a second
    PollingRoundtrips {
        #[command(flatten)]
        polling: PollingOptions,
    },
    /// Posts many messages at once and polls until they come back: how many a second
    PollingBatches {
        #[command(flatten)]
        polling: PollingOptions,
        /// How many messages a request carries
        #[arg(long, default_value_t = 50)]
        batch: usize,
    },
    /// Moves sessions from long-polling to WebSockets: how many a second
    Upgrades {
        #[command(flatten)]
        server: ServerOptions,
        #[command(flatten)]
        time: TimeOptions,
        /// How many are upgraded at once: enough that the server has work while some wait, as the protocol lets it
        /// answer a poll up to 100 ms after the probe
        #[arg(long, default_value_t = 1_000)]
        connections: usize,
    },
    /// Sends messages to a server that broadcasts: how long one takes to reach all
    Broadcast {
        #[command(flatten)]
        server: ServerOptions,
        /// For how many seconds messages are sent
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        /// The number of WebSockets
        #[arg(long, default_value_t = 5_000)]
        connections: usize,
        /// The bytes of a message
        #[arg(long, default_value_t = 20)]
        size: usize,
    },
    #[command(flatten)]
    Nodes(NodesMeasure),
    /// Opens WebSockets that fall silent: how late the server closes them
    Silent {
        #[command(flatten)]
        server: ServerOptions,
        /// The number of WebSockets
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
    },
    /// Opens WebSockets and resets all of them at once: how long the server is busy with it
    Vanish {
        #[command(flatten)]
        server: ServerOptions,
        /// The number of WebSockets
        #[arg(long, default_value_t = 5_000)]
        connections: usize,
    },
    /// Starts a server: how long until it has answered a handshake
    Start {
        /// How often it is started
        #[arg(long, default_value_t = 5)]
        times: usize,
        /// The path of its Engine.IO endpoint
        #[arg(long, default_value = "/engine.io/")]
        path: String,
        /// The server's program and its arguments
        #[arg(last = true, required = true)]
        program: Vec<String>,
    },
    /// Writes a certificate and its key to two PEM files, for servers that speak TLS
    Certificate {
        /// Where the certificate goes
        certificate: PathBuf,
        /// Where the key goes
        key: PathBuf,
    },
}

/// What is measured of several nodes.
#[derive(Subcommand)]
enum NodesMeasure {
    /// Sends messages to a room whose members are on several nodes: how many deliveries a second
    NodesBroadcast {
        #[command(flatten)]
        nodes: NodesOptions,
        #[command(flatten)]
        time: TimeOptions,
        /// The number of WebSockets, spread over the nodes
        #[arg(long, default_value_t = 300)]
        connections: usize,
        /// How many messages are on their way at any time
        #[arg(long, default_value_t = 12)]
        in_flight: usize,
    },
    /// Sends messages from a node to a WebSocket of its own and to one of another node: how long both take
    NodesLatency {
        #[command(flatten)]
        nodes: NodesOptions,
        #[command(flatten)]
        time: TimeOptions,
    },
    /// Sends messages that come back to sessions of a node, directly and by way of another node: how long both take
    Forwarded {
        #[command(flatten)]
        nodes: NodesOptions,
        #[command(flatten)]
        time: TimeOptions,
        /// Uses long-polling instead of WebSockets
        #[arg(long)]
        polling: bool,
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
    /// The path of its Engine.IO endpoint, if it is not /engine.io/, or /socket.io/ with --socketio
    #[arg(long)]
    path: Option<String>,
    /// Speaks Socket.IO on WebSockets: each joins the namespace /, and messages are events
    #[arg(long)]
    socketio: bool,
}

impl ServerOptions {
    fn target(self) -> Target {
        let path = if self.socketio { "/socket.io/" } else { "/engine.io/" };
        let path = self.path.unwrap_or_else(|| path.to_owned());
        let mut target = Target::new(self.port, path, Process::new(self.pid));
        target.joins = self.socketio;
        target
    }
}

/// Several nodes.
#[derive(Args)]
struct NodesOptions {
    /// The port of a node, on the loopback interface; once for each node
    #[arg(long)]
    port: Vec<u16>,
    /// The id of a node's process, in the same order
    #[arg(long)]
    pid: Vec<u32>,
    /// Speaks Socket.IO
    #[arg(long)]
    socketio: bool,
}

impl NodesOptions {
    fn targets(&self) -> Vec<Target> {
        let node = |(&port, &pid)| ServerOptions { port, pid, path: None, socketio: self.socketio }.target();
        self.port.iter().zip(&self.pid).map(node).collect()
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

/// Sessions on long-polling that get their messages back.
#[derive(Args)]
struct PollingOptions {
    #[command(flatten)]
    server: ServerOptions,
    #[command(flatten)]
    time: TimeOptions,
    /// The number of sessions
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// The bytes of a message
    #[arg(long, default_value_t = 20)]
    size: usize,
}

impl PollingOptions {
    fn echo(self, batch: usize) -> Result<Report> {
        let Self { server, time, connections, size } = self;
        let options =
            polling::Options { connections, size, batch, warm_up: time.warm_up(), time: time.time() };
        polling::echo(&server.target(), &options)
    }
}

/// What is sent.
#[derive(Args)]
struct MessageOptions {
    /// The bytes of a message
    #[arg(long, default_value_t = 20)]
    size: usize,
    /// Sends binary messages instead of text
    #[arg(long, conflicts_with = "socketio")]
    binary: bool,
    /// Sends events that ask for an acknowledgement
    #[arg(long, requires = "socketio")]
    ack: bool,
}

impl MessageOptions {
    fn kind(&self, server: &ServerOptions) -> Kind {
        match (server.socketio, self.ack) {
            (true, true) => Kind::AskingEvent,
            (true, false) => Kind::Event,
            _ if self.binary => Kind::Binary,
            _ => Kind::Text,
        }
    }
}

fn measure(command: Command) -> Result<Report> {
    match command.measure {
        Measure::Memory { server, connections, polling: false } => {
            memory::measure(&server.target(), connections)
        }
        Measure::Memory { server, connections, polling: true } => {
            polling::memory(&server.target(), connections)
        }
        Measure::Churn { server, time, connections } => {
            churn::measure(&server.target(), connections, time.warm_up(), time.time())
        }
        Measure::Echo { server, time, messages, connections, in_flight, tls } => {
            let options = echo::Options {
                connections,
                size: messages.size,
                in_flight,
                kind: messages.kind(&server),
                time: time.time(),
                warm_up: time.warm_up(),
            };
            let mut target = server.target();
            target.tls = tls.as_deref().map(tls::trust).transpose()?;
            echo::measure(&target, &options)
        }
        Measure::Latency { server, time, messages, connections, rate } => {
            let options = latency::Options {
                connections,
                size: messages.size,
                kind: messages.kind(&server),
                rate,
                time: time.time(),
                warm_up: time.warm_up(),
            };
            latency::measure(&server.target(), &options)
        }
        Measure::Heartbeats { server, seconds, connections } => {
            heartbeats::measure(&server.target(), connections, Duration::from_secs_f64(seconds))
        }
        Measure::PollingHandshakes { server, time, connections } => {
            polling::handshakes(&server.target(), connections, time.warm_up(), time.time())
        }
        Measure::PollingRoundtrips { polling } => polling.echo(1),
        Measure::PollingBatches { polling, batch } => polling.echo(batch),
        Measure::Upgrades { server, time, connections } => {
            upgrades::measure(&server.target(), connections, time.warm_up(), time.time())
        }
        Measure::Broadcast { server, seconds, connections, size } => {
            broadcast::measure(&server.target(), connections, size, Duration::from_secs_f64(seconds))
        }
        Measure::Nodes(measure) => measure_nodes(measure),
        Measure::Silent { server, connections } => silent::measure(&server.target(), connections),
        Measure::Vanish { server, connections } => vanish::measure(&server.target(), connections),
        Measure::Start { times, path, program } => start::measure(&program, &path, times),
        Measure::Certificate { certificate, key } => {
            tls::write_certificate(&certificate, &key).map(|()| Report::default())
        }
    }
}

fn measure_nodes(measure: NodesMeasure) -> Result<Report> {
    match measure {
        NodesMeasure::NodesBroadcast { nodes, time, connections, in_flight } => {
            nodes::broadcast(&nodes.targets(), connections, in_flight, time.warm_up(), time.time())
        }
        NodesMeasure::NodesLatency { nodes, time } => {
            nodes::latency(&nodes.targets(), time.warm_up(), time.time())
        }
        NodesMeasure::Forwarded { nodes, time, polling } => {
            let transport = if polling { Transport::Polling } else { Transport::WebSocket };
            forwarded::measure(&nodes.targets(), transport, time.warm_up(), time.time())
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
