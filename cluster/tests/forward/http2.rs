//! Clients that speak HTTP/2 to a node, and HTTP/1.1 between the nodes.

use eio_tokio::bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{World, open};

/// A client of b2 that speaks HTTP/2, on a server that offers WebSockets there.
async fn http2(world: &World) -> SendRequest<Full<Bytes>> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let service = TowerToHyperService::new(world.b.forwarder.service());
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    tokio::spawn(server.enable_connect_protocol().serve_connection(TokioIo::new(far), service));
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(near)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(method: Method, query: &str, body: &'static str) -> Request<Full<Bytes>> {
    let uri = format!("http://chat.test/engine.io/?EIO=4&transport={query}");
    Request::builder().method(method).uri(uri).body(Full::from(body)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn polling_over_http_2_is_forwarded() {
    let world = World::new();
    let mut client = http2(&world).await;
    let query = format!("polling&sid={}", open(&world.a.link).await);
    let mut poller = client.clone();
    let poll = tokio::spawn(poller.send_request(request(Method::GET, &query, "")));
    let posted = client.send_request(request(Method::POST, &query, "4hello")).await.unwrap();
    assert_eq!((posted.status().as_u16(), posted.version()), (200, Version::HTTP_2));
    let answer = poll.await.unwrap().unwrap();
    assert!(!answer.headers().contains_key("connection") && !answer.headers().contains_key("keep-alive"));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "4hello");
    let gone = request(Method::GET, "polling&sid=c3xxxxxxxxxxxxxxxxxx", "");
    assert_eq!(client.send_request(gone).await.unwrap().status(), 400);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_on_a_stream_of_http_2_becomes_an_upgrade_between_the_nodes() {
    let world = World::new();
    let mut client = http2(&world).await;
    let sid = open(&world.a.link).await;
    // By the first answer, the client knows what the server offers.
    let _ = client.send_request(request(Method::GET, "polling", "")).await.unwrap();
    let mut head = request(Method::CONNECT, &format!("websocket&sid={sid}"), "");
    head.extensions_mut().insert(Protocol::from_static("websocket"));
    head.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
    head.headers_mut().insert("sec-websocket-protocol", "chat".parse().unwrap());
    let answer = client.send_request(head).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["sec-websocket-protocol"]),
        (200, &"chat".parse().unwrap())
    );
    assert!(
        !answer.headers().contains_key("sec-websocket-accept") && !answer.headers().contains_key("upgrade")
    );
    let mut stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    stream.write_all(b"\x81\x86\0\0\0\x002probe").await.unwrap();
    let mut probed = [0; 8];
    stream.read_exact(&mut probed).await.unwrap();
    assert_eq!(&probed, b"\x81\x063probe");
    assert_eq!(world.b.forwarder.counts().websockets, 1);
}
