//! A client of rust_engineio on a WebSocket, which says what happens as lines of JSON.
//!
//! `eio-client-of-today <url> <bytes>`: sends one message of so many bytes when it is open, unless they are 0. It ends when
//! standard input does.

use bytes::Bytes;
use futures_util::StreamExt as _;
use rust_engineio::asynchronous::ClientBuilder;
use rust_engineio::{Packet, PacketId};
use serde_json::json;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().and_then(|url| url.parse().ok()).expect("a URL");
    let size = arguments.next().and_then(|size| size.parse::<usize>().ok()).expect("a number of bytes");
    std::thread::spawn(|| {
        while std::io::stdin().lines().next().is_some() {}
        std::process::exit(0);
    });
    let mut client = ClientBuilder::new(url).build_websocket().await.expect("a WebSocket");
    client.connect().await.expect("an open packet");
    println!("{}", json!({ "event": "open" }));
    if size > 0 {
        let client = client.clone();
        let message = Packet::new(PacketId::MessageBinary, Bytes::from(vec![0; size]));
        tokio::spawn(async move { client.emit(message).await });
    }
    let reason = loop {
        match client.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error.to_string(),
            None => break "no more packets".to_owned(),
        }
    };
    println!("{}", json!({ "event": "close", "reason": reason }));
    std::thread::park();
}
