//! An Engine.IO echo server on one thread, whose sockets mio watches.
//!
//! The loop waits until a socket is ready or a deadline comes, reads and writes what is ready, and reports the time.
//! The server of `support/server.rs` has no I/O.
//!
//! Run `cargo run -p eio-core --example on_mio`, and connect with `eio connect http://127.0.0.1:3000` or any client of
//! Engine.IO 4. Its arguments are the address, and the ping interval and the ping timeout in milliseconds.
#![allow(clippy::restriction, reason = "a program with std, which may panic where the core must not")]

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use eio_core::Heartbeat;
use eio_core::transports::SocketEnd;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

#[path = "support/server.rs"]
mod server;
#[path = "support/session.rs"]
mod session;
use server::{Io, MAX_PEERS, Server, arguments, now};

/// Connections have the tokens from 1.
const LISTENER: Token = Token(0);
/// How often one connection is read or written before it is the turn of the others.
const AT_ONCE: usize = 16;
/// How many turns a connection gets for what is in its socket before the time is reported all the same. Together they are
/// 16 MB, more than a kernel usually holds for a connection.
const TURNS: u32 = 64;

#[allow(dead_code, reason = "tests call `serve`")]
fn main() -> Result<(), Box<dyn Error>> {
    let (address, heartbeat) = arguments()?;
    serve(TcpListener::bind(address.parse()?)?, heartbeat)?;
    Ok(())
}

pub(crate) fn serve(mut listener: TcpListener, heartbeat: Heartbeat) -> io::Result<()> {
    println!("listening on http://{}", listener.local_addr()?);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    // There is room for an event of each connection: no other one waits behind these.
    let mut events = Events::with_capacity(MAX_PEERS + 1);
    let (mut server, mut peers) = (Server::new(heartbeat), HashMap::<usize, Peer>::new());
    let ready = Ready::default();
    let mut may_accept = true;
    let mut turns = 0_u32;
    loop {
        let asked = now();
        let due = server.poll_timeout().map(|due| due.saturating_duration_since(asked));
        let wait = if ready.borrow().is_empty() { due } else { Some(Duration::ZERO) };
        match poll.poll(&mut events, wait) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Err(_) => continue,
            Ok(()) => {}
        }
        for event in &events {
            may_accept |= event.token() == LISTENER;
            if let Some(peer) = peers.get_mut(&event.token().0) {
                peer.may_read |= event.is_readable();
                peer.may_write |= event.is_writable();
                ready.borrow_mut().insert(event.token().0);
            }
        }
        while may_accept && let Ok((stream, _)) = listener.accept() {
            Peer::accept(stream, &mut server, &mut peers, poll.registry(), &ready);
        }
        may_accept = false;
        let mut has_unread = false;
        for id in ready.take() {
            let again = peers.get_mut(&id).is_some_and(|peer| peer.turn(&mut server, id));
            has_unread |= again;
            if again {
                ready.borrow_mut().insert(id);
            }
            if server.wants_read(id).is_none() {
                // Without it, there may be a file descriptor for a connection that waits.
                may_accept |= peers.remove(&id).is_some();
            }
        }
        turns = if has_unread { turns.saturating_add(1) } else { 0 };
        // All that had arrived when the clock was asked has been handled, unless a connection sends without end.
        if turns == 0 || turns > TURNS {
            server.handle_timeout(asked);
        }
    }
}

/// The connections that have a turn.
type Ready = Rc<RefCell<BTreeSet<usize>>>;

struct Handle {
    id: usize,
    stream: Rc<TcpStream>,
    ready: Ready,
}

impl Io for Handle {
    fn wake(&self) {
        self.ready.borrow_mut().insert(self.id);
    }

    fn cut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// A connection.
struct Peer {
    stream: Rc<TcpStream>,
    output: Vec<u8>,
    is_last: bool,
    may_read: bool,
    may_write: bool,
}

impl Peer {
    fn accept(
        mut stream: TcpStream,
        server: &mut Server<Handle>,
        peers: &mut HashMap<usize, Self>,
        registry: &Registry,
        ready: &Ready,
    ) {
        let _ = stream.set_nodelay(true);
        let mut registered = Ok(());
        let accepted = server.accept(now(), |id| {
            registered = registry.register(&mut stream, Token(id), Interest::READABLE | Interest::WRITABLE);
            let stream = Rc::new(stream);
            let (output, is_last, may_read, may_write) = (Vec::new(), false, false, false);
            peers.insert(id, Self { stream: Rc::clone(&stream), output, is_last, may_read, may_write });
            Handle { id, stream, ready: Rc::clone(ready) }
        });
        if let (Some(id), Err(_)) = (accepted, registered) {
            server.end(id, now(), SocketEnd::Failed);
            peers.remove(&id);
        }
    }

    /// Reads what is there, and writes what the socket takes. Returns whether there is more to read.
    fn turn(&mut self, server: &mut Server<Handle>, id: usize) -> bool {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..AT_ONCE {
            if !self.may_read || server.wants_read(id) != Some(true) {
                break;
            }
            match (&*self.stream).read(&mut buffer) {
                Ok(len @ 1..) => server.receive(id, now(), &buffer[..len]),
                result => self.may_read = may_go_on(result, server, id),
            }
        }
        loop {
            if self.output.is_empty() && !self.is_last {
                (self.output, self.is_last) = server.transmit(id, now());
            }
            if self.output.is_empty() || !self.may_write {
                break;
            }
            match (&*self.stream).write(&self.output) {
                Ok(len @ 1..) => {
                    self.output.drain(..len);
                    if self.output.is_empty() {
                        server.written(id, now());
                    }
                }
                result => self.may_write = may_go_on(result, server, id),
            }
        }
        if self.output.is_empty() && self.is_last {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        self.may_read && server.wants_read(id) == Some(true)
    }
}

/// Handles what is not some bytes read or written. Returns whether to go on.
fn may_go_on(result: io::Result<usize>, server: &mut Server<Handle>, id: usize) -> bool {
    let end = match result.map_err(|error| error.kind()) {
        Err(ErrorKind::Interrupted) => return true,
        Err(ErrorKind::WouldBlock) => return false,
        Ok(_) => SocketEnd::Closed,
        Err(ErrorKind::ConnectionReset) => SocketEnd::Reset,
        Err(_) => SocketEnd::Failed,
    };
    server.end(id, now(), end);
    false
}
