//! A Socket.IO session over TLS 1.3, with a server whose public key is pinned.
//!
//! The program is told where the server listens and which public key it has:
//!
//! ```text
//! cargo run --package eio-embassy --features tls --example tls -- 127.0.0.1:8443 server-public.der
//! ```
//!
//! The documentation of `eio_embassy::tls` shows how to make the key. This is a server that has it:
//!
//! ```text
//! cargo run -- serve --socketio --listen 127.0.0.1:8443 --tls-cert server.crt --tls-key server.key
//! ```
//!
//! Over TLS, a session needs the following in addition to its own buffers:
//!
//! | | |
//! |---|---|
//! | buffer for received records | 1,285 bytes if the server honours `max_fragment_length`, as `eio serve`, OpenSSL and Node.js do, and if its certificates fit. Otherwise, the longest record that the server sends: its certificates, or everything that it writes at once, up to 16,640 bytes |
//! | buffer for sent records | 1,024 bytes |
//! | clock | none: a pinned key has no dates |
//! | randomness | cryptographic: the connection's keys come from it, so a seeded generator is not enough |
//!
//! On a board, the connector beneath TLS is a `TcpConnector`, and the buffers are in statics. Everything else is the same.

#![expect(clippy::expect_used, reason = "a host without randomness can do nothing")]

use core::cell::RefCell;
use core::future::Future;
use core::ops::ControlFlow;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{ErrorKind as StdErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use eio_core::backoff::Backoff;
use eio_embassy::socketio::{Incoming, Socket, SocketError};
use eio_embassy::tls::{PinnedKeys, PublicKey, RecordBuffers, TlsClient, TlsConnector};
use eio_embassy::{Buffers, ClientSettings, Connector, Endpoint, Loss, Reconnect, State};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::Watch;
use embassy_time::MockDriver;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};

/// Joins a namespace, emits an event and prints what comes, until the session ends.
async fn talk(client: &mut TlsClient<'_, '_>) -> Result<(), SocketError> {
    let mut socket = Socket::join(client, "/", "", Duration::from_secs(10)).await?;
    let question = socket.emit_with_ack("reading", r#"{"millidegrees":21500}"#).await?;
    loop {
        match socket.recv().await? {
            Incoming::Ack { id, args, .. } if id == question => println!("acknowledged: {}", args.as_str()),
            Incoming::Event { event, ack, .. } => {
                println!("{} {}", event.name().unwrap_or("?"), event.args().as_str());
                if let Some(id) = ack {
                    socket.ack(id, "\"done\"").await?;
                }
            }
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("expected an address, such as 127.0.0.1:8443, and a file with a public key".into());
    };
    let keys = [PublicKey::from_der(&std::fs::read(file)?)?];

    let random = RefCell::new(host_random);
    let (mut for_tls, mut for_sessions) = (|| (random.borrow_mut())(), || (random.borrow_mut())());
    let (mut received, mut sent, mut rx, mut tx) = ([0; 1_285], [0; 1_024], [0; 512], [0; 512]);
    let records = RecordBuffers { received: &mut received, sent: &mut sent };
    let tcp = HostTcp { address };
    let mut connector =
        TlsConnector::new(tcp, "board.example", PinnedKeys::new(&keys), records, &mut for_tls);

    let states: Watch<NoopRawMutex, State, 1> = Watch::new();
    let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut for_sessions, states.dyn_sender());
    let endpoint = Endpoint { secure: true, ..Endpoint::socketio("board.example") };
    let buffers = Buffers { rx: &mut rx, tx: &mut tx };
    let mut shown = states.dyn_receiver().expect("the only one");
    let run = connector.run(&mut reconnect, &endpoint, buffers, &ClientSettings::DEFAULT, async |client| {
        if let Err(end) = talk(client).await {
            println!("{end}");
        }
        ControlFlow::<()>::Continue(())
    });
    block_on(run, || {
        if let Some(State::Waiting { after, .. }) = shown.try_changed() {
            println!("{after}");
        }
    });
    Ok(())
}

/// Opens TCP connections on a host, in place of a board's `TcpConnector`.
pub(crate) struct HostTcp {
    /// The server's address and port.
    pub(crate) address: String,
}

impl Connector for HostTcp {
    type Reader<'s> = HostHalf;
    type Writer<'s> = HostHalf;

    async fn connect(&mut self, session: impl AsyncFnOnce(HostHalf, HostHalf) -> Loss) -> Loss {
        let halves = TcpStream::connect(&self.address).and_then(|stream| {
            stream.set_nonblocking(true)?;
            Ok((HostHalf(stream.try_clone()?), HostHalf(stream)))
        });
        match halves {
            Ok((reader, writer)) => session(reader, writer).await,
            Err(_) => Loss::Refused,
        }
    }
}

/// A half of a TCP connection.
pub(crate) struct HostHalf(TcpStream);

impl ErrorType for HostHalf {
    type Error = ErrorKind;
}

/// Registers no waker: [`block_on`] polls all the time, which a board would not do.
async fn retry(mut attempt: impl FnMut() -> std::io::Result<usize>) -> Result<usize, ErrorKind> {
    core::future::poll_fn(move |_| match attempt() {
        Err(error) if error.kind() == StdErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result.map_err(|_| ErrorKind::ConnectionReset)),
    })
    .await
}

impl Read for HostHalf {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ErrorKind> {
        retry(|| self.0.read(buf)).await
    }
}

impl Write for HostHalf {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        retry(|| self.0.write(buf)).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Runs one future to its end, and `between` between its turns. Moves embassy-time's clock, which stands still on a host.
#[expect(clippy::disallowed_methods, reason = "a real server takes real time")]
fn block_on<F: Future>(future: F, mut between: impl FnMut()) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
        between();
        std::thread::sleep(Duration::from_millis(1));
        MockDriver::get().advance(embassy_time::Duration::from_millis(1));
    }
}

/// The operating system's randomness.
pub(crate) fn host_random() -> u32 {
    let mut bytes = [0; 4];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("randomness");
    u32::from_ne_bytes(bytes)
}
