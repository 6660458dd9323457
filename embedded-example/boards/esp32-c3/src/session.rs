//! What the board does in its session: reports how long it has been running, and logs what arrives. Make it yours.
//!
//! This file is the same for every board.

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt::Write as _;
use core::ops::ControlFlow;

use eio_core::backoff::Backoff;
use eio_core::packet::{Data, WebSocketMessage};
use eio_embassy::embedded_io_async::{Read, Write};
use eio_embassy::socketio::{Incoming, Socket, SocketError};
use eio_embassy::tls::{PinnedKeys, PublicKey, RecordBuffers, TlsConnector};
use eio_embassy::{
    Buffers, Client, ClientSettings, Connector, Endpoint, IncomingMessage, Reconnect, State, TcpConnector,
    UrlError,
};
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::watch::Watch;
use embassy_time::{Duration, Instant, Ticker};

use crate::SERVER;

/// The state of the connection: for the lamp, the log, a display.
pub static STATE: Watch<CriticalSectionRawMutex, State, 2> = Watch::new();

/// How often the board reports.
const REPORT_EVERY: Duration = Duration::from_secs(60);
/// How long a Socket.IO server may take to answer the request to join.
const JOIN_TIMEOUT: core::time::Duration = core::time::Duration::from_secs(10);
/// The longest record of TLS that the board receives. The server's certificates must fit into it.
const LONGEST_RECORD: usize = 1285;

/// A server, the protocol that it speaks, and its key. A mistake in them is an error of the compiler.
#[derive(Clone, Copy)]
pub struct Server {
    endpoint: Endpoint<'static>,
    /// The namespace of Socket.IO, and what the board proves its identity with.
    socketio: Option<(&'static str, &'static str)>,
    /// The server's public key, and the one that it will have next.
    keys: [Option<PublicKey>; 2],
}

#[allow(dead_code, reason = "a board uses some of them")]
impl Server {
    /// A server of Engine.IO, without Socket.IO.
    pub const fn engineio(url: &'static str) -> Self {
        Self { endpoint: checked(Endpoint::parse(url)), socketio: None, keys: [None; 2] }
    }

    /// A namespace of a Socket.IO server or a NestJS gateway. `auth` is a JSON object, or empty.
    pub const fn socketio(url: &'static str, namespace: &'static str, auth: &'static str) -> Self {
        let endpoint = checked(Endpoint::parse_socketio(url));
        Self { endpoint, socketio: Some((namespace, auth)), keys: [None; 2] }
    }

    /// Trusts the server only if it has this public key on P-256, in DER. A URL with `https` needs it. Call it again with
    /// the key that the server will have next.
    pub const fn pinned(self, der: &[u8]) -> Self {
        let key = match PublicKey::from_der(der) {
            Ok(key) => Some(key),
            Err(error) => panic!("{}", error.as_str()),
        };
        let keys = match self.keys {
            [None, _] => [key, None],
            [first, None] => [first, key],
            _ => panic!("two keys at most: the one that the server has, and the next one"),
        };
        Self { keys, ..self }
    }

    /// Whether the session runs over TLS.
    const fn is_secure(&self) -> bool {
        match (self.endpoint.secure, self.keys) {
            (true, [None, _]) => panic!("a URL with https needs the server's key: `.pinned(..)`"),
            (false, [Some(_), _]) => panic!("a pinned key needs a URL with https"),
            (secure, _) => secure,
        }
    }
}

const fn checked(parsed: Result<Endpoint<'static>, UrlError>) -> Endpoint<'static> {
    match parsed {
        Ok(endpoint) => endpoint,
        Err(error) => panic!("{}", error.as_str()),
    }
}

/// Keeps a session with the server. Opens another one when it ends. `random` must be fit for cryptography.
pub async fn run(stack: Stack<'static>, random: impl FnMut() -> u32) -> ! {
    let (mut rx, mut tx) = ([0; 1024], [0; 1024]);
    let tcp = TcpConnector::new(stack, SERVER.endpoint.name(), SERVER.endpoint.port(), &mut rx, &mut tx);
    Link::<{ SERVER.is_secure() }>::run(tcp, random).await
}

/// The way to the server. The compiler chooses it, so an image contains TLS only if the server is reached over TLS.
struct Link<const IS_SECURE: bool>;

#[allow(dead_code, reason = "a board uses one of the two")]
impl Link<false> {
    async fn run(tcp: TcpConnector<'_>, mut random: impl FnMut() -> u32) -> ! {
        hold(tcp, &mut random).await
    }
}

#[allow(dead_code, reason = "a board uses one of the two")]
impl Link<true> {
    async fn run(tcp: TcpConnector<'_>, random: impl FnMut() -> u32) -> ! {
        let keys: heapless::Vec<_, 2> = SERVER.keys.into_iter().flatten().collect();
        let (mut received, mut sent) = ([0; LONGEST_RECORD], [0; 1024]);
        let records = RecordBuffers { received: &mut received, sent: &mut sent };
        let random = RefCell::new(random);
        let (mut for_tls, mut for_sessions) = (|| (random.borrow_mut())(), || (random.borrow_mut())());
        let (name, keys) = (SERVER.endpoint.name(), PinnedKeys::new(&keys));
        hold(TlsConnector::new(tcp, name, keys, records, &mut for_tls), &mut for_sessions).await
    }
}

/// Opens one session after another, and uses each until it ends.
async fn hold(mut connector: impl Connector, random: &mut dyn FnMut() -> u32) -> ! {
    let (mut rx, mut tx) = ([0; 512], [0; 512]);
    let mut reconnect = Reconnect::new(Backoff::DEFAULT, random, STATE.dyn_sender());
    let buffers = Buffers { rx: &mut rx, tx: &mut tx };
    let ended = connector
        .run(&mut reconnect, &SERVER.endpoint, buffers, &ClientSettings::DEFAULT, async |client| {
            match SERVER.socketio {
                None => talk(client).await,
                Some((namespace, auth)) => match talk_in(client, namespace, auth).await {
                    Ok(never) => match never {},
                    Err(error) => defmt::warn!("{}", error),
                },
            }
            ControlFlow::<Infallible>::Continue(())
        })
        .await;
    match ended {}
}

/// Uses a session of Engine.IO until it ends.
async fn talk<R: Read, W: Write>(client: &mut Client<'_, R, W>) {
    // Made once: a timer in each turn would begin anew with each message. It comes first, so that a server that always
    // sends does not keep the board from reporting.
    let mut reports = Ticker::every(REPORT_EVERY);
    loop {
        match select(reports.next(), client.recv()).await {
            Either::First(()) => {
                // If it cannot be sent, `recv` says why.
                let _ = client.send(WebSocketMessage::Text(&report())).await;
            }
            Either::Second(Ok(IncomingMessage::Whole(Data::Text(text)))) => {
                defmt::info!("received {=str}", text);
            }
            Either::Second(Ok(_)) => {}
            Either::Second(Err(_)) => return, // the state says why
        }
    }
}

/// Uses a namespace of Socket.IO until the session ends.
async fn talk_in<R: Read, W: Write>(
    client: &mut Client<'_, R, W>,
    namespace: &str,
    auth: &str,
) -> Result<Infallible, SocketError> {
    let mut socket = Socket::join(client, namespace, auth, JOIN_TIMEOUT).await?;
    let mut reports = Ticker::every(REPORT_EVERY); // as in `talk`
    loop {
        let received = match select(reports.next(), socket.recv()).await {
            Either::First(()) => {
                socket.emit("report", &report()).await?;
                continue;
            }
            Either::Second(received) => received?,
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
