//! The servers that a session may run in: each carries polling, WebSockets, and the way from one to the other.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt as _;
use axum_server::tls_rustls::RustlsConfig;
use bytes::Bytes;
use eio_tokio::axum::RouterExt as _;
use eio_tokio::rustls::ServerConfig;
use eio_tokio::rustls::crypto::ring;
use eio_tokio::rustls::pki_types::PrivatePkcs8KeyDer;
use eio_tokio::test_util::Network;
use eio_tokio::{Client, DisconnectReason, Server, Socket};
use http::{Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support::{OPEN, assert_echoes, echo, listener, serve, serve_on_hyper};

/// Of whom a session was, and how and when it ended.
type End = (Option<SocketAddr>, DisconnectReason, Instant);

/// A server that sends every message back and tells the ends of its sessions.
fn telling() -> (Server, mpsc::UnboundedReceiver<End>) {
    let (sender, ends) = mpsc::unbounded_channel();
    let server = Server::builder(move |mut socket: Socket| {
        let sender = sender.clone();
        async move {
            while let Ok(message) = socket.recv().await {
                let _ = socket.send(message).await;
            }
            let _ = sender.send((socket.peer_addr(), socket.closed().await.reason, Instant::now()));
        }
    });
    (server.build().unwrap(), ends)
}

fn router() -> Router {
    Router::new().engine_io(&echo().build().unwrap())
}

#[tokio::test]
async fn axums_server_carries_every_transport() {
    let address = serve(router()).await;
    assert_echoes(|| Client::builder(format!("http://{address}"))).await;
}

#[tokio::test]
async fn axums_server_with_socket_options_carries_every_transport() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let listener = listener.tap_io(|socket| _ = socket.set_nodelay(true));
        axum::serve(listener, router().into_make_service_with_connect_info::<SocketAddr>()).await
    });
    assert_echoes(|| Client::builder(format!("http://{address}"))).await;
}

