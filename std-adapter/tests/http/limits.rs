//! Nothing that a client sends, or does not send, takes time or memory without end.

use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

use eio_core::DisconnectReason;
use eio_tokio::Rejection;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::support::{POLLING, UPGRADE, WEBSOCKET, read, send, stage, time_to_end};

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test(start_paused = true)]
async fn handshakes_per_address_are_limited_on_both_transports_and_the_answer_says_how_long_to_wait() {
    let stage = stage(|builder| builder.handshakes_per_address(2, MINUTE));
    assert_eq!(stage.get(POLLING, &[]).await.status, 200);
    assert_eq!(stage.upgrade(WEBSOCKET, &[]).await.status, 101);
    let refused = stage.get(POLLING, &[]).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("30")));
    assert_eq!(refused.text(), r#"{"code":4,"message":"Too many handshakes"}"#);
    let refused = stage.upgrade(WEBSOCKET, &[]).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("30")));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(stage.get(POLLING, &[]).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn upgrades_beyond_a_sessions_first_count_as_handshakes() {
    let stage = stage(|builder| builder.handshakes_per_address(2, MINUTE));
    let sid = stage.open().await;
    let path = format!("{WEBSOCKET}&sid={sid}");
    for _ in 0..2 {
        let mut candidate = stage.connect();
        send(&mut candidate, "GET", &path, &UPGRADE, "").await;
        assert_eq!(read(&mut candidate).await.unwrap().status, 101);
        drop(candidate);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let refused = stage.upgrade(&path, &[]).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("30")));
    let path = format!("{POLLING}&sid={sid}");
    assert_eq!(stage.ask("POST", &path, &[], "4still here").await.status, 200);
}

