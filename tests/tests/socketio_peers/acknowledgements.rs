//! Answers: of the server, of the client, of many clients.

use core::time::Duration;

use eio_socketio::{AckError, Args, Binary, Socket, Value};
use eio_tests::interop::{Case, LATE, Log};
use serde_json::json;
use tokio::time::Instant;

use crate::client::Client;
use crate::lines::hex;
use crate::peer::{Library, Peer};
use crate::server::TestServer;

pub(crate) fn cases(peer: Peer, cases: &mut Vec<Case>) {
    cases.push(peer.case("the server answers with none, one and several arguments", server_answers));
    cases.push(peer.case("the server answers a hundred questions in the opposite order", backwards));
    cases.push(peer.case("the client answers a hundred questions at once", hundred));
    cases.push(peer.case("the client does not answer, or answers too late", too_late));
    cases.push(peer.case("the client answers twice", twice));
    cases.push(peer.case("the client answers with what does not fit", does_not_fit));
    cases.push(peer.case("the client leaves and owes an answer", leaves));
    cases.push(peer.case("a broadcast is answered by each client, or why not", broadcast));
    if peer.library == Library::JavaScript4 {
        cases.push(peer.case("the server does not answer in the client's time", server_is_late));
    }
}

async fn server_answers(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    server.joined().await;
    assert_eq!(client.call("sum", &json!([20, 22])).await, json!([42]));
    client.command("emit", json!({ "name": "what", "args": [], "call": 1 }));
    server.asked().await.1.send(()).expect("it is connected");
    assert_eq!(client.hears("answer").await["args"], json!([]));
    client.command("emit", json!({ "name": "what", "args": [hex(b"?")], "call": 2 }));
    let (args, ack) = server.asked().await;
    assert_eq!(args, json!([hex(b"?")]));
    let bytes = || Binary::from(&b"!\0"[..]);
    ack.send(Args(("three", [[Value::from(bytes())]], bytes()))).expect("it is connected");
    let answer = client.hears("answer").await;
    assert_eq!(
        (&answer["call"], &answer["args"]),
        (&json!(2), &json!(["three", [[hex(b"!\0")]], hex(b"!\0")]))
    );
}

async fn backwards(peer: Peer, log: Log) {
    const COUNT: usize = 100;
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    server.joined().await;
    for call in 0..COUNT {
        client.command("emit", json!({ "name": "what", "args": [call], "call": call }));
    }
    let mut asked = Vec::new();
    for call in 0..COUNT {
        let (args, ack) = server.asked().await;
        assert_eq!(args, json!([call]));
        asked.push(ack);
    }
    for (call, ack) in asked.into_iter().enumerate().rev() {
        ack.send(call * 2).expect("it is connected");
    }
    for call in (0..COUNT).rev() {
        let answer = client.hears("answer").await;
        assert_eq!((&answer["call"], &answer["args"]), (&json!(call), &json!([call * 2])));
    }
}

async fn hundred(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let _client = peer.join(&server, &log).await;
    let socket = server.joined().await;
    let ask = |number: u64| {
        let asked = socket.emit_with_ack::<u64>("what", Args((number, Binary::from(&b"x"[..]))));
        tokio::spawn(async move { asked.await })
    };
    let asked: Vec<_> = (0..100).map(ask).collect();
    for (number, answer) in (0..).zip(asked) {
        assert_eq!(answer.await.expect("no panic"), Ok(number));
    }
}

async fn too_late(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    let socket = server.joined().await;
    if peer.library != Library::Python {
        // python-socketio answers each event.
        let silent = socket.emit_with_ack::<()>("silent", ()).timeout(Duration::from_millis(50)).await;
        assert_eq!(silent, Err(AckError::Timeout));
    }
    let late = socket.emit_with_ack::<u64>("late", 300).timeout(Duration::from_millis(50)).await;
    assert_eq!(late, Err(AckError::Timeout));
    // The late answer arrives meanwhile, and means nothing.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(socket.emit_with_ack::<u64>("what", 1).await, Ok(1));
    assert_eq!(client.call("sum", &json!([1, 1])).await, json!([2]));
    server.assert_quiet();
}

