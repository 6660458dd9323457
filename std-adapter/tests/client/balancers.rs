//! What lies between a client and its server: balancers that pin clients by cookie, and redirects.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use eio_core::upgrade::UpgradeOutcome;
use eio_tokio::{Client, ClientBuilder, ClientEvent, ConnectError, RefusalKind, Server, Transport};

use crate::support::{Events, Notes, Raw, Way, echo, header, noting, open_packet, scripted, serve};

/// Passes a request on to a server, and its connection from then on.
async fn pass(raw: &mut Raw, request: &str, to: SocketAddr, set: &str) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut server = tokio::net::TcpStream::connect(to).await.unwrap();
    // One request to a connection, so that every one of them is seen.
    let closing = request.replacen("\r\n", "\r\nX-Passed: 1\r\n", 1);
    server.write_all(closing.as_bytes()).await.unwrap();
    if request.contains("transport=websocket") {
        let _ = tokio::io::copy_bidirectional(&mut raw.0, &mut server).await;
        return;
    }
    let mut answer = Vec::new();
    while !is_whole(&answer) {
        if server.read_buf(&mut answer).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    raw.write(answer.replacen("\r\n", &format!("\r\nSet-Cookie: {set}\r\n"), 1)).await;
}

fn is_whole(answer: &[u8]) -> bool {
    let answer = String::from_utf8_lossy(answer);
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    header(head, "content-length").is_some_and(|length| body.len() >= length.parse().unwrap())
}

/// A balancer before two servers: by its cookie a client comes back to the one that it began with, otherwise to each in
/// turn. The cookie's value is another one with every answer. Returns how many requests came with none.
async fn balancer() -> (SocketAddr, Arc<AtomicUsize>, [Server; 2]) {
    let (first, at_first) = serve(Server::builder(echo)).await;
    let (second, at_second) = serve(Server::builder(echo)).await;
    let servers = [at_first, at_second];
    let (turn, anonymous) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&anonymous);
    let address = scripted(move |mut raw| {
        let (turn, anonymous) = (Arc::clone(&turn), Arc::clone(&counted));
        async move {
            loop {
                let request = raw.request().await;
                if request.is_empty() {
                    return;
                }
                let number = turn.fetch_add(1, Ordering::Relaxed);
                let cookie = header(&request, "cookie").unwrap_or_default();
                let pinned = cookie.split("; ").find_map(|pair| pair.strip_prefix("LB=")?.split('.').next());
                let pinned = pinned.map(|pinned| pinned.parse::<usize>().unwrap());
                anonymous.fetch_add(usize::from(pinned.is_none()), Ordering::Relaxed);
                let to = pinned.unwrap_or(number % 2);
                pass(&mut raw, &request, servers[to], &format!("LB={to}.{number}; Path=/")).await;
            }
        }
    })
    .await;
    (address, anonymous, [first, second])
}

