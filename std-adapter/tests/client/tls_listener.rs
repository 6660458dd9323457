//! Our server over TLS by `TlsListener`: sessions, silent clients, client certificates, ends.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use eio_core::{DisconnectReason, Heartbeat};
use eio_tokio::rustls::crypto::ring;
use eio_tokio::rustls::pki_types::ServerName;
use eio_tokio::rustls::server::WebPkiClientVerifier;
use eio_tokio::rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion, version};
use eio_tokio::test_util::Network;
use eio_tokio::{Client, ClientCertificates, Message, Server, ServerBuilder, Socket, TlsListener, Transport};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use crate::support::{self, Way};
use crate::tls::{Authority, Identity, clients, echoes, server_config};

pub(crate) const POLL: &str = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: localhost\r\n\r\n";
const WEBSOCKET: &str = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: localhost\r\n\
     connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What a server of ours offers beside the certificate, as `TlsListener::new` would.
pub(crate) fn offering(identity: Identity) -> ServerConfig {
    let mut config = identity.config();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// Runs a server with a certificate of this authority for `localhost`, and returns where.
pub(crate) async fn serve_as(authority: &Authority, builder: ServerBuilder) -> (Server, SocketAddr) {
    let config = offering(authority.sign("localhost", |_| {}));
    Box::pin(support::serve_over(builder, |listener| TlsListener::with_config(listener, config))).await
}

/// A client that trusts this authority, and offers these protocols.
pub(crate) fn client_config(authority: &Authority, protocols: &[&str]) -> ClientConfig {
    with_versions(authority, protocols, &[&version::TLS12, &version::TLS13])
}

fn with_versions(
    authority: &Authority,
    protocols: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(authority.store())
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

/// A client that speaks bytes.
pub(crate) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    config: impl Into<Arc<ClientConfig>>,
) -> io::Result<Box<TlsStream<S>>> {
    let name = ServerName::try_from("localhost").unwrap();
    let handshake = tokio_rustls::TlsConnector::from(config.into()).connect(name, stream);
    Box::pin(handshake).await.map(Box::new)
}

/// The same, over a new connection.
pub(crate) async fn dial(
    address: SocketAddr,
    config: impl Into<Arc<ClientConfig>>,
) -> Box<TlsStream<TcpStream>> {
    handshake(TcpStream::connect(address).await.unwrap(), config).await.unwrap()
}

/// Sends a request, and reads until the answer contains `until`.
pub(crate) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &str,
    until: &str,
) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if text.contains(until) {
            return text;
        }
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{text}");
    }
}

