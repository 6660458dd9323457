//! The servers, the relays before them, and the clients.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eio_core::{DisconnectReason, Heartbeat};
use eio_tests::interop::{KeptSockets, PATIENCE};
use eio_tests::relay::Relay;
use eio_tokio::{Client, ClientEvent, ClientSocket, Message, Server, ServerBuilder, Socket, Transport};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::kept;
use crate::plan::{Group, Kind, Path, Plan};
use crate::tally::{News, Tally};

/// Between two clients that open.
const STAGGER: Duration = Duration::from_millis(10);

/// Opens every client, lets them be, and asks each for an echo in the end.
pub(crate) async fn run(plan: &Plan) -> Tally {
    let mut places = Places::default();
    let mut clients = JoinSet::new();
    let (tell, mut news) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let mut tally = Tally::new(plan);
    for (number, group) in plan.groups.iter().enumerate() {
        let address = places.address(group).await;
        for _ in 0..group.clients {
            let client = Member {
                group: number,
                kind: group.kind,
                address,
                beats: tally.beats(number),
                tell: tell.clone(),
            };
            clients.spawn(client.live(stopped.clone()));
            sleep(STAGGER).await;
        }
    }
    drop(tell);
    println!("[soak] {} clients, for {}", plan.clients(), minutes(plan.lasts));
    let start = Instant::now();
    let mut next = plan.progress;
    while start.elapsed() < plan.lasts {
        tokio::select! {
            Some(one) = news.recv() => tally.take(start.elapsed(), one),
            () = tokio::time::sleep_until(start + next.min(plan.lasts)) => {
                println!("[soak] {} of {}: {tally}", minutes(start.elapsed()), minutes(plan.lasts));
                next += plan.progress;
            }
        }
    }
    // It fails if every client is lost: nobody is left to hear it.
    let _ = stop.send(true);
    while let Some(one) = news.recv().await {
        tally.take(start.elapsed(), one);
    }
    tally
}

/// Minutes and seconds.
fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// The servers by their settings, and the relays by what they relay.
#[derive(Default)]
struct Places {
    servers: HashMap<(Heartbeat, Option<Duration>), SocketAddr>,
    relays: Vec<(SocketAddr, Path, Relay)>,
    serving: JoinSet<std::io::Result<()>>,
}

impl Places {
    /// Where the clients of this group connect to.
    async fn address(&mut self, group: &Group) -> SocketAddr {
        let server = self.server(group).await;
        let Some(link) = group.path.link() else { return server };
        if let Some((.., relay)) =
            self.relays.iter().find(|(target, path, _)| (*target, *path) == (server, group.path))
        {
            return relay.address;
        }
        let relay = Relay::start(server, link).await.expect("loopback has a free port");
        let address = relay.address;
        self.relays.push((server, group.path, relay));
        address
    }

    /// The server with the settings of this group.
    async fn server(&mut self, group: &Group) -> SocketAddr {
        let heartbeat = Heartbeat::new(group.interval, group.ping_timeout).expect("whole milliseconds");
        let key = (heartbeat, group.idle_limit);
        if let Some(address) = self.servers.get(&key) {
            return *address;
        }
        let builder = Server::builder(echo).heartbeat(heartbeat);
        let server = idle_limit(builder, group.idle_limit).build().expect("the settings are valid");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        self.serving.spawn(async move { server.serve(listener).await });
        self.servers.insert(key, address);
        address
    }
}

fn idle_limit(builder: ServerBuilder, limit: Option<Duration>) -> ServerBuilder {
    match limit {
        Some(limit) => builder.idle_timeout(limit),
        None => builder,
    }
}

async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// The pings that a client has had.
#[derive(Clone)]
pub(crate) struct Pings {
    /// Of all clients of its group.
    beats: Arc<AtomicU64>,
    last: watch::Sender<Option<Instant>>,
}