/// A connection that counts how often its owner closes it.
struct Counting {
    io: tokio::io::DuplexStream,
    shutdowns: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.shutdowns.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn upgrades_that_fail_at_once_leave_four_connections_behind_and_each_is_closed_once() {
    let stage = stage(|builder| builder);
    let sid = stage.open().await;
    let shutdowns = Arc::new(AtomicUsize::new(0));
    let mut candidates = Vec::new();
    for _ in 0..20 {
        let (mut candidate, io) = tokio::io::duplex(1 << 16);
        let (server, io) = (stage.server.clone(), Counting { io, shutdowns: Arc::clone(&shutdowns) });
        tokio::spawn(async move { server.serve_connection(io, None).await });
        send(&mut candidate, "GET", &format!("{WEBSOCKET}&sid={sid}"), &UPGRADE, "").await;
        assert_eq!(read(&mut candidate).await.unwrap().status, 101);
        // A message is not a probe. Nobody answers the close frame.
        candidate.write_all(b"\x81\x82\0\0\0\x004a").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        candidates.push(candidate);
    }
    // Every request makes the session look at all that it has.
    for _ in 0..10 {
        let path = format!("{POLLING}&sid={sid}");
        assert_eq!(stage.ask("POST", &path, &[], "4still here").await.status, 200);
    }
    assert_eq!(shutdowns.load(Ordering::Relaxed), candidates.len());
    // Only an end that is dropped refuses what is said to it.
    let mut kept = 0;
    for candidate in &mut candidates {
        kept += usize::from(candidate.write_all(b"x").await.is_ok());
    }
    assert_eq!(kept, 4);
}

#[tokio::test(start_paused = true)]
async fn a_full_server_asks_nobody_and_says_so() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let stage = stage(|builder| {
        builder.max_sessions(1).allow_request(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok(()) }
        })
    });
    stage.open().await;
    assert_eq!(stage.get(POLLING, &[]).await.status, 503);
    let refused = stage.upgrade(WEBSOCKET, &[]).await;
    assert_eq!((refused.status, refused.text()), (503, "Server full"));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn an_application_that_cannot_decide_refuses() {
    let stage = stage(|builder| builder.allow_request(|_| core::future::pending::<Result<(), Rejection>>()));
    let refused = stage.get(POLLING, &[]).await;
    assert_eq!((refused.status, refused.text()), (503, r#"{"code":4,"message":"Not decided in time"}"#));
    assert_eq!(stage.server.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_payload_above_the_limit_is_refused_unread_and_the_session_lives() {
    let stage = stage(|builder| builder.max_payload(10));
    let path = format!("{POLLING}&sid={}", stage.open().await);
    let full = stage.ask("POST", &path, &[], "4123456789").await;
    assert_eq!((full.status, full.text()), (200, "ok"));
    // Only announced: nothing of it was sent.
    let announced = stage.ask("POST", &path, &["content-length: 11"], "").await;
    assert_eq!((announced.status, announced.body.len()), (413, 0));
    let chunked =
        stage.ask("POST", &path, &["transfer-encoding: chunked"], "6\r\n412345\r\n5\r\n67890\r\n").await;
    assert_eq!((chunked.status, chunked.body.len()), (413, 0));
    assert_eq!(stage.ask("POST", &path, &[], "4x").await.status, 200);
    assert_eq!(stage.seen.lock().unwrap().messages, ["123456789", "x"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_leaves_a_body_unread_closes_its_connection_and_promises_nothing() {
    let stage = stage(|builder| builder.max_payload(10).request_timeout(Duration::from_secs(5)));
    let path = format!("{POLLING}&sid={}", stage.open().await);
    let headers = ["content-length: 11"];
    let nowhere = stage.ask("POST", "/nowhere", &headers, "").await;
    let unknown = stage.ask("POST", &format!("{POLLING}&sid=unknown"), &headers, "").await;
    let too_large = stage.ask("POST", &path, &headers, "").await;
    let mut first = stage.connect();
    send(&mut first, "POST", &path, &["content-length: 9"], "").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let overlapping = stage.ask("POST", &path, &["content-length: 9"], "").await;
    let path = format!("{POLLING}&sid={}", stage.open().await);
    let late = stage.ask("POST", &path, &["content-length: 9"], "").await;
    for (answer, status) in
        [(nowhere, 404), (unknown, 400), (too_large, 413), (overlapping, 400), (late, 408)]
    {
        assert_eq!(answer.status, status);
        assert_eq!(
            (answer.header("connection"), answer.header("keep-alive")),
            (Some("close"), None),
            "{status}"
        );
    }
    let empty = stage.get("/nowhere", &[]).await;
    assert_eq!(empty.header("keep-alive"), Some("timeout=75"));
    let path = format!("{POLLING}&sid={}", stage.open().await);
    let garbage = stage.ask("POST", &path, &["content-length: 1"], "x").await;
    assert_eq!((garbage.status, garbage.header("keep-alive")), (400, Some("timeout=75")), "it was read");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_ends_the_session() {
    let stage = stage(|builder| builder.request_timeout(Duration::from_secs(5)));
    let path = format!("{POLLING}&sid={}", stage.open().await);
    let mut connection = stage.connect();
    send(&mut connection, "POST", &path, &["content-length: 100"], "4").await;
    let start = tokio::time::Instant::now();
    let answer = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = connection.write_all(b"x").await;
            if let Ok(answer) = tokio::time::timeout(Duration::from_millis(1), read(&mut connection)).await {
                return answer.unwrap();
            }
        }
    }
    .await;
    assert_eq!(answer.status, 408);
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());
    let ends = core::mem::take(&mut stage.seen.lock().unwrap().ends);
    assert_eq!(ends.iter().map(|end| end.reason).collect::<Vec<_>>(), [DisconnectReason::TransportError]);
}

#[tokio::test(start_paused = true)]
async fn heads_are_limited_in_bytes_and_in_headers() {
    let stage = stage(|builder| builder.max_request_head(8 * 1024, 20));
    let long = format!("x: {}", "a".repeat(9_000));
    assert_eq!(stage.get(POLLING, &[&long]).await.status, 431);
    assert_eq!(stage.get(POLLING, &["a: b"; 21]).await.status, 431);
    let long = format!("{POLLING}&t={}", "a".repeat(9_000));
    assert!([414, 431].contains(&stage.get(&long, &[]).await.status));
    assert_eq!(stage.get(POLLING, &["a: b"; 10]).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_for_nothing_is_dropped() {
    let stage = stage(|builder| builder.request_timeout(Duration::from_secs(5)));
    for beginning in
        ["", "P", "GET", "GET /engine.io/ HTTP/1.1\r\nhost: a\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut connection = stage.connect();
        connection.write_all(beginning.as_bytes()).await.unwrap();
        let waited = time_to_end(&mut connection).await;
        assert!(waited <= Duration::from_secs(6), "{beginning:?}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let stage = stage(|builder| builder.request_timeout(Duration::from_secs(5)));
    let (mut reader, mut writer) = tokio::io::split(stage.connect());
    let start = tokio::time::Instant::now();
    tokio::spawn(async move {
        for byte in format!("GET {POLLING} HTTP/1.1\r\nhost: a\r\n\r\n").into_bytes() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    });
    while !matches!(tokio::io::AsyncReadExt::read(&mut reader, &mut [0; 256]).await, Ok(0) | Err(_)) {}
    assert!(start.elapsed() <= Duration::from_secs(11), "{:?}", start.elapsed());
    assert_eq!(stage.server.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_kept_alive_for_nothing_is_closed() {
    let stage = stage(|builder| builder.idle_timeout(Duration::from_secs(5)));
    let mut connection = stage.connect();
    send(&mut connection, "GET", "/elsewhere", &[], "").await;
    assert_eq!(read(&mut connection).await.unwrap().header("keep-alive"), Some("timeout=5"));
    // Two seconds for a request that is on its way.
    assert_eq!(time_to_end(&mut connection).await.as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_pending_poll_keeps_its_connection() {
    let stage = stage(|builder| builder.request_timeout(Duration::from_secs(5)));
    let path = format!("{POLLING}&sid={}", stage.open().await);
    let start = tokio::time::Instant::now();
    assert_eq!(stage.get(&path, &[]).await.text(), "2");
    assert_eq!(start.elapsed().as_secs(), 25);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_is_dropped() {
    let stage = stage(|builder| builder.request_timeout(Duration::from_secs(5)));
    let (ours, theirs) = tokio::io::duplex(64);
    let server = stage.server.clone();
    let connection_ended = tokio::spawn(async move { server.serve_connection(theirs, None).await });
    let mut connection = ours;
    send(&mut connection, "GET", POLLING, &["connection: close"], "").await;
    let start = tokio::time::Instant::now();
    connection_ended.await.unwrap();
    assert!(start.elapsed() <= Duration::from_secs(20), "{:?}", start.elapsed());
    drop(connection);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_closes_idle_connections() {
    let stage = stage(|builder| builder);
    let mut connection = stage.connect();
    send(&mut connection, "GET", "/elsewhere", &[], "").await;
    assert_eq!(read(&mut connection).await.unwrap().status, 404);
    assert!(stage.server.shutdown(MINUTE).await.is_empty());
    assert_eq!(time_to_end(&mut connection).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn but_not_those_that_a_polling_session_may_come_back_on() {
    let stage = stage(|builder| builder);
    let path = format!("{POLLING}&sid={}", stage.open().await);
    let mut connection = stage.connect();
    send(&mut connection, "GET", "/elsewhere", &[], "").await;
    assert_eq!(read(&mut connection).await.unwrap().status, 404);
    let server = stage.server.clone();
    let shutdown = tokio::spawn(async move { server.shutdown(MINUTE).await });
    tokio::time::sleep(Duration::from_millis(900)).await;
    send(&mut connection, "GET", &path, &[], "").await;
    assert_eq!(read(&mut connection).await.unwrap().text(), "6\x1e1");
    assert!(shutdown.await.unwrap().is_empty());
    assert_eq!(time_to_end(&mut connection).await, Duration::ZERO);
}