#[tokio::test]
async fn sessions_run_over_https_and_wss_with_tls_1_2_and_1_3() {
    let authority = Authority::new();
    let builder = Server::builder(support::echo).max_payload(2_000_000);
    let (_server, address) = serve_as(&authority, builder).await;
    let big = Message::binary(vec![7; 1_000_000]);
    for version in [&version::TLS12, &version::TLS13] {
        for way in Way::ALL {
            let scheme = if way == Way::WebSocket { "wss" } else { "https" };
            let url = format!("{scheme}://localhost:{}", address.port());
            let client = Client::builder(url).upgrade(way == Way::Upgrade);
            let client = client.tls_config(with_versions(&authority, &[], &[version])).build().unwrap();
            let mut socket = client.connect().await.unwrap();
            for _ in 0..3 {
                socket.send("over TLS").await.unwrap();
                socket.send(big.clone()).await.unwrap();
                assert_eq!(socket.recv().await.unwrap(), Message::text("over TLS"));
                assert!(socket.recv().await.unwrap() == big);
            }
            let transport = if way == Way::Polling { Transport::Polling } else { Transport::WebSocket };
            while socket.transport() != transport {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            socket.close();
            assert_eq!(socket.closed().await.reason, DisconnectReason::LocalClose, "{way:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tls_runs_over_the_in_memory_network_and_asks_it_before_a_late_verdict() {
    let authority = Authority::new();
    let network = Network::new();
    let (sender, mut ends) = mpsc::unbounded_channel();
    let server = Server::builder(support::echo).on_disconnect(move |_, end| {
        let _ = sender.send((Instant::now(), end.reason));
        core::future::ready(())
    });
    let server = server.build().unwrap();
    let listener = TlsListener::with_config(network.listen(), offering(authority.sign("localhost", |_| {})));
    let handle = server.clone();
    tokio::spawn(async move { handle.serve(listener).await });
    for scheme in ["https", "wss"] {
        let link = network.link();
        link.set_delay(Duration::from_millis(20));
        let client = authority.trusted_by(Client::builder(format!("{scheme}://localhost"))).link(&link);
        let mut socket = client.build().unwrap().connect().await.unwrap();
        while socket.transport() != Transport::WebSocket {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        socket.send("over TLS").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Message::text("over TLS"));
        tokio::time::sleep(Duration::from_secs(30)).await;
        link.cut();
        // The second ping waits for its answer. Then both deadlines pass while no task runs.
        tokio::time::sleep(Duration::from_secs(30)).await;
        tokio::time::advance(Duration::from_secs(20)).await;
        let now = Instant::now();
        assert_eq!(socket.closed().await.reason, DisconnectReason::PingTimeout);
        assert_eq!(ends.recv().await.unwrap(), (now, DisconnectReason::PingTimeout), "{scheme}");
        assert_eq!(now.elapsed(), Duration::ZERO, "{scheme}");
    }
}

#[tokio::test]
async fn openssl_opens_a_session_in_both_versions_and_is_told_the_end() {
    let authority = Authority::new();
    let (_server, address) = serve_as(&authority, Server::builder(support::echo)).await;
    for (version, alpn) in [("-tls1_2", "http/1.1"), ("-tls1_3", "http/1.1"), ("-tls1_3", "h2,http/1.1")] {
        let mut openssl = Command::new("openssl")
            .args(["s_client", "-connect", &address.to_string(), version, "-alpn", alpn, "-ign_eof"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl");
        let request = POLL.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
        let mut input = openssl.stdin.take().unwrap();
        if !alpn.starts_with("h2") {
            io::Write::write_all(&mut input, request.as_bytes()).unwrap();
        }
        // The preface of HTTP/2 does not come, so that its connection ends with an error.
        let said = tokio::task::spawn_blocking(move || {
            if alpn.starts_with("h2") {
                io::Write::write_all(&mut input, b"nonsense\r\n\r\n").unwrap();
            }
            openssl.wait_with_output().unwrap()
        });
        let said = said.await.unwrap();
        let (output, errors) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        let chosen = alpn.split(',').next().unwrap();
        assert!(output.contains(&format!("ALPN protocol: {chosen}")), "{output}");
        assert_eq!(output.contains("0{\"sid\":"), chosen == "http/1.1", "{output}");
        // OpenSSL complains of a connection that ends without close_notify.
        assert!(!errors.contains("unexpected eof"), "{errors}");
    }
}

/// The lengths of the records with data that arrived at OpenSSL, from what `-msg` prints.
fn lengths_of_records(printed: &str) -> Vec<usize> {
    let lines: Vec<_> = printed.lines().collect();
    let arrived =
        lines.windows(2).filter(|two| two[0].contains("<<< TLS") && two[0].contains("RecordHeader"));
    let data = arrived.filter_map(|two| two[1].trim().strip_prefix("17 03 03 "));
    data.map(|len| usize::from_str_radix(&len.replace(' ', ""), 16).unwrap()).collect()
}

#[tokio::test]
async fn a_client_that_asks_for_short_records_gets_them_after_the_handshake_and_others_do_not() {
    let authority = Authority::new();
    let many = |socket: Socket| async move {
        for len in [300, 300, 300, 40_000, 1] {
            socket.send("x".repeat(len)).await.unwrap();
        }
    };
    let (_server, address) = serve_as(&authority, Server::builder(many)).await;
    for version in ["-tls1_2", "-tls1_3"] {
        let asking = ["-maxfraglen", "512"];
        for (asked, longest) in [(&asking[..], 512), (&[], 16_384)] {
            let mut openssl = Command::new("openssl")
                .args(["s_client", "-connect", &address.to_string(), version, "-msg", "-ign_eof"])
                .args(asked)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("openssl");
            io::Write::write_all(openssl.stdin.as_mut().unwrap(), WEBSOCKET.as_bytes()).unwrap();
            let said = tokio::task::spawn_blocking(move || openssl.wait_with_output().unwrap());
            let printed = String::from_utf8_lossy(&said.await.unwrap().stdout).into_owned();
            let (_, open) = printed.rsplit_once(", Finished").unwrap();
            let lengths = lengths_of_records(open);
            let found = lengths.iter().max().unwrap();
            // Encryption adds up to 24 bytes.
            assert!((longest..=longest + 24).contains(found), "{version} {asked:?}: {lengths:?}");
            assert!(lengths.iter().sum::<usize>() > 41_000, "{version} {asked:?}: {lengths:?}");
        }
    }
}

#[tokio::test]
async fn the_answer_that_opens_a_websocket_and_the_open_packet_are_one_record() {
    let authority = Authority::new();
    let (_server, address) = serve_as(&authority, Server::builder(support::echo)).await;
    let mut stream = dial(address, client_config(&authority, &[])).await;
    stream.write_all(WEBSOCKET.as_bytes()).await.unwrap();
    let mut record = vec![0; 4096];
    let len = stream.read(&mut record).await.unwrap();
    let text = String::from_utf8_lossy(&record[..len]).into_owned();
    assert!(text.starts_with("HTTP/1.1 101") && text.contains("0{\"sid\":"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_noticed_in_time_and_its_connection_is_reset_beneath_tls() {
    let authority = Authority::new();
    let heartbeat = Heartbeat::new(Duration::from_millis(300), Duration::from_millis(200)).unwrap();
    let (sender, mut ends) = mpsc::unbounded_channel();
    let application = move |mut socket: Socket| {
        let sender = sender.clone();
        async move {
            let end = loop {
                if let Err(end) = socket.recv().await {
                    break end;
                }
            };
            sender.send(end).unwrap();
        }
    };
    let builder = Server::builder(application).heartbeat(heartbeat);
    let (_server, address) = serve_as(&authority, builder).await;
    let mut stream = dial(address, client_config(&authority, &[])).await;
    ask(&mut stream, WEBSOCKET, "0{\"sid\":").await;
    let opened = Instant::now();
    let end = ends.recv().await.unwrap();
    assert_eq!(end.reason, DisconnectReason::PingTimeout);
    assert!((499..=502).contains(&opened.elapsed().as_millis()), "{:?}", opened.elapsed());
    let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn the_end_of_a_websocket_is_told_by_close_notify_whoever_closes_it() {
    let authority = Authority::new();
    for client_closes in [true, false] {
        let application = move |mut socket: Socket| async move {
            if !client_closes {
                socket.close();
            }
            while socket.recv().await.is_ok() {}
        };
        let (_server, address) = serve_as(&authority, Server::builder(application)).await;
        let mut stream = dial(address, client_config(&authority, &[])).await;
        ask(&mut stream, WEBSOCKET, "0{\"sid\":").await;
        if client_closes {
            // A close frame, masked with zeros.
            stream.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
        }
        // Without close_notify, rustls reports an unexpected end.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.contains(&0x88), "a close frame, in {rest:?}");
    }
}

#[tokio::test]
async fn the_certificate_of_a_client_is_in_the_extensions_of_its_requests() {
    let authority = Authority::new();
    let identity = authority.sign("localhost", |_| {});
    let verifier = WebPkiClientVerifier::builder_with_provider(
        Arc::new(authority.store()),
        Arc::new(ring::default_provider()),
    );
    let config = server_config()
        .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
        .with_single_cert(vec![identity.certificate], identity.key)
        .unwrap();
    let seen: Arc<Mutex<Vec<Option<Vec<u8>>>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let application = move |socket: Socket| {
        let certificates = socket.request().unwrap().extensions.get::<ClientCertificates>();
        noted.lock().unwrap().push(certificates.map(|all| all.chain().next().unwrap().to_vec()));
        support::echo(socket)
    };
    let (_server, address) = support::serve_over(Server::builder(application), |listener| {
        TlsListener::with_config(listener, config)
    })
    .await;
    let own = authority.sign("a client", |_| {});
    let certificate = own.certificate.to_vec();
    let with_own = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.store())
        .with_client_auth_cert(vec![own.certificate], own.key)
        .unwrap();
    for config in [with_own, client_config(&authority, &[])] {
        for client in clients(address) {
            echoes(client.upgrade(false).tls_config(config.clone())).await;
        }
    }
    let expected = [Some(certificate.clone()), Some(certificate), None, None];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn shutdown_delivers_the_messages_of_sessions_over_tls_and_drops_handshakes() {
    let authority = Authority::new();
    let config = offering(authority.sign("localhost", |_| {}));
    let application = |mut socket: Socket| async move {
        socket.send("hello").await.unwrap();
        while socket.recv().await.is_ok() {}
    };
    let server = Server::builder(application).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(TlsListener::with_config(listener, config)).await }
    });
    let mut sockets = Vec::new();
    for client in clients(address) {
        let client = client.upgrade(false).tls_config(client_config(&authority, &[])).build().unwrap();
        let mut socket = client.connect().await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Message::text("hello"));
        sockets.push(socket);
    }
    let mut stalled = TcpStream::connect(address).await.unwrap();
    server.broadcast("goodbye");
    let limit = Duration::from_secs(20);
    assert!(server.shutdown(limit).await.is_empty());
    for mut socket in sockets {
        assert_eq!(socket.recv().await.unwrap(), Message::text("goodbye"));
        socket.recv().await.unwrap_err();
    }
    assert_eq!(stalled.read(&mut [0; 16]).await.unwrap_or(0), 0);
    serving.await.unwrap().unwrap();
}
