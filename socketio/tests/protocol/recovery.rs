//! Clients that come back after their connection broke.

mod auth;
mod catching_up;
mod ends;
mod keeping;

use bytes::Bytes;
use eio_socketio::{Args, Auth, Binary, Data, JoinError, Namespace, Recovery, Refusal, Socket, State, Value};

use crate::support::{Client, Journal, World, ms, noting, settle};

async fn join(socket: Socket, Data(room): Data<String>) -> Result<(), JoinError> {
    socket.join(room).map(drop)
}

async fn note_recovered(socket: Socket, State(journal): State<Journal>) {
    let name = socket.get::<String>();
    journal.note(format!("joined, recovered: {}, named: {name:?}", socket.is_recovered()));
    socket.insert("Ada".to_owned());
}

fn application() -> Namespace<Journal> {
    Namespace::new().on("join", join).on_connect(note_recovered)
}

/// A server with recovery.
fn world(recovery: Recovery, namespace: Namespace<Journal>) -> World {
    World::new(|builder| builder.recovery(recovery).namespace("/", namespace))
}

/// What a client of the reference remembers.
struct Known {
    sid: String,
    pid: String,
    offset: Option<String>,
}

/// Joins `/` on a new connection.
async fn connect(world: &World, auth: &str) -> (Client, Known) {
    let mut client = world.connect().await;
    client.send(&format!("0{auth}")).await;
    let packet = client.packet().await;
    let Value::Object(object) = serde_json::from_str(packet.strip_prefix('0').unwrap()).unwrap() else {
        panic!("{packet}")
    };
    assert_eq!(object.keys().collect::<Vec<_>>(), ["sid", "pid"]);
    let text = |key: &str| object[key].as_str().unwrap().to_owned();
    (client, Known { sid: text("sid"), pid: text("pid"), offset: None })
}

