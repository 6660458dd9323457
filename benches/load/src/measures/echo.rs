//! Messages that the server sends back: how many a second, and what each costs.

use std::time::Duration;

use mio::net::TcpStream;

use crate::clock::{self, PATIENCE};
use crate::failure::{Failure, Result};
use crate::frames::{Kind, Message, PONG};
use crate::reactor::{self, Input, READ, Reactor};
use crate::replies::Replies;
use crate::report::{Moment, Report};
use crate::target::Target;
use crate::websocket::{self, Opened};

/// What is sent.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the command line makes it")]
pub struct Options {
    /// The number of WebSockets.
    pub connections: usize,
    /// The bytes of a message.
    pub size: usize,
    /// How many messages of a connection are on their way at any time.
    pub in_flight: usize,
    /// The kind of the messages.
    pub kind: Kind,
    /// How long messages are counted.
    pub time: Duration,
    /// How long messages are sent before.
    pub warm_up: Duration,
}

/// Sends messages and counts the replies. Each reply is answered by the next message.
///
/// # Errors
/// Fails if a reply is wrong or missing.
pub fn measure(target: &Target, options: &Options) -> Result<Report> {
    if options.in_flight == 0 || options.connections == 0 {
        return Err(Failure::Options("an echo needs a connection and a message in flight".to_owned()));
    }
    let mut echo = Echo::new(options)?;
    for opened in websocket::open_all(target, options.connections)? {
        echo.add(opened)?;
    }
    echo.start()?;
    echo.run(options.warm_up)?;
    let (start, before) = (Moment::now(target.process)?, echo.replies);
    echo.run(options.time)?;
    let (end, replies) = (Moment::now(target.process)?, echo.replies - before);
    echo.finish()?;
    Ok(end.since(start).rate(replies))
}

struct Echo {
    reactor: Reactor,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    sender: Sender,
    /// The frame of each reply.
    reply: Vec<u8>,
    in_flight: usize,
    /// How many replies have arrived.
    replies: u64,
}

impl Echo {
    fn new(options: &Options) -> Result<Self> {
        let Message { sent, reply } = Message::new(options.kind, options.size);
        // One frame more than are in flight: what is to be sent may begin within a frame.
        let frames = sent.repeat(options.in_flight + 1);
        Ok(Self {
            reactor: Reactor::new()?,
            connections: Vec::with_capacity(options.connections),
            buffer: vec![0; READ],
            sender: Sender { frame_len: sent.len(), frames, sending: true },
            reply,
            in_flight: options.in_flight,
            replies: 0,
        })
    }

    fn add(&mut self, opened: Opened) -> Result<()> {
        let stream = self.reactor.adopt(opened.stream, self.connections.len())?;
        let mut connection =
            Connection { stream, replies: Replies::default(), at: 0, unsent: 0, pongs: 0, awaited: 0 };
        connection.take(&opened.rest, &self.reply)?;
        self.connections.push(connection);
        Ok(())
    }

    /// Sends the first messages.
    fn start(&mut self) -> Result<()> {
        for connection in &mut self.connections {
            self.sender.send(connection, self.in_flight)?;
        }
        Ok(())
    }

    /// Answers replies with messages for this time.
    fn run(&mut self, time: Duration) -> Result<()> {
        let end = clock::now() + time;
        let mut last_reply = clock::now();
        loop {
            let replies = self.replies;
            self.turn()?;
            let now = clock::now();
            if now >= end {
                return Ok(());
            }
            if self.replies > replies {
                last_reply = now;
            } else if now - last_reply > PATIENCE {
                return Err(Failure::server("sent no reply for 10 s"));
            }
        }
    }

    /// Waits for the replies that are on their way.
    fn finish(&mut self) -> Result<()> {
        self.sender.sending = false;
        let start = clock::now();
        loop {
            let missing: usize = self.connections.iter().map(|connection| connection.awaited).sum();
            if missing == 0 {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(Failure::server(format!(
                    "still owed {missing} replies 10 s after the last message"
                )));
            }
            self.turn()?;
        }
    }

    /// Waits until sockets are ready, and serves them.
    fn turn(&mut self) -> Result<()> {
        for index in self.reactor.wait(Duration::from_millis(100))? {
            let connection = &mut self.connections[index];
            let mut replies = 0;
            loop {
                let input = reactor::read(&mut connection.stream, &mut self.buffer)?;
                let (len, more) = match input {
                    Input::Some(len) => (len, true),
                    Input::All(len) => (len, false),
                    Input::End => {
                        return Err(Failure::server("closed a connection while messages were sent"));
                    }
                };
                replies += connection.take(&self.buffer[..len], &self.reply)?;
                if !more {
                    break;
                }
            }
            self.replies += replies as u64;
            self.sender.send(connection, replies)?;
        }
        Ok(())
    }
}

struct Connection {
    stream: TcpStream,
    replies: Replies,
    /// How much of the frame that is being sent has been written.
    at: usize,
    /// How many bytes are still to be written.
    unsent: usize,
    /// How many pongs are still to be written.
    pongs: u32,
    /// How many messages have no reply yet.
    awaited: usize,
}

impl Connection {
    /// Takes bytes that have arrived, and returns how many replies they complete.
    fn take(&mut self, bytes: &[u8], reply: &[u8]) -> Result<usize> {
        let arrived = self.replies.take(bytes, reply)?;
        self.pongs += arrived.pings;
        let replies = arrived.replies as usize;
        let too_many = || Failure::server("sent more replies than there were messages");
        self.awaited = self.awaited.checked_sub(replies).ok_or_else(too_many)?;
        Ok(replies)
    }
}

/// Writes messages.
struct Sender {
    frame_len: usize,
    /// The frame, several times.
    frames: Vec<u8>,
    /// Whether replies are answered by messages.
    sending: bool,
}

impl Sender {
    /// Sends `messages` more, and the pongs that are due.
    fn send(&self, connection: &mut Connection, messages: usize) -> Result<()> {
        if self.sending {
            connection.awaited += messages;
            connection.unsent += messages * self.frame_len;
        }
        while connection.pongs > 0 && connection.at == 0 {
            match reactor::write(&mut connection.stream, &PONG)? {
                0 => return Ok(()),
                len if len < PONG.len() => return Err(Failure::server("takes a pong only in parts")),
                _ => connection.pongs -= 1,
            }
        }
        if connection.unsent > 0 {
            let bytes = &self.frames[connection.at..connection.at + connection.unsent];
            let written = reactor::write(&mut connection.stream, bytes)?;
            connection.unsent -= written;
            connection.at = (connection.at + written) % self.frame_len;
        }
        Ok(())
    }
}
