//! What the board does in its session: reports how long it has been running, and logs what arrives. Make it yours.
//!
//! This file is the same for every board.

use core::convert::Infallible;
use core::fmt::Write as _;
use core::ops::ControlFlow;

use eio_core::backoff::Backoff;
use eio_core::packet::{Data, WebSocketMessage};
use eio_embassy::socketio::{Incoming, Socket, SocketError};
use eio_embassy::{
    Buffers, ClientSettings, Connector as _, Endpoint, IncomingMessage, Reconnect, State, TcpClient,
    TcpConnector, UrlError,
};
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::watch::Watch;
use embassy_time::{Instant, Timer};

/// The state of the connection: for the lamp, the log, a display.
pub static STATE: Watch<CriticalSectionRawMutex, State, 2> = Watch::new();

/// How often the board reports.
const REPORT_SECONDS: u64 = 60;
/// How long a Socket.IO server may take to answer the request to join.
const JOIN_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(10);

/// A server, and the protocol that it speaks. A wrong URL is an error of the compiler.
#[derive(Clone, Copy)]
pub struct Server {
    endpoint: Endpoint<'static>,
    /// The namespace of Socket.IO, and what the board proves its identity with.
    socketio: Option<(&'static str, &'static str)>,
}

#[allow(dead_code, reason = "a board uses one of the two")]
impl Server {
    /// A server of Engine.IO, without Socket.IO.
    pub const fn engineio(url: &'static str) -> Self {
        Self { endpoint: checked(Endpoint::parse(url)), socketio: None }
    }

    /// A namespace of a Socket.IO server or a NestJS gateway. `auth` is a JSON object, or empty.
    pub const fn socketio(url: &'static str, namespace: &'static str, auth: &'static str) -> Self {
        Self { endpoint: checked(Endpoint::parse_socketio(url)), socketio: Some((namespace, auth)) }
    }
}

const fn checked(parsed: Result<Endpoint<'static>, UrlError>) -> Endpoint<'static> {
    match parsed {
        Ok(endpoint) => endpoint,
        Err(error) => panic!("{}", error.as_str()),
    }
}

/// Keeps a session with the server. Opens another one when it ends. `random` must be unpredictable.
pub async fn run(stack: Stack<'static>, server: &'static Server, mut random: impl FnMut() -> u32) -> ! {
    let (mut tcp_rx, mut tcp_tx, mut rx, mut tx) = ([0; 1024], [0; 1024], [0; 512], [0; 512]);
    let Server { endpoint, socketio } = server;
    let mut connector = TcpConnector::new(stack, endpoint.name(), endpoint.port(), &mut tcp_rx, &mut tcp_tx);
    let mut reconnect = Reconnect::new(Backoff::DEFAULT, &mut random, STATE.dyn_sender());
    let buffers = Buffers { rx: &mut rx, tx: &mut tx };
    let session = async |client: &mut TcpClient<'_, '_>| {
        match *socketio {
            None => talk(client).await,
            Some((namespace, auth)) => match talk_in(client, namespace, auth).await {
                Ok(never) => match never {},
                Err(error) => defmt::warn!("{}", error),
            },
        }
        ControlFlow::<Infallible>::Continue(())
    };
    match connector.run(&mut reconnect, endpoint, buffers, &ClientSettings::DEFAULT, session).await {}
}

/// Uses a session of Engine.IO until it ends.
async fn talk(client: &mut TcpClient<'_, '_>) {
    loop {
        match select(client.recv(), Timer::after_secs(REPORT_SECONDS)).await {
            Either::First(Ok(IncomingMessage::Whole(Data::Text(text)))) => {
                defmt::info!("received {=str}", text);
            }
            Either::First(Ok(_)) => {}
            Either::First(Err(_)) => return, // the state says why
            Either::Second(()) => {
                // If it cannot be sent, `recv` says why.
                let _ = client.send(WebSocketMessage::Text(&report())).await;
            }
        }
    }
}

/// Uses a namespace of Socket.IO until the session ends.
async fn talk_in(
    client: &mut TcpClient<'_, '_>,
    namespace: &str,
    auth: &str,
) -> Result<Infallible, SocketError> {
    let mut socket = Socket::join(client, namespace, auth, JOIN_TIMEOUT).await?;
    loop {
        let received = match select(socket.recv(), Timer::after_secs(REPORT_SECONDS)).await {
            Either::First(received) => received?,
            Either::Second(()) => {
                socket.emit("report", &report()).await?;
                continue;
            }
        };
        if let Incoming::Event { event, ack, .. } = received {
            defmt::info!("received {=?} {=str}", event.name(), event.args().as_str());
            if let Some(id) = ack {
                socket.ack(id, "\"done\"").await?;
            }
        }
    }
}

/// Returns the seconds since the start, as JSON.
fn report() -> heapless::String<20> {
    let mut text = heapless::String::new();
    let _ = write!(text, "{}", Instant::now().as_secs());
    text
}

/// Logs every state, and lights the lamp while a session is open.
pub async fn watch(mut lamp: impl AsyncFnMut(bool)) -> ! {
    let mut states = STATE.dyn_receiver().expect("one of two");
    loop {
        let state = states.changed().await;
        defmt::info!("{}", state);
        lamp(matches!(state, State::Open { .. })).await;
    }
}
