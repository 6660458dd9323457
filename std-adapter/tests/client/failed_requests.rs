//! Requests of an open session that a server or a proxy refuses, and what they say about the end.

use eio_core::DisconnectReason;
use eio_tokio::{Client, ClientEvent, ConnectError, RefusalKind, Server, Transport};

use crate::support::{Events, Way, echo, open_packet, scripted, serve};

/// A session whose requests of one method are answered like this, once it is open. An empty answer is the end of the
/// connection.
async fn failing(failing: &'static str, answer: impl Into<String>) -> std::net::SocketAddr {
    let answer = answer.into();
    scripted(move |mut raw| {
        let answer = answer.clone();
        async move {
            loop {
                let request = raw.request().await;
                if request.is_empty() {
                    return;
                }
                if !request.contains("sid=") {
                    raw.answer("200 OK", &open_packet(25_000, 20_000, "")).await;
                } else if request.starts_with(failing) {
                    if answer.is_empty() {
                        return;
                    }
                    raw.write(&answer).await;
                } else {
                    if request.starts_with("GET") {
                        tokio::time::sleep(core::time::Duration::from_mins(1)).await;
                    }
                    raw.answer("200 OK", "ok").await;
                }
            }
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_failed_poll_or_post_ends_the_session_as_a_transport_error() {
    for method in ["GET", "POST"] {
        for answer in ["500 Internal Server Error", "400 Bad Request", "302 Found", "204 No Content", ""] {
            let body = r#"{"code":1,"message":"Session ID unknown"}"#;
            let whole = if answer.is_empty() {
                String::new()
            } else {
                format!("HTTP/1.1 {answer}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            };
            let address = failing(method, whole).await;
            let events = Events::default();
            let client = events.watch(Way::Polling.client(address)).build().unwrap();
            let mut socket = client.connect().await.unwrap();
            let _ = socket.try_send("x");
            let end = socket.recv().await.unwrap_err();
            assert_eq!(end.reason, DisconnectReason::TransportError, "{method} {answer}");
            assert_eq!(end.transport, Transport::Polling);
            let error = events
                .wait_for(|event| match event {
                    ClientEvent::RequestFailed { error } => Some(error.clone()),
                    _ => None,
                })
                .await;
            if answer.starts_with('4') {
                let ConnectError::Refused(refused) = error else { panic!("{error}") };
                assert_eq!((refused.status.as_u16(), refused.code), (400, Some(1)));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_within_a_session_is_kept_with_what_it_means() {
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
    let bad = r#"{"code":3,"message":"Bad request"}"#;
    let cases = [
        ("400 Bad Request", "", unknown, RefusalKind::UnknownSession),
        ("400 Bad Request", "", "\"Invalid session Qd3cV1abcdefghij0123\"", RefusalKind::UnknownSession),
        ("400 Bad Request", "", bad, RefusalKind::BadRequest),
        ("302 Found", "Location: https://login.example/\r\n", "", RefusalKind::Redirect),
        ("401 Unauthorized", "", "<html>", RefusalKind::Unauthorized),
        ("403 Forbidden", "", "<html>", RefusalKind::Forbidden),
        ("404 Not Found", "", "<html>", RefusalKind::NotFound),
        ("413 Payload Too Large", "", "", RefusalKind::PayloadTooLarge),
        ("429 Too Many Requests", "Retry-After: 7\r\n", "", RefusalKind::TooManyRequests),
        ("500 Internal Server Error", "", "<html>", RefusalKind::ServerError),
        ("502 Bad Gateway", "", "<html>", RefusalKind::BadGateway),
        ("503 Service Unavailable", "Retry-After: 7\r\n", "", RefusalKind::Unavailable),
        ("504 Gateway Time-out", "", "<html>", RefusalKind::GatewayTimeout),
    ];
    for method in ["GET", "POST"] {
        for (status, headers, body, kind) in cases {
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
            let address = failing(method, answer).await;
            let mut socket = Way::Polling.client(address).build().unwrap().connect().await.unwrap();
            assert!(socket.failure().is_none());
            let _ = socket.try_send("x");
            let end = socket.recv().await.unwrap_err();
            assert_eq!(end.reason, DisconnectReason::TransportError, "{method} {status}");
            let Some(ConnectError::Refused(refused)) = socket.failure() else { panic!("{method} {status}") };
            assert_eq!(refused.kind(), kind, "{method} {status}");
            assert_eq!(refused.location.is_some(), kind == RefusalKind::Redirect, "{method} {status}");
            assert_eq!(
                refused.retry_after.is_some(),
                headers.starts_with("Retry-After"),
                "{method} {status}"
            );
            assert!(!refused.message.contains("Qd3c"), "whoever knows the sid can speak for the client");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_web_page_or_a_coding_within_a_session_is_reported_as_what_it_is() {
    for method in ["GET", "POST"] {
        let page = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>Log in...";
        let coded = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x01";
        for (answer, expected) in [(page, "a web page"), (coded, "content coding \"gzip\"")] {
            let address = failing(method, answer).await;
            let mut socket = Way::Polling.client(address).build().unwrap().connect().await.unwrap();
            let _ = socket.try_send("x");
            let end = socket.recv().await.unwrap_err();
            assert_eq!(end.reason, DisconnectReason::TransportError, "{method} {expected}");
            let failure = socket.failure().unwrap().to_string();
            assert!(failure.contains(expected), "{method}: {failure}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_error_repeats_the_sid_or_a_value_of_the_query() {
    let answers = [
        ("200 OK", "", "<p>no TARGET t0ken/VALUE</p>"),
        ("200 OK", "Content-Encoding: TARGET\r\n", "x"),
        ("404 Not Found", "", "Cannot GET TARGET"),
        ("400 Bad Request", "", r#"{"code":1,"message":"TARGET t0ken/VALUE"}"#),
        ("307 x", "Location: /t0ken%2FVALUE/?next=TARGET\r\n", "TARGET"),
        ("200 OK", "", "9TARGET"),
    ];
    for (status, headers, body) in answers {
        for opens in [true, false] {
            let address = scripted(move |mut raw| async move {
                loop {
                    let request = raw.request().await;
                    let Some(target) = request.split(' ').nth(1) else { return };
                    if opens && !request.contains("sid=") {
                        raw.answer("200 OK", &open_packet(25_000, 20_000, "\"websocket\"")).await;
                        continue;
                    }
                    let (headers, body) = (headers.replace("TARGET", target), body.replace("TARGET", target));
                    let length = body.len();
                    raw.write(format!(
                        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
                    ))
                    .await;
                }
            })
            .await;
            let events = Events::default();
            let client = events.watch(Client::builder(format!("http://{address}/?token=t0ken%2FVALUE")));
            let shown = match client.build().unwrap().connect().await {
                Ok(socket) => {
                    let end = socket.closed().await;
                    let failure = socket.failure();
                    tokio::time::sleep(core::time::Duration::from_secs(6)).await;
                    let failures =
                        events.all().into_iter().filter(|event| !matches!(event, ClientEvent::Opened { .. }));
                    let failures: Vec<_> = failures.collect();
                    let words = failure.as_ref().map(ToString::to_string);
                    format!("{end} {end:?} {failure:?} {words:?} {failures:?}")
                }
                Err(error) => format!("{error} {error:?} {:?}", events.all()),
            };
            for secret in ["Qd3cV1abcdefghij0123", "t0ken"] {
                assert!(!shown.contains(secret), "{status}, {headers:?}, {opens}: {shown}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_reported_though_its_body_is_long_or_never_ends() {
    for (body, whole) in [("x".repeat(100_000), true), ("what came of it".to_owned(), false)] {
        let length = if whole { body.len() } else { 1_000_000 };
        let answer = format!("HTTP/1.1 502 x\r\nContent-Length: {length}\r\n\r\n{body}");
        let address = failing("GET", answer).await;
        let mut socket = Way::Polling.client(address).build().unwrap().connect().await.unwrap();
        let started = tokio::time::Instant::now();
        socket.recv().await.unwrap_err();
        assert!(started.elapsed() <= core::time::Duration::from_millis(1_010), "{:?}", started.elapsed());
        let Some(ConnectError::Refused(refused)) = socket.failure() else { panic!() };
        assert_eq!(
            (refused.kind(), &*refused.message),
            (RefusalKind::BadGateway, &body[..body.len().min(256)])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ended_otherwise_has_no_failure() {
    for way in Way::ALL {
        let (_server, address) = serve(Server::builder(echo)).await;
        let socket = way.client(address).build().unwrap().connect().await.unwrap();
        socket.close();
        socket.closed().await;
        assert!(socket.failure().is_none(), "{way:?}");
    }
}
