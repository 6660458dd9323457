//! Clients of Socket.IO 2, which speak revision 4 of the protocol over revision 3 of Engine.IO.

use eio_socketio::{Auth, Data, Namespace, Refusal, Socket, State, Value};

use crate::support::{Client, Journal, Received, World, echo_and_greet, handshake, ms, noting};

/// A client on WebSocket that has got its handshake.
async fn connect(world: &World) -> Client {
    let mut client = world.connect_raw(3).await;
    client.sid = handshake(&client.text().await);
    client
}

/// A client that the server has put into `/`.
async fn joined(world: &World) -> Client {
    let mut client = connect(world).await;
    client.expect("0").await;
    client
}

#[tokio::test(start_paused = true)]
async fn the_server_opens_the_main_namespace_unasked() {
    let world = World::for_all_revisions(echo_and_greet);
    let mut client = connect(&world).await;
    client.expect("0").await;
    client.expect(r#"2["auth",{}]"#).await;
}

#[tokio::test(start_paused = true)]
async fn the_server_opens_the_main_namespace_by_polling() {
    let world = World::for_all_revisions(|builder| builder.namespace("/", noting()));
    let mut pipe = world.pipe();
    let query = "EIO=3&transport=polling&b64=1";
    let body = pipe.request("GET", query, "").await.body;
    let (len, rest) = body.split_once(':').unwrap();
    let (open, rest) = rest.split_at(len.parse().unwrap());
    let session = format!("{query}&sid={}", handshake(open));
    let packets =
        if rest.is_empty() { pipe.request("GET", &session, "").await.body } else { rest.to_owned() };
    assert_eq!(packets, "2:40");
    assert_eq!(world.journal.read().await, ["/ joined"]);
}

async fn note_id(socket: Socket, Auth(auth): Auth<Option<Value>>, State(journal): State<Journal>) {
    journal.note(format!("{} {}", socket.id(), serde_json::to_string(&auth).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_socket_has_the_identifier_that_its_client_computes_and_the_query_is_its_data() {
    let noting = || Namespace::new().on_connect(note_id);
    let world =
        World::for_all_revisions(|builder| builder.namespace("/", noting()).namespace("/admin", noting()));
    let mut client = joined(&world).await;
    client.send("0/admin?token=a%20b&uid=2,").await;
    client.expect("0/admin,").await;
    let expected =
        [format!("{} null", client.sid), format!(r#"/admin#{} {{"token":"a b","uid":"2"}}"#, client.sid)];
    assert_eq!(world.journal.read().await, expected);
    client.send("1/admin,").await;
    client.send("0/admin,").await;
    client.expect("0/admin,").await;
    assert_eq!(world.journal.read().await, [format!("/admin#{} null", client.sid)]);
}

async fn refuse(socket: Socket, Auth(auth): Auth<Option<Value>>) -> Result<(), Refusal> {
    if socket.namespace() == "/" {
        return Ok(());
    }
    match auth {
        None => Err(Refusal::new("not allowed")),
        // What the packet for such a client cannot hold.
        Some(auth) if auth.get("a").and_then(Value::as_str) == Some("number") => {
            Err(Refusal::new("no number").with_data(7).unwrap())
        }
        Some(auth) if auth.get("a").and_then(Value::as_str) == Some("list") => {
            Err(Refusal::new("no list").with_data([7]).unwrap())
        }
        Some(_) => Err(Refusal::new("not allowed").with_data(Value::from_iter([("code", 1)])).unwrap()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_text_or_the_data_of_the_middleware() {
    let world = World::for_all_revisions(|builder| {
        builder.namespace("/", Namespace::new()).namespace("/rej", noting().middleware(refuse))
    });
    let mut client = joined(&world).await;
    client.send("0/rej,").await;
    client.expect(r#"4/rej,"not allowed""#).await;
    client.send("0/rej?a=1,").await;
    client.expect(r#"4/rej,{"code":1}"#).await;
    client.send("0/rej?a=number,").await;
    client.expect(r#"4/rej,"no number""#).await;
    client.send("0/rej?a=list,").await;
    client.expect(r#"4/rej,"no list""#).await;
    client.send("0/zz,").await;
    client.expect(r#"4/zz,"Invalid namespace""#).await;
    assert_eq!(world.journal.read().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_client_whom_the_main_namespace_refuses_is_disconnected_when_its_time_is_over() {
    async fn nobody() -> Result<(), Refusal> {
        Err("root no".into())
    }
    let world = World::for_all_revisions(|builder| builder.namespace("/", noting().middleware(nobody)));
    let mut client = connect(&world).await;
    client.expect(r#"4"root no""#).await;
    world.at(250).await;
    client.send_engine("2").await;
    assert_eq!(client.text().await, "3");
    world.at(700).await;
    client.send_engine("2").await;
    assert_eq!(client.text().await, "3");
    assert_eq!(client.next().await, Received::End);
    assert_eq!(world.elapsed(), ms(1000));
}

#[tokio::test(start_paused = true)]
async fn events_and_answers_travel_as_in_later_revisions() {
    let world = World::for_all_revisions(echo_and_greet);
    let mut client = joined(&world).await;
    client.expect(r#"2["auth",{}]"#).await;
    client.send(r#"2["message",1,{"a":[null]}]"#).await;
    client.expect(r#"2["message-back",1,{"a":[null]}]"#).await;
    client.send(r#"212["message-with-ack","x"]"#).await;
    client.expect(r#"312["x"]"#).await;
    client.send("0/custom,").await;
    client.expect("0/custom,").await;
    client.expect(r#"2/custom,["auth",{}]"#).await;
}

#[tokio::test(start_paused = true)]
async fn attachments_travel_in_both_directions() {
    let world = World::for_all_revisions(echo_and_greet);
    let mut client = joined(&world).await;
    client.expect(r#"2["auth",{}]"#).await;
    client.send(r#"51-3["message-with-ack",{"_placeholder":true,"num":0}]"#).await;
    client.send_bytes(&[1, 2, 3]).await;
    client.expect(r#"61-3[{"_placeholder":true,"num":0}]"#).await;
    client.expect_bytes(&[1, 2, 3]).await;
}

#[tokio::test(start_paused = true)]
async fn the_client_pings_and_its_silence_ends_the_session() {
    let world = World::for_all_revisions(|builder| builder.namespace("/", noting()));
    let mut client = joined(&world).await;
    for ping in 1..=3 {
        world.at(300 * ping).await;
        client.send_engine("2").await;
        assert_eq!(client.text().await, "3");
    }
    assert_eq!(client.next().await, Received::End);
    assert_eq!(world.elapsed(), ms(900 + 500));
    let expected = ["/ joined", "/ leaves []: ping timeout", "/ left []: ping timeout"];
    assert_eq!(world.journal.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_client_leaves_one_namespace_and_stays_in_the_other() {
    let world =
        World::for_all_revisions(|builder| builder.namespace("/", noting()).namespace("/a", noting()));
    let mut client = joined(&world).await;
    client.send("0/a,").await;
    client.expect("0/a,").await;
    client.send("1").await;
    client.expect_nothing().await;
    let expected = [
        "/ joined",
        "/a joined",
        "/ leaves []: client namespace disconnect",
        "/ left []: client namespace disconnect",
    ];
    assert_eq!(world.journal.read().await, expected);
    assert_eq!(world.server.of("/a").emit("still", "here").unwrap().sent, 1);
    client.expect(r#"2/a,["still","here"]"#).await;
    world.server.of("/a").disconnect();
    client.expect("1/a,").await;
}

async fn tell_all(socket: Socket, Data(text): Data<String>) -> Result<(), eio_socketio::EmitError> {
    socket.broadcast().emit("said", text)?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn clients_of_both_revisions_are_in_the_same_rooms() {
    let world =
        World::for_all_revisions(|builder| builder.namespace("/", Namespace::new().on("say", tell_all)));
    let mut old = joined(&world).await;
    let mut new = world.join().await;
    old.send(r#"2["say","hello"]"#).await;
    new.expect(r#"2["said","hello"]"#).await;
    new.send(r#"2["say","hi"]"#).await;
    old.expect(r#"2["said","hi"]"#).await;
    assert_eq!(world.server.to(&old.sid).emit("private", ()).unwrap().sent, 1);
    old.expect(r#"2["private"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_cannot_be_read_closes_the_connection() {
    for packet in ["2{}", "abc", "0", r#"4"an error of a client""#, r#"2/a,["not joined"]"#] {
        let world = World::for_all_revisions(|builder| builder.namespace("/", noting()));
        let mut client = joined(&world).await;
        client.send(packet).await;
        assert_eq!(client.next().await, Received::End, "{packet}");
        let expected = ["/ joined", "/ leaves []: forced close", "/ left []: forced close"];
        assert_eq!(world.journal.read().await, expected, "{packet}");
    }
}
