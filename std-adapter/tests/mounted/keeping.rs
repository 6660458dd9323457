//! B30 in other people's servers: what `docs/mounting.md` says to set keeps sessions on polling alive, and what it says
//! of the defaults is so.

use core::time::Duration;
use std::net::SocketAddr;

use axum::Router;
use eio_core::Heartbeat;
use eio_tokio::Server;
use http::{HeaderName, HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{listener, serve};

/// Longer than hyper keeps a connection unless told otherwise; with the timeout, less than the recipes say.
const INTERVAL: Duration = Duration::from_secs(40);
const TIMEOUT: Duration = Duration::from_secs(10);

fn server() -> Server {
    Server::builder(|mut socket| async move { while socket.recv().await.is_ok() {} })
        .heartbeat(Heartbeat::new(INTERVAL, TIMEOUT).unwrap())
        .response_header(HeaderName::from_static("keep-alive"), HeaderValue::from_static("timeout=55"))
        .build()
        .unwrap()
}

/// A connection that is used again and again. The body of the answer; none when the server has closed.
struct Connection(TcpStream);

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn ask(&mut self, method: &str, query: &str, body: &str) -> Option<String> {
        let length = body.len();
        let request = format!(
            "{method} /engine.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nhost: a\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes()).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("keep-alive: timeout="), "{head}");
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        self.0.read_exact(&mut body).await.ok()?;
        Some(String::from_utf8(body).unwrap())
    }
}

/// Lives through some heartbeats on two connections, and says how many they carried.
async fn heartbeats(address: SocketAddr) -> usize {
    const WANTED: usize = 3;
    let (mut get, mut post) = (Connection::open(address).await, Connection::open(address).await);
    let open = get.ask("GET", "", "").await.unwrap();
    let query = format!("&sid={}", open.split('"').nth(3).unwrap());
    assert_eq!(post.ask("POST", &query, "4hello").await.as_deref(), Some("ok"));
    for heartbeat in 0..WANTED {
        assert_eq!(get.ask("GET", &query, "").await.as_deref(), Some("2"));
        if post.ask("POST", &query, "3").await.is_none() {
            return heartbeat;
        }
    }
    WANTED
}

/// The server's setting of the time for heads.
#[derive(Clone, Copy)]
enum Limit {
    Default,
    Short,
    Recipe,
}

#[tokio::test(start_paused = true)]
async fn b30_a_router_served_by_eio_needs_nothing() {
    let server = server();
    let (listener, address) = listener().await;
    let router = Router::new().route_service("/engine.io/", server.service());
    tokio::spawn(async move {
        server.serve_with(listener, router).await.unwrap();
    });
    assert_eq!(heartbeats(address).await, 3);
}

#[tokio::test(start_paused = true)]
async fn b30_axum_needs_nothing() {
    let router = Router::new().route_service("/engine.io/", server().service());
    assert_eq!(heartbeats(serve(router).await).await, 3);
}

/// axum-server as it comes, or as the recipe has it, or with less time than the recipe.
async fn axum_server(limit: Limit) -> usize {
    let (listener, address) = listener().await;
    let listener = listener.into_std().unwrap();
    let router = Router::new().route_service("/engine.io/", server().service());
    tokio::spawn(async move {
        let mut http = axum_server::from_tcp(listener).unwrap();
        match limit {
            Limit::Default => {}
            Limit::Short => _ = http.http_builder().http1().header_read_timeout(Duration::from_secs(30)),
            Limit::Recipe => {
                http.http_builder().http1().header_read_timeout(Duration::from_mins(1));
            }
        }
        http.serve(router.into_make_service()).await.unwrap();
    });
    heartbeats(address).await
}

#[tokio::test(start_paused = true)]
async fn b30_axum_server_needs_nothing_or_a_time_for_heads_that_is_long_enough() {
    assert_eq!(axum_server(Limit::Recipe).await, 3);
    assert_eq!(axum_server(Limit::Default).await, 3, "there is a default now: say so in docs/mounting.md");
    assert_eq!(axum_server(Limit::Short).await, 0);
}

/// hyper with its defaults, or as the recipe has it.
async fn hyper_server(with_recipe: bool) -> usize {
    let (listener, address) = listener().await;
    let server = server();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            if with_recipe {
                builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_mins(1));
            } else {
                builder.http1().timer(TokioTimer::new());
            }
            let service = TowerToHyperService::new(server.service());
            tokio::spawn(async move {
                let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            });
        }
    });
    heartbeats(address).await
}

#[tokio::test(start_paused = true)]
async fn b30_hyper_with_a_timer_needs_a_longer_time_for_heads() {
    assert_eq!(hyper_server(true).await, 3);
    assert_eq!(hyper_server(false).await, 0, "the default is no longer 30 s: say so in docs/mounting.md");
}
