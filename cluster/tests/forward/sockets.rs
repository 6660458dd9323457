//! What memory cannot show: resets of TCP, and TLS between the nodes. These tests run in real time.

use core::net::SocketAddr;
use core::time::Duration;

use eio_cluster::forward::{AddressList, Forwarder};
use eio_tokio::{Client, DisconnectReason as Reason, Heartbeat, Server, ServerBuilder, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Ends, echo, secret};

/// Two nodes on loopback: a7, its ends, and where both listen.
async fn nodes(configure: impl Fn(ServerBuilder) -> ServerBuilder) -> (Server, Ends, [SocketAddr; 2]) {
    let listeners =
        [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let mut first = None;
    for (node, listener) in ["a7", "b2"].into_iter().zip(listeners) {
        let ends = Ends::new();
        let server = configure(Server::builder(echo)).node(node).observer(ends.clone()).build().unwrap();
        let list =
            AddressList::new(["a7", "b2"].into_iter().zip(addresses.map(|address| address.to_string())));
        let service = Forwarder::builder(&server, list.unwrap(), secret()).build().unwrap().service();
        first.get_or_insert((server.clone(), ends));
        tokio::spawn(async move { server.serve_with(listener, service).await });
    }
    let (server, ends) = first.unwrap();
    (server, ends, addresses)
}

/// Opens a session on a7, and moves it to a WebSocket by way of b2.
async fn upgraded([a, b]: [SocketAddr; 2]) -> TcpStream {
    let mut stream = TcpStream::connect(a).await.unwrap();
    let open = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(open.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let sid = answer.split('"').nth(3).unwrap();
    let mut stream = TcpStream::connect(b).await.unwrap();
    let head = format!(
        "GET /engine.io/?EIO=4&transport=websocket&sid={sid} HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"\x81\x86\0\0\0\x002probe").await.unwrap();
    stream.read_exact(&mut [0; 8]).await.unwrap();
    stream.write_all(b"\x81\x81\0\0\0\x005").await.unwrap();
    stream
}

#[tokio::test]
async fn a_reset_of_the_client_reaches_its_node_as_a_reset() {
    let (_, ends, addresses) = nodes(|builder| builder).await;
    let stream = upgraded(addresses).await;
    stream.set_zero_linger().unwrap();
    drop(stream);
    assert_eq!(ends.next().await.1.reason, Reason::TransportReset);
}

#[tokio::test]
async fn a_reset_of_the_node_reaches_its_client_as_a_reset() {
    // A session that ends for silence resets its connection.
    let quick = Heartbeat::new(Duration::from_millis(100), Duration::from_millis(100)).unwrap();
    let (_, ends, addresses) = nodes(|builder| builder.heartbeat(quick)).await;
    let mut stream = upgraded(addresses).await;
    let mut rest = Vec::new();
    let error = stream.read_to_end(&mut rest).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(ends.next().await.1.reason, Reason::PingTimeout);
}

#[tokio::test]
async fn a_client_of_this_crate_upgrades_by_way_of_another_node() {
    let (server, _, [a, b]) = nodes(|builder| builder).await;
    // What a balancer does that sends the first connection to a7, and all others to b2.
    let balancer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = balancer.local_addr().unwrap();
    tokio::spawn(async move {
        let mut next = a;
        while let Ok((mut client, _)) = balancer.accept().await {
            let node = core::mem::replace(&mut next, b);
            tokio::spawn(async move {
                let mut node = TcpStream::connect(node).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut node).await;
            });
        }
    });
    let mut socket = Client::builder(format!("http://{address}")).build().unwrap().connect().await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), "hello".into());
    while socket.transport() != Transport::WebSocket {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.len(), 1);
}

#[cfg(feature = "forward-tls")]
#[tokio::test]
async fn nodes_speak_tls_to_addresses_that_begin_with_https() {
    use std::sync::Arc;

    use eio_tokio::TlsListener;
    use eio_tokio::rustls::crypto::ring;
    use eio_tokio::rustls::pki_types::PrivatePkcs8KeyDer;
    use eio_tokio::rustls::{ClientConfig, RootCertStore, ServerConfig};

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let tls = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![made.cert.der().clone()],
            PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into(),
        )
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let trusting = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://localhost:{}", inside.local_addr().unwrap().port());
    let list = AddressList::new([("a7", address)]).unwrap();
    let owner = Server::builder(echo).node("a7").build().unwrap();
    let service = Forwarder::builder(&owner, list.clone(), secret()).build().unwrap().service();
    let listener = TlsListener::with_config(inside, tls);
    tokio::spawn(async move { owner.serve_with(listener, service).await });

    let server = Server::builder(echo).node("b2").build().unwrap();
    let without = Forwarder::builder(&server, list.clone(), secret()).build().unwrap();
    let with = Forwarder::builder(&server, list, secret()).tls(Arc::new(trusting)).build().unwrap();
    for (forwarder, counts) in [(without, (0, 1)), (with, (1, 0))] {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let service = hyper_util::service::TowerToHyperService::new(forwarder.service());
        let http = hyper::server::conn::http1::Builder::new();
        tokio::spawn(http.serve_connection(hyper_util::rt::TokioIo::new(far), service));
        let mut near = near;
        // Whether the session exists or not, the node that is asked answers.
        let head = "GET /engine.io/?EIO=4&transport=polling&sid=a7xxxxxxxxxxxxxxxxxx HTTP/1.1\r\nhost: a\r\n\
                    connection: close\r\n\r\n";
        near.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("Session ID unknown"), "{answer}");
        assert_eq!((forwarder.counts().requests, forwarder.counts().failed), counts);
    }
}
