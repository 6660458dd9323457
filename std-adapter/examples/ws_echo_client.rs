//! A bare WebSocket client over `eio_core::ws`, for conformance suites. It connects to `ws://127.0.0.1:PORT/` repeatedly,
//! and each time echoes until the server closes. It ends when the server refuses a connection.
//!
//! Run it with `cargo run --example ws_echo_client -- PORT`.

use std::io::{self, Write as _};
use std::net::TcpStream;

use eio_core::ws::{Decoder, Key};

#[path = "support/echo.rs"]
mod echo;
#[path = "support/http.rs"]
mod http;

/// The longest message: conformance suites send up to 16 MiB.
const MAX_MESSAGE: u32 = 64 * 1024 * 1024;

fn main() {
    let Some(port) = std::env::args().nth(1).and_then(|port| port.parse::<u16>().ok()) else {
        eprintln!("usage: ws_echo_client PORT");
        std::process::exit(2);
    };
    let mut connections = 0_u64;
    while let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
        connections += 1;
        match converse(stream, port) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => eprintln!("connection {connections} ended: {error}"),
        }
    }
    println!("{connections} connections");
}

/// Runs one connection. Returns `false` if the server refused the WebSocket.
fn converse(mut stream: TcpStream, port: u16) -> io::Result<bool> {
    stream.set_nodelay(true)?;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let key = Key::from_random(random);
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
        key.as_str()
    )?;
    let mut rest = Vec::new();
    let head = http::read_head(&mut stream, &mut rest)?;
    let accepted = http::header(&head, "sec-websocket-accept")
        .is_some_and(|answer| key.is_accepted_by(answer.as_bytes()));
    if !head.starts_with("HTTP/1.1 101") || !accepted {
        eprintln!("refused: {}", head.lines().next().unwrap_or_default());
        return Ok(false);
    }
    let mut state = u32::from_le_bytes([random[0], random[1], random[2], random[3]]) | 1;
    echo::echo(&mut stream, Decoder::client(MAX_MESSAGE), rest, || {
        // The peer is a test suite on this machine, so a counter is enough. A client on the internet must take every key
        // from the system's random numbers.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        Some(state.to_le_bytes())
    })?;
    Ok(true)
}