#[tokio::test(start_paused = true)]
async fn a_balancers_cookie_keeps_polling_and_the_upgrade_at_one_server() {
    for way in [Way::Polling, Way::Upgrade] {
        let (address, anonymous, _servers) = balancer().await;
        let events = Events::default();
        let client = events.watch(way.client(address)).header("Cookie", "theme=dark").build().unwrap();
        let mut socket = client.connect().await.unwrap();
        for number in 0..20 {
            socket.send(format!("{number}")).await.unwrap();
            assert_eq!(socket.recv().await.unwrap().as_text(), Some(&*number.to_string()), "{way:?}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        assert_eq!(anonymous.load(Ordering::Relaxed), 1, "{way:?}: the first request only");
        if way == Way::Upgrade {
            let outcome = events.wait_for(|event| match event {
                ClientEvent::UpgradeEnded(outcome) => Some(*outcome),
                _ => None,
            });
            assert_eq!(outcome.await, UpgradeOutcome::Upgraded);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_cookies_a_session_behind_such_a_balancer_is_unknown() {
    let (address, _, _servers) = balancer().await;
    let client = Way::Polling.client(address).cookies(false).build().unwrap();
    let socket = client.connect().await.unwrap();
    socket.closed().await;
    let Some(ConnectError::Refused(refused)) = socket.failure() else { panic!() };
    assert_eq!(refused.kind(), RefusalKind::UnknownSession);
}

/// A server that answers every request with this redirect, and notes the requests.
async fn redirecting(status: &'static str, location: String) -> (SocketAddr, Notes<String>) {
    noting(move |mut raw, noted| {
        let location = location.clone();
        async move {
            let request = raw.request().await;
            noted.lock().unwrap().push(request);
            let head = format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nSet-Cookie: from=redirect\r\n");
            raw.write(head + "Content-Length: 0\r\n\r\n").await;
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_a_refusal_with_its_location_and_followed_when_asked_for() {
    let (seen, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let builder = Server::builder(echo).path("/moved/").allow_request(move |parts| {
        let _ = seen.send((parts.uri.to_string(), parts.headers.clone()));
        async { Ok(()) }
    });
    let (_server, target) = serve(builder).await;
    for status in ["301 x", "302 x", "303 x", "307 x", "308 x"] {
        let location = format!("http://{target}/moved/?EIO=4&transport=polling&room=%7e");
        let (address, _) = redirecting(status, location.clone()).await;
        for way in Way::ALL {
            let client = way.client(address).header("X-Key", "secret").query("room", "1");
            let ConnectError::Refused(refused) = client.build().unwrap().connect().await.unwrap_err() else {
                panic!("{way:?}")
            };
            assert_eq!(refused.location.as_ref(), Some(&location), "{way:?} {status}");

            let events = Events::default();
            let client = events.watch(way.client(address)).header("X-Key", "secret").query("room", "1");
            let mut socket = client.follow_redirects(1).build().unwrap().connect().await.unwrap();
            socket.send("hello").await.unwrap();
            assert_eq!(socket.recv().await.unwrap().as_text(), Some("hello"));
            let (uri, headers) = heads.recv().await.unwrap();
            assert!(uri.starts_with("/moved/?EIO=4&transport=") && uri.ends_with("&room=%7e"), "{uri}");
            assert_eq!(headers["host"], target.to_string());
            let to = events.all().iter().find_map(|event| match event {
                ClientEvent::Redirected { to } => Some(to.clone()),
                _ => None,
            });
            assert_eq!(to, Some(format!("http://{target}/moved/")));
            while heads.try_recv().is_ok() {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_are_followed_as_often_as_allowed_and_no_oftener() {
    let (address, requests) = redirecting("307 x", "/again/".to_owned()).await;
    for at_most in [0, 1, 3] {
        requests.lock().unwrap().clear();
        let client = Way::Polling.client(address).follow_redirects(at_most).build().unwrap();
        let error = client.connect().await.unwrap_err();
        assert!(matches!(&error, ConnectError::Refused(refused) if refused.kind() == RefusalKind::Redirect));
        assert_eq!(requests.lock().unwrap().len(), at_most as usize + 1);
    }
    // What cannot be followed is not.
    for location in ["ftp://h/", "http://", "mailto:x", "http://h:99999/"] {
        let (address, requests) = redirecting("307 x", location.to_owned()).await;
        let client = Way::Polling.client(address).follow_redirects(3).build().unwrap();
        let error = client.connect().await.unwrap_err();
        assert!(matches!(error, ConnectError::Refused(_)), "{location}: {error}");
        assert_eq!(requests.lock().unwrap().len(), 1, "{location}");
    }
    for status in ["300 x", "304 x", "200 x"] {
        let (address, requests) = redirecting(status, "/again/".to_owned()).await;
        let client = Way::Polling.client(address).follow_redirects(3).build().unwrap();
        client.connect().await.unwrap_err();
        assert_eq!(requests.lock().unwrap().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_sends_to_one_server_goes_to_no_other() {
    let secrets = |client: ClientBuilder| {
        client.header("Cookie", "a=secret").header("X-Key", "secret").query("token", "secret")
    };
    // The same machine by another name is another host, and another port of the host may be anybody's.
    for host in ["localhost", "127.0.0.1"] {
        let (target, requests) = redirecting("404 x", String::new()).await;
        let (address, _) = redirecting("302 x", format!("http://{host}:{}/", target.port())).await;
        for client in [
            Client::builder(format!("http://{address}")).header("Authorization", "Bearer secret"),
            Client::builder(format!("http://ann:secret@{address}")),
            Client::builder(format!("ws://{address}")).protocols(["chat", "token.secret"]),
        ] {
            requests.lock().unwrap().clear();
            let client = secrets(client).follow_redirects(1);
            client.build().unwrap().connect().await.unwrap_err();
            let requests = requests.lock().unwrap();
            assert_eq!(requests.len(), 1);
            let request = requests[0].to_ascii_lowercase();
            assert!(request.starts_with("get /?eio=4&transport="), "{request}");
            for secret in ["secret", "from=redirect", "authorization", "sec-websocket-protocol"] {
                assert!(!request.contains(secret), "{host}: {request}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_headers_and_cookies_go_along_to_the_same_host_and_port() {
    let (address, requests) = redirecting("307 x", "/again/".to_owned()).await;
    let events = Events::default();
    let client = events.watch(Client::builder(format!("http://ann:secret@{address}/?token=again")));
    client.header("X-Key", "secret").follow_redirects(1).build().unwrap().connect().await.unwrap_err();
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].starts_with("GET /again/?"), "{}", requests[1]);
    for (name, value) in
        [("authorization", "Basic YW5uOnNlY3JldA=="), ("x-key", "secret"), ("cookie", "from=redirect")]
    {
        assert_eq!(header(&requests[1], name).as_deref(), Some(value), "{name}");
    }
    let told = |event: &ClientEvent| matches!(event, ClientEvent::Redirected { to } if to.ends_with("/…/"));
    assert!(events.all().iter().any(told), "the path repeats a value of the query: {:?}", events.all());
}

#[tokio::test(start_paused = true)]
async fn a_redirect_that_pins_to_a_node_below_another_path_is_followed_with_its_cookie() {
    let (address, requests) = noting(|mut raw, noted: Notes<String>| async move {
        let request = raw.request().await;
        let is_pinned = header(&request, "cookie").is_some_and(|cookie| cookie == "node=7");
        noted.lock().unwrap().push(request);
        if is_pinned {
            raw.answer("404 x", "").await;
            return;
        }
        let set = "Set-Cookie: node=7; Path=/app\r\nSet-Cookie: old=1; Path=/engine.io\r\n";
        raw.write(format!("HTTP/1.1 302 x\r\nLocation: /app/engine.io/\r\n{set}Content-Length: 0\r\n\r\n"))
            .await;
    })
    .await;
    let client = Way::Polling.client(address).follow_redirects(3).build().unwrap();
    let error = client.connect().await.unwrap_err();
    assert!(matches!(&error, ConnectError::Refused(refused) if refused.status == 404), "{error}");
    assert_eq!(requests.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_of_the_upgrade_leaves_the_session_on_polling() {
    let address = scripted(|mut raw| async move {
        loop {
            let request = raw.request().await;
            if request.is_empty() {
                return;
            }
            if request.contains("transport=websocket") {
                raw.write("HTTP/1.1 307 x\r\nLocation: /elsewhere/\r\nContent-Length: 0\r\n\r\n").await;
            } else if request.contains("sid=") {
                tokio::time::sleep(Duration::from_mins(1)).await;
            } else {
                raw.answer("200 OK", &open_packet(25_000, 20_000, "\"websocket\"")).await;
            }
        }
    })
    .await;
    let events = Events::default();
    let client = events.watch(Client::builder(format!("http://{address}"))).follow_redirects(5);
    let socket = client.build().unwrap().connect().await.unwrap();
    let error = events.wait_for(|event| match event {
        ClientEvent::UpgradeFailed { error } => Some(error.to_string()),
        _ => None,
    });
    assert_eq!(error.await, "refused by the server: status 307 Temporary Redirect, to \"/elsewhere/\"");
    assert_eq!((socket.transport(), socket.end()), (Transport::Polling, None));
}
