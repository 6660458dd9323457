//! Every way in which there is no client, no session, or no session any more, with its typed error.

use core::time::Duration;

use eio_core::Revision;
use eio_tokio::{
    Client, ClientBuildError, ClientEvent, ConnectError, Message, RefusalKind, Server, Transport,
};

use crate::support::{Events, Way, echo, open_packet, scripted, serve};

async fn connect_error(way: Way, address: std::net::SocketAddr) -> ConnectError {
    way.client(address).build().unwrap().connect().await.unwrap_err()
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_sent() {
    let refused = |builder: eio_tokio::ClientBuilder| builder.build().unwrap_err();
    let client = || Client::builder("http://localhost");
    assert!(matches!(refused(Client::builder("")), ClientBuildError::Url { .. }));
    assert!(matches!(refused(Client::builder("localhost")), ClientBuildError::Url { .. }));
    assert_eq!(refused(Client::builder("ftp://localhost")), ClientBuildError::Scheme("ftp".into()));
    assert_eq!(refused(client().path("socket.io")), ClientBuildError::Path("socket.io/".into()));
    assert_eq!(refused(client().path("/a?b")), ClientBuildError::Path("/a?…".into()));
    assert_eq!(refused(client().path("/a b")), ClientBuildError::Path("/a b/".into()));
    assert_eq!(refused(client().transports([])), ClientBuildError::NoTransport);
    assert_eq!(
        refused(client().transports([Transport::WebSocket, Transport::WebTransport])).to_string(),
        "the transport webtransport is not supported: expected polling or websocket"
    );
    assert_eq!(refused(client().header("x y", "z")), ClientBuildError::Header("x y".into()));
    assert_eq!(refused(client().header("x", "a\r\nb: c")), ClientBuildError::Header("x".into()));
    assert_eq!(
        refused(client().header("Upgrade", "h2c")),
        ClientBuildError::ReservedHeader("Upgrade".into())
    );
    assert_eq!(
        refused(client().header("Sec-WebSocket-Key", "x")),
        ClientBuildError::ReservedHeader("Sec-WebSocket-Key".into())
    );
    assert_eq!(
        refused(client().header("accept-encoding", "gzip")),
        ClientBuildError::ReservedHeader("accept-encoding".into())
    );
    assert_eq!(refused(client().query("EIO", "3")), ClientBuildError::ReservedParameter("EIO".into()));
    for protocol in ["", "a b", "a,b", "é", "a/b"] {
        assert_eq!(refused(client().protocols([protocol])), ClientBuildError::Protocol(protocol.into()));
    }
    assert_eq!(refused(client().protocols(["a", "b", "a"])), ClientBuildError::Protocol("a".into()));
    assert_eq!(refused(client().max_payload(0)), ClientBuildError::Zero("max_payload"));
    assert_eq!(
        refused(client().max_packets_per_payload(0)),
        ClientBuildError::Zero("max_packets_per_payload")
    );
    assert_eq!(refused(client().inbox(0, 1)), ClientBuildError::Zero("inbox messages"));
    assert_eq!(refused(client().outbox(0, 1)), ClientBuildError::Zero("outbox messages"));
    assert_eq!(refused(client().outbox(1, 0)), ClientBuildError::Zero("outbox bytes"));
    for (builder, name) in [
        (client().open_timeout(Duration::ZERO), "open_timeout"),
        (client().upgrade_timeout(Duration::ZERO), "upgrade_timeout"),
        (client().close_timeout(Duration::ZERO), "close_timeout"),
        (client().app_stall_timeout(Duration::ZERO), "app_stall_timeout"),
        (client().ping_timeout_at_most(Duration::ZERO), "ping_timeout_at_most"),
    ] {
        assert_eq!(refused(builder), ClientBuildError::Zero(name));
    }
    assert!(client().build().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_port_that_nobody_listens_on_is_an_io_error() {
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for way in Way::ALL {
        let ConnectError::Io(error) = connect_error(way, address).await else { panic!("{way:?}") };
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{way:?}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_servers_refusal_comes_with_status_code_and_message() {
    let builder = Server::builder(echo).allow_request(|_| async { Err::<(), _>("not today".into()) });
    let (_server, address) = serve(builder).await;
    let ConnectError::Refused(refused) = connect_error(Way::Polling, address).await else { panic!() };
    assert_eq!((refused.status.as_u16(), refused.code, &*refused.message), (403, Some(4), "not today"));
    let ConnectError::Refused(refused) = connect_error(Way::WebSocket, address).await else { panic!() };
    assert!(refused.status.is_client_error());
    assert_eq!(refused.message, "not today");

    let (_server, address) = serve(Server::builder(echo).transports(true, false)).await;
    let ConnectError::Refused(refused) = connect_error(Way::WebSocket, address).await else { panic!() };
    assert_eq!((refused.status.as_u16(), &*refused.message), (400, "Transport unknown"));

    let (_server, address) = serve(Server::builder(echo)).await;
    let client = Client::builder(format!("http://{address}")).eio3(true).build().unwrap();
    let ConnectError::Refused(refused) = client.connect().await.unwrap_err() else { panic!() };
    assert_eq!((refused.status.as_u16(), refused.code), (400, Some(5)));
    let client = Client::builder(format!("http://{address}/elsewhere")).build().unwrap();
    let ConnectError::Refused(refused) = client.connect().await.unwrap_err() else { panic!() };
    assert_eq!((refused.status.as_u16(), refused.code, &*refused.message), (404, None, ""));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_http_and_one_that_opens_no_websocket_have_different_errors() {
    let gibberish = scripted(|mut raw| async move {
        raw.request().await;
        raw.write("SSH-2.0-OpenSSH\r\n\r\n").await;
    })
    .await;
    let hangs_up = scripted(|mut raw| async move {
        raw.request().await;
    })
    .await;
    for way in [Way::Polling, Way::WebSocket] {
        assert!(matches!(connect_error(way, gibberish).await, ConnectError::Http(_)), "{way:?}");
        assert!(matches!(connect_error(way, hangs_up).await, ConnectError::Http(_)), "{way:?}");
    }

    let wrong_key = scripted(|mut raw| async move {
        raw.request().await;
        raw.switch_protocols("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==").await;
    })
    .await;
    let ConnectError::NotWebSocket(why) = connect_error(Way::WebSocket, wrong_key).await else { panic!() };
    assert!(why.contains("Sec-WebSocket-Accept"), "{why}");
    let plain = scripted(|mut raw| async move {
        raw.request().await;
        raw.answer("200 OK", "<h1>Hello</h1>").await;
    })
    .await;
    let ConnectError::Refused(refused) = connect_error(Way::WebSocket, plain).await else { panic!() };
    assert_eq!((refused.status.as_u16(), &*refused.message), (200, "<h1>Hello</h1>"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_begin_as_a_session_does_opens_no_session() {
    let cases = [
        ("7", "transport error"),
        ("", "transport error"),
        ("4message first", "unexpected packet"),
        ("1", "transport close"),
        (r#"0{"sid":"x","upgrades":[],"pingInterval":"25000","pingTimeout":20000}"#, "bad handshake"),
        (r#"0{"sid":"x","upgrades":[],"pingInterval":25000}"#, "bad handshake"),
        ("0not json", "bad handshake"),
    ];
    for (body, word) in cases {
        let address = scripted(move |mut raw| async move {
            raw.request().await;
            raw.answer("200 OK", body).await;
            raw.request().await;
        })
        .await;
        let ConnectError::Session(end) = connect_error(Way::Polling, address).await else { panic!("{body}") };
        assert_eq!(end.reason.as_str(), word, "{body}");
        let address = scripted(move |mut raw| async move {
            let request = raw.request().await;
            raw.switch_protocols(&request).await;
            raw.text(body).await;
            while raw.frame().await.is_some() {}
        })
        .await;
        let ConnectError::Session(end) = connect_error(Way::WebSocket, address).await else {
            panic!("{body}")
        };
        assert_eq!(end.reason.as_str(), word, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_error_for_an_answer_that_this_client_cannot_use_says_what_came() {
    let answers = |head: &'static str, body: &'static str| {
        scripted(move |mut raw| async move {
            raw.request().await;
            let length = body.len();
            raw.write(format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {length}\r\n\r\n{body}")).await;
            raw.request().await;
        })
    };
    let address = answers("Content-Encoding: br\r\n", "\u{3}\u{1}").await;
    let error = connect_error(Way::Polling, address).await;
    assert_eq!(
        error.to_string(),
        "the response has the content coding \"br\", which the client does not accept"
    );

    let address = answers("Content-Type: text/html\r\n", "\n<!doctype html><title>Log in</title>").await;
    let error = connect_error(Way::Polling, address).await;
    assert!(matches!(&error, ConnectError::WebPage(page) if page.contains("Log in")), "{error}");

    let open = r#"{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
    let address = answers("", Box::leak(format!("{}:0{open}2:40", open.len() + 1).into())).await;
    let error = connect_error(Way::Polling, address).await;
    assert_eq!(error.to_string(), "the server speaks revision 3 of the protocol, but this client speaks 4");
    let address = answers("", Box::leak(format!("0{open}").into())).await;
    let client = Way::Polling.client(address).eio3(true).build().unwrap();
    let error = client.connect().await.unwrap_err();
    assert!(
        matches!(error, ConnectError::OtherRevision { ours: Revision::V3, theirs: Revision::V4 }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_next_transport_is_tried_when_the_first_is_refused_and_that_is_wanted() {
    // A proxy that knows no WebSockets, before a server with both.
    let open = || open_packet(25_000, 20_000, "\"websocket\"");
    let no_websockets = scripted(move |mut raw| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() || request.contains("transport=websocket") {
                return;
            }
            if request.contains("sid=") {
                tokio::time::sleep(core::time::Duration::from_mins(1)).await;
            }
            raw.answer("200 OK", &open()).await;
        }
    })
    .await;
    let polling_only = serve(Server::builder(echo).transports(true, false)).await;
    let websocket_only = serve(Server::builder(echo).transports(false, true)).await;
    let (polling, websocket) = (Transport::Polling, Transport::WebSocket);
    let cases = [
        (no_websockets, [websocket, polling], polling),
        (polling_only.1, [websocket, polling], polling),
        (websocket_only.1, [polling, websocket], websocket),
    ];
    for (address, transports, expected) in cases {
        let url = format!("http://{address}");
        let events = Events::default();
        let client = events.watch(Client::builder(&url)).transports(transports).try_all_transports(true);
        let socket = client.build().unwrap().connect().await.unwrap();
        assert_eq!(socket.transport(), expected);
        tokio::time::sleep(core::time::Duration::from_secs(1)).await;
        assert_eq!((socket.transport(), socket.end()), (expected, None), "it stays there");
        let tried = events.all().iter().any(
            |event| matches!(event, ClientEvent::TryingTransport { transport } if *transport == expected),
        );
        assert!(tried, "{:?}", events.all());
        let client = Client::builder(&url).transports(transports).build().unwrap();
        client.connect().await.unwrap_err();
    }
    // When none is left, the last one's refusal is the reason.
    let client = Client::builder(format!("http://{}/elsewhere", polling_only.1)).try_all_transports(true);
    let ConnectError::Refused(refused) = client.build().unwrap().connect().await.unwrap_err() else {
        panic!()
    };
    assert_eq!(refused.kind(), RefusalKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn all_attempts_to_open_a_session_share_the_open_timeout() {
    let slow = scripted(|mut raw| async move {
        let request = raw.request().await;
        tokio::time::sleep(core::time::Duration::from_secs(4)).await;
        if request.contains("transport=polling") {
            tokio::time::sleep(core::time::Duration::from_mins(1)).await;
        }
        raw.answer("400 Bad Request", "").await;
    })
    .await;
    let client = Client::builder(format!("http://{slow}"))
        .transports([Transport::WebSocket, Transport::Polling])
        .try_all_transports(true)
        .open_timeout(core::time::Duration::from_secs(6))
        .build()
        .unwrap();
    let started = tokio::time::Instant::now();
    let error = client.connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout), "{error}");
    let took = started.elapsed();
    assert!(
        took >= core::time::Duration::from_secs(6) && took < core::time::Duration::from_millis(6_050),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_cut_off() {
    let address = scripted(|mut raw| async move {
        raw.request().await;
        raw.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let chunk = format!("1000\r\n{}\r\n", "0".repeat(4096));
        while tokio::io::AsyncWriteExt::write_all(&mut raw.0, chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    let client = Client::builder(format!("http://{address}")).max_payload(100_000).build().unwrap();
    let error = client.connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::TooLarge { max_payload: 100_000 }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_that_the_server_closed_is_replaced_without_harm() {
    // Says that a poll's connection ends, as it should; closes that of a request with data without a word.
    let address = scripted(|mut raw| async move {
        let request = raw.request().await;
        if request.starts_with("POST") {
            raw.answer("200 OK", "ok").await;
            tokio::time::sleep(core::time::Duration::from_millis(1)).await;
            return;
        }
        let mut body = open_packet(25_000, 20_000, "");
        if request.contains("sid=") {
            tokio::time::sleep(core::time::Duration::from_millis(50)).await;
            body = "6".to_owned();
        }
        let length = body.len();
        raw.write(format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"))
            .await;
    })
    .await;
    let client = Way::Polling.client(address).build().unwrap();
    let socket = client.connect().await.unwrap();
    for i in 0..20 {
        socket.send(Message::text(format!("{i}"))).await.unwrap();
        tokio::time::sleep(core::time::Duration::from_millis(33)).await;
        assert_eq!(socket.end(), None);
    }
}
