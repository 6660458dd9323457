//! Events that the sockets of all nodes acknowledge.

use std::time::Duration;

use eio_socketio::cluster::NoAnswer;
use eio_socketio::{AckError, Args, EmitError, Namespace, RawArgs};
use tokio::time::Instant;

use crate::support::{Client, Nodes, settle};

fn nothing() -> Namespace {
    Namespace::new()
}

/// Answers the next event with its own number and this data.
async fn answer(client: &mut Client, event: &str, data: &str) {
    let packet = client.next().await;
    let id = packet
        .strip_prefix('2')
        .and_then(|rest| rest.strip_suffix(event))
        .unwrap_or_else(|| panic!("{packet}"));
    client.send(&format!("3{id}[{data}]")).await;
}

async fn one_each(nodes: &Nodes) -> [Client; 3] {
    [nodes.join(0).await, nodes.join(1).await, nodes.join(2).await]
}

#[tokio::test(start_paused = true)]
async fn every_socket_of_every_node_answers_or_says_why_not() {
    let nodes = Nodes::of(nothing).await;
    let [mut a, mut b, mut c] = one_each(&nodes).await;
    let mut silent = nodes.join(1).await;
    let mut going = nodes.join(2).await;
    let server = nodes.node(0);
    let asking =
        server.of("/").timeout(Duration::from_secs(5)).emit_with_ack::<Args<(u8, String)>>("how?", 1);
    let mut answers = asking.unwrap();
    let start = Instant::now();
    for (client, data) in [(&mut a, r#"1,"a""#), (&mut b, r#"2,"b""#), (&mut c, r#""wrong""#)] {
        answer(client, r#"["how?",1]"#, data).await;
    }
    let id = going.id.clone();
    assert!(going.next().await.ends_with(r#"["how?",1]"#));
    drop(going);
    let mut all = answers.all().await;
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    assert!(silent.next().await.ends_with(r#"["how?",1]"#));
    all.sort_by_key(|(responder, _)| {
        [&a.id, &b.id, &c.id, &silent.id, &id].iter().position(|id| **id == responder.id().as_str())
    });
    assert_eq!(all.len(), 5);
    assert_eq!(all[0].1, Ok(Args((1, "a".to_owned()))));
    assert_eq!(all[1].1, Ok(Args((2, "b".to_owned()))));
    assert!(matches!(all[2].1, Err(AckError::Decode(_))));
    assert_eq!(all[3].1, Err(AckError::Timeout));
    assert_eq!(all[4].1, Err(AckError::Disconnected));
    assert_eq!(answers.missing(), []);
    let seen: Vec<_> =
        all.iter().map(|(responder, _)| (responder.node(), responder.socket().is_some())).collect();
    assert_eq!(
        seen,
        [(None, true), (Some("b"), false), (Some("c"), false), (Some("b"), false), (Some("c"), false)]
    );
}

#[tokio::test(start_paused = true)]
async fn binary_answers_come_as_they_are_and_a_shorter_time_counts_for_all_nodes() {
    let nodes = Nodes::of(nothing).await;
    let [_a, mut b, _c] = one_each(&nodes).await;
    let start = Instant::now();
    let answers = nodes.node(0).of("/").emit_with_ack::<RawArgs>("how?", ()).unwrap();
    let mut answers = answers.timeout(Duration::from_secs(2));
    let packet = b.next().await;
    let id = packet.strip_prefix('2').and_then(|rest| rest.strip_suffix(r#"["how?"]"#)).unwrap();
    b.send(&format!(r#"61-{id}[{{"_placeholder":true,"num":0}}]"#)).await;
    b.engine.send(&b"\0\xff"[..]).await.unwrap();
    let (responder, first) = answers.next().await.unwrap();
    assert_eq!(
        (responder.id().as_str(), first.unwrap().attachments()),
        (&*b.id, &[bytes::Bytes::from_static(b"\0\xff")][..])
    );
    let others = answers.all().await;
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert!(others.iter().all(|(_, answer)| *answer == Err(AckError::Timeout)));
    assert_eq!((others.len(), answers.missing()), (2, &[][..]));
}

#[tokio::test(start_paused = true)]
async fn a_volatile_question_waits_for_no_client_of_another_node() {
    let nodes = Nodes::of(nothing).await;
    let unread = nodes.join(1).await;
    for _ in 0..64 {
        let _ = nodes.node(1).emit("filler", "x".repeat(100_000));
        settle().await;
    }
    let question = nodes.node(0).of("/").volatile().timeout(Duration::from_secs(2));
    let mut answers = question.emit_with_ack::<u8>("how?", ()).unwrap();
    let start = Instant::now();
    let (responder, answer) = answers.next().await.unwrap();
    assert_eq!((responder.id().as_str(), answer), (&*unread.id, Err(EmitError::Full.into())));
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_while_its_sockets_are_asked_ends_with_a_reason() {
    let nodes = Nodes::of(nothing).await;
    let [_a, mut b, mut c] = one_each(&nodes).await;
    let mut answers = nodes.node(0).of("/").emit_with_ack::<u8>("how?", ()).unwrap();
    settle().await;
    // b has told whom it has asked, and dies.
    nodes.bus.cut("b");
    answer(&mut b, r#"["how?"]"#, "1").await;
    answer(&mut c, r#"["how?"]"#, "2").await;
    let (responder, answer) = answers.next().await.unwrap();
    assert_eq!((responder.id().as_str(), answer), (&*c.id, Ok(2)));
    let start = Instant::now();
    let (responder, answer) = answers.next().await.unwrap();
    assert_eq!(responder.id().as_str(), b.id);
    assert_eq!(answer, Err(AckError::Node { node: "b".to_owned(), reason: NoAnswer::Gone }));
    assert!(start.elapsed() < Duration::from_secs(11));
    let [missing] = answers.missing() else { panic!("{:?}", answers.missing()) };
    assert_eq!((&*missing.node, missing.reason), ("b", NoAnswer::Gone));
    let (_, answer) = answers.next().await.unwrap();
    assert_eq!(answer, Err(AckError::Timeout));
    assert!(answers.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_long_between_nodes_ends_no_other_one() {
    let nodes = Nodes::of(nothing).await;
    let mut clients = [nodes.join(1).await, nodes.join(1).await, nodes.join(1).await];
    let mut answers = nodes.node(0).of("/").emit_with_ack::<String>("how?", ()).unwrap();
    let long = format!(r#""{}""#, "x".repeat(999_950));
    for (client, data) in clients.iter_mut().zip([r#""1""#, &long, r#""3""#]) {
        answer(client, r#"["how?"]"#, data).await;
    }
    let all = answers.all().await;
    let of = |number: usize| {
        let (_, answer) =
            all.iter().find(|(responder, _)| responder.id().as_str() == clients[number].id).unwrap();
        answer.clone()
    };
    assert_eq!((of(0), of(2)), (Ok("1".to_owned()), Ok("3".to_owned())));
    assert_eq!(of(1), Err(AckError::Node { node: "b".to_owned(), reason: NoAnswer::Incomplete }));
    assert_eq!(answers.missing(), []);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_socket_that_is_asked_is_not_missing() {
    let mut nodes = Nodes::of(nothing).await;
    // This one does not even have the namespace.
    nodes.add("d", |builder| builder.namespace("/other", nothing())).await;
    for silent_on in [0, 1] {
        let silent = nodes.join(silent_on).await;
        let answers =
            nodes.node(0).to(&silent.id).timeout(Duration::from_secs(2)).emit_with_ack::<u8>("how?", ());
        let mut answers = answers.unwrap();
        let all = answers.all().await;
        assert_eq!((all.len(), &all[0].1), (1, &Err(AckError::Timeout)));
        assert_eq!(answers.missing(), [], "the silent client is on node {silent_on}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_have_come_are_there_after_nobody_has_waited_for_all_of_them() {
    let nodes = Nodes::of(nothing).await;
    let [mut a, mut b, mut c] = one_each(&nodes).await;
    let mut answers =
        nodes.node(0).of("/").timeout(Duration::from_secs(5)).emit_with_ack::<u8>("how?", ()).unwrap();
    for (client, data) in [(&mut a, "1"), (&mut b, "2")] {
        answer(client, r#"["how?"]"#, data).await;
    }
    let second = Duration::from_secs(1);
    assert!(tokio::time::timeout(second, answers.all()).await.is_err());
    let (_, first) = answers.next().await.unwrap();
    assert!(tokio::time::timeout(second, answers.all()).await.is_err());
    answer(&mut c, r#"["how?"]"#, "3").await;
    let mut all: Vec<_> = answers.all().await.into_iter().map(|(_, answer)| answer).collect();
    all.push(first);
    all.sort_by_key(|answer| answer.clone().unwrap());
    assert_eq!(all, [Ok(1), Ok(2), Ok(3)]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_not_reached_is_missing() {
    let nodes = Nodes::of(nothing).await;
    let [_a, _b, mut c] = one_each(&nodes).await;
    nodes.bus.cut("b");
    let mut answers = nodes.node(0).of("/").emit_with_ack::<u8>("how?", ()).unwrap();
    answer(&mut c, r#"["how?"]"#, "2").await;
    // What is known: the sockets of a and c.
    assert_eq!(answers.all().await.len(), 2);
    let [missing] = answers.missing() else { panic!("{:?}", answers.missing()) };
    assert_eq!((&*missing.node, missing.reason), ("b", NoAnswer::Gone));
}

#[tokio::test(start_paused = true)]
async fn many_answers_come_once_each_and_nobody_else_is_asked() {
    let nodes = Nodes::of(nothing).await;
    let mut clients = Vec::new();
    for number in 0..300 {
        clients.push(nodes.join(number % 3).await);
    }
    let excepted = clients[299].id.clone();
    let asking = nodes.node(1).of("/").except(&excepted).emit_with_ack::<usize>("how?", ());
    let mut answers = asking.unwrap();
    for (number, client) in clients.iter_mut().enumerate().take(299) {
        answer(client, r#"["how?"]"#, &number.to_string()).await;
    }
    let all = answers.all().await;
    let mut numbers: Vec<_> = all
        .iter()
        .map(|(responder, answer)| {
            let number = *answer.as_ref().unwrap();
            assert_eq!(clients[number].id, responder.id().as_str());
            number
        })
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..299));
    clients[299].expect_nothing().await;
}
