//! A chat room in axum: a page, and an Engine.IO server mounted beside it.
//!
//! Run `cargo run --example axum_chat`, open <http://127.0.0.1:3000> in two tabs, and close one of them.

use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use eio_tokio::{Heartbeat, Message, Server, Socket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder(chat)
        // Short periods, so that the server notices within 8 s when a tab disappears without a close.
        .heartbeat(Heartbeat::new(Duration::from_secs(5), Duration::from_secs(3))?)
        .build()?;

    let router = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route_service("/engine.io/", server.service())
        // Clients can be configured to omit the last slash.
        .route_service("/engine.io", server.service());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

async fn chat(mut socket: Socket) {
    let server = socket.server();
    let name = format!("guest {}", socket.id().short());
    server.broadcast(format!("{name} has come: {} here", server.len()));
    let end = loop {
        match socket.recv().await {
            Ok(Message::Text(text)) => {
                // Remove control characters. One of them, U+001E, cannot be sent to clients on polling.
                let line: String = text.chars().filter(|character| !character.is_control()).collect();
                server.broadcast(format!("{name}: {line}"));
            }
            Ok(Message::Binary(_)) => {}
            Err(end) => break end,
        }
    };
    server.broadcast(format!("{name} has gone: {}", end.reason));
}
