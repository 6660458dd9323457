//! The core's example of a server on a runtime of its own, with this crate's client. Time is real here: nothing is judged
//! by how fast it happens.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eio_tokio::{Client, Message, Transport};

#[path = "../../core/examples/own_runtime.rs"]
mod own_runtime;

async fn echoes(url: &str, transport: Transport) {
    let mut socket = Client::builder(url).transports([transport]).build().unwrap().connect().await.unwrap();
    let long = "x".repeat(90_000);
    let messages =
        [Message::from("hello"), Message::from(vec![0, 1, 255]), Message::from("€😀"), Message::from(long)];
    for message in &messages {
        socket.send(message.clone()).await.unwrap();
    }
    for message in messages {
        assert_eq!(socket.recv().await, Ok(message), "{transport:?}");
    }
    socket.close();
    assert_eq!(socket.closed().await.reason.as_str(), "forced close", "{transport:?}");
}

#[tokio::test]
async fn a_server_on_the_core_alone_echoes_on_both_transports() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let server =
        std::thread::spawn(move || own_runtime::serve(&listener, || stopped.load(Ordering::Relaxed)));
    echoes(&url, Transport::Polling).await;
    echoes(&url, Transport::WebSocket).await;
    stop.store(true, Ordering::Relaxed);
    server.join().unwrap().unwrap();
}
