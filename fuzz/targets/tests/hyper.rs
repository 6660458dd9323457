//! A bug of hyper 1.12.0 that the target `http` trips over, by hyper alone: ready to be reported.
//!
//! A server on HTTP/1.1 panics, if its assertions are on, when a client has not read the answer to a body that it then sends,
//! and sends a request behind it that is none: the answer to that, `400 Bad Request`, is put behind the one that waits (`Conn::on_error` calls `write_head`),
//! although `write_head` asserts that nothing waits (`can_write_head`). Without assertions, both answers arrive. So
//! libFuzzer plays with hyper's assertions off (`fuzz/Cargo.toml`), and only then gives connections small buffers (feature
//! `small-buffers`). When this test fails, hyper is mended: then both can go.
#![cfg(debug_assertions)]

use core::time::Duration;
use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

#[tokio::test(start_paused = true)]
#[should_panic(expected = "self.can_write_head()")]
async fn a_bad_request_behind_an_answer_that_nobody_reads_trips_an_assertion() {
    // The connection has no room for the answer, which is there before the body that it answers.
    let (mut client, server) = tokio::io::duplex(64);
    let service = service_fn(async |request: Request<Incoming>| {
        tokio::spawn(request.into_body().collect());
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(&[b'x'; 1_000]))))
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(server), service);
    let requests = async {
        client.write_all(b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n").await.expect("room");
        sleep(Duration::from_secs(1)).await;
        client.write_all(b"1no request\r\n\r\n").await.expect("room");
        sleep(Duration::from_secs(1)).await;
    };
    let _ = timeout(Duration::from_secs(9), async { tokio::join!(connection, requests) }).await;
}
