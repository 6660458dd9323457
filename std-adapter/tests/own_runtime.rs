//! The core's example of a server on a runtime of its own, with this crate's client. Time is real here: nothing is judged
//! by how fast it happens.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use eio_tokio::{Client, Message, Transport};

#[path = "../../core/examples/own_runtime.rs"]
mod own_runtime;

async fn echoes(url: &str, transport: Transport) {
    let mut socket = Client::builder(url).transports([transport]).build().unwrap().connect().await.unwrap();
    let long = "x".repeat(90_000);
    let messages =
        [Message::from("hello"), Message::from(vec![0, 1, 255]), Message::from("€😀"), Message::from(long)];
    for message in &messages {
        socket.send(message.clone()).await.unwrap();
    }
    for message in messages {
        assert_eq!(socket.recv().await, Ok(message), "{transport:?}");
    }
    socket.close();
    assert_eq!(socket.closed().await.reason.as_str(), "forced close", "{transport:?}");
}

/// The example on a thread of its own.
struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread =
            std::thread::spawn(move || own_runtime::serve(&listener, || stopped.load(Ordering::Relaxed)));
        Self { address, stop, thread }
    }

    /// Connects, and fails the test if the server leaves a read waiting.
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_on_the_core_alone_echoes_on_both_transports() {
    let server = Server::start();
    let url = format!("http://{}", server.address);
    echoes(&url, Transport::Polling).await;
    echoes(&url, Transport::WebSocket).await;
    server.stop();
}

#[test]
fn it_keeps_no_connection_whose_client_has_left_or_sends_without_end() {
    let server = Server::start();
    let mut silent = server.connect();
    silent.shutdown(Shutdown::Write).unwrap();
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0);

    let mut endless = server.connect();
    // The server may reset the connection, because it leaves bytes unread.
    let written = endless.write_all(&vec![b'x'; 1_000_000]);
    let read = endless.read(&mut [0; 16]);
    assert!(
        matches!(read, Ok(0)) || read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset),
        "{written:?}"
    );
    server.stop();
}

/// Asks for a WebSocket.
fn upgrade(stream: &mut TcpStream) {
    stream
        .write_all(
            b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
              Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
}

fn read_until(stream: &mut TcpStream, end: &[u8]) {
    let mut received = Vec::new();
    while !received.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        received.extend(byte);
    }
}

#[test]
fn it_reads_a_frame_whose_header_arrives_alone() {
    let server = Server::start();
    let mut stream = server.connect();
    upgrade(&mut stream);
    // A ping, and the header of a text. The pong shows that the server has read both.
    stream.write_all(b"\x89\x80\0\0\0\0\x81\x86\0\0\0\0").unwrap();
    read_until(&mut stream, b"\x8a\0");
    stream.write_all(b"4hello").unwrap();
    read_until(&mut stream, b"\x81\x064hello");
    server.stop();
}

#[test]
fn it_answers_a_broken_frame_with_its_code_and_closes() {
    let server = Server::start();
    let mut stream = server.connect();
    upgrade(&mut stream);
    stream.write_all(b"\x81\x01x").unwrap(); // not masked
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert!(received.ends_with(&[0x88, 2, 0x03, 0xea]), "{}", received.escape_ascii()); // 1002
    server.stop();
}
