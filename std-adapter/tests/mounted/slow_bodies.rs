//! Routes beside the server, in `serve_with`: what bodies of requests and long work may take.

use core::time::Duration;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::{get, post};
use eio_tokio::axum::RouterExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{echo, listener};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A server that has one connection at a time, with routes that read a body and that work for long.
async fn routes() -> SocketAddr {
    let server = echo().request_timeout(TIMEOUT).max_connections(1).build().unwrap();
    let (listener, address) = listener().await;
    let works = async || {
        tokio::time::sleep(10 * TIMEOUT).await;
        "worked"
    };
    let router = Router::new()
        .route("/length", post(async |body: String| body.len().to_string()))
        .route("/work", get(works))
        .engine_io(&server);
    tokio::spawn(async move { server.serve_with(listener, router).await });
    address
}

/// Sends the pieces of a request, each after this pause, and returns the status of the answer and its end.
async fn ask(address: SocketAddr, pause: Duration, pieces: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for piece in pieces {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(pause).await;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap();
    format!("{status} {}", answer.rsplit("\r\n").next().unwrap())
}

const HEAD: &str = "POST /length HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\nconnection: close\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_gives_its_connection_back() {
    let address = routes().await;
    for head in [HEAD, &HEAD.replace("connection: close\r\n", "")] {
        let began = tokio::time::Instant::now();
        let answer = ask(address, Duration::ZERO, &[head, "abc"]).await;
        assert!(answer.starts_with("400 ") && answer.contains("the body of the request stopped"), "{answer}");
        assert!((TIMEOUT..TIMEOUT + Duration::from_secs(1)).contains(&began.elapsed()));
    }
    assert_eq!(ask(address, Duration::ZERO, &[HEAD, "abcdefghi"]).await, "200 9");
}

#[tokio::test(start_paused = true)]
async fn a_post_of_a_session_that_stops_is_refused_as_late_and_not_as_broken() {
    let address = routes().await;
    let open = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for piece in ["", "4"] {
        let opened = ask(address, Duration::ZERO, &[open]).await;
        let sid = opened.split('"').nth(3).unwrap();
        let head = HEAD.replace("/length", &format!("/engine.io/?EIO=4&transport=polling&sid={sid}"));
        let began = tokio::time::Instant::now();
        let answer = ask(address, Duration::ZERO, &[&head, piece]).await;
        assert!(answer.starts_with("408 "), "{piece:?}: {answer}");
        assert!((TIMEOUT..TIMEOUT + Duration::from_secs(1)).contains(&began.elapsed()), "{piece:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_goes_on_and_a_route_that_works_for_long_are_left_alone() {
    let address = routes().await;
    assert_eq!(ask(address, Duration::from_secs(9), &[HEAD, "abc", "def", "ghi"]).await, "200 9");
    let work = "GET /work HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert_eq!(ask(address, Duration::ZERO, &[work]).await, "200 worked");
}
