//! A connection that says whatever it likes.

use std::io;
use std::net::SocketAddr;

use core::time::Duration;

use eio_tests::interop::PATIENCE;
use eio_tests::raw::{sid, upgrade_request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One TCP connection to the server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// A WebSocket frame of the server's.
#[derive(Debug)]
pub(crate) struct Frame {
    /// FIN, the reserved bits, the opcode.
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        in_time(self.stream.write_all(bytes)).await
    }

    /// A request without a body.
    pub(crate) async fn get(&mut self, query: &str) -> io::Result<Response> {
        self.send(format!("GET /engine.io/?{query} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await?;
        self.response().await
    }

    pub(crate) async fn post(
        &mut self,
        query: &str,
        content_type: &str,
        body: &[u8],
    ) -> io::Result<Response> {
        let head = format!(
            "POST /engine.io/?{query} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat()).await?;
        self.response().await
    }

    /// Opens a polling session; returns its sid.
    pub(crate) async fn open_polling(&mut self, revision: u8) -> io::Result<String> {
        let response = self.get(&format!("EIO={revision}&transport=polling")).await?;
        sid(&response.body).ok_or_else(|| io::Error::other(format!("no handshake: {response:?}")))
    }

    /// Opens a session on WebSocket; returns its sid.
    pub(crate) async fn open_websocket(address: SocketAddr) -> io::Result<(Self, String)> {
        let mut connection = Self::open(address).await?;
        connection.send(upgrade_request("EIO=4&transport=websocket").as_bytes()).await?;
        let response = connection.response().await?;
        if response.status != 101 {
            return Err(io::Error::other(format!("no WebSocket: {response:?}")));
        }
        let open = connection.frame().await?;
        let sid = sid(&String::from_utf8_lossy(&open.payload))
            .ok_or_else(|| io::Error::other(format!("no handshake: {open:?}")))?;
        Ok((connection, sid))
    }

    /// The next response, its body included.
    pub(crate) async fn response(&mut self) -> io::Result<Response> {
        let head_len = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read().await?;
        };
        let head: Vec<u8> = self.buffer.drain(..head_len).collect();
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        while self.buffer.len() < length {
            self.read().await?;
        }
        let body: Vec<u8> = self.buffer.drain(..length).collect();
        Ok(Response { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// The next frame.
    pub(crate) async fn frame(&mut self) -> io::Result<Frame> {
        loop {
            if let Some((header, length)) = frame_header(&self.buffer)
                && self.buffer.len() >= header + length
            {
                let first = self.buffer.first().copied().unwrap_or_default();
                let payload = self.buffer.drain(..header + length).skip(header).collect();
                return Ok(Frame { first, payload });
            }
            self.read().await?;
        }
    }

    /// Everything that comes until the server closes, as it must.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        loop {
            if let Err(error) = self.read().await {
                assert_ne!(error.kind(), io::ErrorKind::TimedOut, "the server does not close");
                return self.buffer;
            }
        }
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        // If it fails, the connection closes in order.
        let _ = self.stream.set_zero_linger();
    }

    async fn read(&mut self) -> io::Result<()> {
        let read = in_time(self.stream.read_buf(&mut self.buffer)).await?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Writes `bytes` one by one, `pause` apart, until the server closes; how long it took to do so.
    pub(crate) async fn drip(mut self, bytes: Vec<u8>, pause: Duration) -> Duration {
        let start = tokio::time::Instant::now();
        let mut dripping = bytes.into_iter();
        let mut answer = vec![0; 512];
        loop {
            tokio::select! {
                read = self.stream.read(&mut answer) => if !matches!(read, Ok(1..)) { break },
                () = tokio::time::sleep(pause) => {
                    if let Some(byte) = dripping.next()
                        && self.stream.write_all(&[byte]).await.is_err()
                    {
                        break;
                    }
                }
            }
        }
        start.elapsed()
    }
}

/// Nothing takes longer; a server that stops reading or answering fails the test instead of hanging it.
async fn in_time<T>(what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, what).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// The lengths of a frame's header and payload, once the header is there.
fn frame_header(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? & 0x7f {
        126 => Some((4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)))),
        127 => Some((10, usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?)),
        length => Some((2, usize::from(length))),
    }
}
