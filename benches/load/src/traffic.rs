//! Messages on many WebSockets at once, and their replies.

use std::slice;
use std::time::Duration;

use crate::clock::{self, PATIENCE};
use crate::failure::{Failure, Result};
use crate::frames::{Kind, Message, PONG};
use crate::reactor::{self, Input, READ, Reactor};
use crate::replies::{Arrived, Replies};
use crate::target::Target;
use crate::tls::{Tls, Wire};
use crate::websocket;

/// WebSockets that all send the same message and receive its reply.
#[derive(Debug)]
pub struct Traffic {
    reactor: Reactor,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    frames: Frames,
    /// The frame of each reply.
    reply: Vec<u8>,
    replies: u64,
    pings: u64,
}

impl Traffic {
    /// Opens `count` WebSockets for messages of `size` bytes. Up to `together` messages of one are sent with one write.
    ///
    /// # Errors
    /// Fails if one cannot be opened.
    pub fn open(target: &Target, count: usize, kind: Kind, size: usize, together: usize) -> Result<Self> {
        Self::open_across(slice::from_ref(target), count, kind, size, together)
    }

    /// Opens `count` WebSockets as [`open`](Self::open) does, one on each target in turn.
    ///
    /// # Errors
    /// Fails if one cannot be opened.
    pub fn open_across(
        targets: &[Target],
        count: usize,
        kind: Kind,
        size: usize,
        together: usize,
    ) -> Result<Self> {
        let Message { sent, reply } = Message::new(kind, size);
        let mut traffic = Self {
            reactor: Reactor::new()?,
            connections: Vec::with_capacity(count),
            buffer: vec![0; READ],
            // One frame more than are sent together: what is to be sent may begin within a frame.
            frames: Frames { len: sent.len(), bytes: sent.repeat(together + 1) },
            reply,
            replies: 0,
            pings: 0,
        };
        for target in targets.iter().cycle().take(count) {
            traffic.add(target)?;
        }
        Ok(traffic)
    }

    /// Opens one more WebSocket.
    fn add(&mut self, target: &Target) -> Result<()> {
        let mut socket = target.connect()?;
        let mut tls = target.tls.clone().map(Tls::begin).transpose()?;
        let (_, rest) = match &mut tls {
            None => websocket::open_on(target, &mut socket)?,
            Some(tls) => websocket::open_on(target, &mut tls.on(&mut socket))?,
        };
        let wire = Wire::new(self.reactor.adopt(socket, self.connections.len())?, tls);
        let mut connection =
            Connection { wire, replies: Replies::default(), at: 0, unsent: 0, pongs: 0, awaited: 0 };
        connection.take(&rest, &self.reply)?;
        self.connections.push(connection);
        Ok(())
    }

    /// Returns the number of WebSockets.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Returns how many replies have arrived.
    #[must_use]
    pub fn replies(&self) -> u64 {
        self.replies
    }

    /// Returns how many pings have arrived.
    #[must_use]
    pub fn pings(&self) -> u64 {
        self.pings
    }

    /// Sends `messages` on the WebSocket `index`.
    ///
    /// # Errors
    /// Fails if the server has closed it.
    pub fn send(&mut self, index: usize, messages: usize) -> Result<()> {
        let connection = &mut self.connections[index];
        connection.awaited += messages;
        connection.send(messages, &self.frames)
    }

    /// Sends a message on the WebSocket `index` whose reply comes on each WebSocket.
    ///
    /// # Errors
    /// Fails if the server has closed it.
    pub fn broadcast(&mut self, index: usize) -> Result<()> {
        for connection in &mut self.connections {
            connection.awaited += 1;
        }
        self.connections[index].send(1, &self.frames)
    }

