//! A server on the in-memory network, and clients that write what they like.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use core::time::Duration;

use eio_tokio::test_util::{Link, Network, NetworkStream};
use eio_tokio::{Cors, Server, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::time::{sleep, timeout};

use crate::recordings;
use crate::script::{Script, in_virtual_time, replace, step};

/// More than a session lives without its peer: the default heartbeat takes 45 s, and what is slower has limits of 30 s.
const LONG: Duration = Duration::from_mins(5);

/// The first byte chooses the server's settings. The rest are steps: connections open, write, read, break and wait.
/// Whatever happens, each session whose application has started ends once, and the server is empty a while after the
/// last connection has gone.
pub(crate) fn run(data: &[u8]) {
    in_virtual_time(story(data));
}

async fn story(data: &[u8]) {
    let mut script = Script::new(data);
    let Some(settings) = script.byte() else { return };
    let (started, ended) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let server = server(settings, &started, &ended);
    let network = Network::new();
    let listener = network.listen();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener).await }
    });
    let link = network.link();
    if cfg!(feature = "small-buffers") && settings & 0x80 != 0 {
        link.set_buffer(64);
    }
    let mut clients = Clients { link, open: Vec::new(), current: 0 };
    while let Some(letter) = script.byte() {
        match letter {
            b'c' => clients.connect().await,
            b's' => clients.current = script.byte().unwrap_or(0).into(),
            b'w' => clients.write(&server, script.bytes()).await,
            b'r' => clients.read().await,
            b'e' => clients.hang_up().await,
            b'd' => drop(clients.remove()),
            b'x' => clients.link.reset(),
            b'k' => clients.link.cut(),
            b'l' => clients.link.mend(),
            b't' => sleep(script.time()).await,
            b'm' => drop(server.broadcast(String::from_utf8_lossy(script.bytes()).into_owned())),
            b'q' => server.sessions().iter().for_each(eio_tokio::Sender::close),
            _ => {}
        }
    }
    clients.link.mend();
    clients.open.clear();
    sleep(LONG).await;
    assert!(server.is_empty(), "{} sessions have no end", server.len());
    assert_eq!(started.load(Ordering::Relaxed), ended.load(Ordering::Relaxed), "an end each");
    assert!(!serving.is_finished());
    serving.abort();
}

/// Sends each message back, and counts the sessions.
fn server(settings: u8, started: &Arc<AtomicUsize>, ended: &Arc<AtomicUsize>) -> Server {
    let (started, ended) = (Arc::clone(started), Arc::clone(ended));
    let echo = move |mut socket: Socket| {
        started.fetch_add(1, Ordering::Relaxed);
        let ended = Arc::clone(&ended);
        async move {
            while let Ok(message) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
            let _ = socket.closed().await;
            ended.fetch_add(1, Ordering::Relaxed);
        }
    };
    let is = |bit: u8| settings & 1 << bit != 0;
    let mut builder = Server::builder(echo).eio3(is(0)).http2(is(1)).allow_upgrades(!is(2));
    if is(3) {
        builder = builder.max_payload(300).inbox(2, 600).outbox(2, 600);
    }
    if is(4) {
        builder = builder.cors(Cors::any());
    }
    if is(5) {
        builder = builder.compression(Some(8));
    }
    if is(6) {
        builder = builder.initial_packet("welcome");
    }
    builder.build().expect("settings that fit")
}

/// The connections of the clients. Steps concern the current one.
struct Clients {
    link: Link,
    open: Vec<(ReadHalf<NetworkStream>, WriteHalf<NetworkStream>)>,
    current: usize,
}

impl Clients {
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

    /// Writes as much as the connection takes. `{sid}` stands for a session that is open.
    async fn write(&mut self, server: &Server, bytes: &[u8]) {
        let Some((_, writer)) = self.current() else { return };
        let sessions = server.sessions();
        let sid = sessions.first().map(|session| session.id().as_str().to_owned()).unwrap_or_default();
        let bytes = replace(bytes, b"{sid}", sid.as_bytes());
        let _ = timeout(Duration::from_millis(1), writer.write_all(&bytes)).await;
    }

    async fn read(&mut self) {
        let Some((reader, _)) = self.current() else { return };
        let mut bytes = vec![0; 1 << 16];
        let _ = timeout(Duration::from_millis(1), reader.read(&mut bytes)).await;
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

/// The recorded requests, each on a connection of its own; and a WebSocket with a few frames.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for exchanges in recordings::exchanges() {
        let mut seed = vec![1];
        for exchange in exchanges.iter().take(6) {
            let is_socket = exchange.method == "WS";
            let method = if is_socket { "GET" } else { &exchange.method };
            let mut head = format!("{method} {} HTTP/1.1\r\nhost: a\r\n", exchange.target);
            if is_socket {
                head.push_str(
                    "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                );
            }
            if let Some(content_type) = &exchange.content_type {
                head = format!("{head}content-type: {content_type}\r\n");
            }
            let body = &exchange.body[..exchange.body.len().min(1_000)];
            let request = [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
            seed.push(b'c');
            seed.extend(step(b'w', &request));
            seed.extend(b"rt\x06");
            if is_socket {
                // Masked with zeros: a probe, an upgrade, a message, a pong.
                for frame in [
                    &b"\x81\x86\0\0\0\x002probe"[..],
                    b"\x81\x81\0\0\0\x005",
                    b"\x81\x83\0\0\0\x004hi",
                    b"\x81\x81\0\0\0\x003",
                ] {
                    seed.extend(step(b'w', frame));
                    seed.extend(b"rt\x06");
                }
            }
        }
        if seed.len() < 3_000 {
            seeds.push(seed);
        }
    }
    seeds.sort();
    seeds.dedup_by_key(|seed| seed.len() / 16);
    seeds
}
