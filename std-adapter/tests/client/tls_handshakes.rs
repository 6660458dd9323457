//! Handshakes with our server: what they agree on, and that those which stall hold nobody up.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use eio_tokio::{Client, Listener, Server, TlsListener};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support;
use crate::tls::Authority;
use crate::tls_listener::{POLL, ask, client_config, dial, handshake, offering, serve_as};

/// The connections that a test makes, most from an address.
struct InMemory(mpsc::UnboundedReceiver<(DuplexStream, Option<SocketAddr>)>);

impl Listener for InMemory {
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Option<SocketAddr>)> {
        match self.0.recv().await {
            Some(accepted) => Ok(accepted),
            None => core::future::pending().await,
        }
    }
}

/// A server on in-memory connections.
struct Door(mpsc::UnboundedSender<(DuplexStream, Option<SocketAddr>)>);

impl Door {
    fn open(
        server: &Server,
        configure: impl FnOnce(TlsListener<InMemory>) -> TlsListener<InMemory>,
    ) -> (Self, Authority) {
        let authority = Authority::new();
        let (sender, connections) = mpsc::unbounded_channel();
        let config = offering(authority.sign("localhost", |_| {}));
        let listener = configure(TlsListener::with_config(InMemory(connections), config));
        let server = server.clone();
        tokio::spawn(async move { server.serve(listener).await });
        (Self(sender), authority)
    }

    fn connect(&self, peer: &str) -> DuplexStream {
        self.connect_from(Some(peer.parse().unwrap()))
    }

    fn connect_from(&self, peer: Option<SocketAddr>) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        self.0.send((theirs, peer)).unwrap();
        ours
    }
}

const PEER: &str = "192.0.2.1:1";

