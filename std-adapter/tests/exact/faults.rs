//! Stalled writers and readers, frames cut short, payloads too large.

use eio_core::Liveness;
use eio_core::ws::OpCode;
use eio_tokio::{Server, Socket};

use crate::support::{Harness, Journal, Reason, Received, WebSocket, follow_later, listen, ms, noting};

/// Sends large messages until the session ends, and notes what did not leave.
async fn flood(mut socket: Socket, journal: Journal, size: usize) {
    let mut sent = 0;
    while socket.send(vec![u8::try_from(sent % 256).unwrap(); size]).await.is_ok() {
        sent += 1;
    }
    let end = socket.closed().await;
    let unsent = socket.take_unsent();
    assert_eq!(end.unsent, unsent.len());
    journal.note(format!("{sent} sent, {} not", unsent.len()));
}

#[tokio::test(start_paused = true)]
async fn b12_b22_a_writer_that_hangs_in_the_middle_of_a_frame_hides_nothing() {
    let (builder, journal) = noting(|socket, journal| flood(socket, journal, 100_000));
    let mut harness = Harness::new(builder.outbox(50, 50_000_000));
    // The pipe takes less than one message, and nobody reads it.
    let mut websocket = harness.connect().upgrade(4, None).await;
    assert!(websocket.text().await.starts_with('0'));
    let disconnect = harness.assert_ends(500, Reason::PingTimeout).await;
    assert_eq!(disconnect.silent_for, ms(500));
    assert_eq!(disconnect.unsent, 50);
    tokio::task::yield_now().await;
    assert_eq!(journal.read(), ["50 sent, 50 not"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_pipe_took_as_a_whole_is_sent_and_the_rest_is_not() {
    for (size, room) in [(10, 1_000), (10, 16_000), (1_000, 5_500), (10_000, 25_000), (30_000, 100_000)] {
        let (builder, journal) = noting(move |socket, journal| flood(socket, journal, size));
        let mut harness = Harness::new(builder.outbox(50, 50_000_000));
        let mut websocket = harness.websocket_with_room(room).await;
        let disconnect = harness.end().await.disconnect;
        tokio::task::yield_now().await;
        // Whatever is in the pipe can still be read: those are the messages that were sent.
        let mut received = 0;
        while let Received::Binary(bytes) = websocket.next().await {
            assert_eq!(bytes, vec![u8::try_from(received % 256).unwrap(); size]);
            received += 1;
        }
        assert_eq!(
            journal.read(),
            [format!("{} sent, {} not", received + disconnect.unsent, disconnect.unsent)]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_reader_that_sends_pongs_has_answered_no_ping_that_is_stuck() {
    let (builder, _) = noting(|socket, journal| flood(socket, journal, 100_000));
    let mut harness = Harness::new(builder);
    let mut websocket = harness.websocket(4).await;
    // The ping is stuck behind the message that is being written, and the client knows when it is due.
    for at in [310, 350, 400, 450, 499] {
        harness.at(at).await;
        websocket.send("3").await;
    }
    harness.assert_ends(500, Reason::PingTimeout).await;
}

#[tokio::test(start_paused = true)]
async fn under_any_packet_a_stalled_reader_that_sends_lives_and_gets_everything_in_order() {
    let (builder, _) = noting(|socket, journal| flood(socket, journal, 100_000));
    let mut harness = Harness::new(builder.liveness(Liveness::AnyPacket));
    let mut websocket = harness.websocket(4).await;
    for _ in 0..10 {
        tokio::time::sleep(ms(150)).await;
        websocket.send("4alive").await;
    }
    harness.assert_alive();
    let (mut messages, mut pings) = (0, 0);
    while messages < 100 {
        match websocket.next().await {
            Received::Binary(bytes) => {
                assert_eq!(bytes[0], messages);
                messages += 1;
            }
            Received::Text(ping) => {
                assert_eq!(ping, "2");
                pings += 1;
                websocket.send("3").await;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(pings > 0);
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn heartbeats_overtake_queued_messages() {
    let mut harness = Harness::new(
        Server::builder(|mut socket: Socket| async move {
            for _ in 0..50 {
                let _ = socket.try_send(vec![0; 100_000]);
            }
            let _ = socket.recv().await;
        })
        .outbox(50, 50_000_000),
    );
    let mut websocket = harness.websocket(4).await;
    harness.at(310).await;
    // Messages of which the kernel had a part go first: here, one.
    assert!(matches!(websocket.next().await, Received::Binary(_)));
    assert_eq!(websocket.text().await, "2");
    assert!(matches!(websocket.next().await, Received::Binary(_)));
    harness.assert_alive();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_take_the_101_response_is_a_silent_one() {
    let (builder, journal) = noting(|socket, journal| async move {
        journal.note("connected");
        drop(socket);
    });
    let mut harness = Harness::new(builder);
    let mut connection = harness.connect_with_room(16);
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    tokio::time::timeout(ms(1), connection.send_upgrade(4, None)).await.unwrap();
    harness.assert_ends(500, Reason::PingTimeout).await;
    tokio::time::sleep(ms(1)).await;
    // Nothing of the session is left.
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), tasks);
    assert_eq!(journal.read(), [""; 0]);
    drop(connection);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_is_noticed_at_once() {
    let mut harness = Harness::new(Server::builder(listen));
    let websocket = harness.websocket(4).await;
    harness.at(123).await;
    drop(websocket);
    harness.assert_ends(123, Reason::TransportClosed).await;

    let mut harness = Harness::new(Server::builder(listen));
    let mut websocket = harness.websocket(4).await;
    // In the middle of a frame.
    let frame = WebSocket::frame(OpCode::Text, b"4hello");
    websocket.connection.write(&frame[..frame.len() - 1]).await;
    drop(websocket);
    harness.assert_ends(0, Reason::TransportClosed).await;
}

#[tokio::test(start_paused = true)]
async fn a_poll_or_a_request_with_data_that_the_client_aborts_ends_the_session_at_once() {
    let mut harness = Harness::new(Server::builder(listen));
    let mut polling = harness.polling(4).await;
    polling.begin_poll().await;
    harness.at(42).await;
    polling.poll = harness.connect();
    harness.assert_ends(42, Reason::TransportError).await;

    let mut harness = Harness::new(Server::builder(listen));
    let mut polling = harness.polling(4).await;
    let head =
        format!("POST /engine.io/?{} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n4", polling.query());
    polling.data.write(head.as_bytes()).await;
    harness.at(42).await;
    harness.assert_alive();
    polling.data = harness.connect();
    harness.assert_ends(42, Reason::TransportError).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_body_that_never_ends_is_cut_off() {
    let mut harness = Harness::new(Server::builder(listen).request_timeout(ms(250)));
    let mut polling = harness.polling(4).await;
    let head =
        format!("POST /engine.io/?{} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n4", polling.query());
    polling.data.write(head.as_bytes()).await;
    harness.assert_ends(250, Reason::TransportError).await;
}

#[tokio::test(start_paused = true)]
async fn the_largest_payload_passes_and_one_byte_more_does_not() {
    use eio_core::session::Violation;

    let (builder, journal) = noting(|mut socket, journal| async move {
        while let Ok(message) = socket.recv().await {
            journal.note(message.len().to_string());
        }
    });
    let mut harness = Harness::new(builder.max_payload(1_000));
    let mut polling = harness.polling(4).await;
    let largest = format!("4{}", "x".repeat(999));
    assert_eq!(polling.post(&[&largest]).await.0, 200);
    // The reference keeps the session, and leaves it to its client to close.
    assert_eq!(polling.post(&[&format!("{largest}x")]).await.0, 413);
    harness.assert_alive();

    let mut websocket = harness.websocket(4).await;
    websocket.send(&largest).await;
    websocket.send(&format!("{largest}x")).await;
    assert_eq!(websocket.next().await, Received::Close(Some(1009)));
    let end = harness.end().await;
    assert_eq!(end.disconnect.reason, Reason::Violation(Violation::PayloadTooLarge));
    assert_eq!(end.disconnect.reason.as_str(), "transport error");
    assert_eq!(journal.read(), ["999", "999"]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_on_after_a_violation_still_hears_the_close_frame() {
    let mut harness = Harness::new(Server::builder(listen).max_payload(1_000));
    let mut websocket = harness.websocket(4).await;
    // Larger than the pipe: the client is still writing when the server has seen enough.
    websocket.send(&"4".repeat(1_000_000)).await;
    assert_eq!(websocket.next().await, Received::Close(Some(1009)));
    harness.end().await;
}

#[tokio::test(start_paused = true)]
async fn more_than_a_scratch_buffer_behind_the_request_loses_nothing() {
    // What came is kept until somebody reads.
    let (builder, journal) = noting(follow_later);
    let mut harness = Harness::new(builder.inbox(1, 1_000_000));
    let mut connection = harness.connect_with_room(4_000_000);
    let mut bytes = format!(
        "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\nx-long: {}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "x".repeat(150_000)
    )
    .into_bytes();
    for number in 0..100_000 {
        bytes.extend_from_slice(&WebSocket::frame(OpCode::Text, format!("4{number}").as_bytes()));
    }
    connection.write(&bytes).await;
    harness.at(200).await;
    harness.assert_alive();
    let expected: Vec<_> = (0..100_000).map(|number| number.to_string()).collect();
    assert!(journal.read() == expected);
}
