//! What clients answer.

use std::time::Duration;

use eio_socketio::{AckError, Namespace};
use tokio::time::Instant;

use crate::support::{Raw, serve, settle};

#[tokio::test(start_paused = true)]
async fn every_client_answers_a_broadcast_or_is_told_to_be_late_or_gone() {
    let server = serve(Namespace::new());
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Raw::join(&server).await);
    }
    settle().await;
    let mut answers =
        server.of("/").emit_with_ack::<u64>("ready?", ()).unwrap().timeout(Duration::from_secs(2));
    let mut ids = Vec::new();
    for client in &mut clients {
        let packet = client.next().await;
        ids.push(packet.strip_suffix("[\"ready?\"]").and_then(|id| id.strip_prefix('2')).unwrap().to_owned());
    }
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    clients[0].send(&format!("3{}[7]", ids[0])).await;
    clients[1].send("1").await;
    let start = Instant::now();
    let mut answers: Vec<_> = answers.all().await.into_iter().map(|(_, answer)| answer).collect();
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    answers.sort_by_key(|answer| format!("{answer:?}"));
    assert_eq!(answers, [Err(AckError::Disconnected), Err(AckError::Timeout), Ok(7)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_or_twice_is_ignored() {
    let server = serve(Namespace::new());
    let mut client = Raw::join(&server).await;
    settle().await;
    let socket = server.of("/").sockets().pop().unwrap();
    let asking = tokio::spawn({
        let socket = socket.clone();
        async move { socket.emit_with_ack::<u8>("ready?", ()).timeout(Duration::from_secs(1)).await }
    });
    client.expect("20[\"ready?\"]").await;
    assert_eq!(asking.await.unwrap(), Err(AckError::Timeout));
    client.send("30[1]").await;
    let asking = tokio::spawn(async move { socket.emit_with_ack::<u8>("again?", ()).await });
    client.expect("21[\"again?\"]").await;
    client.send("31[\"text\"]").await;
    client.send("31[2]").await;
    let answer = asking.await.unwrap();
    assert!(matches!(answer, Err(AckError::Decode(_))), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_question_is_sent_at_once_and_its_time_begins_then() {
    let server = serve(Namespace::new());
    let mut client = Raw::join(&server).await;
    let socket = server.of("/").sockets().pop().unwrap();
    let answer = socket.emit_with_ack::<u8>("first", ()).timeout(Duration::from_secs(2));
    let silence = socket.emit_with_ack::<u8>("silence", ()).timeout(Duration::from_secs(2));
    socket.emit("second", ()).unwrap();
    for packet in [r#"20["first"]"#, r#"21["silence"]"#, r#"2["second"]"#] {
        client.expect(packet).await;
    }
    client.send("30[7]").await;
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(silence.await, Err(AckError::Timeout));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(answer.await, Ok(7), "it has come in time");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_answer_ends_with_the_socket() {
    let server = serve(Namespace::new());
    let mut client = Raw::join(&server).await;
    settle().await;
    let socket = server.of("/").sockets().pop().unwrap();
    let asking = tokio::spawn(async move { socket.emit_with_ack::<u8>("ready?", ()).await });
    client.expect("20[\"ready?\"]").await;
    let start = Instant::now();
    client.send("1").await;
    assert_eq!(asking.await.unwrap(), Err(AckError::Disconnected));
    assert_eq!(start.elapsed(), Duration::ZERO);
}
