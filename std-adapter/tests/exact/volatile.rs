//! Volatile messages: sent while the transport takes them at once, and otherwise not.

use eio_tokio::Socket;

use crate::support::{Harness, Journal, Received, handing_out, ms, noting, settle};

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_gets_every_one() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket(4).await;
    let socket = sockets.recv().await.unwrap();
    for number in 0..10 {
        assert!(socket.send_volatile(number.to_string()));
        tokio::time::sleep(ms(10)).await;
    }
    for number in 0..10 {
        assert_eq!(websocket.text().await, format!("4{number}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_polls_gets_every_one() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    for number in 0..10 {
        polling.begin_poll().await;
        assert!(socket.send_volatile(number.to_string()));
        assert_eq!(polling.poll_answer().await, [format!("4{number}")]);
        settle().await;
        assert!(!socket.send_volatile("between two polls"));
    }
}

#[tokio::test(start_paused = true)]
async fn b35_the_application_sends_several_in_its_first_turn() {
    async fn several(socket: Socket, journal: Journal) {
        let _ = socket.try_send("first");
        for number in 0..3 {
            journal.note(socket.send_volatile(number.to_string()).to_string());
        }
        socket.closed().await;
    }
    let (builder, journal) = noting(several);
    let harness = Harness::new(builder);
    let mut websocket = harness.websocket(4).await;
    for packet in ["4first", "40", "41", "42"] {
        assert_eq!(websocket.text().await, packet);
    }
    assert_eq!(journal.read(), ["true"; 3]);
}

#[tokio::test(start_paused = true)]
async fn several_go_with_one_answer_as_far_as_it_has_room() {
    let (harness, mut sockets) = handing_out(|builder| builder.max_packets_per_payload(3));
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    polling.begin_poll().await;
    socket.try_send("first").unwrap();
    assert!(socket.send_volatile("second"));
    assert!(socket.send_volatile("third"));
    assert!(!socket.send_volatile("for the next poll"));
    assert_eq!(polling.poll_answer().await, ["4first", "4second", "4third"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_misses_some_and_the_outbox_stays_short() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut websocket = harness.websocket_with_room(10_000).await;
    let socket = sockets.recv().await.unwrap();
    let mut sent = Vec::new();
    for number in 0..100 {
        if socket.send_volatile(format!("{number}{}", " ".repeat(1_000))) {
            sent.push(number);
        }
        tokio::time::sleep(ms(1)).await;
    }
    // What the pipe holds, and the one that was too much for it.
    assert!((9..=11).contains(&sent.len()), "{sent:?}");
    for number in sent {
        assert_eq!(websocket.text().await.trim_end(), format!("4{number}"));
    }
    settle().await;
    assert!(socket.send_volatile("again"));
    assert_eq!(websocket.text().await, "4again");
}

#[tokio::test(start_paused = true)]
async fn the_outbox_keeps_its_limit() {
    let (harness, mut sockets) = handing_out(|builder| builder.outbox(2, 1_000_000));
    let mut websocket = harness.websocket(4).await;
    let socket = sockets.recv().await.unwrap();
    assert!(socket.send_volatile("one"));
    socket.try_send("two").unwrap();
    assert!(!socket.send_volatile("three"));
    assert_eq!(websocket.text().await, "4one");
    assert_eq!(websocket.text().await, "4two");
    settle().await;
    assert!(socket.send_volatile("four"));
    assert_eq!(websocket.text().await, "4four");
}

#[tokio::test(start_paused = true)]
async fn during_an_upgrade_none_is_sent_from_the_last_poll_to_the_move() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    polling.begin_poll().await;
    let mut websocket = harness.probed(&polling).await;
    // The server releases the poll, and the client makes no more.
    assert_eq!(polling.poll_answer().await, ["6"]);
    settle().await;
    assert!(!socket.send_volatile("lost"));
    websocket.send("5").await;
    settle().await;
    assert!(socket.send_volatile("hello"));
    assert_eq!(websocket.text().await, "4hello");
}

#[tokio::test(start_paused = true)]
async fn none_is_sent_before_the_session_is_open() {
    let (harness, mut sockets) = handing_out(|builder| builder);
    let mut connection = harness.connect_with_room(64);
    connection.send_upgrade(4, None).await;
    settle().await;
    let sender = harness.server.sessions().pop().unwrap();
    assert!(!sender.send_volatile("too early"));
    assert_eq!(connection.response().await.0, 101);
    let mut websocket = connection.into_websocket();
    assert!(websocket.text().await.starts_with('0'));
    let _socket = sockets.recv().await.unwrap();
    settle().await;
    assert!(sender.send_volatile("hello"));
    assert_eq!(websocket.text().await, "4hello");
}

#[tokio::test(start_paused = true)]
async fn none_is_sent_that_the_session_refuses() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let mut polling = harness.polling(4).await;
    let socket = sockets.recv().await.unwrap();
    polling.begin_poll().await;
    assert!(!socket.send_volatile("a\u{1e}b"), "polling cannot carry it");
    socket.close();
    assert!(!socket.send_volatile("closing"));
    assert_eq!(polling.poll_answer().await, ["1"]);
    harness.end().await;
    assert!(!socket.send_volatile("ended"));

    let mut websocket = harness.websocket(4).await;
    let socket = sockets.recv().await.unwrap();
    socket.close();
    assert!(!socket.send_volatile("closing"));
    assert_eq!(websocket.next().await, Received::Close(None));
}

#[tokio::test(start_paused = true)]
async fn none_is_sent_into_silence() {
    let (mut harness, mut sockets) = handing_out(|builder| builder);
    let _websocket = harness.websocket(4).await;
    let socket = sockets.recv().await.unwrap();
    harness.at(300).await;
    settle().await;
    assert!(socket.send_volatile("the ping may still be answered"));
    harness.end().await;
    assert!(!socket.send_volatile("it was not"));
}
