//! One session after another: when the next attempt is made, what is reported, and that nothing is sent twice.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use eio_core::DisconnectReason;
use eio_core::backoff::Backoff;
use eio_tokio::{ClientEvent, ConnectError, Message, Rejection, Server, Socket};
use tokio::time::Instant;

use crate::support::{self, Events, Notes, Way, noting, scripted, serve};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The delays that were reported, each with its attempt.
fn waits(events: &Events) -> Vec<(Duration, u32)> {
    let wait = |event| match event {
        ClientEvent::Waiting { delay, attempt } => Some((delay, attempt)),
        _ => None,
    };
    events.all().into_iter().filter_map(wait).collect()
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_after_delays_that_grow_up_to_the_cap() {
    let started = Instant::now();
    let (address, attempts) = refusing("503 Service Unavailable", "").await;
    let events = Events::default();
    let client = events.watch(Way::Polling.client(address)).build().unwrap();
    let mut sessions =
        client.reconnecting(Backoff::new(millis(100), millis(1_000)).unwrap()).max_attempts(20);
    let ConnectError::Refused(refused) = sessions.next().await.unwrap_err() else { panic!() };
    assert_eq!(refused.status.as_u16(), 503);
    let attempts: Vec<_> = attempts.lock().unwrap().iter().map(|at| *at - started).collect();
    assert_eq!(attempts.len(), 20);
    assert!(attempts[0] <= millis(2), "the first at once: {attempts:?}");
    let waits = waits(&events);
    for (n, pair) in attempts.windows(2).enumerate() {
        let (delay, attempt) = waits[n];
        assert_eq!(attempt, u32::try_from(n).unwrap() + 2);
        let longest = millis(1_000.min(100 << (n + 1).min(10)));
        assert!((millis(100)..=longest).contains(&delay), "attempt {n}: {delay:?}");
        let waited = pair[1].saturating_sub(pair[0]);
        assert!(waited >= delay && waited <= delay + millis(4), "attempt {n}: {waited:?} for {delay:?}");
    }
    assert_eq!(waits.len(), 19, "there is no wait after the last attempt");
    assert_eq!(sessions.attempts(), 20);
    let failures = events.all().iter().filter(|e| matches!(e, ClientEvent::ConnectFailed { .. })).count();
    assert_eq!(failures, 20);
    let distinct: std::collections::HashSet<_> = waits.iter().map(|(delay, _)| delay).collect();
    assert!(distinct.len() > 5, "jittered: {waits:?}");
}

#[tokio::test(start_paused = true)]
async fn each_session_is_a_fresh_one_and_nothing_is_sent_twice() {
    let got = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&got);
    let (_server, address) = serve(Server::builder(move |mut socket: Socket| {
        let noted = Arc::clone(&noted);
        async move {
            // Hangs up after ten messages.
            for _ in 0..10 {
                let Ok(message) = socket.recv().await else { return };
                noted.lock().unwrap().push(message.as_text().unwrap().to_owned());
            }
        }
    }))
    .await;
    for way in Way::ALL {
        got.lock().unwrap().clear();
        let events = Events::default();
        let client = events.watch(way.client(address)).build().unwrap();
        let mut sessions = client.reconnecting(Backoff::new(millis(500), millis(500)).unwrap());
        let mut sids = std::collections::HashSet::new();
        let mut ended = None;
        for session in 0..3 {
            let mut socket = sessions.next().await.unwrap();
            if let Some(ended) = ended {
                let waited = Instant::now() - ended;
                assert!((millis(500)..=millis(510)).contains(&waited), "{way:?}: {waited:?}");
            }
            sids.insert(socket.handshake().sid().to_owned());
            for i in 0..10 {
                socket.send(format!("{session}.{i}")).await.unwrap();
            }
            let end = socket.recv().await.unwrap_err();
            ended = Some(Instant::now());
            assert_eq!(end.reason.as_str(), "transport close");
            assert_eq!(socket.take_unsent(), Vec::<Message>::new());
            assert!(socket.send("late").await.is_err());
        }
        assert_eq!(sids.len(), 3);
        let expected: Vec<_> =
            (0..3).flat_map(|session| (0..10).map(move |i| format!("{session}.{i}"))).collect();
        assert_eq!(*got.lock().unwrap(), expected, "{way:?}");
        assert_eq!(sessions.attempts(), 3, "short sessions do not shrink the delays");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_session_that_lasted_starts_the_delays_over() {
    let (server, address) = serve(Server::builder(support::echo)).await;
    let client = Way::WebSocket.client(address).build().unwrap();
    let mut sessions = client.reconnecting(Backoff::new(millis(100), millis(60_000)).unwrap());
    for attempts in [1, 2, 3, 4, 1] {
        let socket = sessions.next().await.unwrap();
        assert_eq!(sessions.attempts(), attempts);
        let lasts = if attempts == 4 { 31 } else { 1 };
        tokio::time::sleep(Duration::from_secs(lasts)).await;
        server.sessions()[0].close();
        assert_eq!(socket.closed().await.reason.as_str(), "transport close");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_stable_session_as_many_attempts_are_made_as_at_the_beginning() {
    let requests = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&requests);
    // The fourth request opens a session, which the server ends after 31 s.
    let address = scripted(move |mut raw| {
        *counted.lock().unwrap() += 1;
        let is_fourth = *counted.lock().unwrap() == 4;
        async move {
            let request = raw.request().await;
            if is_fourth {
                raw.switch_protocols(&request).await;
                raw.text(&support::open_packet(60_000, 20_000, "")).await;
                tokio::time::sleep(Duration::from_secs(31)).await;
            } else {
                raw.answer("503 Service Unavailable", "").await;
            }
        }
    })
    .await;
    let events = Events::default();
    let client = events.watch(Way::WebSocket.client(address)).build().unwrap();
    let mut sessions = client.reconnecting(Backoff::new(millis(100), millis(100)).unwrap()).max_attempts(3);
    sessions.next().await.unwrap_err();
    assert_eq!((*requests.lock().unwrap(), sessions.attempts()), (3, 3));
    let attempts = |events: &Events| waits(events).iter().map(|(_, attempt)| *attempt).collect::<Vec<_>>();
    assert_eq!(attempts(&events), [2, 3]);
    // Asked again, it waits and tries once more.
    let socket = sessions.next().await.unwrap();
    assert_eq!(attempts(&events), [2, 3, 4]);
    socket.closed().await;
    sessions.next().await.unwrap_err();
    assert_eq!((*requests.lock().unwrap(), sessions.attempts()), (7, 3));
    assert_eq!(attempts(&events), [2, 3, 4, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn dropping_next_neither_shortens_the_delay_nor_doubles_the_attempt() {
    let accepted = Arc::new(Mutex::new(0));
    let noted = Arc::clone(&accepted);
    let address = scripted(move |mut raw| {
        *noted.lock().unwrap() += 1;
        async move {
            raw.request().await;
            tokio::time::sleep(millis(300)).await;
            raw.answer("503 Service Unavailable", "").await;
        }
    })
    .await;
    let client = Way::Polling.client(address).build().unwrap();
    let mut sessions =
        client.reconnecting(Backoff::new(millis(1_000), millis(1_000)).unwrap()).max_attempts(3);
    let started = Instant::now();
    let error = loop {
        if let Ok(ended) = tokio::time::timeout(millis(7), sessions.next()).await {
            break ended.unwrap_err();
        }
    };
    assert!(matches!(error, ConnectError::Refused(_)));
    assert_eq!(*accepted.lock().unwrap(), 3);
    // Three attempts of 300 ms with a second before the second and the third.
    let elapsed = started.elapsed();
    assert!(elapsed >= millis(2_900) && elapsed <= millis(2_950), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_the_application_closed_is_followed_by_another_when_asked_for() {
    let (_server, address) = serve(Server::builder(support::echo)).await;
    let client = Way::WebSocket.client(address).build().unwrap();
    let mut sessions = client.reconnecting(Backoff::new(millis(100), millis(100)).unwrap());
    let socket = sessions.next().await.unwrap();
    socket.close();
    assert_eq!(socket.closed().await.reason, DisconnectReason::LocalClose);
    let second = sessions.next().await.unwrap();
    // While a session is open, there is no next one.
    assert!(tokio::time::timeout(Duration::from_secs(100), sessions.next()).await.is_err());
    drop(second);
    let mut third = sessions.next().await.unwrap();
    third.send("hello").await.unwrap();
    assert_eq!(third.recv().await.unwrap(), Message::text("hello"));
}

/// A server that refuses every request like this, and notes when each came.
async fn refusing(status: &'static str, headers: &'static str) -> (std::net::SocketAddr, Notes<Instant>) {
    noting(move |mut raw, noted| async move {
        noted.lock().unwrap().push(Instant::now());
        raw.request().await;
        raw.write(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\n\r\n")).await;
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_how_long_to_wait_is_not_asked_before() {
    let date = "Date: Sat, 28 Nov 2026 17:00:00 GMT\r\nRetry-After: Sat, 28 Nov 2026 17:00:42 GMT\r\n";
    let cases = [
        ("429 Too Many Requests", "Retry-After: 42\r\n", 42),
        ("503 Service Unavailable", "Retry-After: 42\r\n", 42),
        ("503 Service Unavailable", date, 42),
        ("503 Service Unavailable", "Retry-After: 99999999999\r\n", 3600),
        ("503 Service Unavailable", "Retry-After: soon\r\n", 0),
    ];
    for (status, headers, seconds) in cases {
        let (address, attempts) = refusing(status, headers).await;
        let client = Way::Polling.client(address).build().unwrap();
        let mut sessions =
            client.reconnecting(Backoff::new(millis(100), millis(100)).unwrap()).max_attempts(2);
        sessions.next().await.unwrap_err();
        let attempts = attempts.lock().unwrap();
        let waited = attempts[1] - attempts[0];
        let asked = Duration::from_secs(seconds);
        assert!(waited >= asked + millis(100) && waited <= asked + millis(110), "{headers}: {waited:?}");
    }
    let (address, attempts) = refusing("503 Service Unavailable", "Retry-After: 42\r\n").await;
    let client = Way::WebSocket.client(address).build().unwrap();
    let backoff = Backoff::new(millis(100), millis(100)).unwrap();
    let mut sessions = client.reconnecting(backoff).max_attempts(2).longest_retry_after(millis(5_000));
    sessions.next().await.unwrap_err();
    let attempts = attempts.lock().unwrap();
    let waited = attempts[1] - attempts[0];
    assert!(waited >= millis(5_100) && waited <= millis(5_110), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_ends_a_session_says_how_long_to_wait_as_well() {
    let address = scripted(|mut raw| async move {
        while let request = raw.request().await
            && !request.is_empty()
        {
            if request.contains("sid=") {
                raw.write("HTTP/1.1 503 x\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n").await;
            } else {
                raw.answer("200 OK", &support::open_packet(25_000, 20_000, "")).await;
            }
        }
    })
    .await;
    let client = Way::Polling.client(address).build().unwrap();
    let mut sessions = client.reconnecting(Backoff::new(millis(100), millis(100)).unwrap());
    let first = sessions.next().await.unwrap();
    first.closed().await;
    let ended = Instant::now();
    sessions.next().await.unwrap();
    let waited = ended.elapsed();
    assert!(waited >= millis(30_100) && waited <= millis(30_110), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_trying_again_will_not_change_is_final() {
    use http::StatusCode;
    for status in ["401 Unauthorized", "403 Forbidden", "404 Not Found"] {
        let (address, attempts) = refusing(status, "").await;
        let client = Way::Polling.client(address).build().unwrap();
        let mut sessions = client.reconnecting(Backoff::new(millis(100), millis(100)).unwrap());
        let ConnectError::Refused(refused) = sessions.next().await.unwrap_err() else { panic!("{status}") };
        assert!(status.starts_with(refused.status.as_str()));
        assert_eq!(attempts.lock().unwrap().len(), 1, "{status}");
        // Asked for, it tries again, after the delay.
        let asked = Instant::now();
        sessions.next().await.unwrap_err();
        assert!(asked.elapsed() >= millis(100) && attempts.lock().unwrap().len() == 2, "{status}");
    }
    for (status, final_statuses, attempts_made) in [
        ("400 Bad Request", None, 5),
        ("503 Service Unavailable", None, 5),
        ("404 Not Found", Some(vec![StatusCode::FORBIDDEN]), 5),
        ("403 Forbidden", Some(vec![]), 5),
        ("400 Bad Request", Some(vec![StatusCode::BAD_REQUEST]), 1),
    ] {
        let (address, attempts) = refusing(status, "").await;
        let client = Way::WebSocket.client(address).build().unwrap();
        let mut sessions =
            client.reconnecting(Backoff::new(millis(100), millis(100)).unwrap()).max_attempts(5);
        if let Some(final_statuses) = final_statuses {
            sessions = sessions.final_statuses(final_statuses);
        }
        sessions.next().await.unwrap_err();
        assert_eq!(attempts.lock().unwrap().len(), attempts_made, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_revision_or_transport_is_final_whatever_statuses_are() {
    for (code, message) in [(5, "Unsupported protocol version"), (0, "Transport unknown")] {
        // As the reference answers on both transports.
        let json = format!(r#"{{"code":{code},"message":"{message}"}}"#);
        for (way, body) in [(Way::Polling, json.as_str()), (Way::WebSocket, message)] {
            let body = body.to_owned();
            let (address, attempts) = noting(move |mut raw, noted| {
                let body = body.clone();
                async move {
                    noted.lock().unwrap().push(());
                    raw.request().await;
                    raw.answer("400 Bad Request", &body).await;
                }
            })
            .await;
            let client = way.client(address).build().unwrap();
            let backoff = Backoff::new(millis(100), millis(100)).unwrap();
            let mut sessions = client.reconnecting(backoff).max_attempts(5).final_statuses([]);
            sessions.next().await.unwrap_err();
            assert_eq!(attempts.lock().unwrap().len(), 1, "{way:?}: {message}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_new_token_goes_on_with_the_delays_and_attempts() {
    let (_server, address) =
        serve(
            Server::builder(support::echo).allow_request(|head| {
                let is_new = head.headers.get("authorization").is_some_and(|token| token == "new");
                async move {
                    if is_new { Ok(()) } else { Err(Rejection::new(http::StatusCode::UNAUTHORIZED, "")) }
                }
            }),
        )
        .await;
    let client = |token: &str| Way::WebSocket.client(address).header("Authorization", token).build().unwrap();
    let mut sessions = client("old").reconnecting(Backoff::new(millis(1_000), millis(1_000)).unwrap());
    let error = sessions.next().await.unwrap_err();
    assert!(matches!(&error, ConnectError::Refused(refused) if refused.status == 401), "{error}");
    let refused = Instant::now();
    // Its clock begins later.
    tokio::time::sleep(millis(400)).await;
    sessions.set_client(client("new"));
    let mut socket = sessions.next().await.unwrap();
    assert!((millis(1_000)..=millis(1_010)).contains(&refused.elapsed()), "{:?}", refused.elapsed());
    assert_eq!(sessions.attempts(), 2);
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Message::text("hello"));
}
