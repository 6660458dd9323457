//! A connection in memory that speaks HTTP until it is upgraded.

use std::io::ErrorKind;

use eio_socketio::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::Client;

/// A connection to the server.
pub(crate) struct Pipe {
    stream: DuplexStream,
    pub(super) received: Vec<u8>,
}

/// An answer of the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Pipe {
    pub(super) fn new(server: &Server) -> Self {
        let (stream, far) = tokio::io::duplex(64 * 1024);
        let engine = server.engine().clone();
        tokio::spawn(async move { engine.serve_connection(far, None).await });
        Self { stream, received: Vec::new() }
    }

    /// Writes bytes. Those for a server that has closed the connection get lost, as on any connection.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes).await {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("{error}"),
            _ => {}
        }
    }

    /// Reads more bytes. Returns `false` at the end.
    pub(super) async fn receive(&mut self) -> bool {
        self.stream.read_buf(&mut self.received).await.unwrap_or(0) > 0
    }

    /// Sends a request to the server's path.
    pub(crate) async fn send(&mut self, method: &str, query: &str, body: &str) {
        let head = format!(
            "{method} /socket.io/?{query} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.write(head.as_bytes()).await;
        self.write(body.as_bytes()).await;
    }

    /// Returns the next response.
    pub(crate) async fn response(&mut self) -> Response {
        let head_len = loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(self.receive().await, "the connection ended before its response");
        };
        let head = String::from_utf8(self.received.drain(..head_len).collect()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let length = length.map_or(0, |length| length.parse().unwrap());
        while self.received.len() < length {
            assert!(self.receive().await, "the body was cut short");
        }
        let body = String::from_utf8(self.received.drain(..length).collect()).unwrap();
        Response { status, body }
    }

    pub(crate) async fn request(&mut self, method: &str, query: &str, body: &str) -> Response {
        self.send(method, query, body).await;
        self.response().await
    }

    /// Becomes a WebSocket, unless the server refuses.
    pub(crate) async fn upgrade(mut self, query: &str) -> Result<Client, Response> {
        let head = format!(
            "GET /socket.io/?{query} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.write(head.as_bytes()).await;
        let response = self.response().await;
        if response.status == 101 { Ok(Client::new(self)) } else { Err(response) }
    }
}
