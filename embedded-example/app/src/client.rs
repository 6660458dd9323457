//! The session's task: connects, lets the application talk, connects again.

use core::ops::ControlFlow;

use eio_core::backoff::Backoff;
use eio_embassy::{Buffers, Endpoint, LongMessages, Reconnect, Settings, State, TcpConnector};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::watch::DynSender;
use embassy_time::{Duration, Instant, Timer};

use crate::lamp::Mode;
use crate::reading::{Json, Readings};
use crate::{Sensor, engineio, socketio};

/// Longer messages of the server end the session.
const LONGEST_MESSAGE: u32 = 100_000;

/// Where the server is, and what it speaks.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// A name or an IPv4 address.
    pub name: &'a str,
    /// The TCP port.
    pub port: u16,
    /// The `Host` header: the name, with the port unless that is 80.
    pub host: &'a str,
    /// What it speaks.
    pub speaks: Speaks<'a>,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug)]
pub enum Speaks<'a> {
    /// Engine.IO and nothing on top.
    EngineIo,
    /// Socket.IO, as stock servers and NestJS gateways do.
    SocketIo {
        /// The namespace to join.
        namespace: &'a str,
        /// A JSON object that says who we are, or nothing.
        auth: &'a str,
    },
}

/// The memory of the session and of its TCP connection, 3 KiB: put it into a `static`.
#[derive(Debug)]
pub struct Memory {
    tcp_rx: [u8; 1024],
    tcp_tx: [u8; 1024],
    rx: [u8; 512],
    tx: [u8; 512],
}

impl Memory {
    /// All zero, and so in `.bss`.
    #[must_use]
    pub const fn new() -> Self {
        Self { tcp_rx: [0; 1024], tcp_tx: [0; 1024], rx: [0; 512], tx: [0; 512] }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Holds a session with the server for ever, or until the server tells the board to stop.
///
/// `random` has to be unpredictable where the network is not trusted. `state` tells the lamp, and whoever else wants
/// to know, what the connection is doing.
#[expect(clippy::too_many_arguments, reason = "what a board brings")]
pub async fn run<M: RawMutex>(
    stack: Stack<'_>,
    server: Server<'_>,
    memory: &mut Memory,
    backoff: Backoff,
    mut random: impl FnMut() -> u32,
    state: DynSender<'_, State>,
    modes: &Signal<M, Mode>,
    sensor: &mut impl Sensor,
) {
    let Memory { tcp_rx, tcp_tx, rx, tx } = memory;
    let mut connector = TcpConnector::new(stack, server.name, server.port, tcp_rx, tcp_tx);
    let mut reconnect = Reconnect::new(backoff, &mut random, state);
    let settings = Settings { long_messages: LongMessages::in_pieces(LONGEST_MESSAGE), ..Settings::DEFAULT };
    let endpoint = match server.speaks {
        Speaks::EngineIo => Endpoint::engineio(server.host),
        Speaks::SocketIo { .. } => Endpoint::socketio(server.host),
    };
    let mut desk = Desk::new(sensor, modes);
    connector
        .run(&mut reconnect, &endpoint, Buffers { rx, tx }, &settings, async |client| match server.speaks {
            Speaks::EngineIo => engineio::talk(client, &mut desk).await,
            Speaks::SocketIo { namespace, auth } => socketio::talk(client, namespace, auth, &mut desk).await,
        })
        .await;
}

/// What outlives a session.
pub(crate) struct Desk<'a, S, M: RawMutex> {
    sensor: &'a mut S,
    readings: Readings,
    every: Option<Duration>,
    last: Instant,
    pub(crate) modes: &'a Signal<M, Mode>,
}

impl<'a, S: Sensor, M: RawMutex> Desk<'a, S, M> {
    fn new(sensor: &'a mut S, modes: &'a Signal<M, Mode>) -> Self {
        let every = Some(Duration::from_secs(1));
        Self { sensor, readings: Readings::default(), every, last: Instant::now(), modes }
    }

    /// Waits until a reading is due, and takes it. Nothing is lost if the future is dropped.
    pub(crate) async fn reading(&mut self) -> Json {
        let Some(every) = self.every else { return core::future::pending().await };
        Timer::at(self.last.saturating_add(every)).await;
        // After a pause, the next one is a whole period away.
        self.last = Instant::now();
        self.readings.next(self.sensor)
    }

    pub(crate) fn set_every(&mut self, every: Option<Duration>) {
        self.every = every;
        self.last = Instant::now();
    }
}

/// What a session says when the board is to stop.
pub(crate) const STOP: ControlFlow<()> = ControlFlow::Break(());
/// What it says when it has ended, to begin another.
pub(crate) const AGAIN: ControlFlow<()> = ControlFlow::Continue(());
