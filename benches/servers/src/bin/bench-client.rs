//! The client that is compared: many sessions of this library in one process, which measures itself.
//!
//! It prints its figures as one line of JSON, as the load generator does. The server that it talks to echoes.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use eio_bench_servers::runtime;
use eio_load::clock;
use eio_load::frames::payload;
use eio_load::process::{Process, raise_open_files};
use eio_load::report::Report;
use eio_tokio::{Client, ClientSocket, Message, Transport};
use tokio::task::JoinSet;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Opens many sessions with this library's client, and measures this process.
#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// Opens sessions that stay idle: the memory of each
    Memory {
        #[command(flatten)]
        sessions: Sessions,
    },
    /// Sends messages that come back: how many a second
    Echo {
        #[command(flatten)]
        sessions: Sessions,
        /// How many messages of a session are on their way at any time
        #[arg(long, default_value_t = 1)]
        in_flight: usize,
        /// The bytes of a message
        #[arg(long, default_value_t = 20)]
        size: usize,
        /// For how many seconds messages are counted
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
        /// For how many seconds messages are sent before
        #[arg(long, default_value_t = 0.3)]
        warm_up: f64,
    },
}

/// The sessions.
#[derive(Args)]
struct Sessions {
    /// The port that the server listens on, on the loopback interface
    #[arg(long)]
    port: u16,
    /// The number of sessions
    #[arg(long, default_value_t = 100)]
    connections: usize,
}

impl Sessions {
    fn client(&self) -> Result<Client, Error> {
        let url = format!("http://127.0.0.1:{}", self.port);
        Ok(Client::builder(url).transports([Transport::WebSocket]).build()?)
    }
}

/// How many sessions are open before the first look at the memory, so that what is allocated once does not count.
const BEFORE: usize = 16;

async fn open(client: &Client, count: usize) -> Result<Vec<ClientSocket>, Error> {
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        sockets.push(client.connect().await?);
    }
    Ok(sockets)
}

/// Waits in `recv`, as an application does that has nothing to say.
fn wait_for_messages(sockets: Vec<ClientSocket>) -> JoinSet<()> {
    sockets.into_iter().map(|mut socket| async move { while socket.recv().await.is_ok() {} }).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
async fn memory(sessions: &Sessions) -> Result<Report, Error> {
    let (client, process) = (sessions.client()?, Process::this());
    let _before = wait_for_messages(open(&client, BEFORE).await?);
    tokio::task::yield_now().await;
    let (empty, start) = (process.resident()?, process.processor_time()?);
    let open = wait_for_messages(open(&client, sessions.connections).await?);
    // Each task runs until it waits.
    tokio::task::yield_now().await;
    let (full, end) = (process.resident()?, process.processor_time()?);
    let count = open.len().max(1) as f64;
    Ok(Report::default()
        .with("bytes_each", full.saturating_sub(empty) as f64 / count)
        .with("connections", count)
        .with("open_cpu_us", end.saturating_sub(start).as_secs_f64() * 1e6 / count))
}

/// What all sessions of an echo share.
struct Shared {
    message: Message,
    in_flight: usize,
    replies: AtomicU64,
    /// Whether replies are answered by no more messages.
    stopping: AtomicBool,
}

/// Answers each reply with the next message. Fails if a reply is wrong.
async fn echo_session(mut socket: ClientSocket, shared: Arc<Shared>) -> Result<(), Error> {
    for _ in 0..shared.in_flight {
        socket.send(shared.message.clone()).await?;
    }
    let mut awaited = shared.in_flight;
    while awaited > 0 {
        if socket.recv().await? != shared.message {
            return Err("the server sent another message than the one that it was to echo".into());
        }
        shared.replies.fetch_add(1, Ordering::Relaxed);
        if shared.stopping.load(Ordering::Relaxed) {
            awaited -= 1;
        } else {
            socket.send(shared.message.clone()).await?;
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
async fn echo(
    sessions: &Sessions,
    in_flight: usize,
    size: usize,
    warm_up: Duration,
    time: Duration,
) -> Result<Report, Error> {
    let (replies, stopping) = (AtomicU64::new(0), AtomicBool::new(false));
    let shared = Arc::new(Shared { message: payload(size).into(), in_flight, replies, stopping });
    let mut tasks = JoinSet::new();
    for socket in open(&sessions.client()?, sessions.connections).await? {
        tasks.spawn(echo_session(socket, Arc::clone(&shared)));
    }
    let moment = || -> Result<_, Error> {
        let replies = shared.replies.load(Ordering::Relaxed);
        Ok((clock::now(), Process::this().processor_time()?, replies))
    };
    // A session that fails ends the measure at once.
    let or_failure = async |tasks: &mut JoinSet<Result<(), Error>>, time| match tokio::time::timeout(
        time,
        tasks.join_next(),
    )
    .await
    {
        Ok(Some(ended)) => ended?.and(Err("a session ended before its time".into())),
        _ => Ok(()),
    };
    or_failure(&mut tasks, warm_up).await?;
    let start = moment()?;
    or_failure(&mut tasks, time).await?;
    let end = moment()?;
    shared.stopping.store(true, Ordering::Relaxed);
    while let Some(ended) = tokio::time::timeout(clock::PATIENCE, tasks.join_next()).await? {
        ended??;
    }
    let (seconds, cpu) = ((end.0 - start.0).as_secs_f64(), end.1.saturating_sub(start.1).as_secs_f64());
    let count = (end.2 - start.2) as f64;
    Ok(Report::default()
        .with("per_second", count / seconds)
        .with("client_cpu_us", cpu * 1e6 / count.max(1.0))
        .with("client_busy", cpu / seconds)
        .with("seconds", seconds))
}

async fn measure(command: &Command) -> Result<Report, Error> {
    match &command.measure {
        Measure::Memory { sessions } => memory(sessions).await,
        Measure::Echo { sessions, in_flight, size, seconds, warm_up } => {
            let (warm_up, time) = (Duration::from_secs_f64(*warm_up), Duration::from_secs_f64(*seconds));
            echo(sessions, (*in_flight).max(1), *size, warm_up, time).await
        }
    }
}

fn main() -> ExitCode {
    let command = Command::parse();
    let _ = raise_open_files();
    let measured = runtime(1).map_err(Error::from).and_then(|runtime| runtime.block_on(measure(&command)));
    match measured {
        Ok(report) => {
            println!("{}", report.to_json());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
