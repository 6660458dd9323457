//! The addresses of clients: what `axum::serve` and axum-server know of them reaches sessions and limits.

use core::time::Duration;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::connect_info::MockConnectInfo;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use eio_tokio::axum::RouterExt as _;
use eio_tokio::{Forwarding, PeerAddr, Server, Socket, TrustedProxies};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;

use crate::support::{echo, listener, serve, serve_on_hyper, serve_with_connect_info, status};

/// What a client with this address is answered, asking for a session.
async fn status_for(client: [u8; 4], server: SocketAddr) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((client, 0).into()).unwrap();
    let mut stream = socket.connect(server).await.unwrap();
    let request = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: a\r\n\
                   x-forwarded-for: 192.0.2.1\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

fn one_handshake_each() -> Server {
    echo().handshakes_per_address(1, Duration::from_mins(1)).build().unwrap()
}

/// Clients are counted one by one.
async fn assert_counted(address: SocketAddr) {
    assert_eq!(status_for([127, 0, 0, 1], address).await, "200");
    assert_eq!(status_for([127, 0, 0, 1], address).await, "429");
    assert_eq!(status_for([127, 0, 0, 2], address).await, "200");
}

#[tokio::test(start_paused = true)]
async fn connect_info_of_axums_server_is_the_peer_so_that_clients_are_counted_one_by_one() {
    assert_counted(serve_with_connect_info(&one_handshake_each()).await).await;
}

#[tokio::test(start_paused = true)]
async fn connect_info_is_the_peer_behind_a_listener_that_sets_options_of_its_sockets() {
    let (listener, address) = listener().await;
    let router = Router::new().engine_io(&one_handshake_each());
    tokio::spawn(async move {
        let listener = listener.tap_io(|socket| _ = socket.set_nodelay(true));
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
    });
    assert_counted(address).await;
}

#[tokio::test(start_paused = true)]
async fn connect_info_of_axum_server_is_the_peer() {
    let (listener, address) = listener().await;
    let router = Router::new().engine_io(&one_handshake_each());
    let http = axum_server::from_tcp(listener.into_std().unwrap()).unwrap();
    tokio::spawn(http.serve(router.into_make_service_with_connect_info::<SocketAddr>()));
    assert_counted(address).await;
}

#[tokio::test(start_paused = true)]
async fn an_address_that_a_service_on_hyper_inserts_is_the_peer() {
    let (listener, address) = listener().await;
    tokio::spawn(serve_on_hyper(listener, one_handshake_each()));
    assert_counted(address).await;
}

#[tokio::test(start_paused = true)]
async fn without_connect_info_all_clients_count_as_one() {
    let address = serve(Router::new().engine_io(&one_handshake_each())).await;
    assert_eq!(status_for([127, 0, 0, 1], address).await, "200");
    assert_eq!(status_for([127, 0, 0, 2], address).await, "429", "say so in the guide");
}

/// The peer that the application of a session sees, with these settings of the router.
async fn peer(configure: impl FnOnce(Router) -> Router) -> Option<SocketAddr> {
    let (sender, mut peers) = mpsc::unbounded_channel();
    let server = Server::builder(move |socket: Socket| {
        let seen = socket.request().unwrap().extensions.get().map(|PeerAddr(peer)| *peer);
        assert_eq!(seen, socket.peer_addr());
        sender.send(socket.peer_addr()).unwrap();
        async {}
    });
    let router = configure(Router::new().engine_io(&server.build().unwrap()));
    assert_eq!(status(&router, "/engine.io/").await, 200);
    peers.recv().await.unwrap()
}

#[tokio::test]
async fn the_address_of_axums_tests_is_the_peer_and_an_address_of_the_application_goes_first() {
    let (mocked, own) = (SocketAddr::from(([192, 0, 2, 1], 1)), SocketAddr::from(([192, 0, 2, 2], 2)));
    assert_eq!(peer(|router| router).await, None);
    assert_eq!(peer(|router| router.layer(MockConnectInfo(mocked))).await, Some(mocked));
    let both = peer(|router| router.layer(MockConnectInfo(mocked)).layer(axum::Extension(PeerAddr(own))));
    assert_eq!(both.await, Some(own));
}

#[tokio::test(start_paused = true)]
async fn a_proxy_is_known_by_the_address_that_axum_knows() {
    let server = echo()
        .trusted_proxies(TrustedProxies::new(Forwarding::XForwardedFor, ["127.0.0.1"]).unwrap())
        .handshakes_per_address(1, Duration::from_mins(1))
        .build()
        .unwrap();
    let address = serve_with_connect_info(&server).await;
    assert_eq!(status_for([127, 0, 0, 1], address).await, "200");
    assert_eq!(server.sessions()[0].peer_addr().unwrap().ip().to_string(), "192.0.2.1");
    // Another client, which is no proxy.
    assert_eq!(status_for([127, 0, 0, 2], address).await, "200");
}

#[tokio::test(start_paused = true)]
async fn routes_that_our_server_serves_find_the_peer_where_axums_server_puts_it() {
    let (listener, address) = listener().await;
    let server = one_handshake_each();
    let show = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string();
    let router = Router::new().route("/peer", get(show)).engine_io(&server);
    tokio::spawn(async move { server.serve_with(listener, router).await });
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /peer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
    assert_counted(address).await;
}