async fn twice(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    let socket = server.joined().await;
    assert_eq!(socket.emit_with_ack::<String>("twice", "once").await.as_deref(), Ok("once"));
    assert_eq!(socket.emit_with_ack::<String>("what", "then").await.as_deref(), Ok("then"));
    assert_eq!(client.call("sum", &json!([1, 1])).await, json!([2]));
}

async fn does_not_fit(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    let socket = server.joined().await;
    let answer = socket.emit_with_ack::<u64>("what", "text").await;
    assert!(matches!(answer, Err(AckError::Decode(_))), "{answer:?}");
    // No answer, and no first argument, is null.
    assert_eq!(socket.emit_with_ack::<Option<u64>>("what", ()).await, Ok(None));
    // The other way round: the handler does not run, and there is no answer.
    client.command("emit", json!({ "name": "sum", "args": ["a", "b"], "call": 1 }));
    loop {
        let (name, error) = client.event().await;
        if name == "failed" {
            assert_eq!(error[0], "sum");
            break;
        }
    }
    assert_eq!(client.call("sum", &json!([1, 1])).await, json!([2]));
}

async fn leaves(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    let socket = server.joined().await;
    let asked = Instant::now();
    let leaving = async {
        client.event().await;
        client.command("leave", json!({}));
    };
    // python-socketio reads nothing while a handler of its own takes its time.
    let (answer, ()) = tokio::join!(socket.emit_with_ack::<()>("late", 8_000), leaving);
    assert_eq!(answer, Err(AckError::Disconnected));
    assert!(asked.elapsed() < Duration::from_secs(8), "it is known at once");
    assert_eq!(server.left().await.2, "client namespace disconnect");
}

async fn broadcast(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut clients = Vec::new();
    for number in 0..4_u64 {
        let client = peer.join(&server, &log).await;
        let socket = server.joined().await;
        socket.insert(number);
        clients.push((client, socket));
    }
    let everybody = server.server.of("/");
    let mut answers =
        everybody.emit_with_ack::<Value>("what", Args((json!({ "all": true }), 1))).unwrap().all().await;
    answers.sort_by_key(|(responder, _)| responder.socket().and_then(Socket::get::<u64>));
    let all = json!({ "all": true });
    for (number, (responder, answer)) in answers.iter().enumerate() {
        assert_eq!(responder.socket(), Some(&clients[number].1));
        assert_eq!(crate::lines::from_ours(answer.as_ref().expect("each answers")), all);
    }
    assert_eq!(answers.len(), 4);

    // One is late, one leaves, two answer in time: whom that is, an event each says.
    let (late, gone) = (clients[0].1.clone(), clients[1].1.clone());
    late.join("late").expect("it is connected");
    let others = everybody.clone().except("late");
    let mut ahead = server
        .server
        .to("late")
        .emit_with_ack::<u64>("late", 2_000)
        .unwrap()
        .timeout(Duration::from_millis(300));
    let (responder, answer) = ahead.next().await.expect("one was asked");
    assert_eq!((responder.socket(), answer), (Some(&late), Err(AckError::Timeout)));
    assert!(ahead.next().await.is_none());
    gone.disconnect();
    let answers = others.emit_with_ack::<u64>("what", 5).unwrap().timeout(LATE).all().await;
    assert_eq!(answers.len(), 2, "who has left is not asked");
    assert!(answers.iter().all(|(_, answer)| *answer == Ok(5)));
    assert!(server.server.to("nobody").emit_with_ack::<u64>("what", 5).unwrap().all().await.is_empty());
}

async fn server_is_late(peer: Peer, log: Log) {
    let server = TestServer::start(&log).await;
    let mut client = peer.join(&server, &log).await;
    server.joined().await;
    client.command("emit", json!({ "name": "what", "args": [], "call": 1, "timeout": 50 }));
    let (_, ack) = server.asked().await;
    let answer = client.hears("answer").await;
    assert_eq!(answer["error"], "operation has timed out");
    ack.send("late").expect("it is connected");
    client.command("emit", json!({ "name": "sum", "args": [1, 2], "call": 2, "timeout": 30_000 }));
    let answer = client.hears("answer").await;
    assert_eq!((&answer["call"], &answer["args"], answer.get("error")), (&json!(2), &json!([3]), None));
    drop::<Client>(client);
}
