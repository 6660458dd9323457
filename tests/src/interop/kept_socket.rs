//! A client of polling that keeps its sockets, whatever the server says about them: one of them meets the
//! server's end of an idle connection, and no second one hides it.

use core::net::SocketAddr;
use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::raw;

/// A connection that carries one request after the other.
#[derive(Debug)]
pub struct KeptSocket {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A polling session over two connections: one for polls and one for data.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeptSockets {
    /// Carries the polls.
    pub polls: KeptSocket,
    /// Carries the data.
    pub data: KeptSocket,
    /// What the session's requests ask for.
    pub query: String,
}

impl KeptSockets {
    /// Opens both connections, and a session by the one for data: a server does not keep a connection for long on which no
    /// request has ever come.
    ///
    /// # Errors
    /// Returns an error if there is no server, or if the server opens no session.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let (polls, mut data) = (KeptSocket::open(address).await?, KeptSocket::open(address).await?);
        let open = data.request("GET", "EIO=4&transport=polling", "").await?;
        let sid = raw::sid(&open).ok_or_else(|| io::Error::other(format!("no handshake: {open}")))?;
        Ok(Self { polls, data, query: format!("EIO=4&transport=polling&sid={sid}") })
    }
}

impl KeptSocket {
    async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends a request, and returns the body of the answer.
    ///
    /// # Errors
    /// Returns the errors of [`send`](Self::send) and [`answer`](Self::answer).
    pub async fn request(&mut self, method: &str, query: &str, body: &str) -> io::Result<String> {
        self.send(method, query, body).await?;
        self.answer().await
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Returns an error if the connection has ended.
    pub async fn send(&mut self, method: &str, query: &str, body: &str) -> io::Result<()> {
        let len = body.len();
        let text = format!(
            "{method} /engine.io/?{query} HTTP/1.1\r\nhost: x\r\ncontent-length: {len}\r\n\r\n{body}"
        );
        self.stream.write_all(text.as_bytes()).await
    }

    /// Returns the body of the answer to the request that was sent.
    ///
    /// # Errors
    /// Returns an error if the connection has ended, or if the status is not 200.
    ///
    /// # Cancel safety
    /// This method is cancel safe: the next call goes on with what has come.
    pub async fn answer(&mut self) -> io::Result<String> {
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((head, body)) = whole(&self.received) {
                self.received.clear();
                return if head.starts_with("http/1.1 200") { Ok(body) } else { Err(io::Error::other(head)) };
            }
        }
    }
}

/// Returns the head, in lower case, and the body of an answer, if all of it has come.
fn whole(received: &[u8]) -> Option<(String, String)> {
    let (head, body) = core::str::from_utf8(received).ok()?.split_once("\r\n\r\n")?;
    let head = head.to_lowercase();
    let len: usize = head.split("content-length: ").nth(1)?.split('\r').next()?.parse().ok()?;
    (body.len() == len).then(|| (head, body.to_owned()))
}