/// Comes back as a client of the reference does. Returns whether the session went on.
async fn come_back(world: &World, known: &mut Known) -> (Client, bool) {
    let offset = known.offset.as_ref().map_or(String::new(), |offset| format!(r#","offset":"{offset}""#));
    let (client, now) = connect(world, &format!(r#"{{"pid":"{}"{offset}}}"#, known.pid)).await;
    let is_same = (now.sid == known.sid, now.pid == known.pid);
    assert_eq!(is_same.0, is_same.1);
    (known.sid, known.pid) = (now.sid, now.pid);
    (client, is_same.0)
}

/// The next packet is this event, with an offset as its last argument.
async fn expect(client: &mut Client, known: &mut Known, event: &str) {
    let packet = client.packet().await;
    let (begin, offset) = packet.rsplit_once(',').unwrap();
    assert_eq!(format!("{begin}]"), event);
    known.offset =
        Some(offset.strip_prefix('"').and_then(|rest| rest.strip_suffix("\"]")).unwrap().to_owned());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_gets_its_socket_and_what_was_sent_to_it_meanwhile() {
    let world = world(Recovery::new(), application());
    let (mut client, mut known) = connect(&world, "").await;
    client.send(r#"2["join","a"]"#).await;
    settle().await;
    world.server.emit("one", ()).unwrap();
    expect(&mut client, &mut known, r#"2["one"]"#).await;
    drop(client);
    settle().await;
    world.server.to("a").emit("two", Args((1, "x"))).unwrap();
    world.server.to("b").emit("for others", ()).unwrap();
    world.server.of("/").except("a").emit("for others", ()).unwrap();
    world.server.to(&known.sid).emit("three", Binary(Bytes::from_static(b"abc"))).unwrap();
    world.server.of("/").volatile().emit("lost", ()).unwrap();
    world.at(60_000).await;
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    expect(&mut client, &mut known, r#"2["two",1,"x"]"#).await;
    expect(&mut client, &mut known, r#"51-["three",{"_placeholder":true,"num":0}]"#).await;
    client.expect_bytes(b"abc").await;
    client.expect_nothing().await;
    // It is in its rooms again.
    world.server.to("a").emit("four", ()).unwrap();
    expect(&mut client, &mut known, r#"2["four"]"#).await;
    let expected =
        ["joined, recovered: false, named: None", r#"joined, recovered: true, named: Some("Ada")"#];
    assert_eq!(world.journal.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_to_one_client_comes_to_no_other_whatever_its_rooms_are_called() {
    let world = world(Recovery::new(), application());
    let (mut client, mut known) = connect(&world, "").await;
    let (mut spy, mut known_spy) = connect(&world, "").await;
    let namespace = world.server.of("/");
    let socket = namespace.sockets().into_iter().find(|socket| socket.id().as_str() == known.sid).unwrap();
    spy.send(&format!(r#"2["join","{}"]"#, known.sid)).await;
    settle().await;
    drop(spy);
    settle().await;
    socket.emit("private", ()).unwrap();
    // This is for all in a room, also in one that is called like a socket.
    world.server.to(&known.sid).emit("public", ()).unwrap();
    expect(&mut client, &mut known, r#"2["private"]"#).await;
    expect(&mut client, &mut known, r#"2["public"]"#).await;
    let (mut spy, is_recovered) = come_back(&world, &mut known_spy).await;
    assert!(is_recovered);
    expect(&mut spy, &mut known_spy, r#"2["public"]"#).await;
    spy.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_under_way_when_the_connection_broke_comes_again() {
    let world = world(Recovery::new(), application());
    let (mut client, mut known) = connect(&world, "").await;
    for number in 0..3 {
        world.server.emit("event", number).unwrap();
    }
    expect(&mut client, &mut known, r#"2["event",0]"#).await;
    drop(client);
    for _ in 0..3 {
        settle().await;
        let (mut client, is_recovered) = come_back(&world, &mut known).await;
        assert!(is_recovered);
        for number in 1..3 {
            let last = known.offset.take();
            expect(&mut client, &mut known, &format!(r#"2["event",{number}]"#)).await;
            known.offset = last;
        }
        client.expect_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_saw_no_event_is_recovered_too() {
    let world = world(Recovery::new(), application());
    let (client, mut known) = connect(&world, "").await;
    drop(client);
    settle().await;
    world.server.emit("event", ()).unwrap();
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    expect(&mut client, &mut known, r#"2["event"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_recovered_from_the_time_of_its_silence() {
    let world = world(Recovery::new(), application());
    let (mut silent, mut known) = connect(&world, "").await;
    world.server.emit("event", 1).unwrap();
    expect(&mut silent, &mut known, r#"2["event",1]"#).await;
    world.at(400).await;
    world.server.emit("event", 2).unwrap();
    world.at(600).await;
    world.server.emit("event", 3).unwrap();
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    expect(&mut client, &mut known, r#"2["event",2]"#).await;
    expect(&mut client, &mut known, r#"2["event",3]"#).await;
}

#[tokio::test(start_paused = true)]
async fn only_events_that_can_be_recovered_carry_an_offset() {
    let world = world(Recovery::new(), application());
    let (mut client, mut known) = connect(&world, "").await;
    let [socket] = &world.server.of("/").sockets()[..] else { panic!("expected one socket") };
    assert!(socket.emit_volatile("volatile", 1).unwrap());
    client.expect(r#"2["volatile",1]"#).await;
    let asking = socket.clone();
    tokio::spawn(async move { asking.emit_with_ack::<Value>("asking", 1).await });
    client.expect(r#"20["asking",1]"#).await;
    socket.emit("event", 1).unwrap();
    expect(&mut client, &mut known, r#"2["event",1]"#).await;
    assert!(known.offset.unwrap().len() < 10);
}

#[tokio::test(start_paused = true)]
async fn without_recovery_there_is_neither_an_identifier_of_the_session_nor_an_offset() {
    let world = World::of(application());
    let mut client = world.connect().await;
    client.join("/", r#"{"pid":"aaaaaaaaaaaaaaaaaaaa","offset":"aaaaa"}"#).await;
    world.server.emit("event", 1).unwrap();
    client.expect(r#"2["event",1]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_or_a_server_that_left_on_purpose_begins_anew() {
    let world = world(Recovery::new(), application());
    let (mut client, mut known) = connect(&world, "").await;
    client.send("1").await;
    settle().await;
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(!is_recovered);
    world.server.of("/").disconnect();
    client.expect("1").await;
    assert!(!come_back(&world, &mut known).await.1);
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_once_and_nobody_takes_over_one_that_is_connected() {
    let world = world(Recovery::new(), application());
    let (first, known) = connect(&world, "").await;
    let mut thief = Known { sid: known.sid.clone(), pid: known.pid.clone(), offset: None };
    assert!(!come_back(&world, &mut thief).await.1);
    drop(first);
    settle().await;
    let mut one = Known { sid: known.sid.clone(), pid: known.pid.clone(), offset: None };
    let mut other = Known { sid: known.sid, pid: known.pid, offset: None };
    let (_client, is_recovered) = come_back(&world, &mut one).await;
    assert!(is_recovered);
    assert!(!come_back(&world, &mut other).await.1);
}

#[tokio::test(start_paused = true)]
async fn nonsense_instead_of_a_session_begins_a_new_one() {
    let world = world(Recovery::new(), application());
    for auth in [
        r#"{"pid":1}"#,
        r#"{"pid":null,"offset":null}"#,
        r#"{"pid":"","offset":""}"#,
        r#"{"pid":"aaaaaaaaaaaaaaaaaaaa","offset":"aaaaa"}"#,
        r#"{"pid":{},"offset":[]}"#,
        r#"{"offset":"aaaaa"}"#,
    ] {
        let (mut client, _) = connect(&world, auth).await;
        client.expect_nothing().await;
    }
    assert!(world.journal.read().await.iter().all(|note| note.contains("recovered: false")));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_too_late_or_after_too_much_begins_anew() {
    for (recovery, is_in_time) in [
        (Recovery::new().max_disconnection(ms(30_000)), true),
        (Recovery::new().max_disconnection(ms(29_999)), false),
        (Recovery::new().max_packets(2), true),
        (Recovery::new().max_packets(1), false),
        (Recovery::new().max_bytes(100), false),
        (Recovery::new().max_sessions(2), true),
        (Recovery::new().max_sessions(1), false),
    ] {
        let world = world(recovery.clone(), application());
        let (client, mut known) = connect(&world, "").await;
        let (another, _) = connect(&world, "").await;
        drop(client);
        settle().await;
        drop(another);
        settle().await;
        world.server.emit("event", 1).unwrap();
        world.server.emit("event", 2).unwrap();
        world.at(30_000).await;
        let (mut client, is_recovered) = come_back(&world, &mut known).await;
        assert_eq!(is_recovered, is_in_time, "{recovery:?}");
        if !is_recovered {
            client.expect_nothing().await;
        }
    }
}

async fn admit(Auth(auth): Auth<Value>, State(journal): State<Journal>) -> Result<(), Refusal> {
    journal.note("asked");
    if auth.get("banned").is_some() { Err("banned".into()) } else { Ok(()) }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_back_passes_by_the_middlewares_unless_the_settings_say_otherwise() {
    for skip in [true, false] {
        let world = world(Recovery::new().skip_middlewares(skip), application().middleware(admit));
        let (client, mut known) = connect(&world, "{}").await;
        drop(client);
        settle().await;
        world.server.emit("event", ()).unwrap();
        assert_eq!(world.journal.read().await, ["asked", "joined, recovered: false, named: None"]);
        let (mut client, is_recovered) = come_back(&world, &mut known).await;
        assert!(is_recovered);
        expect(&mut client, &mut known, r#"2["event"]"#).await;
        let joined = r#"joined, recovered: true, named: Some("Ada")"#;
        let expected = if skip { vec![joined] } else { vec!["asked", joined] };
        assert_eq!(world.journal.read().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_refuses_a_client_that_comes_back_gives_nothing_away() {
    let world = world(Recovery::new().skip_middlewares(false), application().middleware(admit));
    let (client, mut known) = connect(&world, "{}").await;
    drop(client);
    settle().await;
    world.server.emit("event", ()).unwrap();
    let mut client = world.connect().await;
    client.send(&format!(r#"0{{"pid":"{}","banned":true}}"#, known.pid)).await;
    client.expect(r#"4{"message":"banned"}"#).await;
    client.expect_nothing().await;
    // The session is still there for one who is admitted.
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    expect(&mut client, &mut known, r#"2["event"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn each_namespace_recovers_by_itself() {
    let world = World::new(|builder| {
        builder.recovery(Recovery::new()).namespace("/", application()).namespace("/b", noting())
    });
    let (client, mut known) = connect(&world, "").await;
    drop(client);
    settle().await;
    world.server.of("/b").emit("event", ()).unwrap();
    let mut elsewhere = world.connect().await;
    elsewhere.send(&format!(r#"0/b,{{"pid":"{}"}}"#, known.pid)).await;
    let packet = elsewhere.packet().await;
    assert!(packet.starts_with(r#"0/b,{"sid":""#) && !packet.contains(&known.pid), "{packet}");
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    client.expect_nothing().await;
}
