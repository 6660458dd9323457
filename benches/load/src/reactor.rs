//! Waits for many sockets at once.

use std::io::{self, Read, Write};
use std::net::TcpStream as BlockingStream;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::failure::{Failure, Result};

/// How many bytes are read at once.
pub const READ: usize = 256 * 1024;

/// Waits for many sockets at once. Readiness is reported once, when it begins.
#[derive(Debug)]
pub struct Reactor {
    poll: Poll,
    events: Events,
}

impl Reactor {
    /// Creates a reactor.
    ///
    /// # Errors
    /// Fails if the system has no room for it.
    pub fn new() -> Result<Self> {
        let poll = Poll::new().map_err(Failure::system("readiness cannot be watched"))?;
        Ok(Self { poll, events: Events::with_capacity(1024) })
    }

    /// Watches a socket. Its events carry `index`.
    ///
    /// # Errors
    /// Fails if the system has no room for it.
    pub fn watch(&self, stream: &mut TcpStream, index: usize) -> Result<()> {
        // Asking for both costs no event more: a socket becomes writable only after it was full.
        let interest = Interest::READABLE | Interest::WRITABLE;
        let watched = self.poll.registry().register(stream, Token(index), interest);
        watched.map_err(Failure::system("a connection cannot be watched"))
    }

    /// Takes over a connection that blocks.
    ///
    /// # Errors
    /// Fails if the system has no room for it.
    pub fn adopt(&self, stream: BlockingStream, index: usize) -> Result<TcpStream> {
        stream.set_nonblocking(true).map_err(Failure::system("a connection cannot be configured"))?;
        let mut stream = TcpStream::from_std(stream);
        self.watch(&mut stream, index)?;
        Ok(stream)
    }

    /// Waits for readiness, and returns the indices of the sockets that are ready: none after `timeout`.
    ///
    /// # Errors
    /// Fails if the system does.
    pub fn wait(&mut self, timeout: Duration) -> Result<impl Iterator<Item = usize> + '_> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                Err(Failure::System { what: "readiness cannot be watched", source: error })
            }
            _ => Ok(self.events.iter().map(|event| event.token().0)),
        }
    }
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// This many bytes, and maybe more.
    Some(usize),
    /// This many bytes, and nothing behind them.
    All(usize),
    /// The other end closed or reset the connection.
    End,
}

/// Reads what has arrived. Fewer bytes than the buffer takes were all: the next ones are a new event.
///
/// # Errors
/// Fails if the system does.
pub fn read(stream: &mut impl Read, buffer: &mut [u8]) -> Result<Input> {
    match stream.read(buffer) {
        Ok(0) => Ok(Input::End),
        Ok(len) if len < buffer.len() => Ok(Input::All(len)),
        Ok(len) => Ok(Input::Some(len)),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(Input::All(0)),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(Input::End),
            _ => Err(Failure::System { what: "a connection failed", source: error }),
        },
    }
}

/// Writes what the socket takes of `bytes`, and returns how much that was.
///
/// # Errors
/// Fails if the connection was closed.
pub fn write(stream: &mut impl Write, bytes: &[u8]) -> Result<usize> {
    match stream.write(bytes) {
        Ok(len) => Ok(len),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        Err(source) => Err(Failure::System { what: "a message cannot be sent", source }),
    }
}
