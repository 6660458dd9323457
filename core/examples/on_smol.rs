//! An Engine.IO echo server on the async runtime smol.
//!
//! One task reads each connection, another one writes it, and a third keeps the time of all sessions. They share the
//! server of `support/server.rs`, which has no I/O.
//!
//! Run `cargo run -p eio-core --example on_smol`, and connect with `eio connect http://127.0.0.1:3000` or any client of
//! Engine.IO 4. Its arguments are the address, and the ping interval and the ping timeout in milliseconds.
#![allow(clippy::restriction, reason = "a program with std, which may panic where the core must not")]

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eio_core::transports::SocketEnd;
use eio_core::{Heartbeat, Instant};
use event_listener::Event;
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::{TcpListener, TcpStream};

#[path = "support/server.rs"]
mod server;
#[path = "support/session.rs"]
mod session;
use server::{Io, Server, arguments, now};

/// For tasks whose connections have bytes to read, before a session ends for silence; and before another try to accept.
const GRACE: Duration = Duration::from_millis(10);
const LONG: Duration = Duration::from_mins(1);

#[allow(dead_code, reason = "tests call `serve`")]
fn main() -> Result<(), Box<dyn Error>> {
    let (address, heartbeat) = arguments()?;
    smol::block_on(async { Ok(serve(TcpListener::bind(address).await?, heartbeat).await?) })
}

pub(crate) async fn serve(listener: TcpListener, heartbeat: Heartbeat) -> io::Result<()> {
    println!("listening on http://{}", listener.local_addr()?);
    let shared = Arc::new(Shared { server: Mutex::new(Server::new(heartbeat)), timer: Event::new() });
    let timed = Arc::clone(&shared);
    let _time = smol::spawn(async move { timed.keep_time().await });
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // For example, there are too many open files.
            Timer::after(GRACE).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let peer = Arc::new(Peer { stream, changed: Event::new() });
        let accepted = shared.change(|server, now| server.accept(now, |_| Arc::clone(&peer)));
        // Without room for it, the connection closes.
        let Some(id) = accepted else { continue };
        let (reads, writes) = ((Arc::clone(&shared), Arc::clone(&peer)), (Arc::clone(&shared), peer));
        smol::spawn(async move { reads.0.read(id, &reads.1).await }).detach();
        smol::spawn(async move { writes.0.write(id, &writes.1).await }).detach();
    }
}

/// A connection, for its two tasks.
struct Peer {
    stream: TcpStream,
    changed: Event,
}

impl Io for Arc<Peer> {
    fn wake(&self) {
        self.changed.notify(usize::MAX);
    }

    fn cut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

struct Shared {
    server: Mutex<Server<Arc<Peer>>>,
    timer: Event,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Server<Arc<Peer>>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the server. The task that keeps the time learns of a new deadline.
    fn change<T>(&self, change: impl FnOnce(&mut Server<Arc<Peer>>, Instant) -> T) -> T {
        let mut server = self.lock();
        let due = server.poll_timeout();
        let result = change(&mut server, now());
        if server.poll_timeout() != due {
            self.timer.notify(1);
        }
        result
    }

    /// Reads a connection.
    async fn read(&self, id: usize, peer: &Peer) {
        let (mut stream, mut buffer) = (peer.stream.clone(), vec![0; 16 * 1024]);
        let end = loop {
            match stream.read(&mut buffer).await {
                Ok(0) => break SocketEnd::Closed,
                Ok(len) => self.change(|server, now| server.receive(id, now, &buffer[..len])),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break SocketEnd::Reset,
                Err(_) => break SocketEnd::Failed,
            }
            loop {
                let changed = peer.changed.listen();
                if self.lock().wants_read(id) != Some(false) {
                    break;
                }
                changed.await;
            }
        };
        self.change(|server, now| server.end(id, now, end));
    }

    /// Writes a connection.
    async fn write(&self, id: usize, peer: &Peer) {
        let mut stream = peer.stream.clone();
        loop {
            let changed = peer.changed.listen();
            let (output, is_last) = self.change(|server, now| server.transmit(id, now));
            if output.is_empty() && !is_last {
                changed.await;
                continue;
            }
            let written = stream.write_all(&output).await;
            self.change(|server, now| match written {
                Ok(()) => server.written(id, now),
                Err(_) => server.end(id, now, SocketEnd::Failed),
            });
            if is_last {
                let _ = stream.shutdown(Shutdown::Write);
                return;
            }
        }
    }

    /// Reports the time to all sessions.
    async fn keep_time(&self) {
        loop {
            let changed = self.timer.listen();
            let (noticed, due) = (now(), self.lock().poll_timeout());
            let wait = due.map_or(LONG, |due| due.saturating_duration_since(noticed));
            if wait.is_zero() {
                // What has arrived until now counts, even if its task has not run yet.
                Timer::after(GRACE).await;
                self.lock().handle_timeout(noticed);
            } else {
                or(changed, async { _ = Timer::after(wait).await }).await;
            }
        }
    }
}
