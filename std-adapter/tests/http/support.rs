//! A server on in-memory connections, and a client that speaks bytes.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use eio_tokio::{Disconnect, Server, ServerBuilder};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};

use crate::watch::watch_sessions;

pub(crate) const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
pub(crate) const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

/// The headers of a request for a WebSocket.
pub(crate) const UPGRADE: [&str; 4] = [
    "connection: Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// A server whose application notes what it sees.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) peers: Vec<Option<SocketAddr>>,
    pub(crate) messages: Vec<String>,
    pub(crate) ends: Vec<Disconnect>,
}

pub(crate) fn stage(configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Stage {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let noted = Arc::clone(&seen);
    let builder = Server::builder(move |mut socket| {
        let seen = Arc::clone(&noted);
        async move {
            seen.lock().unwrap().peers.push(socket.peer_addr());
            loop {
                match socket.recv().await {
                    Ok(message) => {
                        seen.lock().unwrap().messages.push(message.as_text().unwrap_or_default().to_owned());
                    }
                    Err(end) => return seen.lock().unwrap().ends.push(end),
                }
            }
        }
    });
    watch_sessions();
    Stage { server: configure(builder).build().unwrap(), seen }
}

/// A response, its names in lower case.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| line.starts_with(&format!("{name}: ")))?;
        line.split_once(": ").map(|(_, value)| value)
    }

    /// How often a header with this name comes.
    pub(crate) fn times(&self, name: &str) -> usize {
        self.head.lines().filter(|line| line.starts_with(&format!("{name}: "))).count()
    }

    pub(crate) fn text(&self) -> &str {
        core::str::from_utf8(&self.body).unwrap()
    }

    /// The session that this answer opens.
    pub(crate) fn sid(&self) -> String {
        let (_, rest) = self.text().split_once("\"sid\":\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

impl Stage {
    /// A connection from this address.
    pub(crate) fn connect_from(&self, peer: &str) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (server, peer) = (self.server.clone(), peer.parse().unwrap());
        tokio::spawn(async move { server.serve_connection(theirs, Some(peer)).await });
        ours
    }

    pub(crate) fn connect(&self) -> DuplexStream {
        self.connect_from("192.0.2.7:4000")
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut connection = self.connect();
        send(&mut connection, method, path, headers, body).await;
        read(&mut connection).await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str, headers: &[&str]) -> Answer {
        self.ask("GET", path, headers, "").await
    }

    /// Asks for a WebSocket.
    pub(crate) async fn upgrade(&self, path: &str, headers: &[&str]) -> Answer {
        let headers: Vec<&str> = UPGRADE.iter().chain(headers).copied().collect();
        self.get(path, &headers).await
    }

    /// Opens a polling session.
    pub(crate) async fn open(&self) -> String {
        self.get(POLLING, &[]).await.sid()
    }
}

pub(crate) async fn send(
    connection: &mut (impl AsyncWrite + Unpin),
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) {
    let mut lines = vec![format!("{method} {path} HTTP/1.1")];
    if !headers.iter().any(|header| header.starts_with("host:")) {
        lines.push("host: chat.example.org".to_owned());
    }
    lines.extend(headers.iter().map(|header| (*header).to_owned()));
    let says_length =
        headers.iter().any(|header| header.contains("content-length") || header.contains("chunked"));
    if !says_length && method == "POST" {
        lines.push(format!("content-length: {}", body.len()));
    }
    let request = format!("{}\r\n\r\n{body}", lines.join("\r\n"));
    // A server may refuse and close before it has read all.
    let _ = connection.write_all(request.as_bytes()).await;
}

/// The next answer on this connection; none if it ends before.
pub(crate) async fn read(connection: &mut (impl AsyncRead + Unpin)) -> Option<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if connection.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body: Vec::new() };
    let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
    answer.body = vec![0; length];
    connection.read_exact(&mut answer.body).await.ok()?;
    Some(answer)
}

/// How long the server keeps this connection, from now on.
pub(crate) async fn time_to_end(connection: &mut (impl AsyncRead + Unpin)) -> Duration {
    let start = tokio::time::Instant::now();
    while !matches!(connection.read(&mut [0; 1024]).await, Ok(0) | Err(_)) {}
    start.elapsed()
}
