//! HTTP/2 carries polling; WebSockets are HTTP/1.1's.

use core::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{POLLING, Stage, WEBSOCKET, read, stage};

/// A connection that knows beforehand that the server speaks HTTP/2.
async fn connect(stage: &Stage) -> SendRequest<Full<Bytes>> {
    let io = TokioIo::new(stage.connect());
    let (sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    method: &str,
    path: &str,
    body: &'static str,
) -> Response<Incoming> {
    let request = Request::builder().method(method).uri(format!("http://chat.example.org{path}"));
    sender.send_request(request.body(Full::from(body)).unwrap()).await.unwrap()
}

/// Opens a session. Returns its path and its sid.
async fn open(sender: &mut SendRequest<Full<Bytes>>) -> (String, String) {
    let opened = text(ask(sender, "GET", POLLING, "").await).await;
    let (_, rest) = opened.split_once("\"sid\":\"").unwrap();
    let sid = rest.split('"').next().unwrap();
    (format!("{POLLING}&sid={sid}"), sid.to_owned())
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn many_sessions_poll_over_one_connection() {
    let stage = stage(|builder| builder);
    let mut sender = connect(&stage).await;
    let mut polls = Vec::new();
    for _ in 0..50 {
        let (path, _) = open(&mut sender).await;
        assert_eq!(text(ask(&mut sender, "POST", &path, "4hello").await).await, "ok");
        let mut sender = sender.clone();
        polls.push(tokio::spawn(async move { text(ask(&mut sender, "GET", &path, "").await).await }));
    }
    assert_eq!(stage.server.len(), 50);
    assert_eq!(stage.seen.lock().unwrap().messages.len(), 50);
    stage.server.broadcast("to all");
    for poll in polls {
        assert_eq!(poll.await.unwrap(), "4to all");
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_over_http_2_is_refused() {
    let stage = stage(|builder| builder);
    let mut sender = connect(&stage).await;
    let refused = ask(&mut sender, "GET", WEBSOCKET, "").await;
    assert_eq!(refused.status(), 400);
    assert_eq!(text(refused).await, r#"{"code":3,"message":"Bad request"}"#);
}

#[tokio::test(start_paused = true)]
async fn an_http_2_connection_that_is_kept_for_nothing_is_closed() {
    let stage = stage(|builder| builder.idle_timeout(Duration::from_secs(5)));
    let mut sender = connect(&stage).await;
    let refused = ask(&mut sender, "GET", "/elsewhere", "").await;
    assert_eq!((refused.status().as_u16(), refused.headers().get("keep-alive")), (404, None));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(!sender.is_closed());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(sender.is_closed());
}

#[tokio::test(start_paused = true)]
async fn http_2_can_be_switched_off() {
    let stage = stage(|builder| builder.http2(false).request_timeout(Duration::from_secs(5)));
    let mut connection = stage.connect();
    tokio::io::AsyncWriteExt::write_all(&mut connection, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    assert!(read(&mut connection).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_take_one_of_its_answers_is_dropped_whatever_its_other_streams_do() {
    for another_polls in [false, true] {
        let stage = stage(|builder| builder.request_timeout(Duration::from_secs(5)));
        let io = TokioIo::new(stage.connect());
        let mut builder = Builder::new(TokioExecutor::new());
        let (mut sender, connection) = builder.initial_stream_window_size(100).handshake(io).await.unwrap();
        tokio::spawn(connection);
        let (path, sid) = open(&mut sender).await;
        if another_polls {
            let (path, _) = open(&mut sender).await;
            let mut sender = sender.clone();
            tokio::spawn(async move { ask(&mut sender, "GET", &path, "").await });
        }
        stage.server.get(&sid).unwrap().try_send("x".repeat(100_000)).unwrap();
        let untaken = ask(&mut sender, "GET", &path, "").await;
        tokio::time::sleep(Duration::from_millis(9_900)).await;
        assert!(!sender.is_closed());
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(sender.is_closed(), "another stream polls: {another_polls}");
        drop(untaken);
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_of_headers_is_limited_and_split_cookies_count_once() {
    let stage = stage(|builder| builder.max_request_head(8 * 1024, 20));
    let mut sender = connect(&stage).await;
    for (name, headers, status) in [("a", 20, 200), ("a", 21, 431), ("cookie", 30, 200)] {
        let mut request = Request::builder().uri(format!("http://chat.example.org{POLLING}"));
        for _ in 0..headers {
            request = request.header(name, "b");
        }
        let answer = sender.send_request(request.body(Full::default()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status, "{headers} times {name}");
    }
}
