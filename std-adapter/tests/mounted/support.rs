//! What several files of tests use.

use core::time::Duration;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use eio_tokio::axum::RouterExt as _;
use eio_tokio::{Client, ClientBuilder, ClientSocket, PeerAddr, Server, ServerBuilder, Socket, Transport};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tower_service::Service;

use crate::watch::watch_sessions;

/// The query of a client that asks for a session.
pub(crate) const OPEN: &str = "EIO=4&transport=polling";

/// A server whose application sends every message back.
pub(crate) fn echo() -> ServerBuilder {
    watch_sessions();
    Server::builder(|mut socket: Socket| async move {
        while let Ok(message) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Serves a router with axum, and returns where.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Serves in a router with axum, which says who the peer is, and returns where.
pub(crate) async fn serve_with_connect_info(server: &Server) -> SocketAddr {
    let (listener, address) = listener().await;
    let router = Router::new().engine_io(server);
    tokio::spawn(async move {
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
    });
    address
}

/// Serves with hyper alone, which says who the peer is.
pub(crate) async fn serve_on_hyper(listener: TcpListener, server: Server) {
    while let Ok((stream, peer)) = listener.accept().await {
        let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_mins(1));
        let server = server.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddr(peer));
            server.service().call(request)
        });
        tokio::spawn(async move {
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

/// Asks a service for a path, as a server of HTTP does: the status and the body of the answer.
pub(crate) async fn get<S, B>(mut service: S, path: &str) -> (StatusCode, String)
where
    S: Service<Request<Body>, Response = Response<B>, Error: core::fmt::Debug>,
    B: http_body::Body<Data = Bytes, Error: core::fmt::Debug>,
{
    let request = Request::builder().uri(path).header("host", "a").body(Body::empty()).unwrap();
    core::future::poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    let (head, body) = service.call(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, String::from_utf8(body.to_vec()).unwrap())
}

/// The status of a router's answer to a client that asks for a session at this path.
pub(crate) async fn status(router: &Router, path: &str) -> u16 {
    get(router.clone(), &format!("{path}?{OPEN}")).await.0.as_u16()
}

/// A client of this transport alone.
pub(crate) fn client(address: SocketAddr, transport: Transport) -> ClientBuilder {
    Client::builder(format!("http://{address}")).transports([transport]).upgrade(false)
}

/// Opens a session on each transport, and sees that messages come back.
pub(crate) async fn assert_echoes(builder: impl Fn() -> ClientBuilder) {
    for transport in [Transport::Polling, Transport::WebSocket] {
        let socket =
            builder().transports([transport]).upgrade(false).build().unwrap().connect().await.unwrap();
        assert_echo(socket).await;
    }
    // And one that moves from one to the other.
    let mut socket = builder().build().unwrap().connect().await.unwrap();
    while socket.transport() == Transport::Polling {
        socket.send("again").await.unwrap();
        assert_eq!(socket.recv().await.unwrap().as_text(), Some("again"));
    }
    assert_echo(socket).await;
}

async fn assert_echo(mut socket: ClientSocket) {
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap().as_text(), Some("hello"));
    socket.close();
    socket.closed().await;
}
