//! Handshakes with our server: what they agree on, and that those which stall hold nobody up.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;

use eio_tokio::{Client, Listener, Server, TlsListener};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support;
use crate::tls::Authority;
use crate::tls_listener::{POLL, ask, client_config, handshake, offering, serve};

/// The connections that a test makes, each from an address.
struct InMemory(mpsc::UnboundedReceiver<(DuplexStream, SocketAddr)>);

impl Listener for InMemory {
    type Io = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Option<SocketAddr>)> {
        match self.0.recv().await {
            Some((stream, peer)) => Ok((stream, Some(peer))),
            None => core::future::pending().await,
        }
    }
}

/// A server on in-memory connections.
struct Door(mpsc::UnboundedSender<(DuplexStream, SocketAddr)>);

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
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        self.0.send((theirs, peer.parse().unwrap())).unwrap();
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
        let config = offering(authority.sign("localhost", |_| {}));
        let builder = Server::builder(support::echo).http2(spoken);
        let (server, address) = serve(builder, |listener| TlsListener::with_config(listener, config)).await;
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = handshake(stream, client_config(&authority, offered)).await.unwrap();
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

#[tokio::test(start_paused = true)]
async fn a_thousand_stalled_handshakes_keep_a_client_waiting_for_no_longer_than_their_limit() {
    for (limit, waits) in
        [(None, Duration::from_secs(10)), (Some(Duration::from_secs(2)), Duration::from_secs(2))]
    {
        let server = Server::builder(support::echo).max_connections(10_000).build().unwrap();
        let (door, authority) = Door::open(&server, |listener| match limit {
            Some(limit) => listener.handshake_timeout(limit),
            None => listener,
        });
        let stalled: Vec<_> = (0..1_000).map(|_| door.connect(PEER)).collect();
        let start = Instant::now();
        let mut stream = handshake(door.connect(PEER), client_config(&authority, &[])).await.unwrap();
        ask(&mut stream, POLL, "0{\"sid\":").await;
        let waited = start.elapsed();
        assert!(waited >= waits && waited <= waits + Duration::from_millis(2), "{waited:?}");
        drop(stalled);
    }
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
    let config = offering(authority.sign("localhost", |_| {}));
    let (server, address) =
        serve(Server::builder(support::echo), |listener| TlsListener::with_config(listener, config)).await;
    for scheme in ["http", "ws"] {
        let error = crate::tls::connect_error(Client::builder(format!("{scheme}://{address}"))).await;
        assert!(matches!(error, eio_tokio::ConnectError::SpeaksTls), "{error:?}");
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = handshake(stream, client_config(&authority, &[])).await.unwrap();
    ask(&mut stream, POLL, "0{\"sid\":").await;
    assert_eq!(server.len(), 1);
}
