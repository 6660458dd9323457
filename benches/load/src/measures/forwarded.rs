//! A session whose requests reach another node than its own, which forwards them, beside a session that is reached directly.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use eio_core::packet::Packet;

use super::nodes::{microseconds, nanoseconds};
use crate::clock;
use crate::failure::{Failure, Result};
use crate::frames::{self, Kind, Message};
use crate::process::Process;
use crate::report::{Moment, Report};
use crate::statistics::Observations;
use crate::target::Target;
use crate::{http, polling, websocket};

/// The bytes of a message.
const SIZE: usize = 20;
/// How often the two sessions take turns, so that what the machine does at a time meets both.
const TURNS: u32 = 20;
/// The answer to the probe of an upgrade.
const PROBED: &[u8] = b"\x81\x063probe";

/// What the messages of a session go over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the command line names them")]
pub enum Transport {
    /// A request posts a message, and another one gets it back.
    Polling,
    /// A WebSocket to which the session was upgraded.
    WebSocket,
}

/// Lets two sessions of the first node echo one message after the other: one directly, one by way of the second node.
///
/// # Errors
/// Fails if a message does not come back.
pub fn measure(nodes: &[Target], transport: Transport, warm_up: Duration, time: Duration) -> Result<Report> {
    let [owner, other, ..] = nodes else {
        return Err(Failure::Options("forwarding needs two nodes".to_owned()));
    };
    let processes: Vec<Process> = nodes.iter().map(|node| node.process).collect();
    // The nodes get to know each other.
    Process::wait_until_all_quiet(&processes)?;
    let mut sides = [Side::open(transport, owner, owner)?, Side::open(transport, owner, other)?];
    for side in &mut sides {
        side.run(&processes, warm_up)?;
        side.forget();
    }
    for _ in 0..TURNS {
        for side in &mut sides {
            side.run(&processes, time / TURNS / 2)?;
        }
    }
    let [direct, forwarded] = sides;
    let report = direct.report(Report::default(), ["direct_p50_us", "direct_p99_us", "direct_cpu_us"]);
    Ok(forwarded.report(report, ["forwarded_p50_us", "forwarded_p99_us", "forwarded_cpu_us"]))
}

/// A session, and what its messages took.
struct Side {
    session: Session,
    times: Observations,
    /// The processor time of all nodes, in microseconds.
    cpu_us: f64,
}

impl Side {
    fn open(transport: Transport, owner: &Target, way: &Target) -> Result<Self> {
        let session = Session::open(transport, owner, way)?;
        Ok(Self { session, times: Observations::default(), cpu_us: 0.0 })
    }

    fn run(&mut self, processes: &[Process], time: Duration) -> Result<()> {
        let (start, before) = (clock::now(), Moment::of_all(processes)?);
        while start.elapsed() < time {
            let sent = clock::now();
            self.session.echo()?;
            self.times.add(nanoseconds(sent.elapsed()));
        }
        self.cpu_us += Moment::of_all(processes)?.since(before).server_us_each(1);
        Ok(())
    }

    /// Forgets what was measured: the first messages grow memory.
    fn forget(&mut self) {
        (self.times, self.cpu_us) = (Observations::default(), 0.0);
    }

    #[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
    fn report(self, report: Report, [p50, p99, cpu]: [&str; 3]) -> Report {
        let times = self.times.sorted();
        report
            .with(p50, microseconds(times.at(500)))
            .with(p99, microseconds(times.at(990)))
            .with(cpu, self.cpu_us / times.len().max(1) as f64)
    }
}

/// A session whose messages come back.
struct Session {
    stream: TcpStream,
    exchange: Exchange,
}

/// How a message is sent and comes back.
enum Exchange {
    Polling { post: Vec<u8>, poll: Vec<u8>, message: Vec<u8> },
    WebSocket(Message),
}

impl Session {
    /// Opens a session on its node, and reaches it by way of another one from then on.
    fn open(transport: Transport, owner: &Target, way: &Target) -> Result<Self> {
        let body = request(&mut owner.connect()?, &polling::handshake_request(owner))?;
        let sid = polling::handshake(&body)?.sid;
        let mut stream = way.connect()?;
        let exchange = match transport {
            Transport::Polling => {
                let message = format!("4{}", frames::payload(SIZE)).into_bytes();
                let post = polling::post_request(way, &sid, &message);
                Exchange::Polling { post, poll: polling::poll_request(way, &sid), message }
            }
            Transport::WebSocket => {
                upgrade(&mut stream, way, &sid)?;
                Exchange::WebSocket(Message::new(Kind::Text, SIZE))
            }
        };
        Ok(Self { stream, exchange })
    }

    fn echo(&mut self) -> Result<()> {
        match &self.exchange {
            Exchange::Polling { post, poll, message } => {
                expect(&request(&mut self.stream, post)?, b"ok")?;
                expect(&request(&mut self.stream, poll)?, message)
            }
            Exchange::WebSocket(message) => {
                write(&mut self.stream, &message.sent)?;
                read_exactly(&mut self.stream, &message.reply)
            }
        }
    }
}

/// Upgrades a session that has no request under way.
fn upgrade(stream: &mut TcpStream, way: &Target, sid: &str) -> Result<()> {
    write(stream, &way.websocket_request(Some(sid)))?;
    let mut received = Vec::new();
    while websocket::agreed(&received)?.is_none() {
        websocket::read_some(stream, &mut received)?;
    }
    write(stream, &frames::from_client(&Packet::PING_PROBE))?;
    read_exactly(stream, PROBED)?;
    write(stream, &frames::from_client(&Packet::UPGRADE))
}

/// Sends a request, and returns the body of its answer.
fn request(stream: &mut TcpStream, request: &[u8]) -> Result<Vec<u8>> {
    write(stream, request)?;
    let mut received = Vec::with_capacity(512);
    loop {
        websocket::read_some(stream, &mut received)?;
        if let Some(body) = http::answer(&received)? {
            return Ok(received[body].to_vec());
        }
    }
}

fn write(stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    stream.write_all(bytes).map_err(Failure::system("a message cannot be sent"))
}

/// Reads as many bytes as are expected, and compares them.
fn read_exactly(stream: &mut TcpStream, expected: &[u8]) -> Result<()> {
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).map_err(Failure::system("the server did not answer"))?;
    expect(&received, expected)
}

fn expect(received: &[u8], expected: &[u8]) -> Result<()> {
    if received == expected {
        return Ok(());
    }
    let (received, expected) = (received.escape_ascii(), expected.escape_ascii());
    Err(Failure::server(format!("sent \"{received}\", expected \"{expected}\"")))
}
