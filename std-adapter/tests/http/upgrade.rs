//! Requests for WebSockets are refused before anything is switched, or not at all.

use core::time::Duration;

use crate::support::{POLLING, UPGRADE, WEBSOCKET, read, send, stage};

#[tokio::test(start_paused = true)]
async fn b27_upgrades_that_are_off_are_refused() {
    let stage = stage(|builder| builder.allow_upgrades(false));
    let opened = stage.get(POLLING, &[]).await;
    assert!(opened.text().contains("\"upgrades\":[]"));
    let refused = stage.upgrade(&format!("{WEBSOCKET}&sid={}", opened.sid()), &[]).await;
    assert_eq!((refused.status, refused.text()), (400, "Bad request"));
    assert_eq!(refused.header("content-type"), Some("text/html"));
    assert_eq!(refused.header("connection"), Some("close"));
}

#[tokio::test(start_paused = true)]
async fn b27_every_refusal_comes_before_the_switch() {
    let stage = stage(|builder| builder);
    let sid = stage.open().await;
    for (path, message) in [
        ("/engine.io/?EIO=4&transport=polling".to_owned(), "Bad request"),
        ("/engine.io/?EIO=4&transport=abc".to_owned(), "Transport unknown"),
        ("/engine.io/?EIO=2&transport=websocket".to_owned(), "Unsupported protocol version"),
        (format!("{WEBSOCKET}&sid=unknown"), "Session ID unknown"),
        (format!("/engine.io/?EIO=3&transport=websocket&sid={sid}"), "Bad request"),
    ] {
        let refused = stage.upgrade(&path, &[]).await;
        assert_eq!((refused.status, refused.text()), (400, message), "{path}");
    }
    assert_eq!(stage.server.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn websockets_for_one_session_count_for_their_address() {
    let stage = stage(|builder| builder.handshakes_per_address(2, Duration::from_mins(1)));
    let path = format!("{WEBSOCKET}&sid={}", stage.open().await);
    let mut first = stage.connect();
    send(&mut first, "GET", &path, &UPGRADE, "").await;
    assert_eq!(read(&mut first).await.unwrap().status, 101);
    assert_eq!(stage.upgrade(&path, &[]).await.status, 101);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(stage.upgrade(&path, &[]).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_opening_handshake_is_refused() {
    let stage = stage(|builder| builder);
    let ask = async |version: &str, key: &str| {
        let headers = ["connection: keep-alive, Upgrade", "upgrade: WebSocket", version, key];
        stage.get(WEBSOCKET, &headers).await
    };
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==";
    let old = ask("sec-websocket-version: 8", key).await;
    assert_eq!((old.status, old.header("sec-websocket-version")), (426, Some("13")));
    assert_eq!(ask("sec-websocket-version: 13", "sec-websocket-key: short").await.status, 400);
    assert_eq!(ask("sec-websocket-version: 13", key).await.status, 101);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_application_is_answered_in_its_words() {
    let stage = stage(|builder| {
        builder.allow_request(|head| {
            let refusal = head.headers.get("x-refuse").map(|words| words.to_str().unwrap().to_owned());
            async { refusal.map_or(Ok(()), |words| Err(words.into())) }
        })
    });
    let refused = stage.upgrade(WEBSOCKET, &["x-refuse: not you"]).await;
    assert_eq!((refused.status, refused.text()), (400, "not you"));
    let refused = stage.get(POLLING, &["x-refuse: not you"]).await;
    assert_eq!((refused.status, refused.text()), (403, r#"{"code":4,"message":"not you"}"#));
    assert_eq!(stage.get(POLLING, &[]).await.status, 200);
}
