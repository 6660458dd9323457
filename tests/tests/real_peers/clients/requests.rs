//! What clients ask for when they connect, and what they are told.

use eio_tests::interop::{Case, Log, Mode, StockClients, StockKind, TestServer};
use eio_tokio::{Cookie, Message};
use serde_json::{Value, json};

pub(super) fn cases(kind: StockKind, cases: &mut Vec<Case>) {
    let named = |sentence: &str| format!("{}: {sentence}", kind.name());
    cases.push(Case::new(named("headers as a browser sends them"), move |log| browser_headers(kind, log)));
    cases.push(Case::new(named("a refused session is told so"), move |log| refused(kind, log)));
    cases.push(Case::new(named("without upgrades a session stays where it is"), move |log| {
        no_upgrades(kind, log)
    }));
    cases.push(Case::new(named("the first message comes with the handshake"), move |log| {
        initial_packet(kind, log)
    }));
    cases.push(Case::new(named("another path"), move |log| another_path(kind, log)));
    if kind != StockKind::Python {
        cases.push(Case::new(named("a client that asks for base64"), move |log| base64_only(kind, log)));
    }
}

async fn browser_headers(kind: StockKind, log: Log) {
    let server =
        TestServer::start_echo(&log, |server| server.cookie(Cookie::new("io").expect("a valid name"))).await;
    let mut clients = StockClients::start(kind, &log);
    let cookie = format!("session={}; theme=dark", "c".repeat(3000));
    let options = json!({ "extraHeaders": {
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
                       Safari/537.36",
        "Origin": "https://chat.example.com",
        "Referer": "https://chat.example.com/rooms?id=1&name=%C3%A9",
        "Accept-Language": "de-DE,de;q=0.9,en;q=0.8",
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Sec-Fetch-Dest": "empty",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Site": "cross-site",
        "sec-ch-ua": "\"Chromium\";v=\"142\", \"Not A(Brand\";v=\"24\"",
        "sec-ch-ua-mobile": "?0",
        "sec-ch-ua-platform": "\"Linux\"",
        "Cookie": cookie,
    }});
    for mode in Mode::ALL {
        let mut client = clients.open_with(&server.url(), mode, options.clone(), &Value::Null);
        client.opened().await;
        if mode == Mode::Upgrade {
            client.upgraded().await;
        }
        client.send(&Message::text("hello"));
        assert_eq!(client.message().await, Message::text("hello"));
    }
}

async fn refused(kind: StockKind, log: Log) {
    let server = TestServer::start(&log, |server| {
        server.allow_request(|parts| {
            let allowed = parts.uri.query().is_some_and(|query| query.contains("token=right"));
            async move { if allowed { Ok(()) } else { Err("wrong token".into()) } }
        })
    })
    .await;
    let mut clients = StockClients::start(kind, &log);
    for mode in Mode::ALL {
        let mut client = clients.open(&server.url(), mode);
        client.error().await;
        assert_eq!(client.closed().await.reason, "transport error");
    }
    assert!(server.server.is_empty());
    let mut client = if kind == StockKind::Python {
        clients.open(&format!("{}/?token=right", server.url()), Mode::WebSocket)
    } else {
        clients.open_with(
            &server.url(),
            Mode::WebSocket,
            json!({ "query": { "token": "right" } }),
            &Value::Null,
        )
    };
    client.opened().await;
}

async fn no_upgrades(kind: StockKind, log: Log) {
    let server = TestServer::start_echo(&log, |server| server.allow_upgrades(false)).await;
    let mut clients = StockClients::start(kind, &log);
    let mut client = clients.open(&server.url(), Mode::Upgrade);
    let handshake = client.opened().await;
    assert_eq!(handshake["upgrades"], json!([]));
    client.send(&Message::text("hello"));
    let (message, transport) = client.message_and_transport().await;
    assert_eq!((message, &*transport), (Message::text("hello"), "polling"));
}

async fn initial_packet(kind: StockKind, log: Log) {
    let server = TestServer::start(&log, |server| server.initial_packet("welcome")).await;
    let mut clients = StockClients::start(kind, &log);
    for mode in Mode::ALL {
        let mut client = clients.open(&server.url(), mode);
        client.opened().await;
        assert_eq!(client.message().await, Message::text("welcome"));
    }
}

async fn another_path(kind: StockKind, log: Log) {
    let server = TestServer::start_echo(&log, |server| server.path("/my/chat/")).await;
    let mut clients = StockClients::start(kind, &log);
    for mode in Mode::ALL {
        let mut client = clients.open_with(&server.url(), mode, json!({ "path": "/my/chat/" }), &Value::Null);
        client.opened().await;
        client.send(&Message::text("hello"));
        assert_eq!(client.message().await, Message::text("hello"));
    }
}

async fn base64_only(kind: StockKind, log: Log) {
    let server = TestServer::start_echo(&log, |server| server).await;
    let mut clients = StockClients::start(kind, &log);
    for mode in Mode::ALL {
        let options = json!({ "forceBase64": true });
        let mut client = clients.open_with(&server.url(), mode, options, &Value::Null);
        client.opened().await;
        if mode == Mode::Upgrade {
            client.upgraded().await;
        }
        for length in 0..5 {
            let message = Message::binary((251..=255).take(length).collect::<Vec<u8>>());
            client.send(&message);
            assert_eq!(client.message().await, message);
        }
    }
}
