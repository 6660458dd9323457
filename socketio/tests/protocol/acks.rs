//! Acknowledgements, in both directions.

use bytes::Bytes;
use eio_socketio::{AckError, Args, Binary, Data, Namespace, Reply, Socket, Value};

use crate::support::{Journal, World, ms, settle};

#[tokio::test(start_paused = true)]
async fn an_event_that_asks_for_an_answer_is_answered() {
    let world = World::suite();
    let mut client = world.init().await;
    client.send(r#"2456["message-with-ack",1,"2",{"3":[false]}]"#).await;
    client.expect(r#"3456[1,"2",{"3":[false]}]"#).await;
}

#[tokio::test(start_paused = true)]
async fn attachments_are_answered_with_attachments() {
    let world = World::suite();
    let mut client = world.init().await;
    let placeholders = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    client.send(&format!(r#"52-789["message-with-ack",{placeholders}]"#)).await;
    client.send_bytes(&[1, 2, 3]).await;
    client.send_bytes(&[4, 5, 6]).await;
    client.expect(&format!("62-789[{placeholders}]")).await;
    client.expect_bytes(&[1, 2, 3]).await;
    client.expect_bytes(&[4, 5, 6]).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_asks_for_no_answer_gets_none() {
    let world = World::suite();
    let mut client = world.init().await;
    client.send(r#"2["message-with-ack",1]"#).await;
    client.expect_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_repeats_the_number_and_the_namespace() {
    let world = World::new(|builder| builder.namespace("/a", Namespace::new().on("sum", sum)));
    let mut client = world.connect().await;
    client.join("/a", "").await;
    for number in ["0", "1", "9007199254740991"] {
        client.send(&format!(r#"2/a,{number}["sum",1,2]"#)).await;
        client.expect(&format!("3/a,{number}[3]")).await;
    }
    client.send(r#"2/a,007["sum",1,2]"#).await;
    client.expect("3/a,7[3]").await;
}

async fn sum(Args((a, b)): Args<(i64, i64)>) -> Reply<i64> {
    Reply(a + b)
}

async fn fail(Data(_): Data<String>) -> Result<Reply<()>, std::io::Error> {
    Err(std::io::Error::other("out of order"))
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_does_not_answer_and_the_next_event_is_handled() {
    let world = World::of(Namespace::new().on("sum", sum).on("fail", fail));
    let mut client = world.join().await;
    client.send(r#"21["fail","whole"]"#).await;
    client.send(r#"22["fail",{"not":"a text"}]"#).await;
    client.send(r#"23["sum","one","two"]"#).await;
    client.send(r#"24["sum",1,2]"#).await;
    client.expect("34[3]").await;
    client.expect_nothing().await;
}

/// The socket of the only client.
fn only(world: &World) -> Socket {
    let [socket] = &world.server.of("/").sockets()[..] else { panic!("expected one socket") };
    socket.clone()
}

/// Asks the client of the suite for its name in a task of its own.
fn ask(world: &World) -> tokio::task::JoinHandle<Result<Value, AckError>> {
    let socket = only(world);
    tokio::spawn(async move { socket.emit_with_ack("name?", ()).timeout(ms(2000)).await })
}

#[tokio::test(start_paused = true)]
async fn a_client_answers_the_server() {
    let world = World::suite();
    let mut client = world.init().await;
    for (answer, expected) in [
        (r#"["Ada",2]"#, Value::from("Ada")),
        ("[]", Value::Null),
        (r#"[{"a":null}]"#, Value::from_iter([("a", Value::Null)])),
    ] {
        let asking = ask(&world);
        let packet = client.packet().await;
        let id = packet.strip_prefix('2').and_then(|rest| rest.strip_suffix(r#"["name?"]"#)).unwrap();
        client.send(&format!("3{id}{answer}")).await;
        assert_eq!(asking.await.unwrap().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_answers_the_server_with_attachments() {
    let world = World::suite();
    let mut client = world.init().await;
    let socket = only(&world);
    let asking = tokio::spawn(async move {
        socket.emit_with_ack::<Binary>("double", Binary(Bytes::from_static(b"ab"))).await
    });
    let packet = client.packet().await;
    let id = packet.strip_prefix("51-").unwrap().split('[').next().unwrap().to_owned();
    client.expect_bytes(b"ab").await;
    client.send(&format!(r#"61-{id}[{{"_placeholder":true,"num":0}}]"#)).await;
    client.send_bytes(b"abab").await;
    assert_eq!(asking.await.unwrap().unwrap(), Binary(Bytes::from_static(b"abab")));
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_waits_for_are_ignored() {
    let world = World::suite();
    let mut client = world.init().await;
    for packet in ["30[]", "3999[1]", "39007199254740991[]", "3[]"] {
        client.send(packet).await;
    }
    let asking = ask(&world);
    let packet = client.packet().await;
    let id = packet.strip_prefix('2').and_then(|rest| rest.split('[').next()).unwrap().to_owned();
    client.send(&format!("3{id}[1]")).await;
    client.send(&format!("3{id}[2]")).await;
    assert_eq!(asking.await.unwrap().unwrap(), Value::from(1));
    client.send(r#"2["message"]"#).await;
    client.expect(r#"2["message-back"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_type_is_an_error_that_says_so() {
    let world = World::suite();
    let mut client = world.init().await;
    let socket = only(&world);
    let asking = tokio::spawn(async move { socket.emit_with_ack::<u32>("age?", ()).await });
    let packet = client.packet().await;
    let id = packet.strip_prefix('2').and_then(|rest| rest.split('[').next()).unwrap().to_owned();
    client.send(&format!(r#"3{id}["old"]"#)).await;
    let error = asking.await.unwrap().unwrap_err();
    assert!(matches!(error, AckError::Decode(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_server_waits_for_an_answer_until_the_time_is_over() {
    let world = World::suite();
    let mut client = world.init().await;
    let asking = ask(&world);
    let packet = client.packet().await;
    for _ in 0..6 {
        assert_eq!(client.text().await, "2");
        client.send_engine("3").await;
    }
    world.at(1999).await;
    assert!(!asking.is_finished());
    assert!(matches!(asking.await.unwrap(), Err(AckError::Timeout)));
    assert_eq!(world.elapsed(), ms(2000));
    // A late one is ignored.
    let id = packet.strip_prefix('2').and_then(|rest| rest.split('[').next()).unwrap();
    client.send(&format!("3{id}[1]")).await;
    client.send(r#"2["message"]"#).await;
    client.expect(r#"2["message-back"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_come_any_more_is_not_waited_for() {
    let world = World::suite();
    let mut client = world.init().await;
    let asking = ask(&world);
    client.packet().await;
    client.send("1").await;
    settle().await;
    assert!(asking.is_finished());
    assert!(matches!(asking.await.unwrap(), Err(AckError::Disconnected)));
}

#[tokio::test(start_paused = true)]
async fn all_clients_of_a_room_are_asked_with_one_packet_and_each_answer_is_told() {
    let world = World::suite();
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(world.init().await);
    }
    let mut answers = world.server.of("/").emit_with_ack::<u32>("vote", ()).unwrap().timeout(ms(100));
    let mut packets = Vec::new();
    for client in &mut clients {
        packets.push(client.packet().await);
    }
    assert!(packets.iter().all(|packet| *packet == packets[0]), "{packets:?}");
    let id = packets[0].strip_prefix('2').and_then(|rest| rest.split('[').next()).unwrap();
    for (number, client) in clients.iter_mut().enumerate().take(2) {
        client.send(&format!("3{id}[{number}]")).await;
    }
    clients[2].send("1").await;
    let mut told = Vec::new();
    while let Some((_, answer)) = answers.next().await {
        told.push(answer.map_err(|error| error.to_string()));
    }
    assert_eq!(world.elapsed(), ms(100));
    told.sort();
    let expected =
        [Ok(0), Ok(1), Err(AckError::Timeout.to_string()), Err(AckError::Disconnected.to_string())];
    assert_eq!(told.len(), 4);
    assert!(expected.iter().all(|expected| told.contains(expected)), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_to_ask_is_nothing_to_wait_for() {
    let world = World::suite();
    let mut answers = world.server.to("nowhere").emit_with_ack::<u32>("vote", ()).unwrap();
    assert_eq!(answers.all().await.len(), 0);
    assert_eq!(world.elapsed(), ms(0));
}

async fn ask_back(socket: Socket) -> Result<Reply<Value>, AckError> {
    Ok(Reply(socket.emit_with_ack("name?", ()).await?))
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_wait_for_an_answer_of_the_same_client() {
    let world = World::of(Namespace::<Journal>::new().on("who am I?", ask_back));
    let mut client = world.join().await;
    client.send(r#"25["who am I?"]"#).await;
    let packet = client.packet().await;
    let id = packet.strip_prefix('2').and_then(|rest| rest.split('[').next()).unwrap();
    client.send(&format!(r#"3{id}["Ada"]"#)).await;
    client.expect(r#"35["Ada"]"#).await;
}
