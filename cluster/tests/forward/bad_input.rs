//! What clients and strangers make up, and nodes that are set up wrongly.

use core::cell::Cell;

use eio_cluster::forward::{Forwarder, Secret};
use eio_tokio::test_util::{Link, NetworkStream};
use eio_tokio::{Server, ServerBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use crate::support::{World, ask, begin, get, ms, open, upgrade, websocket};

const UNKNOWN: &str = r#"{"code":1,"message":"Session ID unknown"}"#;

#[tokio::test(start_paused = true)]
async fn a_sid_of_a_node_that_nobody_knows_is_unknown() {
    let world = World::with(|builder| builder, |builder| builder);
    let link = world.link();
    for sid in
        ["c3xxxxxxxxxxxxxxxxxx", "b2xxxxxxxxxxxxxxxxxx", "a7xxxxxxxxxxxxxxxxxx", "c3", "..xxxxxxxxxxxxxxxxxx"]
    {
        let (status, _, body) = ask(&link, &get(&format!("polling&sid={sid}"))).await;
        assert_eq!((status, body.as_str()), (400, UNKNOWN), "{sid}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_forwarded_once_even_if_each_directory_names_the_other_node() {
    // Both take c3 for a name of the other one.
    let world = World::with(|builder| builder, |builder| builder);
    let ways = [world.a.link.clone(), world.b.link.clone()];
    let mut forwarders = Vec::new();
    for (node, way) in [("a7", ways[1].clone()), ("b2", ways[0].clone())] {
        let server = Server::builder(crate::support::echo).node(node).build().unwrap();
        let other = |_: &str| "http://other".parse().ok();
        let forwarder = Forwarder::builder(&server, other, crate::support::secret())
            .dial_with(move |_| {
                let way = way.clone();
                async move { way.connect().await }
            })
            .build()
            .unwrap();
        let network = if node == "a7" { &world.a.network } else { &world.b.network };
        let (listener, service) = (network.listen(), forwarder.service());
        tokio::spawn(async move { server.serve_with(listener, service).await });
        forwarders.push(forwarder);
    }
    let (status, _, body) = ask(&world.a.link, &get("polling&sid=c3xxxxxxxxxxxxxxxxxx")).await;
    assert_eq!((status, body.as_str()), (400, UNKNOWN));
    let counts: Vec<_> = forwarders.iter().map(Forwarder::counts).collect();
    assert_eq!(
        counts.iter().map(|counts| (counts.requests, counts.taken)).collect::<Vec<_>>(),
        [(1, 0), (0, 1)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_forged_header_of_a_node_is_refused() {
    let world = World::new();
    let sid = open(&world.a.link).await;
    let code = "0".repeat(64);
    for value in [String::new(), format!("1 b2 0 0 {code}"), format!("1 b2 99999999999999 0 {code}")] {
        let request = get(&format!("polling&sid={sid}")).replace(
            "connection:",
            &format!("eio-forwarding: {value}\r\nforwarded: for=unknown;by=_b2\r\nconnection:"),
        );
        assert_eq!(ask(&world.a.link, &request).await.0, 403, "{value:?}");
        assert_eq!(ask(&world.link(), &request).await.0, 403, "{value:?}");
    }
    assert_eq!((world.a.forwarder.counts().refused, world.b.forwarder.counts().refused), (3, 3));
    assert_eq!(world.a.server.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_cannot_ask_what_nodes_ask_each_other() {
    let world = World::new();
    let sid = open(&world.a.link).await;
    let question = get(&format!("polling&sid={sid}")).replacen("GET", "HEAD", 1);
    let forged = question.replace("connection:", "eio-forwarding: 1 b2 0 0 0\r\nconnection:");
    assert_eq!(ask(&world.link(), &question).await.0, 400);
    assert_eq!(ask(&world.a.link, &question).await.0, 500);
    assert_eq!(ask(&world.a.link, &forged).await.0, 403);
    assert_eq!((world.b.forwarder.counts().requests, world.a.forwarder.counts().taken), (0, 0));
    assert_eq!(world.a.server.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_with_another_secret_takes_and_gives_nothing() {
    let world = World::new();
    let stranger = Server::builder(crate::support::echo).node("b2").build().unwrap();
    let way = world.a.link.clone();
    let forwarder = Forwarder::builder(
        &stranger,
        |_: &str| "http://a7".parse().ok(),
        Secret::new("another secret than theirs").unwrap(),
    )
    .dial_with(move |_| {
        let way = way.clone();
        async move { way.connect().await }
    })
    .build()
    .unwrap();
    let (listener, service) = (world.b.network.listen(), forwarder.service());
    tokio::spawn(async move { stranger.serve_with(listener, service).await });
    let sid = open(&world.a.link).await;
    let (status, _, body) = ask(&world.b.link, &get(&format!("polling&sid={sid}"))).await;
    assert_eq!((status, body.as_str()), (400, UNKNOWN));
    assert_eq!((world.a.forwarder.counts().refused, forwarder.counts().failed), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn something_else_at_the_address_of_a_node_does_not_answer_for_it() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    let mut listener = world.a.network.listen();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await;
            let mut room = [0; 4096];
            let _ = stream.read(&mut room).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n4owe").await;
        }
    });
    world.a.link.reset();
    let (status, _, body) = ask(&link, &get(&format!("polling&sid={sid}"))).await;
    assert_eq!((status, body.as_str()), (400, UNKNOWN));
}

/// Sends a post without the rest of its body.
async fn half_a_post(link: &Link, sid: &str) -> NetworkStream {
    let post = format!(
        "POST /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nhost: chat.test\r\ncontent-length: 100\r\n\r\n4half"
    );
    begin(link, &post).await
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_ends_by_a_deadline() {
    // The forwarder's limit for a body is 10 s.
    for (request_timeout, expected) in [(600_000, 10_000), (5_000, 5_000)] {
        // The session's node waits for longer than the one that forwards.
        let is_first = Cell::new(true);
        let configure = |builder: ServerBuilder| {
            builder.request_timeout(ms(if is_first.replace(false) { 600_000 } else { request_timeout }))
        };
        let world = World::with(configure, |builder| builder);
        let link = world.link();
        let sid = open(&link).await;
        let mut stream = half_a_post(&link, &sid).await;
        let begun = Instant::now();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert_eq!(begun.elapsed(), ms(expected));
        // The node sees a request that was aborted, as from a client of its own.
        assert_eq!(world.a.ends.next().await.1.reason.as_str(), "transport error");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_breaks_off_its_request_is_no_failure_between_the_nodes() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    let mut stream = half_a_post(&link, &sid).await;
    tokio::time::sleep(ms(100)).await;
    assert_eq!(world.a.forwarder.counts().taken, 1, "it is under way");
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(world.a.ends.next().await.1.reason.as_str(), "transport error");
    assert_eq!(world.b.forwarder.counts().failed, 0);
    assert_eq!(world.b.ends.refused.lock().unwrap().len(), 0, "it is not refused as one of another node");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_keeps_coming_is_passed_on_however_long_it_takes() {
    let world = World::with(
        |builder| builder.request_timeout(core::time::Duration::from_mins(10)),
        |builder| builder.max_silence(ms(1_000)).connect_timeout(ms(1_000)),
    );
    let link = world.link();
    let sid = open(&link).await;
    let head = format!(
        "POST /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nhost: chat.test\r\nconnection: close\r\n\
         content-length: 8\r\n\r\n"
    );
    let mut stream = begin(&link, &head).await;
    for byte in "4slowly!".bytes() {
        tokio::time::sleep(ms(2_000)).await;
        stream.write_all(&[byte]).await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn headers_that_are_too_large_for_a_node_end_their_request_alone() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    for kilobytes in [8, 200, 2_000] {
        let large = format!("x-large: {}\r\nconnection:", "x".repeat(kilobytes * 1024));
        let request = get(&format!("polling&sid={sid}")).replace("connection:", &large);
        let (status, ..) = ask(&link, &request).await;
        assert!([0, 200, 400, 431].contains(&status), "{status}");
    }
    let mut stream = upgrade(&link, &open(&link).await).await;
    crate::support::send(&mut stream, "4hello").await;
    assert_eq!(crate::support::receive(&mut stream).await, "4hello");
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_announces_a_body_is_refused_and_leaves_nothing_for_the_next_request() {
    let world = World::new();
    let link = world.link();
    let sid = open(&link).await;
    for body in
        ["content-length: 5\r\n\r\n4evil", "transfer-encoding: chunked\r\n\r\n5\r\n4evil\r\n0\r\n\r\n"]
    {
        let request =
            websocket(&sid).replace("connection: ", "connection: close, ").replace("\r\n\r\n", "\r\n") + body;
        assert_eq!(ask(&link, &request).await.0, 400, "{body}");
        assert_eq!(world.b.forwarder.counts().websockets, 0);
    }
    assert_eq!(world.a.server.len(), 1);
    let mut stream = upgrade(&link, &sid).await;
    crate::support::send(&mut stream, "4hello").await;
    assert_eq!(crate::support::receive(&mut stream).await, "4hello");
}