#[tokio::test]
async fn alpn_offers_http_2_if_the_server_speaks_it() {
    let authority = Authority::new();
    for (spoken, offered, chosen) in [
        (true, &["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (true, &["http/1.1"], Some(b"http/1.1")),
        (true, &[], None),
        (false, &["h2", "http/1.1"], Some(b"http/1.1")),
    ] {
        let builder = Server::builder(support::echo).http2(spoken);
        let (server, address) = serve_as(&authority, builder).await;
        let mut stream = dial(address, client_config(&authority, offered)).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
        if chosen != Some(b"h2") {
            ask(&mut stream, POLL, "0{\"sid\":").await;
            continue;
        }
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("https://localhost/engine.io/?EIO=4&transport=polling");
        let answer = sender.send_request(request.body(String::new()).unwrap()).await.unwrap();
        assert_eq!((answer.status(), server.len()), (http::StatusCode::OK, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn handshakes_that_stall_hold_nobody_up_and_end_with_their_limit() {
    let server = Server::builder(support::echo).build().unwrap();
    let (door, authority) = Door::open(&server, |listener| listener);
    let start = Instant::now();
    let mut stalled: Vec<_> = (0..10).map(|_| door.connect(PEER)).collect();
    // Half of a ClientHello.
    stalled[0].write_all(&[22, 3, 1, 1, 0, 1]).await.unwrap();
    let mut stream = handshake(door.connect(PEER), client_config(&authority, &[])).await.unwrap();
    ask(&mut stream, POLL, "0{\"sid\":").await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    for stream in &mut stalled {
        let _ = stream.read_to_end(&mut Vec::new()).await;
        assert_eq!(start.elapsed().as_secs(), 10);
    }
    assert_eq!(server.len(), 1);
}

/// Timers fire up to two milliseconds late.
#[track_caller]
fn assert_since(start: Instant, millis: u64) {
    let (elapsed, expected) = (start.elapsed(), Duration::from_millis(millis));
    assert!(elapsed >= expected && elapsed <= expected + Duration::from_millis(2), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_stalled_handshakes_keep_a_client_waiting_until_the_oldest_has_had_a_second() {
    for (limit, waits) in [(10_000, 1_000), (2_000, 1_000), (500, 500), (0, 1_000)] {
        let server = Server::builder(support::echo).max_connections(10_000).build().unwrap();
        let (door, authority) =
            Door::open(&server, |listener| listener.handshake_timeout(Duration::from_millis(limit)));
        let start = Instant::now();
        let mut stalled: Vec<_> =
            (0..1_000).map(|number| door.connect(&format!("192.0.2.{}:1", number / 100))).collect();
        let mut stream =
            handshake(door.connect("198.51.100.1:1"), client_config(&authority, &[])).await.unwrap();
        ask(&mut stream, POLL, "0{\"sid\":").await;
        assert_since(start, waits);
        let _ = stalled[0].read_to_end(&mut Vec::new()).await;
        assert_since(start, waits);
        // Only one place was needed: the others keep theirs.
        let _ = stalled[1].read_to_end(&mut Vec::new()).await;
        // Zero counts as the default.
        assert_since(start, if limit == 0 { 10_000 } else { limit });
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_silent_connections_delays_no_client_by_more_than_a_second() {
    let server = Server::builder(support::echo).max_connections(100_000).build().unwrap();
    let (door, authority) = Door::open(&server, |listener| listener.max_handshakes(100));
    let config = Arc::new(client_config(&authority, &[]));
    let mut stalled = Vec::new();
    for second in 0..5 {
        stalled.extend((0..90).map(|number| door.connect(&format!("192.0.2.{number}:1"))));
        let start = Instant::now();
        let client = door.connect("198.51.100.1:1");
        handshake(client, Arc::clone(&config)).await.unwrap();
        assert!(start.elapsed() <= Duration::from_millis(1_002), "{second}: {:?}", start.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_has_a_tenth_of_the_handshakes_and_a_network_counts_as_one() {
    let server = Server::builder(support::echo).build().unwrap();
    let (door, authority) = Door::open(&server, |listener| listener.max_handshakes(20));
    let config = Arc::new(client_config(&authority, &[]));
    let start = Instant::now();
    let mut stalled = [door.connect("[2001:db8::1]:1"), door.connect("[2001:db8::2]:1")];
    let refused = handshake(door.connect("[2001:db8::3]:1"), Arc::clone(&config)).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    handshake(door.connect("[2001:db8:0:1::1]:1"), Arc::clone(&config)).await.unwrap();
    let _nameless: Vec<_> = (0..10).map(|_| door.connect_from(None)).collect();
    handshake(door.connect_from(None), Arc::clone(&config)).await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    // An address gets its share back when its handshakes have ended.
    for stream in &mut stalled {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    handshake(door.connect("[2001:db8::3]:1"), config).await.unwrap();
}

#[tokio::test]
async fn an_address_with_all_of_its_handshakes_stalled_leaves_places_for_another() {
    let authority = Authority::new();
    let config = offering(authority.sign("localhost", |_| {}));
    let (_server, address) = support::serve_over(Server::builder(support::echo), |listener| {
        TlsListener::with_config(listener, config).max_handshakes(20)
    })
    .await;
    let from = async |source: [u8; 4]| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source, 0).into()).unwrap();
        socket.connect(address).await.unwrap()
    };
    let start = Instant::now();
    let mut stalled = Vec::new();
    for _ in 0..40 {
        stalled.push(from([127, 0, 0, 1]).await);
    }
    handshake(from([127, 0, 0, 2]).await, client_config(&authority, &[])).await.unwrap();
    for stream in stalled.iter_mut().skip(2) {
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    }
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_handshake_counts_as_a_connection_of_its_address() {
    let server = Server::builder(support::echo).max_connections_per_address(2).build().unwrap();
    let (door, authority) = Door::open(&server, |listener| listener.max_handshakes(100));
    let _stalled = [door.connect("192.0.2.1:1"), door.connect("192.0.2.1:2")];
    let refused = handshake(door.connect("192.0.2.1:3"), client_config(&authority, &[])).await;
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    handshake(door.connect("192.0.2.2:1"), client_config(&authority, &[])).await.unwrap();
}

#[tokio::test]
async fn http_to_a_tls_port_is_reported_as_that_and_hurts_nobody() {
    let authority = Authority::new();
    let (server, address) = serve_as(&authority, Server::builder(support::echo)).await;
    for scheme in ["http", "ws"] {
        let error = crate::tls::connect_error(Client::builder(format!("{scheme}://{address}"))).await;
        assert!(matches!(error, eio_tokio::ConnectError::SpeaksTls), "{error:?}");
    }
    let mut stream = dial(address, client_config(&authority, &[])).await;
    ask(&mut stream, POLL, "0{\"sid\":").await;
    assert_eq!(server.len(), 1);
}
