//! What the answers of polling carry.

use std::io::Read as _;

use eio_tokio::{Cookie, SameSite};
use http::{HeaderName, HeaderValue, header};

use crate::support::{POLLING, WEBSOCKET, stage};

#[tokio::test(start_paused = true)]
async fn the_cookie_is_set_by_the_answer_that_opens_a_polling_session_and_by_no_other() {
    let stage = stage(|builder| {
        builder.eio3(true).cookie(Cookie::new("io").unwrap().secure(true).same_site(SameSite::Strict))
    });
    for path in [POLLING, "/engine.io/?EIO=3&transport=polling&b64=1"] {
        let opened = stage.get(path, &[]).await;
        let expected = format!("io={}; Path=/; HttpOnly; Secure; SameSite=Strict", opened.sid());
        assert_eq!(opened.header("set-cookie"), Some(&*expected));
        let post = stage.ask("POST", &format!("{path}&sid={}", opened.sid()), &[], "4x").await;
        assert_eq!(post.header("set-cookie"), None);
    }
    assert_eq!(stage.upgrade(WEBSOCKET, &[]).await.header("set-cookie"), None);
}

#[tokio::test(start_paused = true)]
async fn the_applications_headers_go_on_every_answer_and_its_initial_ones_on_the_first() {
    let stage = stage(|builder| {
        builder
            .response_header(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=1"))
            .response_header(HeaderName::from_static("x-a"), HeaderValue::from_static("fixed"))
            .on_headers(|request, headers| {
                if request.uri.path().ends_with("/special") {
                    headers.insert("x-a", HeaderValue::from_static("special"));
                }
            })
            .on_initial_headers(|_, headers| {
                headers.insert("x-first", HeaderValue::from_static("yes"));
            })
    });
    let opened = stage.get(POLLING, &[]).await;
    let later = stage.ask("POST", &format!("{POLLING}&sid={}", opened.sid()), &[], "4x").await;
    let wrong = stage.get("/engine.io/", &[]).await;
    let switched = stage.upgrade(WEBSOCKET, &[]).await;
    let special = stage.get("/engine.io/special?EIO=4&transport=polling", &[]).await;
    let elsewhere = stage.get("/", &[]).await;
    assert_eq!(elsewhere.status, 404);
    for (answer, first) in [
        (&opened, Some("yes")),
        (&later, None),
        (&wrong, None),
        (&elsewhere, None),
        (&switched, Some("yes")),
        (&special, Some("yes")),
    ] {
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=1"));
        assert_eq!(answer.header("x-first"), first);
    }
    assert_eq!(opened.header("x-a"), Some("fixed"));
    assert_eq!(special.header("x-a"), Some("special"));
}

#[tokio::test(start_paused = true)]
async fn long_answers_are_compressed_for_those_who_can_read_them() {
    let stage = stage(|builder| builder);
    let sid = stage.open().await;
    let path = format!("{POLLING}&sid={sid}");
    let say = |len: usize| stage.server.get(&sid).unwrap().try_send("x".repeat(len)).unwrap();

    say(1_023);
    let compressed = stage.get(&path, &["accept-encoding: br, gzip;q=0.5"]).await;
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert!(compressed.body.len() < 100);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*compressed.body).read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("4{}", "x".repeat(1_023)));

    say(1_022);
    assert_eq!(stage.get(&path, &["accept-encoding: gzip"]).await.header("content-encoding"), None);
    say(100_000);
    let plain = stage.get(&path, &[]).await;
    assert_eq!((plain.header("content-encoding"), plain.body.len()), (None, 100_001));
}

#[tokio::test(start_paused = true)]
async fn compression_can_be_switched_off() {
    let stage = stage(|builder| builder.compression(None));
    let sid = stage.open().await;
    stage.server.get(&sid).unwrap().try_send("x".repeat(5_000)).unwrap();
    let plain = stage.get(&format!("{POLLING}&sid={sid}"), &["accept-encoding: gzip"]).await;
    assert_eq!((plain.header("content-encoding"), plain.body.len()), (None, 5_001));
}

#[tokio::test(start_paused = true)]
async fn scripts_carry_text_whatever_the_client_says_and_only_the_digits_of_their_number() {
    let stage = stage(|builder| builder.eio3(true));
    let opened = stage.get("/engine.io/?EIO=3&transport=polling&j=7%22;alert(1)", &[]).await;
    assert!(opened.text().starts_with("___eio[71](\""), "{}", opened.text());
    assert_eq!(opened.header("content-type"), Some("text/plain; charset=UTF-8"));
    let (_, rest) = opened.text().split_once("sid\\\":\\\"").unwrap();
    let sid = rest.split('\\').next().unwrap();
    stage.server.get(sid).unwrap().try_send(vec![1, 2, 3]).unwrap();
    let poll = stage.get(&format!("/engine.io/?EIO=3&transport=polling&j=0&sid={sid}"), &[]).await;
    assert_eq!(poll.text(), "___eio[0](\"6:b4AQID\");");
}

#[tokio::test(start_paused = true)]
async fn a_form_without_a_payload_is_a_parse_error() {
    for (eio, body) in [(3, ""), (3, "x=1%3A2"), (3, "d="), (4, "x=2"), (4, "d="), (4, "D=2")] {
        let stage = stage(|builder| builder.eio3(true));
        let path = format!("/engine.io/?EIO={eio}&transport=polling");
        let sid = stage.get(&path, &[]).await.sid();
        let answer = stage.ask("POST", &format!("{path}&j=0&sid={sid}"), &[], body).await;
        assert_eq!(answer.status, 400, "{eio} {body}");
        tokio::task::yield_now().await;
        assert!(stage.server.get(&sid).is_none(), "{eio} {body}");
        let ends = &stage.seen.lock().unwrap().ends;
        assert_eq!(ends.first().map(|end| end.reason.as_str()), Some("parse error"), "{eio} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn old_browsers_are_told_not_to_mangle_answers() {
    let stage = stage(|builder| builder);
    for (agent, told) in
        [("Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", Some("0")), ("curl", None)]
    {
        let answer = stage.get(POLLING, &[&format!("user-agent: {agent}")]).await;
        assert_eq!(answer.header("x-xss-protection"), told);
    }
}

#[tokio::test(start_paused = true)]
async fn what_fits_no_path_transport_or_method_is_refused_with_its_code() {
    let stage = stage(|builder| builder.path("/chat"));
    for (method, path, status, code) in [
        ("GET", "/chatter?EIO=4&transport=polling", 404, None),
        ("GET", "/engine.io/?EIO=4&transport=polling", 404, None),
        ("GET", "/chat/anything?EIO=4&transport=polling", 200, None),
        ("GET", "/chat/?EIO=4&transport=constructor", 400, Some(0)),
        ("GET", "/chat/?EIO=4&transport=polling&transport=polling", 400, Some(0)),
        ("GET", "/chat/?EIO=4&transport=polling&sid=x", 400, Some(1)),
        ("DELETE", "/chat/?EIO=4&transport=polling", 400, Some(2)),
        ("GET", "/chat/?EIO=4&transport=websocket", 400, Some(3)),
        ("GET", "/chat/?EIO=3&transport=polling", 400, Some(5)),
    ] {
        let answer = stage.ask(method, path, &[], "").await;
        assert_eq!(answer.status, status, "{path}");
        if let Some(code) = code {
            assert!(answer.text().starts_with(&format!("{{\"code\":{code},")), "{path}");
        }
    }
}
