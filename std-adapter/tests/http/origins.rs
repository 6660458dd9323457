//! Who may connect, who may read, and whose address counts.

use core::time::Duration;

use eio_tokio::{AllowedOrigins, BuildError, Cors, Forwarding, Server, TrustedProxies};

use crate::support::{POLLING, WEBSOCKET, read, send, stage};

#[tokio::test(start_paused = true)]
async fn pages_of_other_origins_are_refused_on_both_transports_before_anything_is_switched() {
    let stage = stage(|builder| builder.allowed_origins(AllowedOrigins::SameOrigin));
    let evil = ["origin: https://evil.test"];
    let refused = stage.upgrade(WEBSOCKET, &evil).await;
    assert_eq!((refused.status, refused.text()), (403, "Origin not allowed"));
    assert_eq!(refused.header("connection"), Some("close"));
    let refused = stage.get(POLLING, &evil).await;
    assert_eq!((refused.status, refused.text()), (403, r#"{"code":4,"message":"Origin not allowed"}"#));
    // Not even with a session that somebody else opened.
    let sid = stage.open().await;
    assert_eq!(stage.upgrade(&format!("{WEBSOCKET}&sid={sid}"), &evil).await.status, 403);
    assert_eq!(stage.ask("POST", &format!("{POLLING}&sid={sid}"), &evil, "4x").await.status, 403);
    assert_eq!(stage.server.len(), 1);

    let own = ["origin: https://chat.example.org"];
    assert_eq!(stage.upgrade(WEBSOCKET, &own).await.status, 101);
    assert_eq!(stage.get(POLLING, &own).await.status, 200);
    assert_eq!(stage.upgrade(WEBSOCKET, &[]).await.status, 101);
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_may_read_may_connect_and_by_default_all_may() {
    let all = stage(|builder| builder);
    assert_eq!(all.upgrade(WEBSOCKET, &["origin: https://evil.test"]).await.status, 101);
    let listed = stage(|builder| builder.cors(Cors::origins(["https://app.example.org"]).unwrap()));
    assert_eq!(listed.upgrade(WEBSOCKET, &["origin: https://app.example.org"]).await.status, 101);
    assert_eq!(listed.upgrade(WEBSOCKET, &["origin: https://evil.test"]).await.status, 403);
    let both = stage(|builder| {
        builder.cors(Cors::origins(["https://app.example.org"]).unwrap()).allowed_origins(AllowedOrigins::Any)
    });
    assert_eq!(both.upgrade(WEBSOCKET, &["origin: https://evil.test"]).await.status, 101);
}

#[tokio::test(start_paused = true)]
async fn preflights_are_answered_and_every_answer_says_who_may_read_it() {
    let stage =
        stage(|builder| builder.cors(Cors::origins(["https://app.example.org"]).unwrap().credentials(true)));
    let asked = ["origin: https://app.example.org", "access-control-request-method: POST"];
    let preflight = stage.ask("OPTIONS", POLLING, &asked, "").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET,HEAD,PUT,PATCH,POST,DELETE"));
    assert_eq!(stage.server.len(), 0);
    let origin = &asked[..1];
    for answer in [
        preflight,
        stage.ask("OPTIONS", "/elsewhere/", &asked, "").await,
        stage.get("/elsewhere/", origin).await,
        stage.get(POLLING, origin).await,
        stage.get("/engine.io/?EIO=4", origin).await,
        stage.get(&format!("{POLLING}&sid=unknown"), origin).await,
        stage.upgrade("/engine.io/?EIO=4&transport=nonsense", origin).await,
    ] {
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("https://app.example.org"),
            "{answer:?}"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert!(answer.header("vary").unwrap().starts_with("Origin"));
    }
}

#[test]
fn credentials_for_any_origin_are_refused_when_the_server_is_built() {
    let built = Server::builder(|_| async {}).cors(Cors::any().credentials(true)).build();
    assert_eq!(built.err(), Some(BuildError::CredentialsForAnyOrigin));
}

#[test]
fn origins_and_paths_that_can_never_match_are_refused_when_the_server_is_built() {
    let nobody = Cors::origins::<[&str; 0]>([]).unwrap();
    assert_eq!(Server::builder(|_| async {}).cors(nobody).build().err(), Some(BuildError::CorsForNobody));
    for path in ["/a b", "/a?b", "/a#b", "/caf\u{e9}", "/a\n"] {
        let built = Server::builder(|_| async {}).path(path).build();
        assert_eq!(built.err(), Some(BuildError::ImpossiblePath(format!("{path}/"))), "{path}");
    }
    for path in ["/", "/a/b", "/caf%C3%A9", "/~a:b@c"] {
        assert!(Server::builder(|_| async {}).path(path).build().is_ok(), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn subdomains_and_packaged_applications_may_be_listed() {
    let list = || ["https://*.example.org", "file://"];
    let stage = stage(|builder| builder.cors(Cors::origins(list()).unwrap()));
    for (origin, status) in [
        ("https://app.example.org", 101),
        ("https://a.b.example.org", 101),
        ("file://", 101),
        ("https://example.org", 403),
        ("https://app.example.org:8443", 403),
        ("https://app.example.org.evil.test", 403),
        ("null", 403),
    ] {
        let header = format!("origin: {origin}");
        assert_eq!(stage.upgrade(WEBSOCKET, &[&header]).await.status, status, "{origin}");
        let polled = stage.get(POLLING, &[&header]).await;
        assert_eq!(polled.status == 200, status == 101, "{origin}");
        assert_eq!(polled.header("access-control-allow-origin"), (status == 101).then_some(origin));
    }
}

#[tokio::test(start_paused = true)]
async fn the_clients_address_comes_from_trusted_proxies_alone() {
    let stage = stage(|builder| {
        let proxies = TrustedProxies::new(Forwarding::XForwardedFor, ["10.0.0.0/8"]).unwrap();
        builder.trusted_proxies(proxies).handshakes_per_address(1, Duration::from_mins(1))
    });
    let claim = ["x-forwarded-for: 203.0.113.5, 198.51.100.6, 10.0.0.2"];
    for (peer, status) in
        [("10.0.0.1:1", 200), ("192.0.2.7:1", 200), ("10.0.0.3:1", 429), ("192.0.2.7:2", 429)]
    {
        let mut connection = stage.connect_from(peer);
        send(&mut connection, "GET", POLLING, &claim, "").await;
        assert_eq!(read(&mut connection).await.unwrap().status, status, "{peer}");
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    let peers: Vec<_> = stage.seen.lock().unwrap().peers.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(peers, ["198.51.100.6:0", "192.0.2.7:1"]);
}
