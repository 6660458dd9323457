//! What the application decides about a request that wants to open a session, and what the session keeps of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eio_tokio::core::Heartbeat;
use eio_tokio::http::{HeaderValue, Response, StatusCode, header};
use eio_tokio::http_body_util::Full;
use eio_tokio::{Admission, Cookie, Cors, Observer, Rejection, Sender, Server, Socket};

use crate::support::{POLLING, Stage, WEBSOCKET, stage};

#[derive(Clone, Debug, PartialEq)]
struct User(&'static str);

#[tokio::test(start_paused = true)]
async fn a_rejections_own_status_and_headers_hold_on_both_transports() {
    let stage = stage(|builder| {
        builder.allow_request(|_| async {
            Err::<(), _>(
                Rejection::new(StatusCode::UNAUTHORIZED, "a \"token\" is missing")
                    .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
                    .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic")),
            )
        })
    });
    let refused = stage.get(POLLING, &[]).await;
    assert_eq!((refused.status, refused.header("content-type")), (401, Some("application/json")));
    assert_eq!(refused.text(), r#"{"code":4,"message":"a \"token\" is missing"}"#);
    assert!(refused.head.contains("www-authenticate: Bearer\r\nwww-authenticate: Basic"), "{}", refused.head);
    let refused = stage.upgrade(WEBSOCKET, &[]).await;
    assert_eq!((refused.status, refused.text()), (401, "a \"token\" is missing"));
    assert_eq!(
        (refused.header("www-authenticate"), refused.header("connection")),
        (Some("Bearer"), Some("close"))
    );
    assert!(stage.server.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_rejection_may_be_an_answer_as_it_is() {
    let stage = stage(|builder| {
        builder.response_header(header::SERVER, HeaderValue::from_static("ours")).allow_request(|_| async {
            let answer = Response::builder()
                .status(StatusCode::TEMPORARY_REDIRECT)
                .header(header::LOCATION, "https://elsewhere.example.org/")
                .body(Full::from("elsewhere"))
                .unwrap();
            Err::<(), _>(Rejection::response(answer))
        })
    });
    for refused in [stage.get(POLLING, &[]).await, stage.upgrade(WEBSOCKET, &[]).await] {
        assert_eq!((refused.status, refused.text()), (307, "elsewhere"));
        assert_eq!(refused.header("location"), Some("https://elsewhere.example.org/"));
        assert_eq!((refused.header("content-type"), refused.header("server")), (None, Some("ours")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_refuses_nothing_becomes_500() {
    let ok = || Rejection::new(StatusCode::OK, "fine");
    let switching = || {
        let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).body(Full::default());
        Rejection::response(answer.unwrap())
    };
    // On HTTP/2, this would open a WebSocket.
    let created = || Rejection::response(Response::builder().status(201).body(Full::default()).unwrap());
    for rejection in [ok as fn() -> Rejection, switching, created] {
        let stage = stage(|builder| builder.allow_request(move |_| async move { Err::<(), _>(rejection()) }));
        assert_eq!(stage.get(POLLING, &[]).await.status, 500);
        assert_eq!(stage.upgrade(WEBSOCKET, &[]).await.status, 500);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejection_without_words_says_forbidden() {
    let stage = stage(|builder| builder.allow_request(|_| async { Err::<(), _>(String::new().into()) }));
    let refused = stage.get(POLLING, &[]).await;
    assert_eq!((refused.status, refused.text()), (403, r#"{"code":4,"message":"Forbidden"}"#));
}

#[tokio::test(start_paused = true)]
async fn an_admissions_headers_come_with_the_opening_answer_alone_and_beside_the_servers_own() {
    let stage = stage(|builder| {
        let cookie = |value| (header::SET_COOKIE, HeaderValue::from_static(value));
        let [(one, a), (two, b)] = [cookie("a=1"), cookie("b=2")];
        let admission = Admission::new().header(one, a).header(two, b);
        builder
            .cookie(Cookie::new("io").unwrap())
            .allow_request(move |_| core::future::ready(Ok(admission.clone())))
    });
    let opened = stage.get(POLLING, &[]).await;
    assert_eq!(opened.status, 200);
    for cookie in ["set-cookie: io=", "set-cookie: a=1\r\n", "set-cookie: b=2\r\n"] {
        assert!(opened.head.contains(cookie), "{}", opened.head);
    }
    let path = format!("{POLLING}&sid={}", opened.sid());
    assert_eq!(stage.ask("POST", &path, &[], "4hello").await.header("set-cookie"), None);
    let opened = stage.upgrade(WEBSOCKET, &[]).await;
    assert_eq!(opened.status, 101);
    assert!(opened.head.contains("set-cookie: a=1\r\nset-cookie: b=2\r\n"), "{}", opened.head);
}

#[tokio::test(start_paused = true)]
async fn cookies_and_vary_of_the_application_come_beside_the_servers_own() {
    let stage = stage(|builder| {
        builder
            .cookie(Cookie::new("io").unwrap())
            .cors(Cors::origins(["https://a.test"]).unwrap())
            .response_header(header::VARY, HeaderValue::from_static("Accept-Language"))
            .on_headers(|_, headers| _ = headers.append(header::SET_COOKIE, HeaderValue::from_static("a=1")))
    });
    let opened = stage.get(POLLING, &[]).await;
    for line in ["set-cookie: io=", "set-cookie: a=1\r\n", "vary: Accept-Language\r\n", "vary: Origin\r\n"] {
        assert!(opened.head.contains(line), "no {line:?} in {}", opened.head);
    }
    let preflight = stage.ask("OPTIONS", POLLING, &["origin: https://a.test"], "").await;
    assert_eq!(preflight.header("vary"), Some("Accept-Language, Origin, Access-Control-Request-Headers"));
}

#[tokio::test(start_paused = true)]
async fn an_admissions_periods_are_announced_and_kept() {
    let stage = stage(|builder| {
        builder.allow_request(|head| {
            let is_quick = head.headers.contains_key("x-quick");
            let quick = Heartbeat::new(Duration::from_millis(300), Duration::from_millis(200)).unwrap();
            let admission = Admission::new();
            async move { Ok(if is_quick { admission.heartbeat(quick) } else { admission }) }
        })
    });
    let quick = stage.get(POLLING, &["x-quick: 1"]).await;
    assert!(quick.text().contains(r#""pingInterval":300,"pingTimeout":200"#), "{}", quick.text());
    assert!(stage.get(POLLING, &[]).await.text().contains(r#""pingInterval":25000,"pingTimeout":20000"#));
    tokio::time::sleep(Duration::from_millis(510)).await;
    assert_eq!(stage.server.len(), 1);
    assert_eq!(stage.seen.lock().unwrap().ends.len(), 1);
}

/// Notes whom it is told of.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, place: &str, user: Option<&User>) {
        self.0.lock().unwrap().push(format!("{place}: {user:?}"));
    }
}

impl Observer for Seen {
    fn opened(&self, session: &Sender) {
        self.note("observer", session.extensions().get());
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_admission_carries_is_found_everywhere_for_the_life_of_the_session() {
    let seen = Seen::default();
    let (opening, leaving) = (seen.clone(), seen.clone());
    let server = Server::builder(move |mut socket: Socket| {
        let seen = opening.clone();
        async move {
            seen.note("application", socket.extensions().get());
            while socket.recv().await.is_ok() {}
            seen.note("end", socket.extensions().get());
        }
    })
    .on_disconnect(move |session, _| {
        leaving.note("on_disconnect", session.extensions().get());
        async {}
    })
    .observer(seen.clone())
    .allow_request(|_| async { Ok(Admission::new().with(User("nobody")).with(User("ada"))) })
    .build()
    .unwrap();
    let stage = Stage { server, seen: Arc::default() };
    let sid = stage.open().await;
    let session = stage.server.get(&sid).unwrap();
    assert_eq!(session.extensions().get(), Some(&User("ada")));
    assert_eq!(stage.server.sessions()[0].extensions().len(), 1);
    session.close();
    stage.get(&format!("{POLLING}&sid={sid}"), &[]).await;
    session.closed().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let places = ["observer", "application", "end", "on_disconnect"];
    assert_eq!(*seen.0.lock().unwrap(), places.map(|place| format!("{place}: Some(User(\"ada\"))")));
    assert_eq!(session.extensions().get(), Some(&User("ada")));
}

#[test]
fn debugging_output_of_an_admission_has_no_secrets() {
    let admission = Admission::new()
        .with(User("ada"))
        .header(header::SET_COOKIE, HeaderValue::from_static("session=secret"));
    let shown = format!("{admission:?}");
    assert!(shown.contains("set-cookie") && !shown.contains("secret") && !shown.contains("ada"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_comes_while_the_server_shuts_down_is_answered_and_opens_no_session() {
    for admits in [true, false] {
        let stage = stage(|builder| {
            builder.allow_request(move |_| async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                if admits { Ok(()) } else { Err(Rejection::new(StatusCode::UNAUTHORIZED, "not you")) }
            })
        });
        let server = stage.server.clone();
        let shutdown = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            server.shutdown(Duration::from_secs(5)).await
        };
        let (polling, websocket, cut) =
            tokio::join!(stage.get(POLLING, &[]), stage.upgrade(WEBSOCKET, &[]), shutdown);
        let expected = if admits { (503, 503) } else { (401, 401) };
        assert_eq!((polling.status, websocket.status), expected);
        assert!(cut.is_empty() && stage.server.is_empty(), "{cut:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_panics_after_others_costs_only_its_own_request() {
    let stage = stage(|builder| {
        builder.allow_request(|head| {
            let panics = head.headers.contains_key("x-panic");
            async move {
                tokio::task::yield_now().await;
                assert!(!panics, "as the test wants it");
                Ok(Admission::new().with(User("ada")))
            }
        })
    });
    let sid = stage.open().await;
    assert_eq!(stage.get(POLLING, &["x-panic: 1"]).await.status, 500);
    assert_eq!(stage.upgrade(WEBSOCKET, &["x-panic: 1"]).await.status, 500);
    assert_eq!(stage.ask("POST", &format!("{POLLING}&sid={sid}"), &[], "4hello").await.status, 200);
    stage.open().await;
    assert_eq!(stage.server.len(), 2);
    assert_eq!(stage.seen.lock().unwrap().messages, ["hello"]);
}
