//! Servers of engineioxide and socketioxide on hyper, which say what happens as lines of JSON.
//!
//! `eio-peers-of-today <engineioxide or socketioxide> <options as JSON>`: `pingInterval`, `pingTimeout` and `upgradeTimeout` in
//! milliseconds, and `burst`, how many messages a session is sent when it opens. It ends when standard input does, or at a
//! line in it that says `close`. `older_oxide` builds it with older versions, which have no `upgradeTimeout`.

mod engine;
mod socket;

use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the command line asks for.
#[derive(Clone)]
struct Options(Value);

impl Options {
    fn millis(&self, name: &str, default: u64) -> Duration {
        Duration::from_millis(self.0[name].as_u64().unwrap_or(default))
    }

    fn burst(&self) -> u64 {
        self.0["burst"].as_u64().unwrap_or_default()
    }

    /// The bytes of each message of the burst.
    fn size(&self) -> usize {
        self.0["size"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(1)
    }
}

/// Writes a line of JSON: the event, and what belongs to it.
fn say(event: &str, mut more: Value) {
    more["event"] = event.into();
    println!("{more}");
}

/// Serves on a port of its own, with hyper's usual settings and a timer, as axum does.
async fn serve<S, B>(service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: std::error::Error + Send + Sync,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: std::error::Error + Send + Sync,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    say("listening", json!({ "port": port }));
    while let Ok((stream, _)) = listener.accept().await {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new());
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service.clone()).with_upgrades());
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let library = arguments.next().expect("a library");
    let options =
        arguments.next().and_then(|json| serde_json::from_str(&json).ok()).expect("options as JSON");
    let options = Options(options);
    if library == "engineioxide" { engine::run(&options).await } else { socket::run(&options).await }
}

/// Waits for a line that says `close`. Ends the program with its standard input.
fn when_told(close: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        let told = std::io::stdin().lines().map_while(Result::ok).any(|line| line.contains("close"));
        if told {
            close();
        }
        while std::io::stdin().lines().next().is_some() {}
        std::process::exit(0);
    });
}
