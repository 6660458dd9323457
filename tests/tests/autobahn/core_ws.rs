//! The WebSocket of the core, over TCP, without Engine.IO.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use eio_core::Revision;
use eio_core::packet::WebSocketMessage;
use eio_core::ws::opening::{ClientRequest, HeadEnd, Opening, RequestHead, check_response};
use eio_core::ws::{Connection, ControlFrame, Item, Key, encode_message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::MAX_MESSAGE;
use crate::ppp::host_random;

/// How long the peer may take to end the connection, once nothing more will be said.
const LINGER: Duration = Duration::from_secs(5);

/// Starts a server.
pub(crate) async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // An error is the suite's, which drops connections.
            tokio::spawn(async move { accept(stream).await });
        }
    });
    address
}

async fn accept(mut stream: TcpStream) -> io::Result<()> {
    let mut received = Vec::new();
    let head = read_head(&mut stream, &mut received).await?;
    let head = RequestHead::parse(&head).map_err(io::Error::other)?;
    let mut response = [0; 512];
    let opening = Opening::check(&head).map_err(io::Error::other)?;
    stream.write_all(opening.accept(None, &[], &mut response).map_err(io::Error::other)?).await?;
    echo(stream, Connection::server(MAX_MESSAGE), received).await
}

/// Connects for one case.
pub(crate) async fn connect(port: u16, number: String) {
    // An error is the suite's, which drops connections.
    let _ = open(port, &number).await;
}

async fn open(port: u16, number: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (host, path) = (format!("127.0.0.1:{port}"), format!("/{number}/"));
    let mut random = [0; 16];
    random.chunks_mut(4).for_each(|chunk| chunk.copy_from_slice(&host_random().to_ne_bytes()));
    let key = Key::from_random(random);
    let mut request = [0; 512];
    let request =
        ClientRequest::new(&host, &path, Revision::V4).write(&key, &mut request).map_err(io::Error::other)?;
    stream.write_all(request).await?;
    let mut received = Vec::new();
    let head = read_head(&mut stream, &mut received).await?;
    check_response(&head, &key, &[]).map_err(io::Error::other)?;
    echo(stream, Connection::client(MAX_MESSAGE), received).await
}

/// Reads a head, and leaves in `received` what follows it.
async fn read_head(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut end = HeadEnd::new();
    loop {
        if let Some(len) = end.find(received) {
            let frames = received.split_off(len);
            return Ok(core::mem::replace(received, frames));
        }
        if stream.read_buf(received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Sends every message back, until the connection is closed.
async fn echo(mut stream: TcpStream, connection: Connection, mut received: Vec<u8>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut echo = Echo { connection, message: Vec::new(), out: Vec::new() };
    loop {
        let is_over = echo.handle(&mut received);
        stream.write_all(&echo.out).await?;
        echo.out.clear();
        if is_over {
            break;
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    }
    if !echo.connection.writer().masks() {
        // The server ends the connection first (RFC 6455 section 7.1.1).
        stream.shutdown().await?;
    }
    // Bytes that stay unread would turn the end into a reset.
    let mut sink = tokio::io::sink();
    let drain = tokio::io::copy(&mut stream, &mut sink);
    tokio::time::timeout(LINGER, drain).await.map_or(Ok(()), |end| end.map(drop))
}

struct Echo {
    connection: Connection,
    /// The pieces of a message so far.
    message: Vec<u8>,
    /// What is to be written.
    out: Vec<u8>,
}

impl Echo {
    /// Answers everything that has been received, and removes it. Returns whether nothing more will be said.
    fn handle(&mut self, received: &mut Vec<u8>) -> bool {
        let mut handled = 0;
        let is_broken = loop {
            match self.connection.receive(&mut received[handled..]) {
                Ok(decoded) => {
                    handled += decoded.consumed;
                    match decoded.item {
                        None => break false,
                        Some(item) => answer(&self.connection, item, &mut self.message, &mut self.out),
                    }
                }
                Err(_) => break true,
            }
        };
        received.drain(..handled);
        let mut frame = [0; ControlFrame::MAX_LEN];
        if let Some(written) = self.connection.close_frame(None, key(), &mut frame) {
            self.out.extend_from_slice(&frame[..written.expect("room for a control frame")]);
        }
        is_broken || self.connection.is_closed()
    }
}

fn answer(connection: &Connection, item: Item<'_>, message: &mut Vec<u8>, out: &mut Vec<u8>) {
    match item {
        Item::Message(whole) => send(connection, whole, out),
        Item::Piece(piece) => {
            message.extend_from_slice(piece.bytes);
            if piece.last {
                send(connection, piece.kind.message(message).expect("the decoder has checked it"), out);
                message.clear();
            }
        }
        Item::Control(control) => {
            // A close frame is answered by the connection.
            let Some(pong @ ControlFrame::Pong(_)) = control.reply() else { return };
            let mut frame = [0; ControlFrame::MAX_LEN];
            if let Some(written) = connection.control(&pong, key(), &mut frame) {
                out.extend_from_slice(&frame[..written.expect("room for a control frame")]);
            }
        }
    }
}

fn send(connection: &Connection, message: WebSocketMessage<'_>, out: &mut Vec<u8>) {
    let len = match message {
        WebSocketMessage::Text(text) => text.len(),
        WebSocketMessage::Binary(bytes) => bytes.len(),
    };
    let start = out.len();
    out.resize(start + len + FRAME_OVERHEAD, 0);
    let mask = connection.writer().mask(key());
    let written = encode_message(message, mask, &mut out[start..]).expect("room for the frame");
    out.truncate(start + written);
}

/// The longest header of a frame.
const FRAME_OVERHEAD: usize = 14;

fn key() -> [u8; 4] {
    host_random().to_ne_bytes()
}
