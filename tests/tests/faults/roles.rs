//! What this program does as a process of a test: fleets of clients that answer heartbeats, or refuse to in a
//! particular way, and a server whose memory is looked at.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eio_core::Heartbeat;
use eio_core::ws::{self, Decoder, Item};
use eio_tests::interop::KeptSockets;
use eio_tests::raw;
use eio_tokio::{Server, Socket};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::tcp;

/// The variable that names the role: its words, separated by spaces.
pub(crate) const ROLE: &str = "EIO_FAULTS_ROLE";

/// What opens a session on a WebSocket.
const WEBSOCKET: &str = "EIO=4&transport=websocket";

/// What opens that of a client that reads nothing, so that the application knows it.
pub(crate) const READS_NOTHING: &str = "EIO=4&transport=websocket&reads=nothing";

/// How many clients connect at a time.
const CONNECTING: usize = 100;

/// Plays the role that the environment asks for; `false` when it asks for none.
pub(crate) fn play() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    let words: Vec<&str> = role.split(' ').collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match *words {
        ["websockets", address, count] => runtime.block_on(fleet(address, count, Transport::WebSocket)),
        ["polling", address, count] => runtime.block_on(fleet(address, count, Transport::Polling)),
        ["reads-nothing", address] => runtime.block_on(hang(address, READS_NOTHING, "")),
        ["half-a-frame", address] => runtime.block_on(hang(address, WEBSOCKET, "half a frame")),
        ["server", interval, timeout] => serve(interval, timeout),
        ["hears", address, count] => runtime.block_on(tcp::hear(address, count)),
        _ => panic!("no such role: {role}"),
    }
    true
}

#[derive(Clone, Copy)]
enum Transport {
    WebSocket,
    Polling,
}

/// What all clients of a fleet share.
struct Orders {
    address: SocketAddr,
    /// Pongs are held back.
    hold: watch::Receiver<bool>,
    /// How many pongs were sent since they were released.
    pongs: AtomicUsize,
    open: AtomicUsize,
    lost: AtomicUsize,
}

/// `count` sessions that answer every ping. Says `open` when all are, and have a poll under way if they poll, `ponged`
/// when all have answered what was held back, and `lost` for every session that ends.
async fn fleet(address: &str, count: &str, transport: Transport) {
    let count: usize = count.parse().unwrap();
    let (holding, hold) = watch::channel(false);
    let orders = Arc::new(Orders {
        address: address.parse().unwrap(),
        hold,
        pongs: AtomicUsize::new(usize::MAX / 2),
        open: AtomicUsize::new(0),
        lost: AtomicUsize::new(0),
    });
    let turn = Arc::new(Semaphore::new(CONNECTING));
    for _ in 0..count {
        let (orders, turn) = (Arc::clone(&orders), Arc::clone(&turn));
        tokio::spawn(async move {
            let connecting = turn.acquire_owned().await.unwrap();
            let opened = || {
                drop(connecting);
                if orders.open.fetch_add(1, Ordering::SeqCst) + 1 == count {
                    println!("open");
                }
            };
            match transport {
                Transport::WebSocket => websocket(&orders, count, opened).await,
                Transport::Polling => polling(&orders, count, opened).await,
            }
            println!("lost {}", orders.lost.fetch_add(1, Ordering::SeqCst) + 1);
        });
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match line.as_str() {
            "hold" => {
                orders.pongs.store(0, Ordering::SeqCst);
                holding.send(true).unwrap();
            }
            "release" => holding.send(false).unwrap(),
            _ => panic!("no such order: {line}"),
        }
    }
}

impl Orders {
    async fn may_pong(&self) {
        let mut hold = self.hold.clone();
        let _ = hold.wait_for(|hold| !*hold).await;
    }

    fn ponged(&self, count: usize) {
        if self.pongs.fetch_add(1, Ordering::SeqCst) + 1 == count {
            println!("ponged");
        }
    }
}

/// Connects, and reads up to the end of the 101 response. What came behind it is returned.
async fn open_websocket(address: SocketAddr, query: &str) -> Option<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    stream.write_all(raw::upgrade_request(query).as_bytes()).await.ok()?;
    let mut received = Vec::new();
    loop {
        if stream.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = received.split_off(end + 4);
            return received.starts_with(b"HTTP/1.1 101").then_some((stream, rest));
        }
    }
}

async fn websocket(orders: &Orders, count: usize, opened: impl FnOnce()) {
    let Some((mut stream, mut received)) = open_websocket(orders.address, WEBSOCKET).await else { return };
    let mut decoder = Decoder::client(1_000_000);
    let mut opened = Some(opened);
    loop {
        while let Ok(decoded) = decoder.decode(&mut received) {
            let ping = match decoded.item {
                None => break,
                Some(Item::Message(eio_core::packet::WebSocketMessage::Text(text))) => text == "2",
                Some(Item::Control(ws::ControlFrame::Close(_))) => return,
                Some(_) => false,
            };
            let consumed = decoded.consumed;
            received.drain(..consumed);
            if let Some(opened) = opened.take() {
                opened();
            }
            if ping {
                orders.may_pong().await;
                if stream.write_all(&raw::text("3")).await.is_err() {
                    return;
                }
                orders.ponged(count);
            }
        }
        received.shrink_to_fit();
        if stream.readable().await.is_err() {
            return;
        }
        let mut chunk = [0; 256];
        match stream.try_read(&mut chunk) {
            Ok(0) => return,
            Ok(len) => received.extend_from_slice(&chunk[..len]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

async fn polling(orders: &Orders, count: usize, opened: impl FnOnce()) {
    // Whatever ends it, it is lost.
    let _ = poll_until_lost(orders, count, opened).await;
}

async fn poll_until_lost(orders: &Orders, count: usize, opened: impl FnOnce()) -> io::Result<()> {
    let KeptSockets { mut polls, mut data, query, .. } = KeptSockets::open(orders.address).await?;
    polls.send("GET", &query, "").await?;
    opened();
    loop {
        let answer = polls.answer().await?;
        if answer.split('\u{1e}').any(|packet| packet == "1") {
            return Ok(());
        }
        if answer.split('\u{1e}').any(|packet| packet == "2") {
            orders.may_pong().await;
            data.send("POST", &query, "3").await?;
            orders.ponged(count);
            data.answer().await?;
        }
        polls.send("GET", &query, "").await?;
    }
}

/// Opens a WebSocket and never reads again. Says `open` when there is an `open` packet to read.
async fn hang(address: &str, query: &str, then: &str) {
    let (mut stream, _) = open_websocket(address.parse().unwrap(), query).await.unwrap();
    if !then.is_empty() {
        let frame = raw::text(&format!("4{then}"));
        stream.write_all(&frame[..frame.len() / 2]).await.unwrap();
    }
    println!("open");
    core::future::pending::<()>().await;
}

/// A server with these periods, in milliseconds. Says where it listens; asked for anything, how many sessions it has.
fn serve(interval: &str, timeout: &str) {
    let period = |text: &str| Duration::from_millis(text.parse().unwrap());
    let heartbeat = Heartbeat::new(period(interval), period(timeout)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::builder(listen).heartbeat(heartbeat).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(listener).await });
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(_)) = lines.next_line().await {
            println!("{}", server.len());
        }
    });
}

/// An application that says nothing, and does nothing about memory.
pub(crate) async fn listen(mut socket: Socket) {
    while socket.recv().await.is_ok() {}
}
