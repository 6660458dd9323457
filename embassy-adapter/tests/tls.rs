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

use core::future::Future;
use core::task::Poll;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command as Process, Stdio};

use eio_core::DisconnectReason;
use eio_core::packet::{Data, WebSocketMessage};
use eio_core::ws::{self, Decoder, Item, Key};
use eio_embassy::IncomingMessage;

use example::{Failed, HostTcp, SharedKey, TlsClient, block_on, host_random, session};

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
    let shared = SharedKey { key: &KEY, identity: IDENTITY };
    let application = async |client: &mut TlsClient<'_, '_>| {
        // Most of these futures are dropped while a record is on its way.
        let mut patience = 0;
        while impatient(client.send(WebSocketMessage::Text("hello")), patience).await.is_none() {
            patience += 1;
        }
        let mut received = Vec::new();
        loop {
            match impatient(client.recv(), 3).await {
                None => {}
                Some(Ok(IncomingMessage::Whole(Data::Text(text)))) => received.push(text.to_owned()),
                Some(Ok(other)) => panic!("{other:?}"),
                Some(Err(end)) => return (received, end.reason),
            }
        }
    };
    let ended = block_on(session(reader, writer, &shared, &mut host_random, application));
    let (result, _) = ended.expect("a session");
    assert_eq!(result, (vec!["welcome".to_owned()], DisconnectReason::PeerClose));
    let mut seen = story.join().expect("the server's story");
    seen.sort();
    assert_eq!(seen, ["3", "4hello"]);
}

/// Polls a future as often as `patience` says, and drops it.
async fn impatient<F: Future>(future: F, patience: usize) -> Option<F::Output> {
    let mut future = core::pin::pin!(future);
    for _ in 0..patience {
        if let Poll::Ready(value) = poll_once(future.as_mut()).await {
            return Some(value);
        }
    }
    None
}

/// Polls once.
async fn poll_once<F: Future>(mut future: core::pin::Pin<&mut F>) -> Poll<F::Output> {
    core::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[test]
fn a_server_without_the_key_is_not_talked_to() {
    let server = OpenSsl::start(b"fedcba9876543210");
    let (reader, writer) = server.connect();
    let shared = SharedKey { key: &KEY, identity: IDENTITY };
    let never = async |_: &mut TlsClient<'_, '_>| panic!("no session");
    let ended: Result<((), _), _> = block_on(session(reader, writer, &shared, &mut host_random, never));
    assert!(matches!(ended, Err(Failed::Tls(_))), "{ended:?}");
}
