//! Sessions on long-polling: handshakes, messages that come back, and polls that wait.

use std::time::Duration;

use crate::clock::{self, PATIENCE};
use crate::failure::{Failure, Result};
use crate::frames;
use crate::http::Client;
use crate::polling::{self, Answer, PollingSession};
use crate::reactor::{READ, Reactor};
use crate::report::{Moment, Report};
use crate::target::Target;

/// Opens sessions on `connections` connections that are kept, one after the other, and leaves them alone.
///
/// # Errors
/// Fails if one is refused.
#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
pub fn handshakes(target: &Target, connections: usize, warm_up: Duration, time: Duration) -> Result<Report> {
    let mut reactor = Reactor::new()?;
    let request = polling::handshake_request(target);
    let mut buffer = vec![0; READ];
    let mut clients = Vec::with_capacity(connections);
    for index in 0..connections {
        let mut client = Client::open(target, &reactor, index)?;
        client.send(&request)?;
        clients.push(client);
    }
    let mut run = |time: Duration| {
        let mut opened = 0_u64;
        for_time(time, || {
            let before = opened;
            for index in reactor.wait(Duration::from_millis(100))? {
                if let Some(body) = clients[index].receive(&mut buffer)? {
                    // Reading all of the JSON would cost more than the server's work.
                    if !body.starts_with(br#"0{""#) || !body.ends_with(b"}") {
                        polling::handshake(&body)?;
                    }
                    opened += 1;
                    clients[index].send(&request)?;
                }
            }
            Ok(opened > before)
        })?;
        Ok::<_, Failure>(opened)
    };
    run(warm_up)?;
    let (start, before) = (Moment::now(target.process)?, target.process.resident()?);
    let opened = run(time)?;
    let (end, after) = (Moment::now(target.process)?, target.process.resident()?);
    let bytes_each = after.saturating_sub(before) as f64 / opened.max(1) as f64;
    Ok(end.since(start).rate(opened).with("bytes_each", bytes_each))
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the command line makes it")]
pub struct Options {
    /// The number of sessions.
    pub connections: usize,
    /// The bytes of a message.
    pub size: usize,
    /// How many messages one request carries.
    pub batch: usize,
    /// How long messages are sent before they are counted.
    pub warm_up: Duration,
    /// How long they are counted.
    pub time: Duration,
}

/// Posts messages, polls until all have come back, and posts the next ones.
///
/// # Errors
/// Fails if a message comes back wrong, or not at all.
pub fn echo(target: &Target, options: &Options) -> Result<Report> {
    let message = format!("4{}", frames::payload(options.size)).into_bytes();
    let mut fleet = Fleet::open(target, message, options.connections, options.batch)?;
    fleet.run(options.warm_up)?;
    let (start, before) = (Moment::now(target.process)?, fleet.messages);
    fleet.run(options.time)?;
    let (end, messages) = (Moment::now(target.process)?, fleet.messages - before);
    Ok(end.since(start).rate(messages))
}

/// Opens sessions that poll and get nothing: the memory of each.
///
/// # Errors
/// Fails if one cannot be opened.
#[expect(clippy::cast_precision_loss, reason = "a figure needs no more than 52 bits")]
pub fn memory(target: &Target, connections: usize) -> Result<Report> {
    const BEFORE: usize = super::memory::BEFORE;
    let server = target.process;
    let mut before = Fleet::open(target, Vec::new(), BEFORE, 0)?;
    before.park()?;
    server.wait_until_quiet()?;
    let (start, empty) = (Moment::now(server)?, server.resident()?);
    let mut parked = Fleet::open(target, Vec::new(), connections, 0)?;
    parked.park()?;
    server.wait_until_quiet()?;
    let (end, full) = (Moment::now(server)?, server.resident()?);
    let count = connections.max(1) as f64;
    Ok(Report::default()
        .with("bytes_each", full.saturating_sub(empty) as f64 / count)
        .with("connections", count)
        .with("open_cpu_us", end.since(start).server_us_each(connections as u64)))
}

/// Sessions on long-polling.
struct Fleet<'t> {
    target: &'t Target,
    reactor: Reactor,
    sessions: Vec<(PollingSession, usize)>,
    buffer: Vec<u8>,
    message: Vec<u8>,
    /// How many messages a request carries.
    batch: usize,
    /// How many messages have come back.
    messages: u64,
}

impl<'t> Fleet<'t> {
    fn open(target: &'t Target, message: Vec<u8>, connections: usize, batch: usize) -> Result<Self> {
        let reactor = Reactor::new()?;
        let open = |index| Ok((PollingSession::open(target, &reactor, index)?, 0));
        let sessions = (0..connections).map(open).collect::<Result<_>>()?;
        Ok(Self { target, reactor, sessions, buffer: vec![0; READ], message, batch, messages: 0 })
    }

    /// Sends and receives for this time.
    fn run(&mut self, time: Duration) -> Result<()> {
        for_time(time, || {
            let before = self.messages;
            self.turn(Duration::from_millis(100))?;
            Ok(self.messages > before)
        })
    }

    /// Goes on until nothing has arrived for a while, so that all polls wait.
    fn park(&mut self) -> Result<()> {
        while self.turn(Duration::from_millis(300))? > 0 {}
        Ok(())
    }

    /// Waits for answers, and sends the next requests. Returns how many sockets were ready.
    fn turn(&mut self, timeout: Duration) -> Result<usize> {
        let mut ready = 0;
        for index in self.reactor.wait(timeout)? {
            ready += 1;
            let (session, awaited) = &mut self.sessions[index];
            let received = session.receive(self.target, &mut self.buffer, &self.message, self.batch)?;
            let Some((answer, _)) = received else { continue };
            match answer {
                Answer::Opened if self.batch > 0 => {
                    *awaited = self.batch;
                    session.post(false)?;
                }
                Answer::Opened | Answer::Posted => session.poll()?,
                Answer::Packets(packets) => {
                    let too_many = || Failure::server("sent more messages than were posted");
                    *awaited = awaited.checked_sub(packets.messages).ok_or_else(too_many)?;
                    self.messages += packets.messages as u64;
                    match (*awaited == 0 && self.batch > 0, packets.ping) {
                        (true, ping) => {
                            *awaited = self.batch;
                            session.post(ping)?;
                        }
                        (false, true) => session.post_pong()?,
                        (false, false) => session.poll()?,
                    }
                }
            }
        }
        Ok(ready)
    }
}

/// Takes turns for this time. A turn returns whether it got further.
///
/// # Errors
/// Fails if no turn gets further for ten seconds.
pub(super) fn for_time(time: Duration, mut turn: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = clock::now();
    let mut last = start;
    loop {
        let further = turn()?;
        let now = clock::now();
        if now - start >= time {
            return Ok(());
        }
        if further {
            last = now;
        } else if now - last > PATIENCE {
            return Err(Failure::server("has answered nothing for 10 s"));
        }
    }
}
