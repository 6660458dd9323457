//! The opening handshake of the client's role, header by header (RFC 6455 section 4.1), and what every request says.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use eio_tokio::{Client, ClientEvent, ClientSocket, ConnectError, Server, Transport};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::support::{Events, Raw, Way, echo, header, open_packet, scripted, serve};

/// What makes a WebSocket of `request`: all headers of a good answer, by name.
fn good(request: &str) -> Vec<(&'static str, String)> {
    let key = header(request, "sec-websocket-key").unwrap();
    let accept = eio_core::ws::Key::parse(key.as_bytes()).unwrap().accept();
    vec![
        ("Upgrade", "websocket".to_owned()),
        ("Connection", "Upgrade".to_owned()),
        ("Sec-WebSocket-Accept", String::from_utf8(accept.to_vec()).unwrap()),
    ]
}

async fn answer(raw: &mut Raw, line: &str, headers: &[(&'static str, String)]) {
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    raw.write(format!("{line}\r\n{}\r\n", headers.concat())).await;
}

/// Connects to a server that changes a good answer like this, and then opens a session.
async fn connect(
    settings: impl FnOnce(eio_tokio::ClientBuilder) -> eio_tokio::ClientBuilder,
    status: &'static str,
    change: impl Fn(&mut Vec<(&'static str, String)>) + Clone + Send + 'static,
) -> Result<ClientSocket, ConnectError> {
    let address = scripted(move |mut raw| {
        let change = change.clone();
        async move {
            let request = raw.request().await;
            let mut headers = good(&request);
            change(&mut headers);
            answer(&mut raw, &format!("HTTP/1.1 {status}"), &headers).await;
            raw.text(&open_packet(25_000, 20_000, "")).await;
            while raw.frame().await.is_some() {}
        }
    })
    .await;
    settings(Way::WebSocket.client(address)).build().unwrap().connect().await
}

/// A server that answers each request with this status. Returns its address and the requests.
async fn refusing(status: &'static str) -> (SocketAddr, UnboundedReceiver<String>) {
    let (seen, requests) = mpsc::unbounded_channel();
    let address = scripted(move |mut raw| {
        let seen = seen.clone();
        async move {
            let _ = seen.send(raw.request().await);
            raw.answer(status, "").await;
        }
    })
    .await;
    (address, requests)
}

const SWITCHING: &str = "101 Switching Protocols";

#[tokio::test(start_paused = true)]
async fn the_request_asks_for_a_websocket_as_the_rfc_says_and_with_a_new_key_each_time() {
    let (address, mut requests) = refusing("403 Forbidden").await;
    let mut keys = HashSet::new();
    for _ in 0..10 {
        let client = Client::builder(format!("ws://{address}/?room=1")).build().unwrap();
        client.connect().await.unwrap_err();
        let request = requests.recv().await.unwrap();
        let line = request.lines().next().unwrap();
        assert_eq!(line, "GET /engine.io/?EIO=4&transport=websocket&room=1 HTTP/1.1");
        let value = |name| header(&request, name);
        assert_eq!(value("host").unwrap(), address.to_string());
        assert_eq!(value("upgrade").unwrap(), "websocket");
        assert_eq!(value("connection").unwrap(), "Upgrade");
        assert_eq!(value("sec-websocket-version").unwrap(), "13");
        assert_eq!(value("accept-encoding").unwrap(), "identity");
        assert_eq!(value("sec-websocket-protocol"), None, "none is offered");
        assert_eq!(value("sec-websocket-extensions"), None, "none is offered");
        assert_eq!(value("origin"), None, "that is for browsers");
        // Base64 of 16 bytes, or it is no key.
        assert!(keys.insert(value("sec-websocket-key").unwrap()));
        let key = value("sec-websocket-key").unwrap();
        assert!(eio_core::ws::Key::parse(key.as_bytes()).is_ok(), "{key}");
        for name in ["host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version"] {
            let count =
                request.lines().filter(|line| line.to_lowercase().starts_with(&format!("{name}:"))).count();
            assert_eq!(count, 1, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_taken_in_any_case_and_beside_other_tokens() {
    let socket = connect(
        |client| client,
        SWITCHING,
        |headers| {
            headers[0].1 = "WebSocket".to_owned();
            headers[1].1 = "keep-alive, upgrade".to_owned();
            headers.push(("Server", "any".to_owned()));
        },
    )
    .await
    .unwrap();
    assert_eq!(socket.transport(), Transport::WebSocket);
    assert_eq!(socket.protocol(), None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_lacks_or_adds_something_opens_no_websocket() {
    type Change = fn(&mut Vec<(&'static str, String)>);
    let cases: [(&str, Change, &str); 12] = [
        ("no Upgrade", |all| drop(all.remove(0)), "Upgrade"),
        ("another Upgrade", |all| all[0].1 = "h2c".to_owned(), "Upgrade"),
        ("a list in Upgrade", |all| all[0].1 = "h2c, websocket".to_owned(), "Upgrade"),
        ("no Connection", |all| drop(all.remove(1)), "Connection"),
        ("another Connection", |all| all[1].1 = "keep-alive".to_owned(), "Connection"),
        ("no Accept", |all| drop(all.remove(2)), "Sec-WebSocket-Accept"),
        (
            "another Accept",
            |all| all[2].1 = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned(),
            "Sec-WebSocket-Accept",
        ),
        ("Accept in another case", |all| all[2].1 = all[2].1.to_lowercase(), "Sec-WebSocket-Accept"),
        ("Accept twice", |all| all.push(all[2].clone()), "Sec-WebSocket-Accept"),
        (
            "an extension",
            |all| all.push(("Sec-WebSocket-Extensions", "permessage-deflate".to_owned())),
            "extension",
        ),
        ("a subprotocol", |all| all.push(("Sec-WebSocket-Protocol", "mqtt".to_owned())), "subprotocol"),
        ("an empty subprotocol", |all| all.push(("Sec-WebSocket-Protocol", String::new())), "subprotocol"),
    ];
    for (what, change, named) in cases {
        let error = connect(|client| client, SWITCHING, change).await.unwrap_err();
        let ConnectError::NotWebSocket(why) = error else { panic!("{what}: {error}") };
        assert!(why.contains(named), "{what}: {why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_other_than_101_is_a_refusal_whatever_its_headers_say() {
    for status in ["200 OK", "204 No Content", "302 Found", "400 Bad Request", "426 Upgrade Required"] {
        let error = connect(|client| client, status, |_| {}).await.unwrap_err();
        let ConnectError::Refused(refused) = error else { panic!("{status}: {error}") };
        assert!(status.starts_with(refused.status.as_str()), "{status}");
    }
    // What is no HTTP/1.1 cannot switch protocols.
    let address = scripted(|mut raw| async move {
        let headers = good(&raw.request().await);
        answer(&mut raw, "HTTP/1.0 101 Switching Protocols", &headers).await;
    })
    .await;
    let error = Way::WebSocket.client(address).build().unwrap().connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::NotWebSocket(_) | ConnectError::Http(_)), "{error}");
}

fn offer(client: eio_tokio::ClientBuilder) -> eio_tokio::ClientBuilder {
    client.protocols(["chat.v2", "chat.v1"])
}

#[tokio::test(start_paused = true)]
async fn subprotocols_are_offered_and_the_servers_choice_is_checked() {
    for (answered, expected) in [(None, None), (Some("chat.v1"), Some("chat.v1"))] {
        let socket = connect(offer, SWITCHING, move |headers| {
            headers.extend(answered.map(|answered| ("Sec-WebSocket-Protocol", answered.to_owned())));
        })
        .await
        .unwrap();
        assert_eq!(socket.protocol().as_deref(), expected);
    }
    for answered in ["mqtt", "Chat.v1", "chat.v2, chat.v1"] {
        let error = connect(offer, SWITCHING, move |headers| {
            headers.push(("Sec-WebSocket-Protocol", answered.to_owned()));
        });
        assert!(matches!(error.await.unwrap_err(), ConnectError::NotWebSocket(_)), "{answered}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_moves_offers_subprotocols_with_its_websocket_and_not_while_it_polls() {
    let offered = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&offered);
    let address = scripted(move |mut raw| {
        let seen = Arc::clone(&seen);
        async move {
            loop {
                let request = raw.request().await;
                if request.is_empty() {
                    return;
                }
                let offer = header(&request, "sec-websocket-protocol");
                seen.lock().unwrap().push((request.contains("transport=websocket"), offer));
                if request.contains("transport=websocket") {
                    let mut headers = good(&request);
                    headers.push(("Sec-WebSocket-Protocol", "chat.v2".to_owned()));
                    answer(&mut raw, &format!("HTTP/1.1 {SWITCHING}"), &headers).await;
                    while let Some(packet) = raw.frame().await {
                        if packet == "2probe" {
                            raw.text("3probe").await;
                        }
                    }
                    return;
                }
                if request.contains("sid=") {
                    tokio::time::sleep(core::time::Duration::from_millis(20)).await;
                    raw.answer("200 OK", "6").await;
                } else {
                    raw.answer("200 OK", &open_packet(25_000, 20_000, "\"websocket\"")).await;
                }
            }
        }
    })
    .await;
    let events = Events::default();
    let client = events.watch(offer(Way::Upgrade.client(address)));
    let socket = client.build().unwrap().connect().await.unwrap();
    assert_eq!(socket.protocol(), None, "on polling there is none");
    while socket.transport() == Transport::Polling {
        tokio::time::sleep(core::time::Duration::from_millis(1)).await;
    }
    assert_eq!(socket.protocol().as_deref(), Some("chat.v2"));
    let told = events.all();
    let chosen = told
        .iter()
        .position(|event| matches!(event, ClientEvent::ProtocolChosen { protocol } if protocol == "chat.v2"));
    let ended = told.iter().position(|event| matches!(event, ClientEvent::UpgradeEnded(_)));
    assert!(chosen.is_some() && chosen < ended, "{told:?}");
    for (websocket, offer) in offered.lock().unwrap().iter() {
        assert_eq!(offer.as_deref(), websocket.then_some("chat.v2, chat.v1"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_query_of_the_url_arrives_byte_by_byte_in_every_request() {
    let query = "token=%FF%FE&~=~&flag&a%20b=c+d&&x==";
    let (seen, mut targets) = mpsc::unbounded_channel();
    let builder = Server::builder(echo).allow_request(move |parts| {
        let _ = seen.send(parts.uri.query().unwrap().to_owned());
        async { Ok(()) }
    });
    let (_server, address) = serve(builder).await;
    for scheme in ["http", "ws"] {
        let client =
            Client::builder(format!("{scheme}://{address}/?{query}")).query("last", "a b").build().unwrap();
        let _socket = client.connect().await.unwrap();
        let target = targets.recv().await.unwrap();
        assert!(target.ends_with(&format!("&{query}&last=a%20b")), "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_without_a_slash_at_its_end_is_asked_for_as_it_is() {
    let (address, mut requests) = refusing("404 Not Found").await;
    let url = |path: &str| format!("http://{address}{path}");
    let cases = [
        (Client::builder(url("")).trailing_slash(false), "/engine.io?"),
        (Client::builder(url("/socket.io")).trailing_slash(false), "/socket.io?"),
        (Client::builder(url("/socket.io/")).trailing_slash(false), "/socket.io/?"),
        (Client::builder(url("")).path("/a/b").trailing_slash(false), "/a/b?"),
        (Client::builder(url("/socket.io")), "/socket.io/?"),
        (Client::builder(url("")), "/engine.io/?"),
    ];
    for (client, expected) in cases {
        client.build().unwrap().connect().await.unwrap_err();
        let request = requests.recv().await.unwrap();
        assert!(request.starts_with(&format!("GET {expected}EIO=4")), "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_fragment_of_a_url_is_not_sent() {
    let (address, mut requests) = refusing("403 Forbidden").await;
    for (scheme, transport) in [("ws", "websocket"), ("http", "polling")] {
        let client = Client::builder(format!("{scheme}://{address}/?room=%23#part")).build().unwrap();
        client.connect().await.unwrap_err();
        let request = requests.recv().await.unwrap();
        let line = request.lines().next().unwrap();
        assert!(line.starts_with(&format!("GET /engine.io/?EIO=4&transport={transport}&")), "{line}");
        assert!(line.ends_with("&room=%23 HTTP/1.1"), "{line}");
    }
}
