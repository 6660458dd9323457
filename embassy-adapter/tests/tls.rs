//! The TLS example against OpenSSL, whose standard input and output are the server's end of the connection.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that goes wrong may panic"
)]

#[allow(dead_code, reason = "its main function")]
#[path = "../examples/tls.rs"]
mod example;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};

use eio_core::packet::WebSocketMessage;
use eio_core::ws::{self, Decoder, Item, Key};
use eio_core::{DisconnectReason, session::SessionEnd};
use eio_embassy::{Command, Message};

use example::{Commands, End, HostTcp, Messages, SharedKey, block_on, host_random, session};

const KEY: [u8; 16] = *b"0123456789abcdef";
const IDENTITY: &str = "board-7";

struct OpenSsl {
    process: Child,
    address: String,
}

impl OpenSsl {
    /// A server that knows this key.
    fn start(key: &[u8; 16]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let key = u128::from_be_bytes(*key);
        let process = Process::new("openssl")
            .args(["s_server", "-accept", &port.to_string(), "-tls1_3", "-nocert", "-quiet"])
            .args(["-psk", &format!("{key:032x}"), "-psk_identity", IDENTITY])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        Self { process, address: format!("127.0.0.1:{port}") }
    }

    fn connect(&self) -> (HostTcp, HostTcp) {
        loop {
            if let Ok(halves) = HostTcp::connect(&self.address) {
                return halves;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads until the bytes end as they should.
fn read_until(from: &mut ChildStdout, done: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !done(&bytes) {
        from.read_exact(&mut byte).expect("more bytes");
        bytes.extend(byte);
    }
    bytes
}

fn write_text(to: &mut ChildStdin, text: &str) {
    let mut frame = vec![0; text.len() + 16];
    let len = ws::encode_message(WebSocketMessage::Text(text), None, &mut frame).expect("room");
    to.write_all(&frame[..len]).and_then(|()| to.flush()).expect("openssl takes it");
}

/// The server of the story: opens the session, pings, answers a message, closes.
fn serve(mut from: ChildStdout, mut to: ChildStdin) -> Vec<String> {
    let request = read_until(&mut from, |bytes| bytes.ends_with(b"\r\n\r\n"));
    let request = String::from_utf8(request).expect("text");
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = Key::parse(key.as_bytes()).expect("a valid key").accept();
    let accept = core::str::from_utf8(&accept).expect("ASCII");
    write!(
        to,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .expect("openssl takes it");
    write_text(&mut to, r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#);
    write_text(&mut to, "2");
    let mut decoder = Decoder::server(1_000);
    let (mut seen, mut message, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    while seen.len() < 2 {
        let mut byte = [0];
        from.read_exact(&mut byte).expect("more bytes");
        unread.extend(byte);
        let found = decoder.decode(&mut unread).expect("a client that keeps the rules");
        let last = match found.item {
            Some(Item::Message(WebSocketMessage::Text(text))) => {
                message.extend(text.as_bytes());
                true
            }
            Some(Item::Piece(piece)) => {
                message.extend(piece.bytes);
                piece.last
            }
            _ => false,
        };
        if last {
            seen.push(String::from_utf8(core::mem::take(&mut message)).expect("UTF-8"));
        }
        let consumed = found.consumed;
        unread.drain(..consumed);
    }
    write_text(&mut to, "4welcome");
    write_text(&mut to, "1");
    seen
}

#[test]
fn a_session_over_tls_with_a_shared_key_pings_talks_and_ends() {
    let mut server = OpenSsl::start(&KEY);
    let from = server.process.stdout.take().expect("piped");
    let to = server.process.stdin.take().expect("piped");
    let (reader, writer) = server.connect();
    let story = std::thread::spawn(move || serve(from, to));
    let (commands, messages) = (Commands::new(), Messages::new());
    let hello = Message::new(WebSocketMessage::Text("hello")).expect("it fits");
    assert!(commands.try_send(Command::Send(hello)).is_ok());
    let shared = SharedKey { key: &KEY, identity: IDENTITY };
    let end = block_on(session(reader, writer, &shared, &mut host_random, &commands, &messages));
    let End::Session(SessionEnd { reason, .. }) = end else { panic!("{end:?}") };
    assert_eq!(reason, DisconnectReason::PeerClose);
    assert_eq!(
        messages.try_receive().expect("a message").as_websocket_message(),
        WebSocketMessage::Text("welcome")
    );
    let mut seen = story.join().expect("the server's story");
    seen.sort();
    assert_eq!(seen, ["3", "4hello"]);
}

#[test]
fn a_server_without_the_key_is_not_talked_to() {
    let server = OpenSsl::start(b"fedcba9876543210");
    let (reader, writer) = server.connect();
    let (commands, messages) = (Commands::new(), Messages::new());
    let shared = SharedKey { key: &KEY, identity: IDENTITY };
    let end = block_on(session(reader, writer, &shared, &mut host_random, &commands, &messages));
    assert!(matches!(end, End::Tls(_)), "{end:?}");
}
