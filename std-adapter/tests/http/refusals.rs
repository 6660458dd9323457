//! What an observer learns of a refused request: enough to find the cause, and nothing secret.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use eio_tokio::http::StatusCode;
use eio_tokio::{AllowedOrigins, Observer, RefusedRequest, Rejection, ServerBuilder};

use crate::support::{POLLING, Stage, UPGRADE, WEBSOCKET, read, send, stage};

/// Notes the contexts of refused requests.
#[derive(Clone, Default)]
struct Contexts(Arc<Mutex<Vec<String>>>);

impl Contexts {
    fn take(&self) -> Vec<String> {
        core::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Contexts {
    fn refused(&self, request: &RefusedRequest<'_>) {
        self.0.lock().unwrap().push(request.context.to_owned());
    }
}

fn observed(configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> (Stage, Contexts) {
    let contexts = Contexts::default();
    let observer = contexts.clone();
    (stage(|builder| configure(builder).observer(observer)), contexts)
}

#[tokio::test(start_paused = true)]
async fn the_context_of_a_refusal_names_what_was_found_and_what_was_expected() {
    let (stage, contexts) = observed(|builder| builder);
    let sid = stage.open().await;
    let polling = |query: &str| (false, format!("/engine.io/?{query}"), vec![]);
    let websocket =
        |query: &str, headers: &[&'static str]| (true, format!("/engine.io/?{query}"), headers.to_vec());
    for ((is_websocket, path, headers), expected) in [
        (polling("EIO=4"), "transport missing: expected polling or websocket"),
        (polling("EIO=4&transport=websockets"), r#"transport "websockets": expected polling or websocket"#),
        (polling("EIO=4&transport=a&transport=b"), r#"transport "a,b": expected polling or websocket"#),
        (polling("EIO=2&transport=polling"), r#"EIO "2": expected 4 (eio3 is off)"#),
        (polling("transport=polling"), "EIO missing: expected 4 (eio3 is off)"),
        (
            polling("EIO=4&transport=polling&sid=Ab3xSECRETSECRETSECR"),
            r#"sid "Ab3x…": unknown: ended, or opened by another server"#,
        ),
        (
            polling("EIO=4&transport=polling&sid=\u{e4}%0a%22"),
            r#"sid "ä\n\"": unknown: ended, or opened by another server"#,
        ),
        (
            polling(&format!("EIO=3&transport=polling&sid={sid}")),
            r#"EIO "3": expected 4, which the session speaks"#,
        ),
        (
            polling("EIO=4&transport=websocket"),
            r#"transport "websocket": expected the headers Connection: Upgrade and Upgrade: websocket, on HTTP/1.1: a proxy may have removed them"#,
        ),
        (
            websocket("EIO=4&transport=polling", &[]),
            r#"transport "polling": expected websocket, for a WebSocket"#,
        ),
        (
            websocket("EIO=4&transport=websocket", &["content-length: 1"]),
            r#"content-length "1": expected no body"#,
        ),
        ((false, POLLING.to_owned(), vec!["origin: caf\u{e9}"]), r#"origin "café": expected visible ASCII"#),
    ] {
        let answer = if is_websocket {
            stage.upgrade(&path, &headers).await
        } else {
            stage.get(&path, &headers).await
        };
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(contexts.take(), [expected], "{path}");
    }
    assert_eq!(stage.ask("PUT", POLLING, &[], "").await.status, 400);
    assert_eq!(contexts.take(), ["method PUT: expected GET"]);
    assert_eq!(stage.ask("PUT", &format!("{POLLING}&sid={sid}"), &[], "").await.status, 500);
    assert_eq!(contexts.take(), ["method PUT: expected GET or POST"]);
    let old = [
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 8",
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    assert_eq!(stage.get(WEBSOCKET, &old).await.status, 426);
    assert_eq!(contexts.take(), [r#"sec-websocket-version "8": expected 13"#]);
}

#[tokio::test(start_paused = true)]
async fn the_context_shows_no_header_that_may_hold_a_secret() {
    let (stage, contexts) = observed(|builder| builder);
    assert_eq!(stage.upgrade(WEBSOCKET, &["sec-websocket-protocol: token, a b"]).await.status, 400);
    assert_eq!(contexts.take(), ["sec-websocket-protocol of 10 bytes: expected a list of different tokens"]);
    assert_eq!(stage.get(POLLING, &["host: user:secret@a b"]).await.status, 400);
    assert_eq!(contexts.take(), ["host of 15 bytes: expected exactly one valid host"]);
}

#[tokio::test(start_paused = true)]
async fn the_context_shows_64_characters_of_each_value() {
    let (stage, contexts) = observed(|builder| builder.allowed_origins(AllowedOrigins::SameOrigin));
    let (long, shown) = ("x".repeat(65), format!("{}…", "x".repeat(64)));
    let same = "expected the server's own or one of allowed_origins";
    for (header, path, expected) in [
        (
            String::new(),
            format!("/engine.io/?EIO=4&transport={long}"),
            format!("transport \"{shown}\": expected polling or websocket"),
        ),
        (format!("origin: {long}"), POLLING.to_owned(), format!("origin \"{shown}\": {same}")),
        // A script needs a page that may have it.
        (
            format!("sec-fetch-site: {long}"),
            format!("{POLLING}&j=0"),
            format!("origin missing, sec-fetch-site \"{shown}\": {same}"),
        ),
    ] {
        let headers = if header.is_empty() { vec![] } else { vec![header.as_str()] };
        stage.get(&path, &headers).await;
        assert_eq!(contexts.take(), [expected], "{path}");
    }
    assert_eq!(stage.ask(&"X".repeat(65), POLLING, &[], "").await.status, 400);
    assert_eq!(contexts.take(), [format!("method {}…: expected GET", "X".repeat(64))]);
}

#[tokio::test(start_paused = true)]
async fn the_context_follows_the_servers_settings() {
    let (stage, contexts) = observed(|builder| {
        builder
            .transports(true, false)
            .allowed_origins(AllowedOrigins::SameOrigin)
            .request_timeout(Duration::from_secs(3))
            .max_sessions(1)
            .handshakes_per_address(4, Duration::from_mins(1))
            .allow_request(|head| {
                let word = head.headers.get("x-word").map(|word| word.to_str().unwrap().to_owned());
                async move {
                    match word.as_deref() {
                        None => Ok(()),
                        Some("late") => core::future::pending().await,
                        Some(word) => Err(Rejection::new(StatusCode::UNAUTHORIZED, word)),
                    }
                }
            })
    });
    stage.upgrade(WEBSOCKET, &[]).await;
    assert_eq!(contexts.take(), [r#"transport "websocket": expected polling"#]);
    stage.get(POLLING, &["origin: https://evil.example"]).await;
    let expected = r#"origin "https://evil.example": expected the server's own or one of allowed_origins"#;
    assert_eq!(contexts.take(), [expected]);
    stage.get(POLLING, &["sec-fetch-site: cross-site"]).await;
    let expected =
        r#"origin missing, sec-fetch-site "cross-site": expected the server's own or one of allowed_origins"#;
    assert_eq!(contexts.take(), [expected]);
    stage.get(POLLING, &["x-word: late"]).await;
    let expected = "allow_request has not answered within the request_timeout of 3000 ms";
    assert_eq!(contexts.take(), [expected]);
    let long = format!("x-word: {}", "x".repeat(100));
    assert_eq!(stage.get(POLLING, &[&long]).await.status, 401);
    let cut = "x".repeat(64);
    assert_eq!(contexts.take(), [format!("the application refused the session: \"{cut}…\"")]);
    stage.open().await;
    stage.get(POLLING, &[]).await;
    assert_eq!(contexts.take(), ["max_sessions: 1 are open"]);
    let server = stage.server.clone();
    let shutdown = tokio::spawn(async move { server.shutdown(Duration::from_secs(1)).await });
    tokio::time::sleep(Duration::from_millis(1)).await;
    stage.get(POLLING, &[]).await;
    assert_eq!(contexts.take(), ["the server is shutting down"]);
    shutdown.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_address_that_opens_too_many_sessions_is_named_with_its_wait() {
    let (stage, contexts) = observed(|builder| builder.handshakes_per_address(1, Duration::from_mins(1)));
    stage.open().await;
    assert_eq!(stage.get(POLLING, &[]).await.status, 429);
    let expected =
        "192.0.2.7 opens sessions faster than handshakes_per_address allows: expected a wait of 60000 ms";
    assert_eq!(contexts.take(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn the_context_says_what_a_request_of_an_upgraded_session_did_wrong() {
    let (stage, contexts) = observed(|builder| builder.allow_upgrades(false));
    let sid = stage.open().await;
    stage.upgrade(&format!("{WEBSOCKET}&sid={sid}"), &[]).await;
    assert_eq!(
        contexts.take(),
        [r#"transport "websocket": allow_upgrades is off: expected polling until the end"#]
    );
    let mut opened = stage.connect();
    send(&mut opened, "GET", WEBSOCKET, &UPGRADE, "").await;
    assert_eq!(read(&mut opened).await.unwrap().status, 101);
    let on_websocket =
        stage.server.sessions().into_iter().find(|session| session.id().as_str() != sid).unwrap();
    stage.get(&format!("{POLLING}&sid={}", on_websocket.id()), &[]).await;
    let expected = "transport \"polling\": the session has moved to a WebSocket: expected no more requests";
    assert_eq!(contexts.take(), [expected]);
}

/// Notes who was refused.
#[derive(Clone, Default)]
struct Who(Arc<Mutex<Vec<String>>>);

impl Observer for Who {
    fn refused(&self, request: &RefusedRequest<'_>) {
        let RefusedRequest { method, path, sid, user_agent, origin, peer, .. } = *request;
        self.0.lock().unwrap().push(format!("{method} {path} {sid:?} {user_agent:?} {origin:?} {peer:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_who_asked_for_what_and_never_the_query() {
    let who = Who::default();
    let observer = who.clone();
    let stage = stage(|builder| builder.observer(observer));
    let path = "/engine.io/room?EIO=4&transport=polling&sid=SECRETSECRETSECRETSE&token=secret";
    stage.get(path, &["user-agent: Mozilla/5.0", "origin: https://example.org", "cookie: io=secret"]).await;
    stage.ask("POST", path, &[], "2").await;
    assert_eq!(
        *who.0.lock().unwrap(),
        [
            r#"GET /engine.io/room Some(SECR…) Some("Mozilla/5.0") Some("https://example.org") Some(192.0.2.7:4000)"#,
            "POST /engine.io/room Some(SECR…) None None Some(192.0.2.7:4000)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_too_large_is_told_with_its_sender_and_its_answer_is_empty() {
    let (who, contexts) = (Who::default(), Contexts::default());
    let both = Both(who.clone(), contexts.clone());
    let stage = stage(|builder| builder.max_payload(10).observer(both));
    for (framing, body) in
        [("content-length: 11", ""), ("transfer-encoding: chunked", "b\r\n41234567890\r\n0\r\n\r\n")]
    {
        let path = format!("{POLLING}&sid={}", stage.open().await);
        let refused = stage.ask("POST", &path, &[framing, "user-agent: u"], body).await;
        assert_eq!((refused.status, refused.text()), (413, ""));
        assert_eq!(stage.ask("POST", &path, &[], "4smaller").await.status, 200);
    }
    assert_eq!(
        contexts.take(),
        [
            r#"content-length "11": expected at most 10 (max_payload)"#,
            "a longer body: expected at most 10 bytes (max_payload), or fewer by a layer",
        ]
    );
    for told in who.0.lock().unwrap().iter() {
        assert!(told.starts_with("POST /engine.io/ Some("), "{told}");
        assert!(told.ends_with(r#") Some("u") None Some(192.0.2.7:4000)"#), "{told}");
    }
}

/// Tells two observers.
struct Both(Who, Contexts);

impl Observer for Both {
    fn refused(&self, request: &RefusedRequest<'_>) {
        self.0.refused(request);
        self.1.refused(request);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_repeats_its_session_names_none() {
    let who = Who::default();
    let observer = who.clone();
    let stage = stage(|builder| builder.observer(observer));
    let sid = "sid=SECRETSECRETSECRETSE";
    for query in
        [format!("{sid}&{sid}"), format!("sid=&{sid}"), format!("{sid}&sid"), format!("t=%20&{sid}&{sid}")]
    {
        assert_eq!(stage.get(&format!("{POLLING}&{query}"), &[]).await.status, 400, "{query}");
    }
    let refused = core::mem::take(&mut *who.0.lock().unwrap());
    assert_eq!(refused, ["GET /engine.io/ None None None Some(192.0.2.7:4000)"; 4]);
}
