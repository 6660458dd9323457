//! The client in WebAssembly, in Chromium, with the core's example of a server and with engine.io.

use core::time::Duration;
use std::path::Path;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::get;
use eio_tests::built::target_directory;
use eio_tests::interop::{Browser, Case, LATE, Log, ServerKind, StockServer};
use eio_tokio::Message;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::runtimes::ExampleServer;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "the client in WebAssembly talks, answers pings, and notices a server that vanishes",
            vanishes,
        ),
        Case::new("the client in WebAssembly lives with engine.io 6", with_engine_io),
    ]
}

/// Serves the page where its comment says, and returns its URL for this server.
async fn page(server: &str) -> String {
    const WASM: &str = "wasm32-unknown-unknown/release/eio_browser_example.wasm";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../browser-example/index.html");
    let page = std::fs::read_to_string(file).expect("the page is there");
    let module = std::fs::read(target_directory("Cargo.toml").join(WASM)).expect("the module has been built");
    let router = Router::new()
        .route("/browser-example/", get(Html(page)))
        .route(&format!("/target/{WASM}"), get(([(CONTENT_TYPE, "application/wasm")], module)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    // It ends with the program.
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/browser-example/?server={}", server.replace("http://", "ws://"))
}

async fn vanishes(log: Log) {
    let (interval, timeout) = (1_000, 4_000);
    let mut server = ExampleServer::start("on_mio", interval, timeout, &log).await;
    let browser = Browser::start(&page(&server.url).await, &log);
    // It has sent a text and bytes.
    browser.titled("open, 2 messages").await;
    // Without pongs, the session would have ended.
    let due = Duration::from_millis(u64::from(interval + timeout));
    tokio::time::sleep(due + Duration::from_secs(2)).await;
    assert!(!server.has_ended_one(), "it answers pings");
    let before = Instant::now();
    server.signal("STOP");
    browser.titled("ended: ping timeout").await;
    let took = before.elapsed();
    assert!(took > Duration::from_millis(u64::from(timeout)) && took < due + LATE, "noticed after {took:?}");
    server.signal("CONT");
    let end = server.end().await;
    assert!(end.contains("transport close"), "{end}");
}

async fn with_engine_io(log: Log) {
    let options = json!({ "pingInterval": 300, "pingTimeout": 20_000 });
    let mut server = StockServer::start(ServerKind::Engine6, &options, &log).await;
    let browser = Browser::start(&page(&server.url()).await, &log);
    let mut session = server.accept().await;
    assert_eq!(session.message().await, Message::text("hello"));
    assert_eq!(session.message().await, Message::binary(vec![0, 1, 255]));
    for _ in 0..3 {
        session.heartbeat().await;
    }
    session.send(&Message::text("€😀"));
    session.send(&Message::binary(vec![1, 2]));
    browser.titled("open, 2 messages").await;
    session.close();
    browser.titled("ended: transport close").await;
}