    /// Waits until sockets are ready, but no longer than `timeout`, and serves them. `on_replies` gets the index of a
    /// WebSocket and how many replies have arrived on it, and returns how many messages it sends next.
    ///
    /// # Errors
    /// Fails if the server sends something else than replies and pings, or closes a WebSocket.
    pub fn turn(
        &mut self,
        timeout: Duration,
        mut on_replies: impl FnMut(usize, usize) -> usize,
    ) -> Result<()> {
        for index in self.reactor.wait(timeout)? {
            let connection = &mut self.connections[index];
            let mut replies = 0;
            loop {
                let (len, more) = match reactor::read(&mut connection.wire, &mut self.buffer)? {
                    Input::Some(len) => (len, true),
                    Input::All(len) => (len, len > 0 && connection.wire.reads_in_parts()),
                    Input::End => return Err(Failure::server("closed a WebSocket that was in use")),
                };
                let arrived = connection.take(&self.buffer[..len], &self.reply)?;
                replies += arrived.replies as usize;
                self.replies += u64::from(arrived.replies);
                self.pings += u64::from(arrived.pings);
                if !more {
                    break;
                }
            }
            let messages = if replies > 0 { on_replies(index, replies) } else { 0 };
            connection.awaited += messages;
            connection.send(messages, &self.frames)?;
        }
        Ok(())
    }

    /// Serves the sockets for this time, as [`turn`](Self::turn) does. `progress` counts what must not stop.
    ///
    /// # Errors
    /// Fails as `turn` does, and if `progress` stands still for ten seconds.
    pub fn run(
        &mut self,
        time: Duration,
        progress: fn(&Self) -> u64,
        mut on_replies: impl FnMut(usize, usize) -> usize,
    ) -> Result<()> {
        let end = clock::now() + time;
        let mut last_progress = clock::now();
        loop {
            let before = progress(self);
            self.turn(Duration::from_millis(100), &mut on_replies)?;
            let now = clock::now();
            if now >= end {
                return Ok(());
            }
            if progress(self) > before {
                last_progress = now;
            } else if now - last_progress > PATIENCE {
                return Err(Failure::server("sent nothing on any WebSocket for 10 s"));
            }
        }
    }

    /// Waits for the replies that are on their way.
    ///
    /// # Errors
    /// Fails if they do not arrive within ten seconds.
    pub fn finish(&mut self) -> Result<()> {
        let start = clock::now();
        loop {
            let missing: usize = self.connections.iter().map(|connection| connection.awaited).sum();
            if missing == 0 {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                let owed = format!("still owed {missing} replies 10 s after the last message");
                return Err(Failure::server(owed));
            }
            self.turn(Duration::from_millis(100), |_, _| 0)?;
        }
    }
}

/// The frame that is sent, several times.
#[derive(Debug)]
struct Frames {
    len: usize,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    wire: Wire,
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
    /// Takes bytes that have arrived.
    fn take(&mut self, bytes: &[u8], reply: &[u8]) -> Result<Arrived> {
        let arrived = self.replies.take(bytes, reply)?;
        self.pongs += arrived.pings;
        let too_many = || Failure::server("sent more replies than there were messages");
        self.awaited = self.awaited.checked_sub(arrived.replies as usize).ok_or_else(too_many)?;
        Ok(arrived)
    }

    /// Sends `messages` more, and the pongs that are due.
    fn send(&mut self, messages: usize, frames: &Frames) -> Result<()> {
        self.unsent += messages * frames.len;
        while self.pongs > 0 && self.at == 0 {
            match reactor::write(&mut self.wire, &PONG)? {
                0 => return Ok(()),
                len if len < PONG.len() => return Err(Failure::server("takes a pong only in parts")),
                _ => self.pongs -= 1,
            }
        }
        while self.unsent > 0 {
            let end = frames.bytes.len().min(self.at + self.unsent);
            let bytes = &frames.bytes[self.at..end];
            let written = reactor::write(&mut self.wire, bytes)?;
            self.unsent -= written;
            self.at = (self.at + written) % frames.len;
            // TLS takes a part of many bytes, although the socket is not full.
            if written == 0 {
                break;
            }
        }
        Ok(())
    }
}
