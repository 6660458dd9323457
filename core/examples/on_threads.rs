//! An Engine.IO echo server on the threads of the standard library.
//!
//! One thread reads each connection, another one writes it, and a third keeps the time of all sessions. They share the
//! server of `support/server.rs`, which has no I/O.
//!
//! Run `cargo run -p eio-core --example on_threads`, and connect with `eio connect http://127.0.0.1:3000` or any client
//! of Engine.IO 4. Its arguments are the address, and the ping interval and the ping timeout in milliseconds.
#![allow(clippy::restriction, reason = "a program with std, which may panic where the core must not")]

use std::error::Error;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use eio_core::transports::SocketEnd;
use eio_core::{Heartbeat, Instant};

#[path = "support/server.rs"]
mod server;
#[path = "support/session.rs"]
mod session;
use server::{Io, Server, arguments, now};

/// For threads whose connections have bytes to read, before a session ends for silence; and before another try to accept.
const GRACE: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_mins(1);

#[allow(dead_code, reason = "tests call `serve`")]
fn main() -> Result<(), Box<dyn Error>> {
    let (address, heartbeat) = arguments()?;
    serve(&TcpListener::bind(address)?, heartbeat)?;
    Ok(())
}

pub(crate) fn serve(listener: &TcpListener, heartbeat: Heartbeat) -> io::Result<()> {
    println!("listening on http://{}", listener.local_addr()?);
    let shared = Arc::new(Shared { server: Mutex::new(Server::new(heartbeat)), timer: Condvar::new() });
    let timed = Arc::clone(&shared);
    thread::Builder::new().spawn(move || timed.keep_time())?;
    loop {
        let Ok((stream, _)) = listener.accept() else {
            // For example, there are too many open files.
            pause();
            continue;
        };
        let _ = stream.set_nodelay(true);
        let peer = Arc::new(Peer { stream, changed: Condvar::new() });
        // Without room, or without threads for it, the connection closes.
        let accept = |server: &mut Guard<'_>, now| server.accept(now, |_| Arc::clone(&peer));
        let Some(id) = shared.change(&mut shared.lock(), accept) else { continue };
        let (server, connection) = (Arc::clone(&shared), Arc::clone(&peer));
        let reader = thread::Builder::new().spawn(move || server.read(id, &connection));
        let (server, connection) = (Arc::clone(&shared), Arc::clone(&peer));
        let writer = thread::Builder::new().spawn(move || server.write(id, &connection));
        if reader.and(writer).is_err() {
            shared.lock().end(id, now(), SocketEnd::Failed);
            // One of the two threads may be there, and would read on.
            peer.cut();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what is waited for has no event")]
fn pause() {
    thread::sleep(GRACE);
}

/// A connection, for its two threads.
struct Peer {
    stream: TcpStream,
    changed: Condvar,
}

impl Io for Arc<Peer> {
    fn wake(&self) {
        self.changed.notify_all();
    }

    fn cut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

struct Shared {
    server: Mutex<Server<Arc<Peer>>>,
    timer: Condvar,
}

type Guard<'s> = MutexGuard<'s, Server<Arc<Peer>>>;

impl Shared {
    fn lock(&self) -> Guard<'_> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the server. The thread that keeps the time learns of a new deadline.
    fn change<T>(&self, server: &mut Guard<'_>, change: impl FnOnce(&mut Guard<'_>, Instant) -> T) -> T {
        let due = server.poll_timeout();
        let result = change(server, now());
        if server.poll_timeout() != due {
            self.timer.notify_one();
        }
        result
    }

    /// Reads a connection.
    fn read(&self, id: usize, peer: &Peer) {
        let mut buffer = vec![0; 16 * 1024];
        let end = loop {
            match (&peer.stream).read(&mut buffer) {
                Ok(0) => break SocketEnd::Closed,
                Ok(len) => {
                    let mut server = self.lock();
                    self.change(&mut server, |server, now| server.receive(id, now, &buffer[..len]));
                    while server.wants_read(id) == Some(false) {
                        server = peer.changed.wait(server).unwrap_or_else(PoisonError::into_inner);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break SocketEnd::Reset,
                Err(_) => break SocketEnd::Failed,
            }
        };
        self.change(&mut self.lock(), |server, now| server.end(id, now, end));
    }

    /// Writes a connection.
    fn write(&self, id: usize, peer: &Peer) {
        let mut server = self.lock();
        loop {
            let (output, is_last) = self.change(&mut server, |server, now| server.transmit(id, now));
            if output.is_empty() && !is_last {
                server = peer.changed.wait(server).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(server);
            let written = (&peer.stream).write_all(&output);
            server = self.lock();
            self.change(&mut server, |server, now| match written {
                Ok(()) => server.written(id, now),
                Err(_) => server.end(id, now, SocketEnd::Failed),
            });
            if is_last {
                return drop(peer.stream.shutdown(Shutdown::Write));
            }
        }
    }

    /// Reports the time to all sessions.
    fn keep_time(&self) {
        let mut server = self.lock();
        loop {
            let noticed = now();
            let wait = server.poll_timeout().map_or(LONG, |due| due.saturating_duration_since(noticed));
            if wait.is_zero() {
                // What has arrived until now counts, even if its thread has not run yet.
                drop(server);
                pause();
                server = self.lock();
                server.handle_timeout(noticed);
            } else {
                server = self.timer.wait_timeout(server, wait).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}
