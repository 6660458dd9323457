//! A server on the in-memory network, clients that write what they like, and one that keeps the rules.

mod honest;
mod seeds;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use core::time::Duration;

use eio_core::handshake::Transport;
use eio_core::{Heartbeat, Liveness, detect};
use eio_tokio::test_util::{Link, Network, NetworkStream};
use eio_tokio::{Cors, Sender, Server, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::{sleep, timeout};

use crate::reached;
use crate::script::{Script, Steps, in_virtual_time, replace};

pub(crate) use seeds::seeds;

/// How scripts are read.
pub(crate) const STEPS: Steps = Steps { numbers: &[(b's', 1), (b't', 1), (b'i', 1)], bytes: b"wm" };

/// What scripts reach.
pub(crate) const MILESTONES: &[&str] = &[
    "opened",
    "a message",
    "a message of 1 KiB",
    "a WebSocket",
    "compressed",
    "allowed to another origin",
    "welcomed",
    "the honest client upgrades",
    "shut down",
];

/// The bits of the settings. The highest two are the number of the heartbeat.
const EIO3: u8 = 1;
const HTTP2: u8 = 1 << 1;
const NO_UPGRADE: u8 = 1 << 2;
/// Of messages, and of what connections hold with the feature `small-buffers`.
const LIMITS: u8 = 1 << 3;
const CORS: u8 = 1 << 4;
const COMPRESSION: u8 = 1 << 5;
/// The second one of [`HEARTBEATS`].
const FAST: u8 = 1 << 6;

/// Intervals and timeouts of the server, in milliseconds.
const HEARTBEATS: [(u32, u32); 4] = [(25_000, 20_000), (300, 200), (1_000, 4_000), (100, 100)];

/// What takes longer than a heartbeat: requests and closing have 30 s each.
const SLOW: Duration = Duration::from_secs(61);

/// The first byte chooses the server's settings. The rest are steps: connections open, write, read, break and wait. Whatever
/// happens, each session whose application has started ends once, the server is empty when a silent client must have been
/// found out, and a client that keeps the rules gets its messages back.
pub(crate) fn run(data: &[u8]) {
    in_virtual_time(story(data));
}

async fn story(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(settings) = script.byte() else { return };
    let (started, ended) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let (interval, timeout) = HEARTBEATS[usize::from(settings / FAST)];
    let heartbeat = Heartbeat::from_millis(interval, timeout).expect("a valid pair");
    let server = server(settings, heartbeat, &started, &ended);
    let network = Network::new();
    let listener = network.listen();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener).await }
    });
    let honest = honest::Honest::open(&network).await;
    let link = network.link();
    if cfg!(feature = "small-buffers") && settings & LIMITS != 0 {
        link.set_buffer(64);
    }
    let mut clients = Clients {
        link,
        open: Vec::new(),
        current: 0,
        honest: honest.sid.clone(),
        known: Vec::new(),
        chosen: 0,
    };
    let mut talking = Some(tokio::spawn(honest.talk()));
    while let Some(letter) = script.byte() {
        clients.step(letter, &mut script, &server).await;
        if letter == b'S' {
            if let Some(talking) = talking.take() {
                talking.await.expect("the honest client gets what it wants");
            }
            assert_eq!(server.shutdown(SLOW).await.applications, 0, "all are told of the end");
            reached::note("shut down");
        }
    }
    if let Some(talking) = talking {
        talking.await.expect("the honest client gets what it wants");
    }
    clients.link.mend();
    clients.open.clear();
    // The last packet of a client may put its end off once, and an application that waits for its client is stalled.
    let silence = detect::eio4_server(heartbeat, Liveness::default()).after_heartbeat.expect("a bound");
    sleep(silence + heartbeat.max_silence() + SLOW).await;
    assert!(server.is_empty(), "{} sessions have no end", server.len());
    assert_eq!(started.load(Ordering::Relaxed), ended.load(Ordering::Relaxed), "an end each");
    assert!(server.shutdown(SLOW).await.is_empty(), "nothing is left of the sessions");
    serving.abort();
}

