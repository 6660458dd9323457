//! The session's task: connects, lets the application use the session, and reconnects.

use core::ops::ControlFlow;

use eio_core::backoff::Backoff;
use eio_embassy::socketio::Recovery;
use eio_embassy::{
    Buffers, ClientSettings, Connector, Endpoint, LongMessages, Reconnect, State, TcpConnector,
};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::watch::DynSender;
use embassy_time::{Duration, Instant, Timer};

use crate::lamp::Mode;
use crate::reading::{Json, Readings};
use crate::{Sensor, engineio, socketio};

/// A longer message from the server ends the session.
const LONGEST_MESSAGE: u32 = 100_000;

/// The server's address and protocol.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// A name or an IPv4 address.
    pub name: &'a str,
    /// The TCP port.
    pub port: u16,
    /// The `Host` header: the name, with the port unless that is 80.
    pub host: &'a str,
    /// The server's protocol.
    pub speaks: Speaks<'a>,
}

/// The protocol that a server speaks.
#[derive(Clone, Copy, Debug)]
pub enum Speaks<'a> {
    /// Plain Engine.IO.
    EngineIo,
    /// Socket.IO, like stock servers and NestJS gateways.
    SocketIo {
        /// The namespace to join.
        namespace: &'a str,
        /// A JSON object that authenticates the board, or an empty string.
        auth: &'a str,
    },
}

/// The memory of the session and of its TCP connection, 3 KiB: put it into a `static`.
#[derive(Debug)]
pub struct Memory {
    pub(crate) tcp_rx: [u8; 1024],
    pub(crate) tcp_tx: [u8; 1024],
    pub(crate) rx: [u8; 512],
    pub(crate) tx: [u8; 512],
}

impl Memory {
    /// Returns memory filled with zeros, which a `static` places in `.bss`.
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

/// Keeps a session with the server until the server tells the board to stop.
///
/// `random` must be unpredictable if the network is not trusted. `state` reports the connection's state to the lamp and to
/// other receivers.
#[expect(clippy::too_many_arguments, reason = "everything that a board provides")]
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
    let connector = TcpConnector::new(stack, server.name, server.port, tcp_rx, tcp_tx);
    hold(connector, server, Buffers { rx, tx }, backoff, &mut random, state, modes, sensor).await;
}

/// Keeps a session with the server over the streams of this connector.
#[expect(clippy::too_many_arguments, reason = "everything that a board provides")]
pub(crate) async fn hold<M: RawMutex>(
    mut connector: impl Connector,
    server: Server<'_>,
    buffers: Buffers<'_>,
    backoff: Backoff,
    random: &mut dyn FnMut() -> u32,
    state: DynSender<'_, State>,
    modes: &Signal<M, Mode>,
    sensor: &mut impl Sensor,
) {
    let mut reconnect = Reconnect::new(backoff, random, state);
    let settings =
        ClientSettings { long_messages: LongMessages::in_pieces(LONGEST_MESSAGE), ..ClientSettings::DEFAULT };
    let endpoint = match server.speaks {
        Speaks::EngineIo => Endpoint::engineio(server.host),
        Speaks::SocketIo { .. } => Endpoint::socketio(server.host),
    };
    let (mut application, mut recovery) = (Application::new(sensor, modes), Recovery::new());
    connector
        .run(&mut reconnect, &endpoint, buffers, &settings, async |client| match server.speaks {
            Speaks::EngineIo => engineio::talk(client, &mut application).await,
            Speaks::SocketIo { namespace, auth } => {
                socketio::talk(client, namespace, auth, &mut recovery, &mut application).await
            }
        })
        .await;
}

/// The application's state, which outlives a session.
pub(crate) struct Application<'a, S, M: RawMutex> {
    sensor: &'a mut S,
    readings: Readings,
    every: Option<Duration>,
    last: Instant,
    pub(crate) modes: &'a Signal<M, Mode>,
}

impl<'a, S: Sensor, M: RawMutex> Application<'a, S, M> {
    fn new(sensor: &'a mut S, modes: &'a Signal<M, Mode>) -> Self {
        let every = Some(Duration::from_secs(1));
        Self { sensor, readings: Readings::default(), every, last: Instant::now(), modes }
    }

    /// Waits until a reading is due and takes it. No reading is lost if the future is dropped.
    pub(crate) async fn reading(&mut self) -> Json {
        let Some(every) = self.every else { return core::future::pending().await };
        Timer::at(self.last.saturating_add(every)).await;
        // After a pause, the next reading is due a whole period later.
        self.last = Instant::now();
        self.readings.next(self.sensor)
    }

    pub(crate) fn set_every(&mut self, every: Option<Duration>) {
        self.every = every;
        self.last = Instant::now();
    }
}

/// Returned by a session's closure to stop the board.
pub(crate) const STOP: ControlFlow<()> = ControlFlow::Break(());
/// Returned by a session's closure after the session's end, to open another session.
pub(crate) const AGAIN: ControlFlow<()> = ControlFlow::Continue(());
