//! Several nodes that act as one server: broadcasts to a room whose members are on all of them.

use std::time::{Duration, Instant};

use crate::clock::{self, PATIENCE};
use crate::failure::{Failure, Result};
use crate::frames::Kind;
use crate::process::Process;
use crate::report::{Moment, Report};
use crate::statistics::Observations;
use crate::target::Target;
use crate::traffic::Traffic;

/// The bytes of a message.
const SIZE: usize = 20;

/// Sends messages to a room of `connections` WebSockets, which are spread over the nodes. `in_flight` messages are on their way
/// at any time, and the nodes send them in turn.
///
/// # Errors
/// Fails if a receiver gets something else, or not all messages.
pub fn broadcast(
    nodes: &[Target],
    connections: usize,
    in_flight: usize,
    warm_up: Duration,
    time: Duration,
) -> Result<Report> {
    let mut room = Room::open(nodes, connections)?;
    room.run(in_flight, warm_up)?;
    let (start, before) = (room.moment()?, room.traffic.replies());
    room.run(in_flight, time)?;
    let (end, received) = (room.moment()?, room.traffic.replies() - before);
    room.traffic.finish()?;
    Ok(end.since(start).rate(received))
}

/// Sends one message after the other to a room with one WebSocket on the first node, which sends them, and one on the second.
///
/// # Errors
/// Fails if a receiver gets something else, or nothing.
pub fn latency(nodes: &[Target], warm_up: Duration, time: Duration) -> Result<Report> {
    let Some(two) = nodes.get(..2) else {
        return Err(Failure::Options("a latency between nodes needs two of them".to_owned()));
    };
    let mut room = Room::open(two, 2)?;
    let start = clock::now();
    while start.elapsed() < warm_up {
        room.arrivals()?;
    }
    let (mut same, mut other, mut added) =
        (Observations::default(), Observations::default(), Observations::default());
    let start = clock::now();
    while start.elapsed() < time {
        let sent = clock::now();
        let [here, there] = room.arrivals()?.map(|at| nanoseconds(at - sent));
        same.add(here);
        other.add(there);
        added.add(there - here);
    }
    let (same, other, added) = (same.sorted(), other.sorted(), added.sorted());
    Ok(Report::default()
        .with("same_p50_us", microseconds(same.at(500)))
        .with("same_p99_us", microseconds(same.at(990)))
        .with("other_p50_us", microseconds(other.at(500)))
        .with("other_p99_us", microseconds(other.at(990)))
        .with("added_p50_us", microseconds(added.at(500)))
        .with("added_p99_us", microseconds(added.at(990))))
}

/// The members of a room.
struct Room {
    traffic: Traffic,
    processes: Vec<Process>,
    /// How many messages were sent.
    sent: u64,
}

impl Room {
    fn open(nodes: &[Target], connections: usize) -> Result<Self> {
        if connections == 0 {
            return Err(Failure::Options("a room needs a member".to_owned()));
        }
        let traffic = Traffic::open_across(nodes, connections, Kind::Event, SIZE, 16)?;
        let processes: Vec<Process> = nodes.iter().map(|node| node.process).collect();
        // An application learns of a socket after its client does. It puts it into the room then, and its node tells the bus.
        Process::wait_until_all_quiet(&processes)?;
        Ok(Self { traffic, processes, sent: 0 })
    }

    fn moment(&self) -> Result<Moment> {
        Moment::of_all(&self.processes)
    }

    /// Sends a message on the next WebSocket, and so by way of the next node.
    fn send(&mut self) -> Result<()> {
        let count = self.traffic.connections() as u64;
        let sender = usize::try_from(self.sent % count).unwrap_or_default();
        self.sent += 1;
        self.traffic.broadcast(sender)
    }

    /// How many receivers have not got what was sent to them.
    fn missing(&self) -> u64 {
        self.sent * self.traffic.connections() as u64 - self.traffic.replies()
    }

    /// Keeps messages on their way for this time.
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<()> {
        let most = (in_flight * self.traffic.connections()) as u64;
        let start = clock::now();
        let mut last = start;
        loop {
            while self.missing() + self.traffic.connections() as u64 <= most {
                self.send()?;
            }
            let before = self.traffic.replies();
            self.traffic.turn(Duration::from_millis(100), |_, _| 0)?;
            let now = clock::now();
            if now - start >= time {
                return Ok(());
            }
            if self.traffic.replies() > before {
                last = now;
            }
            self.check(last)?;
        }
    }

    /// Sends a message on the first WebSocket. Returns when it arrived on the first one and on the second one.
    fn arrivals(&mut self) -> Result<[Instant; 2]> {
        let mut arrived = [None; 2];
        self.traffic.broadcast(0)?;
        self.sent += 1;
        let start = clock::now();
        loop {
            self.traffic.turn(Duration::from_millis(100), |index, _| {
                arrived[index] = Some(clock::now());
                0
            })?;
            if let [Some(first), Some(second)] = arrived {
                return Ok([first, second]);
            }
            self.check(start)?;
        }
    }

    /// Fails if nothing has arrived since `last` for too long.
    fn check(&self, last: Instant) -> Result<()> {
        if last.elapsed() <= PATIENCE {
            return Ok(());
        }
        let missing = self.missing();
        Err(Failure::server(format!("has not brought broadcasts to {missing} receivers after 10 s")))
    }
}

pub(super) fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
pub(super) fn microseconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e3
}
