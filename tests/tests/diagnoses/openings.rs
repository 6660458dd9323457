//! Hosts, ports and paths where no session opens.

use core::net::SocketAddr;
use core::task::Poll;

use eio_tests::interop::{Case, Log, ServerKind, StockServer, free_port};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

use crate::cases;
use crate::proxies::Proxy;
use crate::tool::{self, Tool};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_path_that_node_does_not_know_gets_no_answer,
        a_host_that_drops_packets_is_unreachable,
        a_name_that_does_not_exist_is_unknown,
        a_port_where_nothing_listens_is_named,
        a_unix_socket_that_is_missing_is_named,
        a_unix_socket_that_cannot_be_opened_fails,
        a_port_that_speaks_another_protocol_is_named,
        a_proxy_for_tunnels_that_fails_is_named,
    ]
}

async fn a_path_that_node_does_not_know_gets_no_answer(log: Log) {
    let server = StockServer::start(ServerKind::SocketIo4, &json!({}), &log).await;
    let mut polling = Tool::start(&[&server.url()], &log);
    assert_eq!(polling.event("waiting").await["waiting_for"], "handshake");
    tool::ends(&["--transport", "websocket", &server.url()], "closed-without-answer", 3, &log).await;
    polling.ends("accepted-but-silent", 3).await;
    tool::joins(&["--socketio", &server.url()], &log).await;
}

async fn a_host_that_drops_packets_is_unreachable(log: Log) {
    // The kernel drops what asks for a connection while the queue of the listener is full.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("loopback has a free port");
    let listener = socket.listen(1).expect("it is bound");
    let address = listener.local_addr().expect("it is bound");
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let mut connecting = Box::pin(tokio::net::TcpStream::connect(address));
        // The first poll asks for the connection, so that the tool's comes behind it.
        core::future::poll_fn(|cx| Poll::Ready(connecting.as_mut().poll(cx).is_ready())).await;
        waiting.push(tokio::spawn(connecting));
    }
    let mut tool = Tool::start(&[&format!("http://{address}")], &log);
    assert_eq!(tool.event("waiting").await["waiting_for"], "connection");
    tool.ends("host-unreachable", 3).await;
}

async fn a_name_that_does_not_exist_is_unknown(log: Log) {
    // No name ends like this (RFC 6761).
    tool::ends(&["http://eio.invalid/"], "unknown-host", 3, &log).await;
}

async fn a_port_where_nothing_listens_is_named(log: Log) {
    tool::ends(&[&format!("ws://127.0.0.1:{}", free_port())], "nothing-listens", 3, &log).await;
}

async fn a_unix_socket_that_is_missing_is_named(log: Log) {
    tool::ends(&["--unix", "/no/such/socket"], "no-unix-socket", 3, &log).await;
}

async fn a_unix_socket_that_cannot_be_opened_fails(log: Log) {
    // Part of the path is not a folder.
    tool::ends(&["--unix", "/dev/null/socket"], "connection-failed", 3, &log).await;
}

async fn a_port_that_speaks_another_protocol_is_named(log: Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            // As Redis answers, which waits for a request.
            stream.read_exact(&mut [0; 4]).await.expect("the client asks");
            stream.write_all(b"-ERR unknown command 'GET'\r\n").await.expect("the client reads");
            open.push(stream);
        }
    });
    tool::ends(&[&url], "not-http", 3, &log).await;
    tool::ends(&["--proxy", &url, "http://app.example"], "not-a-proxy", 3, &log).await;
}

async fn a_proxy_for_tunnels_that_fails_is_named(log: Log) {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let server = "http://app.invalid";
    tool::ends(&["--proxy", &nobody, server], "proxy-unreachable", 3, &log).await;
    let proxy = Proxy::tinyproxy("BasicAuth ann secret", &log).await;
    let url = proxy.url("http", "");
    tool::ends(&["--proxy", &url, server], "proxy-credentials", 3, &log).await;
    let wrong = url.replacen("http://", "http://ann:wrong@", 1);
    tool::ends(&["--proxy", &wrong, server], "proxy-credentials", 3, &log).await;
    let proxy = Proxy::tinyproxy("ConnectPort 443", &log).await;
    tool::ends(&["--proxy", &proxy.url("http", ""), server], "proxy-refuses-tunnel", 3, &log).await;
}
