//! What the bodies of polling are taken for, and which sessions take none.

use crate::support::{POLLING, stage};

const POLLING_3: &str = "/engine.io/?EIO=3&transport=polling&b64=1";

#[tokio::test(start_paused = true)]
async fn a_body_without_a_content_type_is_text() {
    for (path, body) in [(POLLING, "4hello"), (POLLING_3, "6:4hello")] {
        let stage = stage(|builder| builder.eio3(true));
        let sid = stage.get(path, &[]).await.sid();
        let posted = stage.ask("POST", &format!("{path}&sid={sid}"), &[], body).await;
        assert_eq!((posted.status, posted.text()), (200, "ok"), "{path}");
        tokio::task::yield_now().await;
        assert_eq!(stage.seen.lock().unwrap().messages, ["hello"], "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_travel_as_text_in_revision_4_and_a_body_of_bytes_ends_the_session() {
    let stage = stage(|builder| builder);
    let sid = stage.open().await;
    let path = format!("{POLLING}&sid={sid}");
    stage.server.get(&sid).unwrap().try_send(vec![1, 2, 3, 4]).unwrap();
    let polled = stage.get(&path, &[]).await;
    assert_eq!(polled.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(polled.text(), "bAQIDBA==");
    let posted = stage.ask("POST", &path, &["content-type: application/octet-stream"], "bAQIDBA==").await;
    assert_eq!(posted.status, 400);
    tokio::task::yield_now().await;
    assert_eq!(stage.seen.lock().unwrap().ends[0].reason.as_str(), "transport error");
}

#[tokio::test(start_paused = true)]
async fn revision_3_sends_bytes_as_the_client_can_take_them() {
    let text = ("text/plain; charset=UTF-8", "2:4\u{20ac}10:b4AQIDBA==".as_bytes());
    let bytes =
        ("application/octet-stream", &b"\x00\x04\xff4\xe2\x82\xac\x01\x05\xff\x04\x01\x02\x03\x04"[..]);
    for (path, (content_type, body)) in [(POLLING_3, text), ("/engine.io/?EIO=3&transport=polling", bytes)] {
        let stage = stage(|builder| builder.eio3(true));
        let sid = stage.get(path, &[]).await.sid();
        let session = stage.server.get(&sid).unwrap();
        session.try_send("\u{20ac}").unwrap();
        session.try_send(vec![1, 2, 3, 4]).unwrap();
        let polled = stage.get(&format!("{path}&sid={sid}"), &[]).await;
        assert_eq!((polled.header("content-type"), &*polled.body), (Some(content_type), body), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_session_is_refused_whatever_is_asked_of_it() {
    let stage = stage(|builder| builder.eio3(true));
    for path in [POLLING, POLLING_3] {
        for method in ["GET", "POST"] {
            let refused = stage.ask(method, &format!("{path}&sid=unknown"), &[], "").await;
            assert_eq!(refused.status, 400, "{method} {path}");
            assert_eq!(refused.text(), r#"{"code":1,"message":"Session ID unknown"}"#, "{method} {path}");
        }
    }
}