impl Pings {
    /// Notes one, now.
    pub(crate) fn count(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
        self.last.send_replace(Some(Instant::now()));
    }
}

/// One client.
struct Member {
    group: usize,
    kind: Kind,
    address: SocketAddr,
    beats: Arc<AtomicU64>,
    tell: mpsc::UnboundedSender<News>,
}

/// A client whose session is open.
enum Opened {
    Ours(ClientSocket),
    KeptSockets(KeptSockets),
}

impl Member {
    async fn live(self, stopped: watch::Receiver<bool>) {
        let group = self.group;
        let pings = Pings { beats: Arc::clone(&self.beats), last: watch::Sender::new(None) };
        let news = match self.open(&pings).await {
            Err(why) => News::Unopened { group, why },
            Ok(opened) => {
                let _ = self.tell.send(News::Opened);
                match opened.live(stopped, &pings).await {
                    Ok(()) => News::Stayed,
                    Err(why) => {
                        let after_ping = pings.last.borrow().map(|at| at.elapsed());
                        News::Lost { group, after_ping, why }
                    }
                }
            }
        };
        let _ = self.tell.send(news);
    }

    /// Opens the session, and moves it to its final transport.
    async fn open(&self, pings: &Pings) -> Result<Opened, String> {
        let transports: &[Transport] = match self.kind {
            Kind::KeptSockets => return kept::open(self.address).await.map(Opened::KeptSockets),
            Kind::Polling => &[Transport::Polling],
            Kind::WebSocket => &[Transport::WebSocket],
            Kind::Upgraded => &[Transport::Polling, Transport::WebSocket],
        };
        let (moved, mut is_moved) = watch::channel(false);
        let (url, pings) = (format!("http://{}", self.address), pings.clone());
        let client =
            Client::builder(url).transports(transports.iter().copied()).on_event(move |event| match event {
                ClientEvent::PingReceived { .. } => pings.count(),
                ClientEvent::UpgradeEnded(_) => _ = moved.send_replace(true),
                _ => {}
            });
        let client = client.build().map_err(|error| error.to_string())?;
        let connected = timeout(PATIENCE, client.connect()).await.map_err(|error| error.to_string())?;
        let socket = connected.map_err(|error| error.to_string())?;
        if self.kind == Kind::Upgraded {
            let ended = timeout(PATIENCE, is_moved.wait_for(|moved| *moved)).await;
            if ended.is_err() || socket.transport() != Transport::WebSocket {
                return Err("it did not move to a WebSocket".to_owned());
            }
        }
        Ok(Opened::Ours(socket))
    }
}

impl Opened {
    /// Lives until it is stopped. Then it asks for an echo, and closes.
    async fn live(self, mut stopped: watch::Receiver<bool>, pings: &Pings) -> Result<(), String> {
        let mut socket = match self {
            Self::KeptSockets(client) => return kept::live(client, &mut stopped, pings).await,
            Self::Ours(socket) => socket,
        };
        tokio::select! {
            end = socket.closed() => Err(end.to_string()),
            () = until(&mut stopped) => still_there(&mut socket).await,
        }
    }
}

/// Waits until everybody is to stop.
pub(crate) async fn until(stopped: &mut watch::Receiver<bool>) {
    // It fails if the sender is gone, and then all is over as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Whether the session still carries a message in both directions; then it is closed.
async fn still_there(socket: &mut ClientSocket) -> Result<(), String> {
    let message = Message::text("still there?");
    socket.send(message.clone()).await.map_err(|error| error.to_string())?;
    let echo = timeout(PATIENCE, socket.recv()).await.map_err(|_| "no echo came".to_owned())?;
    if echo.map_err(|end| end.to_string())? != message {
        return Err("another message came back".to_owned());
    }
    socket.close();
    let end = timeout(PATIENCE, socket.closed()).await.map_err(|_| "it did not close".to_owned())?;
    if end.reason == DisconnectReason::LocalClose { Ok(()) } else { Err(end.to_string()) }
}
