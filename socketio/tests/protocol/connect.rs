//! Joining namespaces.

use std::collections::HashSet;

use eio_socketio::{Auth, Namespace, Refusal, Server, Socket, State, Value};

use crate::support::{Client, Journal, Received, World, greeting, ms, noting};

#[tokio::test(start_paused = true)]
async fn a_client_joins_the_main_namespace() {
    let world = World::suite();
    let mut client = world.connect().await;
    client.join("/", "").await;
    client.expect(r#"2["auth",{}]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_joins_the_main_namespace_with_data() {
    let world = World::suite();
    let mut client = world.connect().await;
    client.join("/", r#"{"token":"123"}"#).await;
    client.expect(r#"2["auth",{"token":"123"}]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_joins_another_namespace() {
    let world = World::suite();
    let mut client = world.connect().await;
    client.join("/custom", "").await;
    client.expect(r#"2/custom,["auth",{}]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_joins_another_namespace_with_data() {
    let world = World::suite();
    let mut client = world.connect().await;
    client.join("/custom", r#"{"token":"abc"}"#).await;
    client.expect(r#"2/custom,["auth",{"token":"abc"}]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_the_server_does_not_have_is_refused_and_the_connection_stays() {
    let world = World::suite();
    let mut client = world.connect().await;
    // A query is a part of the name: only clients of Socket.IO 2 have one.
    for name in ["/random", "/custom/", "/custom?token=1", "/__proto__", "/\u{e9}"] {
        client.send(&format!("0{name},")).await;
        client.expect(&format!(r#"4{name},{{"message":"Invalid namespace"}}"#)).await;
    }
    client.join("/custom", "").await;
}

#[tokio::test(start_paused = true)]
async fn the_comma_after_a_namespace_may_be_missing_and_an_identifier_is_ignored() {
    let world = World::suite();
    for packet in ["0", "0/", "0/,", "01", r#"012{"a":1}"#, "0/custom", "0/custom,7"] {
        let mut client = world.connect().await;
        client.send(packet).await;
        let prefix = if packet.contains("custom") { r#"0/custom,{"sid":""# } else { r#"0{"sid":""# };
        assert!(client.packet().await.starts_with(prefix), "{packet}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_socket_has_an_identifier_of_its_own_which_is_not_that_of_the_session() {
    let world = World::suite();
    let mut seen = HashSet::new();
    for _ in 0..2 {
        let mut client = world.connect().await;
        assert!(seen.insert(client.sid.clone()));
        assert!(seen.insert(client.join("/", "").await));
        client.expect(r#"2["auth",{}]"#).await;
        assert!(seen.insert(client.join("/custom", "").await));
    }
    assert!(seen.iter().all(|id| id.len() == 20), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn data_that_is_no_object_closes_the_connection() {
    for packet in ["0[1]", "0null", r#"0"text""#, "0{bad", r#"0{"a":1}x"#, "0a", "0/custom,[]"] {
        let world = World::of(noting());
        let mut client = world.connect().await;
        client.send(packet).await;
        client.expect_end().await;
        assert_eq!(world.journal.read().await, [""; 0], "{packet}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_something_else_before_it_joins_is_disconnected() {
    for packet in ["abc", r#"2["message"]"#, r#"2/custom,["message"]"#, "1", "30[]", r#"4{"message":"no"}"#] {
        let world = World::suite();
        let mut client = world.connect().await;
        client.send(packet).await;
        client.expect_end().await;
        assert_eq!(world.elapsed(), ms(0), "{packet}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_joins_nothing_is_disconnected_when_the_time_is_over() {
    let world = World::suite();
    world.connect().await.expect_end().await;
    assert_eq!(world.elapsed(), ms(1000));
}

#[tokio::test(start_paused = true)]
async fn a_refused_client_has_as_much_time_as_one_that_says_nothing() {
    let world = World::suite();
    let mut client = world.connect().await;
    world.at(250).await;
    client.send("0/random").await;
    client.expect(r#"4/random,{"message":"Invalid namespace"}"#).await;
    client.expect_end().await;
    assert_eq!(world.elapsed(), ms(1000));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_joined_stays_as_long_as_it_answers_pings() {
    let world = World::suite();
    let mut client = world.init().await;
    for ping in 1..=10 {
        assert_eq!(client.text().await, "2");
        assert_eq!(world.elapsed(), ms(300 * ping));
        client.send_engine("3").await;
    }
}

#[tokio::test(start_paused = true)]
async fn joining_a_second_time_closes_the_connection_and_ends_all_sockets() {
    let world = World::new(|builder| builder.namespace("/", noting()).namespace("/a", noting()));
    let mut client = world.connect().await;
    client.join("/", "").await;
    client.join("/a", "").await;
    client.send("0").await;
    client.expect_end().await;
    let expected = [
        "/ joined",
        "/a joined",
        "/ leaves []: forced close",
        "/ left []: forced close",
        "/a leaves []: forced close",
        "/a left []: forced close",
    ];
    assert_eq!(world.journal.read().await, expected);
}

#[derive(serde::Deserialize)]
struct Login {
    token: String,
}

async fn authenticate(Auth(login): Auth<Login>, State(journal): State<Journal>) -> Result<(), Refusal> {
    journal.note(format!("asked with {}", login.token));
    match login.token.as_str() {
        "bad" => Err(Refusal::new("not allowed").with_data(Value::from_iter([("code", 7)])).unwrap()),
        "worse" => Err(Refusal::new("not allowed")),
        _ => Ok(()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_middleware_refuses_with_a_message_and_data_and_the_client_may_try_again() {
    let world = World::of(noting().middleware(authenticate));
    let mut client = world.connect().await;
    client.send(r#"0{"token":"bad"}"#).await;
    client.expect(r#"4{"message":"not allowed","data":{"code":7}}"#).await;
    client.send(r#"0{"token":"worse"}"#).await;
    client.expect(r#"4{"message":"not allowed"}"#).await;
    assert_eq!(world.journal.read().await, ["asked with bad", "asked with worse"]);
    client.join("/", r#"{"token":"good"}"#).await;
    assert_eq!(world.journal.read().await, ["asked with good", "/ joined"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_the_data_that_a_middleware_wants_is_refused() {
    let world = World::of(noting().middleware(authenticate));
    let mut client = world.connect().await;
    client.send("0").await;
    let refusal = client.packet().await;
    assert!(refusal.starts_with(r#"4{"message":""#), "{refusal}");
    assert_eq!(world.journal.read().await, [""; 0]);
}

async fn first(State(journal): State<Journal>) -> Result<(), Refusal> {
    journal.note("first");
    tokio::time::sleep(ms(100)).await;
    Ok(())
}

async fn second(socket: Socket, State(journal): State<Journal>) -> Result<(), Refusal> {
    journal.note(format!("second, connected: {}", socket.is_connected()));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn middlewares_run_one_after_the_other_and_the_client_waits_for_all() {
    let world = World::of(noting().middleware(first).middleware(second));
    let mut client = world.connect().await;
    client.send("0").await;
    client.expect_nothing().await;
    assert_eq!(world.journal.read().await, ["first"]);
    assert!(client.packet().await.starts_with(r#"0{"sid":"#));
    assert_eq!(world.elapsed(), ms(100));
    assert_eq!(world.journal.read().await, ["second, connected: false", "/ joined"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_events_while_a_middleware_decides_is_disconnected_and_never_joins() {
    let world = World::of(noting().middleware(first));
    let mut client = world.connect().await;
    client.send("0").await;
    client.send(r#"2["early"]"#).await;
    client.expect_end().await;
    world.at(500).await;
    assert_eq!(world.journal.read().await, ["first"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_before_the_middleware_has_decided_never_joins() {
    let world = World::of(noting().middleware(first));
    let mut client = world.connect().await;
    client.send("0").await;
    client.expect_nothing().await;
    drop(client);
    world.at(1000).await;
    assert_eq!(world.journal.read().await, ["first"]);
    assert_eq!(world.server.of("/").sockets().len(), 0);
}

async fn broken() -> Result<(), Refusal> {
    panic!("out of order");
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_panics_refuses_and_nothing_else_ends() {
    let world =
        World::new(|builder| builder.namespace("/", noting().middleware(broken)).namespace("/a", noting()));
    let mut client = world.connect().await;
    client.join("/a", "").await;
    client.send("0").await;
    client.expect(r#"4{"message":"Internal server error"}"#).await;
    assert_eq!(world.journal.read().await, ["/a joined"]);
}

#[tokio::test(start_paused = true)]
async fn namespaces_of_a_pattern_exist_while_somebody_is_there() {
    let world =
        World::new(|builder| builder.namespace_matching(|name| name.starts_with("/tenant-"), greeting()));
    let [mut one, mut other] = [world.connect().await, world.connect().await];
    one.join("/tenant-1", r#"{"me":1}"#).await;
    one.expect(r#"2/tenant-1,["auth",{"me":1}]"#).await;
    other.join("/tenant-2", "").await;
    other.expect(r#"2/tenant-2,["auth",{}]"#).await;
    other.send("0/other").await;
    other.expect(r#"4/other,{"message":"Invalid namespace"}"#).await;
    assert_eq!(world.server.of("/tenant-1").sockets().len(), 1);
    one.send("1/tenant-1,").await;
    one.expect_nothing().await;
    assert_eq!(world.server.of("/tenant-1").sockets().len(), 0);
    one.join("/tenant-1", "").await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_joins_no_more_namespaces_than_allowed() {
    let world =
        World::new(|builder| builder.namespace_matching(|_| true, Namespace::new()).max_namespaces(3));
    let mut client = world.connect().await;
    for name in ["/1", "/2", "/3"] {
        client.join(name, "").await;
    }
    client.send("0/4").await;
    assert!(client.packet().await.starts_with(r#"4/4,{"message":""#));
    client.send("1/2,").await;
    client.join("/4", "").await;
}

async fn tell_server(server: Server, State(journal): State<Journal>) {
    journal.note(format!("{} here", server.of("/").sockets().len()));
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_among_those_of_its_namespace_when_its_application_hears_of_it() {
    let world = World::of(Namespace::new().on_connect(tell_server));
    let _one = world.join().await;
    let _other = world.join().await;
    assert_eq!(world.journal.read().await, ["1 here", "2 here"]);
}

/// Joins and leaves at once, many times over.
async fn come_and_go(client: &mut Client) {
    for _ in 0..100 {
        client.send("0").await;
        client.send("1").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_may_leave_and_join_again_in_one_breath() {
    let world = World::of(noting());
    let mut client = world.connect().await;
    come_and_go(&mut client).await;
    let mut answers = HashSet::new();
    for _ in 0..100 {
        assert!(answers.insert(client.packet().await));
    }
    let notes = world.journal.read().await;
    assert_eq!(notes.len(), 300, "{notes:?}");
    for three in notes.chunks(3) {
        let end = "client namespace disconnect";
        assert_eq!(
            three,
            ["/ joined".to_owned(), format!("/ leaves []: {end}"), format!("/ left []: {end}")]
        );
    }
    // It has to join again in time.
    assert_eq!(client.next().await, Received::Text("2".into()));
    client.send_engine("3").await;
    client.expect_end().await;
    assert_eq!(world.elapsed(), ms(1000));
}
