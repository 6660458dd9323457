//! How many packets the answer to a poll holds, and where the others go.

use eio_tokio::{Server, Socket};

use crate::support::{Harness, Polling, Reason, Received, handing_out, listen, ms};

fn texts(numbers: core::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("4{number}")).collect()
}

/// A polling session and its end at the server, which was sent numbered messages.
async fn sent(messages: usize, revision: u8, limit: Option<usize>) -> (Harness, Polling, Socket) {
    let (harness, mut sockets) = handing_out(|builder| match limit {
        Some(limit) => builder.max_packets_per_payload(limit),
        None => builder,
    });
    let polling = harness.polling(revision).await;
    let socket = sockets.recv().await.unwrap();
    for number in 0..messages {
        socket.try_send(number.to_string()).unwrap();
    }
    (harness, polling, socket)
}

#[tokio::test(start_paused = true)]
async fn b32_an_answer_holds_at_most_16_packets_and_the_rest_follows_at_once_in_order() {
    for revision in [3, 4] {
        let (mut harness, mut polling, _socket) = sent(40, revision, None).await;
        assert_eq!(polling.poll().await, texts(0..16));
        assert_eq!(polling.poll().await, texts(16..32));
        assert_eq!(polling.poll().await, texts(32..40));
        assert_eq!(harness.elapsed(), ms(0));
        harness.assert_alive();
    }
}

#[tokio::test(start_paused = true)]
async fn another_limit_is_kept_and_none_at_all() {
    let (_harness, mut polling, _socket) = sent(3, 4, Some(1)).await;
    for number in 0..3 {
        assert_eq!(polling.poll().await, texts(number..number + 1));
    }
    let (_harness, mut polling, _socket) = sent(200, 4, Some(usize::MAX)).await;
    assert_eq!(polling.poll().await, texts(0..200));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_waits_is_released_with_what_there_is_and_the_next_one_waits() {
    for revision in [3, 4] {
        let (mut harness, mut polling, socket) = sent(0, revision, None).await;
        let (server, sid) = (socket.server(), polling.sid.clone());
        for (message, expected) in [(None, "6"), (Some("0"), "40")] {
            polling.begin_poll().await;
            if let Some(message) = message {
                socket.try_send(message).unwrap();
            }
            server.release_poll(&sid);
            assert_eq!(polling.poll_answer().await, [expected]);
        }
        // No poll waits.
        server.release_poll(&sid);
        server.release_poll("no sid");
        polling.begin_poll().await;
        socket.try_send("1").unwrap();
        assert_eq!(polling.poll_answer().await, ["41"], "it was not released");
        harness.assert_alive();
    }
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_counts_and_goes_first() {
    let (harness, mut polling, socket) = sent(0, 4, None).await;
    harness.at(301).await;
    for number in 0..16 {
        socket.try_send(number.to_string()).unwrap();
    }
    let mut expected = vec!["2".to_owned()];
    expected.extend(texts(0..15));
    assert_eq!(polling.poll().await, expected);
    assert_eq!(polling.poll().await, texts(15..16));
}

#[tokio::test(start_paused = true)]
async fn b32_a_close_packet_comes_behind_every_message_in_whichever_answer() {
    for (messages, answers) in
        [(15, &[&["0..15", "1"][..]][..]), (16, &[&["0..16"], &["1"]]), (17, &[&["0..16"], &["16..17", "1"]])]
    {
        let (mut harness, mut polling, socket) = sent(messages, 4, None).await;
        socket.close();
        for answer in answers {
            let expected: Vec<String> = answer
                .iter()
                .flat_map(|part| match part.split_once("..") {
                    Some((from, to)) => texts(from.parse().unwrap()..to.parse().unwrap()),
                    None => vec![(*part).to_owned()],
                })
                .collect();
            harness.assert_alive();
            assert_eq!(polling.poll().await, expected, "{messages} messages");
        }
        let end = harness.assert_ends(0, Reason::LocalClose).await;
        assert_eq!(end.unsent, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_noop_goes_before_a_lone_close_packet_where_there_is_room() {
    for (limit, expected) in [(None, &["6", "1"][..]), (Some(2), &["6", "1"]), (Some(1), &["1"])] {
        let (mut harness, mut polling, socket) = sent(0, 4, limit).await;
        socket.close();
        assert_eq!(polling.poll().await, expected);
        harness.assert_ends(0, Reason::LocalClose).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_next_answer_moves_to_the_websocket_with_the_close() {
    let (mut harness, mut polling, socket) = sent(20, 4, None).await;
    socket.close();
    assert_eq!(polling.poll().await, texts(0..16));
    let mut websocket = harness.candidate(&polling).await;
    websocket.send("5").await;
    for text in texts(16..20) {
        assert_eq!(websocket.text().await, text);
    }
    assert_eq!(websocket.next().await, Received::Close(None));
    harness.assert_ends(0, Reason::LocalClose).await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_when_the_session_dies_is_unsent() {
    let (mut harness, mut polling, mut socket) = sent(20, 4, None).await;
    assert_eq!(polling.poll().await.len(), 16);
    let end = harness.end().await;
    assert_eq!((end.disconnect.reason, end.disconnect.unsent), (Reason::PingTimeout, 4));
    assert_eq!(socket.take_unsent().len(), 4);
}

#[test]
fn a_limit_of_zero_packets_is_refused_when_the_server_is_built() {
    let built = Server::builder(listen).max_packets_per_payload(0).build();
    assert_eq!(built.unwrap_err().to_string(), "max_packets_per_payload is zero: expected at least 1");
}
