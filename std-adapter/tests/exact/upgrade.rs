//! The upgrade: heartbeats never stop for it, it loses nothing, and its failure costs nothing but itself.

use eio_tokio::{Server, Socket};

use crate::support::{Harness, Reason, Received, WebSocket, follow, listen, ms, noting, settle};

async fn echo(mut socket: Socket) {
    while let Ok(message) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn b14_b16_a_stalled_probe_ends_at_its_timeout_and_the_polling_session_lives_on() {
    for sends_probe in [false, true] {
        let mut harness = Harness::new(Server::builder(echo).upgrade_timeout(ms(1_000)));
        let mut polling = harness.polling(4).await;
        let mut websocket =
            if sends_probe { harness.probed(&polling).await } else { harness.candidate(&polling).await };
        // Heartbeats go on while the candidate says nothing: three of them in a second.
        let mut pings = 0;
        while harness.elapsed() < ms(1_000) {
            match &*polling.poll().await {
                [packet] if packet == "2" => {
                    pings += 1;
                    assert_eq!(polling.post(&["3"]).await.0, 200);
                }
                packets => assert!(sends_probe && packets == ["6"], "{packets:?}"),
            }
        }
        assert!(pings >= 3);
        assert_eq!(websocket.next().await, Received::Close(None));
        // And a second attempt succeeds.
        let mut websocket = harness.probed(&polling).await;
        websocket.send("5").await;
        websocket.send("4hello").await;
        assert_eq!(websocket.text().await, "4hello");
        harness.assert_alive();
    }
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_sends_anything_else_or_dies_costs_nothing() {
    let mut harness = Harness::new(Server::builder(echo));
    let mut polling = harness.polling(4).await;
    for packet in ["2", "4hello", "3probe", "garbage"] {
        let mut websocket = harness.candidate(&polling).await;
        websocket.send(packet).await;
        assert_eq!(websocket.next().await, Received::Close(None));
    }
    drop(harness.probed(&polling).await);
    tokio::time::sleep(ms(1)).await;
    assert_eq!(polling.post(&["4still here"]).await.0, 200);
    assert_eq!(polling.poll().await, ["4still here"]);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_a_session_has_no_use_for_is_opened_and_closed() {
    let mut harness = Harness::new(Server::builder(echo));
    let polling = harness.polling(4).await;
    let mut first = harness.candidate(&polling).await;
    // While it upgrades.
    let mut second = harness.candidate(&polling).await;
    assert_eq!(second.next().await, Received::Close(None));
    assert_eq!(second.next().await, Received::End);
    drop(second);
    settle().await;
    // And after: it hears of nothing that is the session's.
    first.send("5").await;
    first.send("4x").await;
    assert_eq!(first.text().await, "4x");
    let mut third = harness.candidate(&polling).await;
    third.send("4y").await;
    assert_eq!(third.next().await, Received::Close(None));
    first.send("4z").await;
    assert_eq!(first.text().await, "4z");
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn of_such_websockets_a_session_has_one_at_a_time_and_none_for_long() {
    let mut harness = Harness::new(Server::builder(echo));
    let websocket = harness.websocket(4).await;
    let sid = harness.server.sessions()[0].id().as_str().to_owned();
    // It never closes its own end.
    let mut surplus = harness.connect().upgrade(4, Some(&sid)).await;
    assert_eq!(surplus.next().await, Received::Close(None));
    let mut another = harness.connect();
    another.send_upgrade(4, Some(&sid)).await;
    assert_eq!(another.response().await, (400, "Bad request".to_owned()));
    drop(websocket);
    assert_eq!(harness.end().await.disconnect.reason, Reason::TransportClosed);
    let start = harness.elapsed();
    assert_eq!(surplus.next().await, Received::End);
    assert!(harness.elapsed() <= start + ms(5_000));
}

#[tokio::test(start_paused = true)]
async fn b13_an_upgrade_across_a_tick_skips_no_ping() {
    let mut harness = Harness::new(Server::builder(listen));
    let polling = harness.polling(4).await;
    harness.at(290).await;
    let mut websocket = harness.probed(&polling).await;
    harness.at(310).await;
    websocket.send("5").await;
    // Due at 300 ms, when no poll could carry it.
    assert_eq!(websocket.text().await, "2");
    assert_eq!(harness.elapsed(), ms(310));
    // So its timeout counts from then.
    harness.assert_ends(510, Reason::PingTimeout).await;
}

#[tokio::test(start_paused = true)]
async fn b1_b2_silence_after_an_upgrade_is_noticed_in_both_revisions() {
    for revision in [3, 4] {
        let mut harness = Harness::new(Server::builder(listen));
        let mut polling = harness.polling(revision).await;
        if revision == 4 {
            assert_eq!(polling.poll().await, ["2"]);
        }
        let mut websocket = harness.probed(&polling).await;
        websocket.send("5").await;
        harness.assert_ends(500, Reason::PingTimeout).await;
    }
}

#[tokio::test(start_paused = true)]
async fn b26_an_upgrade_with_a_post_in_flight_loses_nothing() {
    let (builder, journal) = noting(follow);
    let mut harness = Harness::new(builder);
    let mut polling = harness.polling(4).await;
    let head =
        format!("POST /engine.io/?{} HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n4po", polling.query());
    polling.data.write(head.as_bytes()).await;
    let mut websocket = harness.probed(&polling).await;
    websocket.send("5").await;
    websocket.send("4socket").await;
    harness.at(10).await;
    polling.data.write(b"st!").await;
    assert_eq!(polling.data.response().await, (200, "ok".to_owned()));
    harness.at(20).await;
    assert_eq!(journal.read(), ["socket", "post!"]);
    // A further request belongs to a transport that the session has left.
    assert_eq!(polling.post(&["4late"]).await.0, 400);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_post_that_dies_after_the_upgrade_does_not_end_the_session() {
    let mut harness = Harness::new(Server::builder(echo));
    let mut polling = harness.polling(4).await;
    let head =
        format!("POST /engine.io/?{} HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n4po", polling.query());
    polling.data.write(head.as_bytes()).await;
    let mut websocket = harness.probed(&polling).await;
    websocket.send("5").await;
    websocket.send("4x").await;
    assert_eq!(websocket.text().await, "4x");
    polling.data = harness.connect();
    harness.at(10).await;
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn b27_an_upgrade_that_is_not_allowed_is_refused() {
    let mut harness = Harness::new(Server::builder(listen).allow_upgrades(false));
    let polling = harness.polling(4).await;
    let mut connection = harness.connect();
    connection.send_upgrade(4, Some(&polling.sid)).await;
    assert_eq!(connection.response().await.0, 400);
    // And so is another revision than the session's.
    let mut connection = harness.connect();
    connection.send_upgrade(3, Some(&polling.sid)).await;
    assert_eq!(connection.response().await.0, 400);
    harness.assert_alive();
}

/// Writes these packets in one piece.
async fn send_at_once(websocket: &mut WebSocket, packets: &[&str]) {
    let bytes: Vec<u8> = packets
        .iter()
        .flat_map(|packet| WebSocket::frame(eio_core::ws::OpCode::Text, packet.as_bytes()))
        .collect();
    websocket.connection.write(&bytes).await;
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_answered_although_what_comes_with_it_ends_the_upgrade() {
    let mut harness = Harness::new(Server::builder(echo));
    let polling = harness.polling(4).await;
    let mut websocket = harness.candidate(&polling).await;
    send_at_once(&mut websocket, &["2probe", "4hello"]).await;
    assert_eq!(websocket.text().await, "3probe");
    assert_eq!(websocket.next().await, Received::Close(None));
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn probe_and_upgrade_may_come_at_once_with_messages_behind_them() {
    let mut harness = Harness::new(Server::builder(echo));
    let polling = harness.polling(4).await;
    let mut websocket = harness.candidate(&polling).await;
    send_at_once(&mut websocket, &["2probe", "5", "4one", "4two"]).await;
    assert_eq!(websocket.text().await, "3probe");
    assert_eq!(websocket.text().await, "4one");
    assert_eq!(websocket.text().await, "4two");
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_pong_behind_the_upgrade_packet_counts_although_the_deadline_has_passed() {
    let mut harness = Harness::new(Server::builder(listen));
    let mut polling = harness.polling(4).await;
    assert_eq!(polling.poll().await, ["2"]);
    let mut websocket = harness.probed(&polling).await;
    harness.at(499).await;
    settle().await;
    // Both at once, and nobody looks at them before the deadline has come.
    let mut bytes = WebSocket::frame(eio_core::ws::OpCode::Text, b"5");
    bytes.extend(WebSocket::frame(eio_core::ws::OpCode::Text, b"3"));
    tokio::time::advance(ms(1)).await;
    websocket.connection.write(&bytes).await;
    harness.at(600).await;
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn b40_an_upgrade_with_a_full_outbox_completes_and_loses_nothing() {
    let application = |mut socket: Socket| async move {
        for number in 0..100 {
            socket.send(number.to_string()).await.unwrap();
        }
        while socket.recv().await.is_ok() {}
    };
    let mut harness = Harness::new(Server::builder(application).outbox(4, 1_000));
    let polling = harness.polling(4).await;
    settle().await;
    // The application waits for room, and no poll makes any.
    assert!(harness.server.sessions()[0].try_send("more").is_err());
    let mut websocket = harness.probed(&polling).await;
    websocket.send("5").await;
    for number in 0..100 {
        assert_eq!(websocket.text().await, format!("4{number}"));
    }
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn messages_sent_while_an_upgrade_goes_on_arrive_once_and_in_order() {
    let mut harness = Harness::new(Server::builder(|mut socket: Socket| async move {
        for number in 0..1_000 {
            tokio::time::sleep(ms(1)).await;
            socket.send(number.to_string()).await.unwrap();
        }
        while socket.recv().await.is_ok() {}
    }));
    let mut polling = harness.polling(4).await;
    let mut received = Vec::new();
    while received.len() < 100 {
        received.extend(polling.poll().await);
    }
    let mut websocket = harness.probed(&polling).await;
    // The client lets its last poll end, then moves.
    received.extend(polling.poll().await);
    websocket.send("5").await;
    while received.iter().filter(|packet| packet.starts_with('4')).count() < 1_000 {
        let packet = websocket.text().await;
        if packet == "2" {
            websocket.send("3").await;
        }
        received.push(packet);
    }
    received.retain(|packet| packet.starts_with('4'));
    let expected: Vec<_> = (0..1_000).map(|number| format!("4{number}")).collect();
    assert_eq!(received, expected);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_session_closed_while_it_upgrades_closes_on_the_transport_that_it_has_then() {
    // With the upgrade done: by a close frame.
    let mut harness = Harness::new(Server::builder(listen));
    let polling = harness.polling(4).await;
    let mut websocket = harness.probed(&polling).await;
    let sender = harness.server.get(&polling.sid).unwrap();
    sender.try_send("before").unwrap();
    sender.close();
    harness.at(10).await;
    websocket.send("5").await;
    assert_eq!(websocket.text().await, "4before");
    assert_eq!(websocket.next().await, Received::Close(None));
    harness.assert_ends(10, Reason::LocalClose).await;

    // With a poll before it: by the close packet. The candidate goes too.
    let mut harness = Harness::new(Server::builder(listen));
    let mut polling = harness.polling(4).await;
    let mut websocket = harness.probed(&polling).await;
    let sender = harness.server.get(&polling.sid).unwrap();
    sender.try_send("before").unwrap();
    sender.close();
    assert_eq!(polling.poll().await, ["4before", "1"]);
    assert_eq!(websocket.next().await, Received::Close(None));
    harness.assert_ends(0, Reason::LocalClose).await;
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_is_pending_when_the_session_moves_is_released() {
    let mut harness = Harness::new(Server::builder(listen));
    let mut polling = harness.polling(4).await;
    let mut websocket = harness.probed(&polling).await;
    polling.begin_poll().await;
    tokio::task::yield_now().await;
    websocket.send("5").await;
    assert_eq!(polling.poll_answer().await, ["1"]);
    let query = polling.query();
    assert_eq!(polling.poll.request("GET", &query, b"").await.0, 400);
    harness.assert_alive();
}