#[tokio::test(start_paused = true)]
async fn axums_server_carries_sessions_of_an_in_memory_network_with_their_addresses_and_on_time() {
    let network = Network::new();
    let (server, mut ends) = telling();
    let router = Router::new().engine_io(&server);
    // Through `tap_io`, axum takes the address from any listener.
    let listener = network.listen().tap_io(|_| {});
    assert_eq!(axum::serve::Listener::local_addr(&listener).unwrap().to_string(), "10.0.0.1:80");
    tokio::spawn(async move {
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
    });
    let link = network.link();
    assert_echoes(|| Client::builder("http://app.test").link(&link)).await;
    for scheme in ["http", "ws"] {
        let link = network.link();
        let client = Client::builder(format!("{scheme}://app.test")).link(&link).upgrade(false);
        let socket = client.build().unwrap().connect().await.unwrap();
        let opened = Instant::now();
        link.cut();
        assert_eq!(socket.closed().await.reason, DisconnectReason::PingTimeout);
        let (peer, at) = loop {
            let (peer, reason, at) = ends.recv().await.unwrap();
            if reason == DisconnectReason::PingTimeout {
                break (peer, at);
            }
        };
        assert_eq!((peer.unwrap().ip(), at - opened), (link.address(), Duration::from_secs(45)), "{scheme}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn axums_server_carries_sessions_on_a_unix_socket() {
    let folder = std::env::temp_dir().join(format!("eio-mounted-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("engine.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move { axum::serve(listener, router()).await });
    assert_echoes(|| Client::builder("http://localhost").unix_socket(&path)).await;
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A certificate for `localhost` that signs itself: its bytes, and the settings of a server that has it.
fn certificate(protocols: &[&[u8]]) -> (Vec<u8>, ServerConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.der().clone(), made.signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivatePkcs8KeyDer::from(key).into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    (certificate.to_vec(), config)
}

#[tokio::test]
async fn axum_server_carries_every_transport_over_tls() {
    let (listener, address) = listener().await;
    let listener = listener.into_std().unwrap();
    let (certificate, tls) = certificate(&[b"h2", b"http/1.1"]);
    let mut http = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(Arc::new(tls))).unwrap();
    http.http_builder().http1().header_read_timeout(Duration::from_mins(1));
    tokio::spawn(http.serve(router().into_make_service()));
    let url = format!("https://localhost:{}", address.port());
    assert_echoes(|| Client::builder(&url).root_certificate(certificate.clone()).without_public_roots())
        .await;
}

#[tokio::test]
async fn hyper_alone_carries_every_transport() {
    let (listener, address) = listener().await;
    let server = echo().build().unwrap();
    tokio::spawn(serve_on_hyper(listener, server));
    assert_echoes(|| Client::builder(format!("http://{address}"))).await;
}

/// A connection that knows beforehand that the server speaks HTTP/2.
async fn http2(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Sends a request over HTTP/2: the body of the answer.
async fn ask(sender: &mut SendRequest<Full<Bytes>>, method: &str, query: &str, body: &'static str) -> String {
    let uri = format!("http://localhost/engine.io/?{query}");
    let request = Request::builder().method(method).uri(uri).body(Full::from(body)).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// A session whose poll waits on the same connection as its POST.
async fn assert_polls_over_http2(address: SocketAddr) {
    let mut sender = http2(address).await;
    let opened = ask(&mut sender, "GET", OPEN, "").await;
    let query = format!("{OPEN}&sid={}", opened.split('"').nth(3).unwrap());
    let mut polling = sender.clone();
    let (polled, posted) =
        tokio::join!(ask(&mut polling, "GET", &query, ""), ask(&mut sender, "POST", &query, "4hello"));
    assert_eq!((polled.as_str(), posted.as_str()), ("4hello", "ok"));
}

#[tokio::test]
async fn http_2_carries_polling_in_axums_server_and_in_hypers() {
    let address = serve(router()).await;
    assert_polls_over_http2(address).await;
    let (listener, address) = listener().await;
    tokio::spawn(serve_on_hyper(listener, echo().build().unwrap()));
    assert_polls_over_http2(address).await;
}

/// A WebSocket on a stream of HTTP/2, as browsers open it beside their other requests.
async fn assert_websocket_over_http2(address: SocketAddr, transport: &str) {
    let mut sender = http2(address).await;
    // By its answer at the latest, the client knows what the server offers.
    let opened = ask(&mut sender, "GET", OPEN, "").await;
    let query = match transport {
        "websocket" => "EIO=4&transport=websocket".to_owned(),
        _ => format!("EIO=4&transport=websocket&sid={}", opened.split('"').nth(3).unwrap()),
    };
    let request = Request::connect(format!("http://localhost/engine.io/?{query}"))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "chat")
        .body(Full::default())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["sec-websocket-protocol"]),
        (200, &"chat".parse().unwrap())
    );
    let mut websocket = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    if transport == "websocket" {
        assert!(receive(&mut websocket).await.starts_with("0{"));
    } else {
        send(&mut websocket, "2probe").await;
        assert_eq!(receive(&mut websocket).await, "3probe");
        send(&mut websocket, "5").await;
    }
    send(&mut websocket, "4hello").await;
    assert_eq!(receive(&mut websocket).await, "4hello");
}

/// Sends a short text frame, masked with zeros.
async fn send(websocket: &mut (impl AsyncWrite + Unpin), text: &str) {
    let header = [0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    websocket.write_all(&[&header, text.as_bytes()].concat()).await.unwrap();
}

/// Receives a text frame.
async fn receive(websocket: &mut (impl AsyncRead + Unpin)) -> String {
    assert_eq!(websocket.read_u8().await.unwrap(), 0x81);
    let len = match websocket.read_u8().await.unwrap() {
        126 => websocket.read_u16().await.unwrap().into(),
        len => usize::from(len),
    };
    let mut text = vec![0; len];
    websocket.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn http_2_carries_websockets_where_the_server_offers_them_as_axums_does() {
    let address = serve(router()).await;
    assert_websocket_over_http2(address, "websocket").await;
    assert_websocket_over_http2(address, "upgrade").await;
}

#[tokio::test]
async fn an_http_2_server_of_hypers_takes_the_service_as_it_is() {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let service = TowerToHyperService::new(echo().build().unwrap().service());
    tokio::spawn(
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(far), service),
    );
    let (mut sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(near)).await.unwrap();
    tokio::spawn(connection);
    assert!(ask(&mut sender, "GET", OPEN, "").await.starts_with("0{"));
}
