//! Every header of a WebSocket's opening handshake, in the server's role: RFC 6455 sections 4.2.1 and 4.2.2, and what
//! the reference (engine.io 6.6.12 on ws 8) adds.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use eio_tokio::{Observer, RefusedRequest, Transport};
use http::HeaderValue;

use crate::support::{Answer, POLLING, Stage, UPGRADE, WEBSOCKET, read, send, stage, time_to_end};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Asks for a WebSocket with one header of the usual ones in another form, or without it.
async fn ask_with(stage: &Stage, header: &str, forms: &[&str]) -> Answer {
    let usual = UPGRADE.iter().filter(|line| !line.starts_with(&format!("{header}: "))).copied();
    let forms: Vec<String> = forms.iter().map(|form| format!("{header}: {form}")).collect();
    let headers: Vec<&str> = usual.chain(forms.iter().map(String::as_str)).collect();
    stage.get(WEBSOCKET, &headers).await
}

#[tokio::test(start_paused = true)]
async fn the_answer_names_the_websocket_the_connection_and_the_key_and_no_extension() {
    let stage = stage(|builder| builder);
    let offer = "sec-websocket-extensions: permessage-deflate; client_max_window_bits";
    let answer = stage.upgrade(WEBSOCKET, &[offer]).await;
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("connection"), Some("Upgrade"));
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(answer.times("sec-websocket-accept"), 1);
    for name in ["sec-websocket-extensions", "sec-websocket-protocol", "sec-websocket-version"] {
        assert_eq!(answer.times(name), 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn upgrade_and_connection_are_lists_in_any_case() {
    let stage = stage(|builder| builder);
    for (header, form) in [
        ("upgrade", "WebSocket"),
        ("upgrade", "h2c, WEBSOCKET"),
        ("connection", "upgrade"),
        ("connection", "keep-alive,UPGRADE"),
    ] {
        assert_eq!(ask_with(&stage, header, &[form]).await.status, 101, "{header}: {form}");
    }
    // Without them nobody asked for a WebSocket.
    for header in ["upgrade", "connection"] {
        for form in [&[][..], &["websockets"]] {
            let answer = ask_with(&stage, header, form).await;
            assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_comes_once_and_is_16_bytes() {
    let stage = stage(|builder| builder);
    for forms in [&[][..], &[""], &["short"], &[KEY, KEY], &[KEY, "AAAAAAAAAAAAAAAAAAAAAA=="]] {
        let refused = ask_with(&stage, "sec-websocket-key", forms).await;
        assert_eq!(
            (refused.status, refused.text()),
            (400, "Missing, repeated or invalid Sec-WebSocket-Key header"),
            "{forms:?}"
        );
    }
    assert_eq!(ask_with(&stage, "sec-websocket-key", &[KEY]).await.status, 101);
}

#[tokio::test(start_paused = true)]
async fn the_version_comes_once_and_is_13() {
    let stage = stage(|builder| builder);
    for forms in [&[][..], &["8"], &["13, 8"], &["013"]] {
        let refused = ask_with(&stage, "sec-websocket-version", forms).await;
        assert_eq!((refused.status, refused.header("sec-websocket-version")), (426, Some("13")), "{forms:?}");
        assert_eq!(refused.header("upgrade"), Some("websocket"));
        assert_eq!(refused.header("connection"), Some("close, Upgrade"));
    }
    let mut connection = stage.connect();
    send(&mut connection, "GET", WEBSOCKET, &[&UPGRADE[..2], &UPGRADE[3..]].concat(), "").await;
    assert_eq!(read(&mut connection).await.unwrap().status, 426);
    assert_eq!(time_to_end(&mut connection).await, Duration::ZERO);
    for forms in [["13", "13"], ["13", "8"]] {
        let refused = ask_with(&stage, "sec-websocket-version", &forms).await;
        assert_eq!((refused.status, refused.text()), (400, "Repeated Sec-WebSocket-Version header"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_method_is_get_and_nothing_follows_the_head() {
    let stage = stage(|builder| builder);
    let refused = stage.ask("PUT", WEBSOCKET, &UPGRADE, "").await;
    assert_eq!((refused.status, refused.text()), (400, "Bad handshake method"));
    for body in ["content-length: 1", "transfer-encoding: chunked"] {
        let refused = stage.upgrade(WEBSOCKET, &[body]).await;
        assert_eq!((refused.status, refused.text()), (400, "Unexpected body"), "{body}");
    }
    assert_eq!(stage.upgrade(WEBSOCKET, &["content-length: 0"]).await.status, 101);
}

#[tokio::test(start_paused = true)]
async fn a_request_names_its_host_once_whatever_it_asks_for() {
    let stage = stage(|builder| builder);
    let raw = async |head: &str| {
        let mut connection = stage.connect();
        tokio::io::AsyncWriteExt::write_all(&mut connection, head.as_bytes()).await.unwrap();
        read(&mut connection).await.unwrap()
    };
    let upgrade = UPGRADE.join("\r\n");
    for hosts in ["", "host: a\r\nhost: a\r\n", "host: a\r\nhost: b\r\n", "host: a/b\r\n", "host: a@b\r\n"] {
        let refused = raw(&format!("GET {POLLING} HTTP/1.1\r\n{hosts}\r\n")).await;
        assert_eq!(refused.status, 400, "{hosts:?}");
        assert_eq!(refused.text(), r#"{"code":3,"message":"Missing, repeated or invalid Host header"}"#);
        let refused = raw(&format!("GET {WEBSOCKET} HTTP/1.1\r\n{hosts}{upgrade}\r\n\r\n")).await;
        assert_eq!(refused.status, 400, "{hosts:?}");
        assert_eq!(refused.text(), "Missing, repeated or invalid Host header");
    }
    assert!(stage.server.is_empty());
    assert_eq!(raw(&format!("GET {POLLING} HTTP/1.0\r\n\r\n")).await.status, 200);
    let old = raw(&format!("GET {WEBSOCKET} HTTP/1.0\r\nhost: a\r\n{upgrade}\r\n\r\n")).await;
    assert_eq!((old.status, old.text()), (400, r#"{"code":3,"message":"Bad request"}"#));
}

#[tokio::test(start_paused = true)]
async fn the_first_subprotocol_on_offer_is_answered() {
    let stage = stage(|builder| builder);
    let sid = stage.open().await;
    // For a new session and for an upgrade.
    for path in [WEBSOCKET.to_owned(), format!("{WEBSOCKET}&sid={sid}")] {
        let answer =
            stage.upgrade(&path, &["sec-websocket-protocol: arduino, b", "sec-websocket-protocol: c"]).await;
        assert_eq!(
            (answer.status, answer.header("sec-websocket-protocol")),
            (101, Some("arduino")),
            "{path}"
        );
        assert_eq!(answer.times("sec-websocket-protocol"), 1, "{path}");
    }
    for wrong in ["", "a b", "a,a", "a,,b"] {
        let refused = stage.upgrade(WEBSOCKET, &[&format!("sec-websocket-protocol: {wrong}")]).await;
        assert_eq!(
            (refused.status, refused.text()),
            (400, "Invalid Sec-WebSocket-Protocol header"),
            "{wrong}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_application_chooses_among_the_subprotocols_on_offer_and_no_others() {
    let stage = stage(|builder| {
        builder.choose_subprotocol(|request, offered| {
            if request.headers.contains_key("x-wild") {
                return Some("never offered");
            }
            offered.iter().copied().find(|name| name.starts_with("chat."))
        })
    });
    let chosen = async |headers: &[&str]| {
        let answer = stage.upgrade(WEBSOCKET, headers).await;
        assert_eq!(answer.status, 101);
        answer.header("sec-websocket-protocol").map(str::to_owned)
    };
    assert_eq!(chosen(&["sec-websocket-protocol: mqtt, chat.v2, chat.v1"]).await.as_deref(), Some("chat.v2"));
    assert_eq!(chosen(&["sec-websocket-protocol: mqtt"]).await, None);
    assert_eq!(chosen(&["sec-websocket-protocol: mqtt", "x-wild: 1"]).await, None);
    assert_eq!(chosen(&["x-wild: 1"]).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_applications_own_header_goes_before_the_choice() {
    let stage = stage(|builder| {
        builder.on_headers(|_, headers| {
            headers.insert("sec-websocket-protocol", HeaderValue::from_static("b"));
        })
    });
    let answer = stage.upgrade(WEBSOCKET, &["sec-websocket-protocol: a, b"]).await;
    assert_eq!(answer.header("sec-websocket-protocol"), Some("b"));
    assert_eq!(answer.times("sec-websocket-protocol"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_path_may_do_without_its_last_slash() {
    let stage = stage(|builder| builder.path("/chat"));
    for path in ["/chat?EIO=4", "/chat/?EIO=4", "/chat/room?EIO=4"] {
        assert_eq!(stage.get(&format!("{path}&transport=polling"), &[]).await.status, 200, "{path}");
        assert_eq!(stage.upgrade(&format!("{path}&transport=websocket"), &[]).await.status, 101, "{path}");
    }
    for path in ["/chatter?EIO=4", "/cha?EIO=4", "/?"] {
        assert_eq!(stage.get(&format!("{path}&transport=polling"), &[]).await.status, 404, "{path}");
        assert_eq!(stage.upgrade(&format!("{path}&transport=websocket"), &[]).await.status, 404, "{path}");
    }
}

/// Notes what was refused: transport, status, code and message.
#[derive(Clone, Default)]
struct Refusals(Arc<Mutex<Vec<Refusal>>>);

type Refusal = (&'static str, u16, u8, String);

impl Observer for Refusals {
    fn refused(&self, request: &RefusedRequest<'_>) {
        assert_eq!(request.peer.map(|peer| peer.to_string()).as_deref(), Some("192.0.2.7:4000"));
        let transport = if request.transport == Transport::WebSocket { "websocket" } else { "polling" };
        let refusal = (transport, request.status.as_u16(), request.code, request.message.to_owned());
        self.0.lock().unwrap().push(refusal);
    }
}

#[tokio::test(start_paused = true)]
async fn every_refusal_is_reported_to_the_observer_on_both_transports() {
    let refusals = Refusals::default();
    let observer = refusals.clone();
    let stage = stage(|builder| {
        builder.observer(observer).allow_request(|head| {
            let refused = head.headers.contains_key("x-refuse");
            async move { if refused { Err("not you".into()) } else { Ok(()) } }
        })
    });
    stage.upgrade(WEBSOCKET, &["x-refuse: 1"]).await;
    stage.get(POLLING, &["x-refuse: 1"]).await;
    stage.upgrade(&format!("{WEBSOCKET}&sid=gone"), &[]).await;
    stage.get(&format!("{POLLING}&sid=gone"), &[]).await;
    // Neither these nor what is not ours.
    stage.upgrade(WEBSOCKET, &[]).await;
    let mut connection = stage.connect();
    send(&mut connection, "GET", "/elsewhere", &[], "").await;
    assert_eq!(read(&mut connection).await.unwrap().status, 404);
    let expected = [
        ("websocket", 400, 4, "not you"),
        ("polling", 403, 4, "not you"),
        ("websocket", 400, 1, "Session ID unknown"),
        ("polling", 400, 1, "Session ID unknown"),
    ];
    let told = core::mem::take(&mut *refusals.0.lock().unwrap());
    assert_eq!(
        told,
        expected.map(|(transport, status, code, words)| (transport, status, code, words.to_owned()))
    );
}