/// Sends each message back, and counts the sessions.
fn server(
    settings: u8,
    heartbeat: Heartbeat,
    started: &Arc<AtomicUsize>,
    ended: &Arc<AtomicUsize>,
) -> Server {
    let (started, ended) = (Arc::clone(started), Arc::clone(ended));
    let echo = move |mut socket: Socket| {
        // The first session is that of the honest client.
        let is_hostile = started.fetch_add(1, Ordering::Relaxed) > 0;
        let ended = Arc::clone(&ended);
        async move {
            if is_hostile {
                reached::note("opened");
            }
            while let Ok(message) = socket.recv().await {
                if is_hostile {
                    note(&socket, message.len());
                }
                if socket.send(message).await.is_err() {
                    break;
                }
            }
            let _ = socket.closed().await;
            ended.fetch_add(1, Ordering::Relaxed);
        }
    };
    let is = |bit: u8| settings & bit != 0;
    let mut builder = Server::builder(echo)
        .heartbeat(heartbeat)
        .eio3(is(EIO3))
        .http2(is(HTTP2))
        .allow_upgrades(!is(NO_UPGRADE));
    if is(LIMITS) {
        builder = builder.max_payload(300).inbox(2, 600).outbox(2, 600);
    }
    if is(CORS) {
        builder = builder.cors(Cors::any());
    }
    if is(COMPRESSION) {
        builder = builder.compression(Some(8)).initial_packet("welcome");
    }
    builder.build().expect("settings that fit")
}

fn note(socket: &Socket, len: usize) {
    reached::note("a message");
    if len >= 1 << 10 {
        reached::note("a message of 1 KiB");
    }
    if socket.transport() == Transport::WebSocket {
        reached::note("a WebSocket");
    }
}

/// The connections of the clients. Steps concern the current one.
struct Clients {
    link: Link,
    open: Vec<(ReadHalf<NetworkStream>, WriteHalf<NetworkStream>)>,
    current: usize,
    /// The session that they do not know of.
    honest: String,
    /// The sessions that they know of, in the order in which they opened, and which of them is meant.
    known: Vec<String>,
    chosen: usize,
}

impl Clients {
    async fn step(&mut self, letter: u8, script: &mut Script<'_>, server: &Server) {
        match letter {
            b'c' => self.connect().await,
            b's' => self.current = script.byte().unwrap_or(0).into(),
            b'i' => self.chosen = script.byte().unwrap_or(0).into(),
            b'w' => self.write(server, script.bytes()).await,
            b'r' => self.read().await,
            b'e' => self.hang_up().await,
            b'd' => drop(self.remove()),
            b'x' => self.link.reset(),
            b'k' => self.link.cut(),
            b'l' => self.link.mend(),
            b't' => sleep(script.time()).await,
            b'm' => drop(server.broadcast(String::from_utf8_lossy(script.bytes()).into_owned())),
            b'q' => self.sessions(server).for_each(|session| session.close()),
            _ => {}
        }
    }

    /// At most eight at once. Over a cut cable there is none.
    async fn connect(&mut self) {
        if self.open.len() < 8
            && let Ok(Ok(stream)) = timeout(Duration::from_secs(1), self.link.connect()).await
        {
            self.current = self.open.len();
            self.open.push(tokio::io::split(stream));
        }
    }

    fn current(&mut self) -> Option<&mut (ReadHalf<NetworkStream>, WriteHalf<NetworkStream>)> {
        let index = self.current.checked_rem(self.open.len())?;
        self.open.get_mut(index)
    }

    /// The sessions of hostile clients.
    fn sessions(&self, server: &Server) -> impl Iterator<Item = Sender> {
        server.sessions().into_iter().filter(|session| session.id().as_str() != self.honest)
    }

    /// Writes as much as the connection takes. `{sid}` stands for a session that is open, or was.
    async fn write(&mut self, server: &Server, bytes: &[u8]) {
        for session in self.sessions(server).collect::<Vec<_>>() {
            let sid = session.id().as_str().to_owned();
            if !self.known.contains(&sid) {
                self.known.push(sid);
            }
        }
        let sid = self.chosen.checked_rem(self.known.len()).map_or("", |chosen| &self.known[chosen]);
        let bytes = replace(bytes, b"{sid}", sid.as_bytes());
        let Some((_, writer)) = self.current() else { return };
        let _ = timeout(Duration::from_millis(1), writer.write_all(&bytes)).await;
    }

    async fn read(&mut self) {
        let Some((reader, _)) = self.current() else { return };
        let mut bytes = vec![0; 1 << 16];
        let Ok(Ok(read)) = timeout(Duration::from_millis(1), reader.read(&mut bytes)).await else { return };
        let has = |text: &[u8]| bytes[..read].windows(text.len()).any(|part| part.eq_ignore_ascii_case(text));
        if has(b"content-encoding: ") {
            reached::note("compressed");
        }
        if has(b"access-control-allow-origin: ") {
            reached::note("allowed to another origin");
        }
        if has(b"4welcome") {
            reached::note("welcomed");
        }
    }

    async fn hang_up(&mut self) {
        let Some((_, writer)) = self.current() else { return };
        let _ = writer.shutdown().await;
    }

    fn remove(&mut self) -> Option<(ReadHalf<NetworkStream>, WriteHalf<NetworkStream>)> {
        let index = self.current.checked_rem(self.open.len())?;
        Some(self.open.remove(index))
    }
}
