//! Sessions of Engine.IO at the path of Socket.IO: the first half of the protocol's suite.

use eio_socketio::Value;

use crate::support::{Pipe, Received, Response, World, handshake, ms, noting};

const POLLING: &str = "EIO=4&transport=polling";

/// Opens a session by polling. Returns the query of its further requests.
async fn open(pipe: &mut Pipe) -> String {
    let response = pipe.request("GET", POLLING, "").await;
    assert_eq!(response.status, 200);
    format!("{POLLING}&sid={}", handshake(&response.body))
}

fn ok(body: &str) -> Response {
    Response { status: 200, body: body.to_owned() }
}

/// The handshake has exactly these keys, and offers these upgrades.
fn assert_handshake(packet: &str, upgrades: &[&str]) {
    let json: Value = serde_json::from_str(packet.strip_prefix('0').unwrap()).unwrap();
    let mut keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]);
    let upgrades: Vec<_> = upgrades.iter().map(|&upgrade| Value::from(upgrade)).collect();
    assert_eq!(json.get("upgrades"), Some(&Value::Array(upgrades)));
    for (key, value) in [("pingInterval", 300), ("pingTimeout", 200), ("maxPayload", 1_000_000)] {
        assert_eq!(json.get(key).and_then(Value::as_i64), Some(value), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn polling_opens_a_session() {
    let world = World::suite();
    let response = world.pipe().request("GET", POLLING, "").await;
    assert_eq!(response.status, 200);
    assert_handshake(&response.body, &["websocket"]);
}

#[tokio::test(start_paused = true)]
async fn requests_with_an_unknown_revision_transport_or_method_are_refused() {
    let world = World::suite();
    for (method, query) in [
        ("GET", "transport=polling"),
        ("GET", "EIO=abc&transport=polling"),
        ("GET", "EIO=4"),
        ("GET", "EIO=4&transport=abc"),
        ("POST", POLLING),
        ("PUT", POLLING),
        ("GET", "EIO=4&transport=polling&sid=unknown"),
    ] {
        assert_eq!(world.pipe().request(method, query, "").await.status, 400, "{method} {query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_opens_a_session() {
    let world = World::suite();
    let mut client = world.connect_raw(4).await;
    assert_handshake(&client.text().await, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_with_an_unknown_revision_or_transport_is_refused() {
    let world = World::suite();
    for query in ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc"] {
        let Err(response) = world.pipe().upgrade(query).await else { panic!("{query} opens a session") };
        assert_eq!(response.status, 400, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_by_polling() {
    let world = World::suite();
    let mut pipe = world.pipe();
    let session = open(&mut pipe).await;
    for ping in 1..=3 {
        assert_eq!(pipe.request("GET", &session, "").await, ok("2"));
        assert_eq!(world.elapsed(), ms(300 * ping));
        assert_eq!(pipe.request("POST", &session, "3").await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_on_polling_ends_without_pongs() {
    let world = World::suite();
    let mut pipe = world.pipe();
    let session = open(&mut pipe).await;
    world.at(500).await;
    assert_eq!(pipe.request("GET", &session, "").await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_on_a_websocket() {
    let world = World::suite();
    let mut client = world.init().await;
    for ping in 1..=3 {
        assert_eq!(client.text().await, "2");
        assert_eq!(world.elapsed(), ms(300 * ping));
        client.send_engine("3").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_ends_without_pongs() {
    let world = World::suite();
    let mut client = world.connect().await;
    assert_eq!(client.text().await, "2");
    assert_eq!(client.next().await, Received::End);
    assert_eq!(world.elapsed(), ms(500));
}

#[tokio::test(start_paused = true)]
async fn a_session_on_polling_is_closed_by_its_client() {
    let world = World::of(noting());
    let [mut poll, mut post] = [world.pipe(), world.pipe()];
    let session = open(&mut poll).await;
    assert_eq!(post.request("POST", &session, "40").await.status, 200);
    assert!(poll.request("GET", &session, "").await.body.starts_with(r#"40{"sid":""#));
    poll.send("GET", &session, "").await;
    assert_eq!(post.request("POST", &session, "1").await.status, 200);
    assert_eq!(poll.response().await, ok("6"));
    assert_eq!(poll.request("GET", &session, "").await.status, 400);
    let expected = ["/ joined", "/ leaves []: transport close", "/ left []: transport close"];
    assert_eq!(world.journal.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_is_closed_by_its_client() {
    let world = World::suite();
    let mut client = world.connect().await;
    client.send_engine("1").await;
    assert_eq!(client.next().await, Received::End);
    assert_eq!(world.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn a_session_moves_from_polling_to_a_websocket_and_its_socket_with_it() {
    let world = World::suite();
    let mut pipe = world.pipe();
    let session = open(&mut pipe).await;
    assert_eq!(pipe.request("POST", &session, "40").await.status, 200);
    let packets = pipe.request("GET", &session, "").await.body;
    assert!(packets.starts_with(r#"40{"sid":""#), "{packets}");
    let query = session.replace("polling", "websocket");
    let mut client = world.pipe().upgrade(&query).await.unwrap();
    client.send_engine("2probe").await;
    assert_eq!(client.text().await, "3probe");
    client.send_engine("5").await;
    client.send(r#"2["message",1]"#).await;
    // What was not fetched yet comes first.
    if !packets.contains("auth") {
        client.expect(r#"2["auth",{}]"#).await;
    }
    client.expect(r#"2["message-back",1]"#).await;
    // Requests and WebSockets of the same session have no effect now.
    assert_eq!(pipe.request("GET", &session, "").await.status, 400);
    let second = world.pipe().upgrade(&query).await;
    assert!(match second {
        Err(response) => response.status == 400,
        Ok(mut second) => second.next().await == Received::End,
    });
    client.send(r#"2["message",2]"#).await;
    client.expect(r#"2["message-back",2]"#).await;
}

#[tokio::test(start_paused = true)]
async fn packets_and_attachments_travel_by_polling() {
    let world = World::suite();
    let mut pipe = world.pipe();
    let session = open(&mut pipe).await;
    let event = r#"451-1["message-with-ack",{"_placeholder":true,"num":0}]"#;
    let payload = ["40", event, "bAQID", r#"42["message"]"#].join("\u{1e}");
    assert_eq!(pipe.request("POST", &session, &payload).await.status, 200);
    let mut packets = Vec::new();
    while packets.len() < 5 {
        let body = pipe.request("GET", &session, "").await.body;
        packets.extend(body.split('\u{1e}').map(str::to_owned));
    }
    assert!(packets.remove(0).starts_with(r#"40{"sid":""#));
    packets.retain(|packet| packet != r#"42["auth",{}]"#);
    assert_eq!(packets, [r#"461-1[{"_placeholder":true,"num":0}]"#, "bAQID", r#"42["message-back"]"#]);
}
