//! A bare WebSocket echo server over `eio_core::ws`, for conformance suites: no Engine.IO, one thread per connection.
//!
//! `cargo run --example ws_echo -- [PORT]` prints the port that it listens on. Without `PORT`, it takes any free port.

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use eio_core::ws::{Decoder, Key};

#[path = "support/echo.rs"]
mod echo;
#[path = "support/http.rs"]
mod http;

/// The longest message: conformance suites send up to 16 MiB.
const MAX_MESSAGE: u32 = 64 * 1024 * 1024;

fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse()).map_err(io::Error::other)?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", listener.local_addr()?.port());
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = serve(stream) {
                eprintln!("connection ended: {error}");
            }
        });
    }
    Ok(())
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut rest = Vec::new();
    let head = http::read_head(&mut stream, &mut rest)?;
    let key = http::header(&head, "sec-websocket-key").and_then(|key| Key::parse(key.as_bytes()).ok());
    let Some(key) = key else {
        return stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    };
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")?;
    stream.write_all(b"Sec-WebSocket-Accept: ")?;
    stream.write_all(&key.accept())?;
    stream.write_all(b"\r\n\r\n")?;
    echo::echo(&mut stream, Decoder::server(MAX_MESSAGE), rest, || None)
}
