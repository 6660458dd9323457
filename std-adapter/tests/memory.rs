//! The heap that a connection costs, counted by the allocator.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use eio_tokio::{Server, Socket};
use peak_alloc::PeakAlloc;
use tokio::net::TcpListener;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// One heap is counted, so one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Starts a server that echoes, in a thread of its own.
fn start() -> (Server, SocketAddr) {
    let (sender, started) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let echo = |mut socket: Socket| async move {
                while let Ok(message) = socket.recv().await {
                    let _ = socket.send(message).await;
                }
            };
            let server = Server::builder(echo).build().unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send((server.clone(), listener.local_addr().unwrap())).unwrap();
            server.serve(listener).await
        })
    });
    started.recv().unwrap()
}

/// Opens a session on a WebSocket, with the headers of a small client.
fn open(server: SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(server).unwrap();
    let head = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n\
                Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    receive_open(&mut client);
    client
}

/// Opens a session on polling, whose poll waits on the same connection.
fn poll(server: SocketAddr) -> TcpStream {
    let (mut client, target) = open_polling(server);
    client.write_all(format!("GET {target} HTTP/1.1\r\nHost: example.org\r\n\r\n").as_bytes()).unwrap();
    client
}

/// Opens a session on polling. Returns its connection and the target of its requests.
fn open_polling(server: SocketAddr) -> (TcpStream, String) {
    let mut client = TcpStream::connect(server).unwrap();
    let target = "/engine.io/?EIO=4&transport=polling";
    client.write_all(format!("GET {target} HTTP/1.1\r\nHost: example.org\r\n\r\n").as_bytes()).unwrap();
    let open = receive_open(&mut client);
    let sid = open.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    (client, format!("{target}&sid={sid}"))
}

/// Receives what opens a session.
fn receive_open(client: &mut TcpStream) -> String {
    let mut received = Vec::new();
    while !received.ends_with(b"}") {
        let mut room = [0; 1024];
        let len = client.read(&mut room).unwrap();
        assert!(len > 0, "{}", String::from_utf8_lossy(&received));
        received.extend_from_slice(&room[..len]);
    }
    String::from_utf8_lossy(&received).into_owned()
}

/// Waits until this many sessions are open and the heap keeps its size, and returns the size.
#[expect(clippy::disallowed_methods, reason = "the allocator's count takes part in no runtime's time")]
fn settled(server: &Server, sessions: usize) -> usize {
    while server.len() != sessions {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut last = (HEAP.current_usage(), Instant::now());
    while last.1.elapsed() < Duration::from_millis(200) {
        std::thread::sleep(Duration::from_millis(10));
        if HEAP.current_usage() != last.0 {
            last = (HEAP.current_usage(), Instant::now());
        }
    }
    last.0
}

/// The budget holds tokio's registration of the socket (256), the session's task (384), what is shared with it (344), the
/// WebSocket, the application, and the packed head of the request.
#[test]
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
fn an_idle_websocket_keeps_within_its_budget_and_a_closed_one_keeps_nothing() {
    const COUNT: usize = 200;
    const BUDGET: usize = 1_424;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (server, address) = start();
    // What the first connections leave behind belongs to the server.
    drop((0..COUNT).map(|_| open(address)).collect::<Vec<_>>());
    let before = settled(&server, 0);
    let idle: Vec<_> = (0..COUNT).map(|_| open(address)).collect();
    let each = settled(&server, COUNT).saturating_sub(before) / COUNT;
    assert!(each <= BUDGET, "{each} bytes");
    assert!(each >= 1_000, "an idle connection of {each} bytes is not open");
    drop(idle);
    let left = settled(&server, 0).saturating_sub(before);
    assert!(left < 16 * 1024, "{left} bytes of {COUNT} closed connections");
}

/// The budget holds the connection with hyper's two buffers of 8 KiB, the future of the request, and the session. The head
/// of the request is gone: it would keep a third buffer. Its place is there once: an async function around the future would
/// have one of its own.
#[test]
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
fn a_poll_that_waits_keeps_within_its_budget_and_not_the_head_of_its_request() {
    const COUNT: usize = 200;
    const BUDGET: usize = 22_200;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (server, address) = start();
    let first: Vec<_> = (0..COUNT).map(|_| poll(address)).collect();
    // Their polls wait by then: a client that leaves earlier is only noticed by its silence.
    settled(&server, COUNT);
    drop(first);
    let before = settled(&server, 0);
    let waiting: Vec<_> = (0..COUNT).map(|_| poll(address)).collect();
    let each = settled(&server, COUNT).saturating_sub(before) / COUNT;
    assert!(each <= BUDGET, "{each} bytes");
    assert!(each >= 12_000, "a poll of {each} bytes does not wait");
    drop(waiting);
}

/// Kept apart, the pieces would take 32 bytes each.
#[test]
fn a_post_in_pieces_of_one_byte_takes_no_more_than_a_few_times_its_length() {
    const COUNT: usize = 200_000;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (server, address) = start();
    let (mut client, target) = open_polling(address);
    let before = settled(&server, 1);
    HEAP.reset_peak_usage();
    let head = format!("POST {target} HTTP/1.1\r\nHost: example.org\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.write_all(head.as_bytes()).unwrap();
    for _ in 0..COUNT / 1_000 {
        client.write_all(&b"1\r\n4\r\n".repeat(1_000)).unwrap();
    }
    client.write_all(b"0\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let taken = HEAP.peak_usage().saturating_sub(before);
    // It is read, decoded, and echoed.
    assert!((COUNT..8 * COUNT).contains(&taken), "{taken} bytes");
}
