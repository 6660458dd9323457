//! WebSockets that are opened and closed again: how many a second, and what each costs.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use eio_core::ws::{ControlFrame, Decoder, Item};
use mio::net::TcpStream;

use crate::clock::{self, PATIENCE};
use crate::failure::{Failure, Result};
use crate::frames::{CLOSE, JOIN, LEAVE};
use crate::reactor::{self, Input, READ, Reactor};
use crate::report::{Moment, Report};
use crate::target::Target;
use crate::websocket;

/// Opens and closes WebSockets on `connections` connections at once, each with a closing handshake, for `time` after
/// `warm_up`. If the [target](Target::joins) wants it, each joins a namespace and leaves it.
///
/// # Errors
/// Fails if a WebSocket is refused, or closed in another way.
pub fn measure(target: &Target, connections: usize, warm_up: Duration, time: Duration) -> Result<Report> {
    let mut churn = Churn {
        target,
        request: target.websocket_request(None),
        reactor: Reactor::new()?,
        slots: Vec::new(),
        buffer: vec![0; READ],
        closed: 0,
    };
    for index in 0..connections {
        let slot = churn.open(index)?;
        churn.slots.push(slot);
    }
    churn.run(warm_up)?;
    let (start, before) = (Moment::now(target.process)?, churn.closed);
    churn.run(time)?;
    let (end, closed) = (Moment::now(target.process)?, churn.closed - before);
    Ok(end.since(start).rate(closed))
}

struct Churn<'t> {
    target: &'t Target,
    request: Vec<u8>,
    reactor: Reactor,
    slots: Vec<Slot>,
    buffer: Vec<u8>,
    /// How many WebSockets have been opened and closed.
    closed: u64,
}

/// One WebSocket after the other.
struct Slot {
    stream: TcpStream,
    step: Step,
    /// Everything that this WebSocket has received.
    received: Vec<u8>,
}

/// What a WebSocket waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// For the connection, to send the request.
    Connecting,
    /// For the open packet, to join a namespace or to send the close frame.
    Opening,
    /// For the answer that lets it join, which began after this many bytes.
    Joining(usize),
    /// For the server's close frame and the end of the connection, which began after this many bytes.
    Closing(usize),
}

impl Churn<'_> {
    fn open(&self, index: usize) -> Result<Slot> {
        let failed = Failure::system("a connection cannot be opened");
        let stream = TcpStream::connect(self.target.address).map_err(failed)?;
        let mut slot = Slot { stream, step: Step::Connecting, received: Vec::with_capacity(512) };
        // On the loopback interface a connection is there at once: what is sent now needs no turn of its own.
        slot.request(&self.request)?;
        self.reactor.watch(&mut slot.stream, index)?;
        Ok(slot)
    }

    /// Opens and closes WebSockets for this time.
    fn run(&mut self, time: Duration) -> Result<()> {
        let end = clock::now() + time;
        let mut last = clock::now();
        loop {
            let closed = self.closed;
            self.turn()?;
            let now = clock::now();
            if now >= end {
                return Ok(());
            }
            if self.closed > closed {
                last = now;
            } else if now - last > PATIENCE {
                return Err(Failure::server("has not opened and closed a WebSocket for 10 s"));
            }
        }
    }

    /// Waits until sockets are ready, and takes each a step further.
    fn turn(&mut self) -> Result<()> {
        let ready: Vec<usize> = self.reactor.wait(Duration::from_millis(100))?.collect();
        for index in ready {
            let joins = self.target.joins;
            if self.slots[index].go_on(&self.request, joins, &mut self.buffer)? {
                self.closed += 1;
                self.slots[index] = self.open(index)?;
            }
        }
        Ok(())
    }
}

impl Slot {
    /// Takes the WebSocket as far as it gets. Returns whether it has been closed.
    fn go_on(&mut self, request: &[u8], joins: bool, buffer: &mut [u8]) -> Result<bool> {
        if self.step == Step::Connecting {
            self.request(request)?;
        }
        loop {
            match reactor::read(&mut self.stream, buffer)? {
                Input::All(0) => return Ok(false),
                Input::Some(len) | Input::All(len) => {
                    self.take(&buffer[..len], joins)?;
                    // The server closes nothing before it has the close frame, which has just been sent.
                    if self.step == Step::Closing(self.received.len()) {
                        return Ok(false);
                    }
                }
                Input::End => return self.end().map(|()| true),
            }
        }
    }

    /// Sends the request, if the connection is there.
    fn request(&mut self, request: &[u8]) -> Result<()> {
        match self.stream.write(request) {
            Ok(len) if len == request.len() => self.step = Step::Opening,
            Ok(_) => return Err(Failure::server("takes a few bytes only in parts")),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
            Err(source) => return Err(Failure::System { what: "a connection cannot be opened", source }),
        }
        Ok(())
    }

    /// Takes bytes that have arrived. Answers the open packet with a close frame, or joins a namespace before that.
    fn take(&mut self, bytes: &[u8], joins: bool) -> Result<()> {
        self.received.extend_from_slice(bytes);
        if self.step == Step::Opening
            && let Some((_, len)) = websocket::opening(&self.received)?
        {
            if joins {
                self.send(&JOIN)?;
                self.step = Step::Joining(len);
            } else {
                self.send(&CLOSE)?;
                self.step = Step::Closing(len);
            }
        }
        if let Step::Joining(at) = self.step
            && let Some(answer) = websocket::joined(&self.received[at..])?
        {
            self.send(&[LEAVE, CLOSE].concat())?;
            self.step = Step::Closing(at + answer.end);
        }
        Ok(())
    }

    /// Checks that the server answered the close frame before it closed the connection.
    fn end(&mut self) -> Result<()> {
        let Step::Closing(mut at) = self.step else {
            return Err(Failure::server("closed a connection before its open packet"));
        };
        let mut decoder = Decoder::client(4096);
        while let Ok(decoded) = decoder.decode(&mut self.received[at..]) {
            match decoded.item {
                Some(Item::Control(ControlFrame::Close(_))) => return Ok(()),
                None => break,
                Some(_) => at += decoded.consumed,
            }
        }
        Err(Failure::server("closed a connection without an answer to a close frame"))
    }

    /// Sends a few bytes, which an empty socket takes at once.
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let len = reactor::write(&mut self.stream, bytes)?;
        if len == bytes.len() { Ok(()) } else { Err(Failure::server("takes a few bytes only in parts")) }
    }
}
